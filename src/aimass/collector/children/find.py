"""Find a text in an uploaded file."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from aimass.collector.connectors.file.run.read import guess_format, reader_of
from aimass.collector.connectors.file.run.unpack import unpacked_pieces
from aimass.kernel.errors import Invalid

_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gb18030", "cp1252", "shift_jis")


def find(args: dict[str, Any]) -> dict[str, Any]:
    """Tell whether a file holds one of some texts: as bytes in a usual encoding, or in a cell of a format that packs its cells.

    Parameters
    ----------
    args
        ``path`` and ``texts``.
    """
    path, texts = Path(args["path"]), [str(text) for text in args["texts"]]
    try:
        kind = guess_format(path, path.name)
    except Invalid:
        kind = ""
    if kind in {"parquet", "arrow", "orc", "xlsx"}:
        return {"found": any(_in_columns(frame.lazy(), texts) for frame in _frames(kind, path))}
    if kind == "avro":
        return {"found": _in_bytes(_avro(path), texts)}
    return {"found": _in_bytes(unpacked_pieces(path), texts)}


def _frames(kind: str, path: Path) -> Iterable[pl.DataFrame]:
    if kind == "parquet":
        return pl.scan_parquet(path).collect_batches()
    reader: Any = reader_of(kind)
    return reader.all_cells(path) if kind == "xlsx" else reader.frames(path)


def _avro(path: Path) -> Iterator[bytes]:
    reader: Any = reader_of("avro")
    return (record.text.encode() for record in reader.records(path))


def _in_columns(frame: pl.LazyFrame, texts: list[str]) -> bool:
    found = [
        (pl.col(name).cast(pl.String, strict=False) if not kind.is_nested() else pl.struct(name).struct.json_encode())
        .str.contains_any(texts)
        .any()
        for name, kind in frame.collect_schema().items()
    ]
    return bool(found) and any(frame.select(found).collect().row(0))


def _in_bytes(pieces: Iterator[bytes], texts: list[str]) -> bool:
    written = {*texts, *(json.dumps(text)[1:-1] for text in texts), *(html.escape(text) for text in texts)}
    needles = {text.encode(encoding, "ignore") for encoding in _ENCODINGS for text in written} - {b""}
    longest = max(map(len, needles))
    held = b""
    for piece in pieces:
        held += piece
        if any(needle in held for needle in needles):
            return True
        held = held[-longest:]
    return False
