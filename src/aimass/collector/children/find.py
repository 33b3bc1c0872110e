"""Find a text in an uploaded file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from aimass.collector.connectors.file.run.scan import chunks

_ENCODINGS = ("utf-8", "utf-16-le", "gb18030", "cp1252")


def find(args: dict[str, Any]) -> dict[str, Any]:
    """Tell whether a file holds a text: as bytes in one of the usual encodings, or in a column of a Parquet file.

    Parameters
    ----------
    args
        ``path`` and ``text``.
    """
    path, text = Path(args["path"]), str(args["text"])
    with path.open("rb") as source:
        is_parquet = source.read(4) == b"PAR1"
    return {"found": _in_columns(path, text) if is_parquet else _in_bytes(path, text)}


def _in_columns(path: Path, text: str) -> bool:
    frame = pl.scan_parquet(path)
    texts = [
        pl.col(name).str.contains(text, literal=True).any()
        for name, t in frame.collect_schema().items()
        if t == pl.String
    ]
    return bool(texts) and any(frame.select(texts).collect().row(0))


def _in_bytes(path: Path, text: str) -> bool:
    needles = {text.encode(encoding, "ignore") for encoding in _ENCODINGS} - {b""}
    longest = max(map(len, needles))
    held = b""
    for chunk in chunks(path):
        held += chunk
        if any(needle in held for needle in needles):
            return True
        held = held[-longest:]
    return False
