"""The lake: datasets with versions, profiles, rules, quality reports, classification and queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.lake.children.classify import classify_frame
    from aimass.lake.children.describe import describe_version
    from aimass.lake.children.query import engine, sql_literal, sql_name
    from aimass.lake.children.tables import Commit, Committed, Stream, commit, committed_before, scan

__getattr__, __dir__ = door(
    __name__,
    {
        "Commit": "aimass.lake.children.tables",
        "Committed": "aimass.lake.children.tables",
        "Stream": "aimass.lake.children.tables",
        "classify_frame": "aimass.lake.children.classify",
        "commit": "aimass.lake.children.tables",
        "committed_before": "aimass.lake.children.tables",
        "describe_version": "aimass.lake.children.describe",
        "engine": "aimass.lake.children.query",
        "scan": "aimass.lake.children.tables",
        "sql_literal": "aimass.lake.children.query",
        "sql_name": "aimass.lake.children.query",
    },
)
__all__ = [
    "Commit",
    "Committed",
    "Stream",
    "classify_frame",
    "commit",
    "committed_before",
    "describe_version",
    "engine",
    "scan",
    "sql_literal",
    "sql_name",
]
