"""The typed signature of a package: what each input column accepts, and the refusal that says why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, NoReturn

import numpy as np

from aimass.gateway.plane.errors import NullRefused, UnknownDatatype, UnseenCategory, WrongShape, WrongType

INTEGERS = {f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)}
INTEGERS |= {f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)}
FLOATS = ("FP32", "FP64", "FP16")
DATATYPES: dict[str, tuple[str, ...]] = {
    "string": ("BYTES",),
    "float": (*FLOATS, *INTEGERS),
    "integer": ("INT64", "INT32", *(i for i in INTEGERS if i not in {"INT64", "INT32"}), *FLOATS),
    "boolean": ("BOOL",),
}
OFFERED = {"string": "BYTES", "float": "FP32", "integer": "INT64", "boolean": "BOOL"}
TYPES: dict[str, frozenset[type]] = {
    "BYTES": frozenset({str}),
    "BOOL": frozenset({bool}),
    **{name: frozenset({int}) for name in INTEGERS},
    **{name: frozenset({int, float}) for name in FLOATS},
}
WORDS = {
    "BYTES": "text",
    "BOOL": "true or false",
    **dict.fromkeys(INTEGERS, "whole numbers"),
    **dict.fromkeys(FLOATS, "numbers"),
}
FLOAT32_MAX = 3.4028234663852886e38


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One input of a signature.

    Attributes
    ----------
    kind
        ``string``, ``float``, ``integer`` or ``boolean``.
    categories
        The values the model was trained on, or None when any value is welcome.
    serves_unseen
        Whether a value that is no category is served (and counted) or refused.
    """

    name: str
    kind: str
    nullable: bool
    categories: frozenset[Any] | None
    serves_unseen: bool

    @classmethod
    def from_manifest(cls, spec: dict[str, Any]) -> Column:
        """Read one entry of ``signature.inputs``."""
        categories = spec.get("categories")
        return cls(
            name=spec["name"],
            kind=spec["type"],
            nullable=bool(spec.get("nullable", False)),
            categories=None if categories is None else frozenset(categories),
            serves_unseen=spec.get("unseen", "refuse") == "serve",
        )

    def check_datatype(self, datatype: Any) -> str:
        """Return the datatype, or refuse one that is not known or does not fit."""
        if not isinstance(datatype, str) or datatype not in DATATYPES[self.kind]:
            raise UnknownDatatype(
                f"input {self.name!r} has datatype {datatype!r}, and the signature says {self.kind}",
                field=self.name,
                value=datatype,
                allowed=list(DATATYPES[self.kind]),
            )
        return datatype

    def check_shape(self, shape: Any) -> list[int]:
        """Return a shape, or refuse one that is no column."""
        if (
            isinstance(shape, list)
            and len(shape) in {1, 2}
            and all(type(size) is int for size in shape)
            and shape[0] >= 1
            and shape[1:] in ([], [1])
        ):
            return shape
        raise WrongShape(
            f"input {self.name!r} has shape {str(shape)[:80]}", field=self.name, value=shape, allowed="[n] or [n, 1]"
        )

    def rows(self, shape: Sequence[int]) -> int:
        """Return how many rows a shape has."""
        return shape[0]

    def check(self, values: Any, datatype: str) -> bool:
        """Refuse values that break the signature; return True when a category was unseen and is served."""
        if isinstance(values, np.ndarray):
            self._check_array(values)
        else:
            self._check_list(values, datatype)
        return self._has_unseen(values)

    def _check_list(self, values: list[Any], datatype: str) -> None:
        kinds = set(map(type, values))
        if NoneType in kinds:
            if not self.nullable:
                self._refuse_null(values.index(None))
            kinds.discard(NoneType)
        expected = TYPES[datatype]
        if not kinds <= expected:
            row = next(i for i, v in enumerate(values) if v is not None and type(v) not in expected)
            self._refuse(row, values[row], f"not {WORDS[datatype]}", WORDS[datatype])
        if self.kind in {"float", "integer"}:
            self._check_numbers(values, datatype)

    def _check_numbers(self, values: list[Any], datatype: str) -> None:
        low, high = INTEGERS.get(datatype, (-FLOAT32_MAX, FLOAT32_MAX))
        for row, value in enumerate(values):
            if value is None:
                continue
            if not low <= value <= high:
                self._refuse(row, value, f"outside the range of {datatype}", [low, high])
            if self.kind == "integer" and value != int(value):
                self._refuse(row, value, "not a whole number", "whole numbers")

    def _check_array(self, values: Any) -> None:
        if values.dtype.kind != "f":
            return
        finite = np.isfinite(values) & (np.abs(values) <= FLOAT32_MAX)
        nulls = np.isnan(values)
        if nulls.any() and not self.nullable:
            self._refuse_null(int(nulls.argmax()))
        wrong = ~(finite | nulls)
        if wrong.any():
            row = int(wrong.argmax())
            self._refuse(row, float(values[row]), "outside the range of FP32", [-FLOAT32_MAX, FLOAT32_MAX])
        if self.kind == "integer":
            broken = ~nulls & (values != np.trunc(values))
            if broken.any():
                row = int(broken.argmax())
                self._refuse(row, float(values[row]), "not a whole number", "whole numbers")

    def _has_unseen(self, values: Any) -> bool:
        if self.categories is None:
            return False
        present = set(values.tolist() if isinstance(values, np.ndarray) else values)
        strange = {v for v in present - self.categories if v is not None and v == v}  # noqa: PLR0124 NaN is a null
        if strange and not self.serves_unseen:
            value = next(v for v in values if v in strange)
            raise UnseenCategory(
                f"input {self.name!r}: {str(value)[:80]!r} is none of the categories that the model knows",
                field=self.name,
                value=value,
                allowed=sorted(self.categories, key=str),
            )
        return bool(strange)

    def _refuse_null(self, row: int) -> NoReturn:
        raise NullRefused(
            f"input {self.name!r}, row {row}: null is not allowed by the signature",
            field=self.name,
            allowed=f"{self.kind}, never null",
        )

    def _refuse(self, row: int, value: Any, what: str, allowed: Any) -> NoReturn:
        raise WrongType(
            f"input {self.name!r}, row {row}: {str(value)[:80]!r} is {what}",
            field=self.name,
            value=value,
            allowed=allowed,
        )
