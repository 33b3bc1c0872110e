"""Shapes and datatypes of the inputs and outputs of a signature, in the words of the Open Inference Protocol.

Standard library only: the gateway and the workers read signatures too.
"""

from __future__ import annotations

from typing import Any

from aimass.models.errors import BrokenPackage

DATATYPES = {
    "string": ("BYTES",),
    "boolean": ("BOOL",),
    "float": ("FP32", "FP64", "FP16"),
    "integer": ("INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8"),
}
MAX_RANK = 8
FREE = -1
_MAX_SIZE = 2**31 - 1


def parse_shape(raw: Any, at: str) -> tuple[int, ...] | None:
    """Read the shape of an input or output; None when it has none.

    Examples
    --------
    >>> parse_shape([-1, 32, 32, 3], "signature.inputs.shape")
    (-1, 32, 32, 3)
    """
    if raw is None:
        return None
    fits = isinstance(raw, list | tuple) and len(raw) <= MAX_RANK and all(type(size) is int for size in raw)
    if not fits or not all(size == FREE or 1 <= size <= _MAX_SIZE for size in raw):
        raise BrokenPackage(
            f"shape {str(raw)[:80]} is not allowed",
            field=at,
            value=raw,
            allowed=f"at most {MAX_RANK} sizes, each at least 1, or -1 where any size is welcome",
        )
    return tuple(raw)


def parse_datatype(raw: Any, kind: str, at: str) -> str | None:
    """Read a datatype, which must be one of its type; None for the usual one."""
    if raw is not None and raw not in DATATYPES[kind]:
        raise BrokenPackage(
            f"datatype {str(raw)[:40]!r} is no {kind}", field=at, value=raw, allowed=list(DATATYPES[kind])
        )
    return raw


def usual_datatype(kind: str) -> str:
    """Return the datatype of a type that names none.

    Examples
    --------
    >>> usual_datatype("float")
    'FP32'
    """
    return DATATYPES[kind][0]
