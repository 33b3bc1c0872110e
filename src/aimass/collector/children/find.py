"""Find a text in an uploaded file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from aimass.collector.connectors.file.run.scan import chunks

_ENCODINGS = ("utf-8", "utf-16-le", "gb18030", "cp1252")


def find(args: dict[str, Any]) -> dict[str, Any]:
    """Tell whether a file holds one of some texts: as bytes in a usual encoding, or in a column of a Parquet file.

    Parameters
    ----------
    args
        ``path`` and ``texts``.
    """
    path, texts = Path(args["path"]), [str(text) for text in args["texts"]]
    with path.open("rb") as source:
        is_parquet = source.read(4) == b"PAR1"
    return {"found": _in_columns(path, texts) if is_parquet else _in_bytes(path, texts)}


def _in_columns(path: Path, texts: list[str]) -> bool:
    frame = pl.scan_parquet(path)
    found = [
        pl.col(name).cast(pl.String, strict=False).str.contains_any(texts).any()
        for name, kind in frame.collect_schema().items()
        if not kind.is_nested()
    ]
    return bool(found) and any(frame.select(found).collect().row(0))


def _in_bytes(path: Path, texts: list[str]) -> bool:
    needles = {text.encode(encoding, "ignore") for encoding in _ENCODINGS for text in texts} - {b""}
    longest = max(map(len, needles))
    held = b""
    for chunk in chunks(path):
        held += chunk
        if any(needle in held for needle in needles):
            return True
        held = held[-longest:]
    return False
