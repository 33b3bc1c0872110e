"""Files of tensors in the form of safetensors: a header that tells names, kinds and sizes, and numbers behind it."""

from __future__ import annotations

import json
from math import prod
from typing import Any

import numpy as np

from aimass.kernel.errors import Invalid

_KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1"}
_KINDS |= {"U8": "u1", "BOOL": "?"}
_START, _MOST_HEADER, _MOST_SIZES = 8, 100 * 2**20, 8
_ABOUT = "__metadata__"


def tensors_of(file: bytes) -> dict[str, Any]:
    """Return the tensors of a file by name; every place in it is checked before it is read.

    Examples
    --------
    >>> header = b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    >>> tensors_of(len(header).to_bytes(8, "little") + header + np.array([1, 2], "<f4").tobytes())["x"].tolist()
    [1.0, 2.0]
    """
    size = int.from_bytes(file[:_START], "little")
    if len(file) < _START or size > min(_MOST_HEADER, len(file) - _START):
        raise _broken("its header is longer than the file")
    try:
        header = json.loads(file[_START : _START + size])
    except (ValueError, RecursionError):
        raise _broken("its header is no JSON") from None
    if not isinstance(header, dict):
        raise _broken("its header is no object")
    body = memoryview(file)[_START + size :]
    return {name: _tensor(name, told, body) for name, told in header.items() if name != _ABOUT}


def _tensor(name: str, told: Any, body: memoryview) -> Any:
    try:
        kind, sizes, (start, end) = _KINDS[told["dtype"]], list(told["shape"]), told["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise _broken(f"it says nothing that can be read of tensor {name[:100]!r}") from None
    numbers = [*sizes, start, end]
    if not all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in numbers):
        raise _broken(f"tensor {name[:100]!r} has no sizes")
    wanted = prod(sizes) * np.dtype(kind).itemsize
    if len(sizes) > _MOST_SIZES or end - start != wanted or end > len(body):
        raise _broken(f"tensor {name[:100]!r} does not lie where it says")
    values = np.frombuffer(body[start:end], dtype=kind).reshape(sizes)
    if told["dtype"] == "BF16":  # the upper half of a float
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values


def _broken(why: str) -> Invalid:
    return Invalid(f"the file of tensors cannot be read: {why}", field="model.safetensors", hint="send it again")
