"""The binary tensor extension: raw little-endian numbers, and strings with a length before each."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import numpy as np

from aimass.gateway.plane.errors import WrongShape, WrongType

DTYPES: dict[str, Any] = {
    "BOOL": np.dtype("?"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
_U32 = struct.Struct("<I")


def read_tensor(name: str, datatype: str, raw: memoryview, rows: int) -> Any:
    """Return the values of one tensor: an array of numbers, or a list of strings."""
    if datatype == "BYTES":
        return _read_strings(name, raw, rows)
    dtype = DTYPES[datatype]
    if len(raw) != rows * dtype.itemsize:
        raise WrongShape(
            f"input {name!r} has {len(raw)} bytes, and {rows} of {datatype} are {rows * dtype.itemsize}",
            field=name,
            value=len(raw),
            allowed=rows * dtype.itemsize,
        )
    return np.frombuffer(raw, dtype=dtype)


def _read_strings(name: str, raw: memoryview, rows: int) -> list[str]:
    texts: list[str] = []
    offset = 0
    while offset + _U32.size <= len(raw):
        (length,) = _U32.unpack_from(raw, offset)
        offset += _U32.size
        if offset + length > len(raw):
            break
        try:
            texts.append(str(raw[offset : offset + length], "utf-8"))
        except UnicodeDecodeError as reason:
            raise WrongType(
                f"input {name!r}, row {len(texts)}: not UTF-8", field=name, allowed="UTF-8 text"
            ) from reason
        offset += length
    if offset != len(raw) or len(texts) != rows:
        raise WrongShape(f"input {name!r} holds {len(texts)} whole strings, not {rows}", field=name, allowed=rows)
    return texts


def write_tensor(array: Any) -> bytes:
    r"""Return one tensor as bytes.

    Examples
    --------
    >>> write_tensor(np.array(["No"], dtype=object))
    b'\x02\x00\x00\x00No'
    """
    if array.dtype != object:
        return np.ascontiguousarray(array).tobytes()
    return strings([str(text).encode() for text in array.ravel()])


def strings(texts: Iterable[bytes]) -> bytes:
    """Return texts, each after its length."""
    return b"".join(_U32.pack(len(text)) + text for text in texts)
