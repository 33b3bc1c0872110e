"""Rows as Avro, batch by batch: one header, and the blocks of each batch behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from aimass.lake.children.values import plain

_MAGIC, _SYNC = b"Obj\x01", 16
_LOCAL, _INSTANT = "local-timestamp-micros", "timestamp-micros"
_AS_THEY_ARE = (pl.Int32, pl.Int64, pl.Float32, pl.Float64, pl.String, pl.Boolean, pl.Date, pl.Binary)
_WIDE = (pl.UInt64, pl.Int128)


def write_avro(empty: pl.DataFrame, frames: Iterable[pl.DataFrame], target: Path) -> None:
    """Write frames of one schema as an Avro file (deflate).

    Names that Avro does not allow get ``_`` for each strange character; the true one is the ``doc`` of the field. Moments with
    a zone are instants; times, durations and what cannot be nested in Avro are texts.

    Parameters
    ----------
    empty
        A frame of the schema without rows.
    frames
        The rows.
    target
        The file.
    """
    head, sync, _ = _parts(_ready(empty))
    schema = json.loads(head["avro.schema"])
    _rename(schema)
    for field, kind in zip(schema["fields"], empty.schema.values(), strict=True):
        field["type"] = _typed(field["type"], kind)
    head["avro.schema"] = json.dumps(schema, ensure_ascii=False).encode()
    with target.open("wb") as file:
        file.write(_MAGIC + _map(head) + sync)
        for frame in frames:
            for count, block in _parts(_ready(frame))[2]:
                file.write(_long(count) + _long(len(block)) + block + sync)


def _typed(told: Any, kind: pl.DataType) -> Any:
    """Say what the values of a column mean, where the writer of frames does not."""
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return json.loads(json.dumps(told).replace(_LOCAL, _INSTANT))
    if isinstance(kind, pl.Decimal):
        return [
            "null",
            {"type": "bytes", "logicalType": "decimal", "precision": kind.precision or 38, "scale": kind.scale},
        ]
    if kind in _WIDE:
        return ["null", {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 0}]
    return told


def _ready(frame: pl.DataFrame) -> pl.DataFrame:
    """Bring each column to a type that Avro has."""
    return frame.select(_column(frame[name]) for name in frame.columns)


def _column(values: pl.Series) -> pl.Series:
    kind = values.dtype
    if isinstance(kind, pl.Datetime):
        moments = values if kind.time_zone is None else values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return moments.cast(pl.Datetime("us"))
    if kind in _WIDE or isinstance(kind, pl.Decimal):
        return _digits(values.cast(pl.Decimal(38, 0)) if kind in _WIDE else values)
    if kind.is_integer():
        return values.cast(pl.Int64)
    if isinstance(kind, pl.List | pl.Struct) and _is_plain(kind):
        return values
    if kind.is_nested() or isinstance(kind, pl.Object):
        return pl.Series(values.name, [_text(value) for value in values], pl.String)
    return values if isinstance(kind, _AS_THEY_ARE) else values.cast(pl.String)


def _digits(values: pl.Series) -> pl.Series:
    """Write decimals as 16 bytes each: the writer of frames loses the sign of some (32768 becomes -32768)."""
    whole = (None if one is None else one.to_bytes(16, "big", signed=True) for one in values.to_physical())
    return pl.Series(values.name, list(whole), pl.Binary)


def _is_plain(kind: pl.DataType) -> bool:
    """Tell whether a nested type is one that Avro has all the way down."""
    if isinstance(kind, pl.List):
        return _is_plain(pl.Series(dtype=kind.inner).dtype)
    if isinstance(kind, pl.Struct):
        return all(_is_plain(pl.Series(dtype=field.dtype).dtype) for field in kind.fields)
    return isinstance(kind, _AS_THEY_ARE)


def _text(value: Any) -> str | None:
    return None if value is None else orjson.dumps(plain(value)).decode()


def _rename(node: Any) -> None:
    """Give the fields of a schema, at every depth, names that Avro allows."""
    if isinstance(node, list):
        for one in node:
            _rename(one)
    elif isinstance(node, dict):
        taken = {field["name"] for field in node.get("fields", ()) if _named(field["name"]) == field["name"]}
        for field in node.get("fields", ()):
            if _named(field["name"]) != field["name"]:
                field["doc"] = field["name"]
                field["name"] = _free(_named(field["name"]), taken)
                taken.add(field["name"])
        for key in ("fields", "type", "items"):
            _rename(node.get(key))


def _named(name: str) -> str:
    """Return a name with what Avro allows.

    Examples
    --------
    >>> _named("größe in m"), _named("2026"), _named("ok_1")
    ('gr__e_in_m', '_2026', 'ok_1')
    """
    allowed = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return allowed if re.match(r"[A-Za-z_]", allowed) else f"_{allowed}"


def _free(name: str, taken: set[str]) -> str:
    count, free = 1, name
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    return free


def _parts(frame: pl.DataFrame) -> tuple[dict[str, bytes], bytes, list[tuple[int, bytes]]]:
    """Write a frame, and cut what was written into its metadata, its mark, and its blocks with their numbers of rows."""
    written = BytesIO()
    frame.write_avro(written, compression="deflate", name="row")
    source = BytesIO(written.getvalue())
    source.read(len(_MAGIC))
    found: dict[str, bytes] = {}
    while count := _read_long(source):
        for _ in range(count):
            key = source.read(_read_long(source)).decode()
            found[key] = source.read(_read_long(source))
    mark = source.read(_SYNC)
    return found, mark, list(_blocks(source))


def _blocks(source: BytesIO) -> Iterator[tuple[int, bytes]]:
    while source.tell() < len(source.getbuffer()):
        count, size = _read_long(source), _read_long(source)
        block = source.read(size)
        source.read(_SYNC)
        if count:
            yield count, block


def _map(found: dict[str, bytes]) -> bytes:
    entries = [_long(len(key.encode())) + key.encode() + _long(len(value)) + value for key, value in found.items()]
    return _long(len(entries)) + b"".join(entries) + _long(0)


def _long(value: int) -> bytes:
    r"""Write a number as Avro does: zigzag, seven bits a byte.

    Examples
    --------
    >>> _long(0), _long(-1), _long(64), _read_long(BytesIO(_long(-123456789)))
    (b'\x00', b'\x01', b'\x80\x01', -123456789)
    """
    rest, written = (value << 1) ^ (value >> 63), bytearray()
    while rest > 0x7F:  # noqa: PLR2004 seven bits
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    written.append(rest)
    return bytes(written)


def _read_long(source: BytesIO) -> int:
    value = shift = 0
    while True:
        (byte,) = source.read(1)
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1)
