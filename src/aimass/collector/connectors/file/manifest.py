"""What the file connector is and takes; readable without loading it."""

from __future__ import annotations

from typing import Any

MANIFEST: dict[str, Any] = {
    "name": "file",
    "title": "File",
    "version": "1",
    "formats": ["csv", "parquet", "ndjson"],
    "run": "aimass.collector.children.collect:collect",
    "propose": "aimass.collector.children.propose:propose",
    "parameters": {
        "format": {"type": "string", "allowed": ["csv", "parquet", "ndjson"], "help": "how the file is written"},
        "delimiter": {"type": "string", "default": ",", "help": "one character between the cells of a CSV file"},
        "quote": {"type": "string", "default": '"', "help": "the character around cells that hold a delimiter"},
        "encoding": {"type": "string", "default": "utf-8", "help": "character set of the file"},
        "header": {"type": "boolean", "default": True, "help": "the first row holds the names of the columns"},
        "null_values": {
            "type": "list",
            "default": [],
            "help": "texts that mean a missing value, besides the empty one",
        },
        "mode": {
            "type": "string",
            "allowed": ["append", "replace"],
            "default": "append",
            "help": "add rows, or replace them all",
        },
        "max_reject_rate": {"type": "float", "default": 0.2, "help": "share of bad rows above which nothing is stored"},
    },
}
