"""Open Inference Protocol answers: metadata and inference results, as JSON or with binary tensors."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import orjson

from aimass.gateway.plane.binary import DTYPES, write_tensor
from aimass.gateway.plane.decode import Wanted
from aimass.gateway.plane.tensors import datatype_of

_QUICK = 1
_WINDOWS = {b"gzip": 31, b"deflate": 15}
_NUMPY = orjson.OPT_SERIALIZE_NUMPY
NAMES = {np.dtype(object): "BYTES", **{dtype: name for name, dtype in DTYPES.items()}}


def encode(head: dict[str, Any], outputs: dict[str, Any], wanted: list[Wanted]) -> tuple[bytes, bytes | None]:
    """Return the JSON part and, when a binary output is wanted, the bytes that follow it."""
    described: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for want in wanted:
        array = outputs[want.name]
        entry = {"name": want.name, "datatype": NAMES[array.dtype], "shape": list(array.shape)}
        if want.is_binary:
            raw = write_tensor(array)
            entry["parameters"] = {"binary_data_size": len(raw)}
            tail.append(raw)
        else:
            entry["data"] = array.ravel().tolist() if array.dtype == object else np.ascontiguousarray(array.ravel())
        described.append(entry)
    body = orjson.dumps({**head, "outputs": described}, option=_NUMPY)
    return body, (b"".join(tail) if tail else None)


def compress(body: bytes, coding: bytes) -> bytes:
    """Pack a body with gzip or deflate, quickly rather than tightly."""
    machine = zlib.compressobj(_QUICK, zlib.DEFLATED, _WINDOWS[coding])
    return machine.compress(body) + machine.flush()


def as_arrays(outputs: dict[str, Any], signature: list[dict[str, Any]]) -> dict[str, Any]:
    """Turn the lists of an isolated worker into arrays of the types that the signature names."""
    return {spec["name"]: np.asarray(outputs[spec["name"]], dtype=dtype_of(spec)) for spec in signature}


def dtype_of(spec: dict[str, Any]) -> Any:
    """Return the type of array in which an output is held."""
    return DTYPES.get(datatype_of(spec), np.dtype(object))
