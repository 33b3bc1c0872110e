"""Inputs that are tensors of a fixed rank: images, sequences, embeddings, beside the columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from aimass.gateway.plane.binary import DTYPES, read_tensor
from aimass.gateway.plane.columns import FLOATS, INTEGERS, OFFERED, TYPES, WORDS
from aimass.gateway.plane.errors import UnknownDatatype, WrongShape, WrongType
from aimass.kernel.errors import Invalid

KINDS = {"BYTES": "string", "BOOL": "boolean", **dict.fromkeys(INTEGERS, "integer"), **dict.fromkeys(FLOATS, "float")}
_FREE = -1
_MAX_SIZE = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One input of a signature that is a tensor.

    Attributes
    ----------
    kind
        ``string``, ``float``, ``integer`` or ``boolean``.
    datatype
        The one datatype that it takes, in the words of the Open Inference Protocol.
    shape
        Its sizes; -1 where any is welcome. A free first size counts the rows of the request.
    """

    name: str
    kind: str
    datatype: str
    shape: tuple[int, ...]

    @classmethod
    def from_manifest(cls, spec: dict[str, Any]) -> Tensor:
        """Read one entry of ``signature.inputs`` that has a shape."""
        return cls(name=spec["name"], kind=spec["type"], datatype=datatype_of(spec), shape=tuple(spec["shape"]))

    def check_datatype(self, datatype: Any) -> str:
        """Return the datatype, or refuse one that is not that of the signature."""
        if datatype != self.datatype:
            raise UnknownDatatype(
                f"input {self.name!r} has datatype {str(datatype)[:40]!r}, and the signature says {self.datatype}",
                field=self.name,
                value=datatype,
                allowed=[self.datatype],
                hint="bfloat16 is not served: send FP32" if datatype == "BF16" else "",
            )
        return self.datatype

    def check_shape(self, shape: Any) -> list[int]:
        """Return a shape, or refuse one that does not fit the signature."""
        fits = (
            isinstance(shape, list)
            and len(shape) == len(self.shape)
            and all(
                type(size) is int and 1 <= size <= _MAX_SIZE and wanted in (size, _FREE)
                for size, wanted in zip(shape, self.shape, strict=True)
            )
        )
        if not fits:
            raise WrongShape(
                f"input {self.name!r} has shape {str(shape)[:80]}, and the signature says {list(self.shape)}",
                field=self.name,
                value=shape,
                allowed=list(self.shape),
            )
        return shape

    def rows(self, shape: Sequence[int]) -> int | None:
        """Return how many rows a shape has; None when the first size is fixed."""
        return shape[0] if self.shape[:1] == (_FREE,) else None

    def taken(self, raw: memoryview, shape: Sequence[int]) -> Any:
        """Return the array that lies in these bytes."""
        values = read_tensor(self.name, self.datatype, raw, prod(shape))
        return _texts(values, shape) if self.datatype == "BYTES" else values.reshape(shape)

    def listed(self, data: Any, shape: Sequence[int]) -> Any:
        """Return the array of a list, which is flat or nested like the shape."""
        values = self._flat(data, shape)
        self._check_types(values)
        if self.datatype == "BYTES":
            return _texts(values, shape)
        try:
            with np.errstate(over="ignore"):
                array = np.array(values, dtype=DTYPES[self.datatype])
        except OverflowError:
            array = None
        if array is None or (self.kind == "float" and not np.isfinite(array).all()):
            raise WrongType(
                f"input {self.name!r} holds a number outside the range of {self.datatype}",
                field=self.name,
                allowed=self.datatype,
            )
        return array.reshape(shape)

    def _flat(self, data: Any, shape: Sequence[int]) -> list[Any]:
        values = data
        level = 0
        while isinstance(values, list) and values and isinstance(values[0], list) and level + 1 < len(shape):
            level += 1
            if not all(isinstance(part, list) and len(part) == shape[level] for part in values):
                values = None
            else:
                values = list(chain.from_iterable(values))
        if not isinstance(values, list) or len(values) != prod(shape):
            found = f"{len(values)} values" if isinstance(values, list) else "no such list"
            raise WrongShape(
                f"input {self.name!r} has {found} for shape {list(shape)}",
                field=self.name,
                allowed=f"{prod(shape)} values, flat or nested like the shape",
            )
        return values

    def _check_types(self, values: list[Any]) -> None:
        expected = TYPES[self.datatype]
        if not set(map(type, values)) <= expected:
            place = next(i for i, value in enumerate(values) if type(value) not in expected)
            raise WrongType(
                f"input {self.name!r}, value {place}: {str(values[place])[:80]!r} is not {WORDS[self.datatype]}",
                field=self.name,
                value=values[place],
                allowed=WORDS[self.datatype],
            )


def _texts(values: list[str], shape: Sequence[int]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape)


def datatype_of(spec: dict[str, Any]) -> str:
    """Return the datatype of an input or output of a signature, given or usual for its type.

    Examples
    --------
    >>> datatype_of({"name": "x", "type": "float"}), datatype_of({"name": "x", "type": "integer", "datatype": "UINT8"})
    ('FP32', 'UINT8')
    """
    datatype = spec.get("datatype") or OFFERED[spec["type"]]
    if KINDS.get(datatype) != spec["type"]:
        allowed = [name for name, kind in KINDS.items() if kind == spec["type"]]
        raise Invalid(f"datatype {datatype!r} of {spec['name']!r} is no {spec['type']}", allowed=allowed)
    return datatype


def shape_of(data: Any) -> list[int]:
    """Return the shape of nested lists, by their first members.

    Examples
    --------
    >>> shape_of([[1, 2, 3], [4, 5, 6]]), shape_of(7)
    ([2, 3], [])
    """
    shape: list[int] = []
    while isinstance(data, list):
        shape.append(len(data))
        data = data[0] if data else None
    return shape
