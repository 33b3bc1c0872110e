"""How the confirmed types and those of a table come together: a table may become wider, never narrower."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from aimass.kernel.errors import Conflict
from aimass.lake import type_name

MOST_DIGITS = 38


def fitted(table: Mapping[str, pl.DataType], wanted: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Return the columns of the table once it has taken in rows of other types.

    Examples
    --------
    >>> fitted({"a": pl.Int64(), "b": pl.Float64()}, {"a": pl.Float64(), "b": pl.Int64(), "c": pl.String()})
    {'a': Float64, 'b': Float64, 'c': String}
    """
    return {**table, **{name: _both(name, table.get(name), kind) for name, kind in wanted.items()}}


def _both(name: str, there: pl.DataType | None, comes: pl.DataType) -> pl.DataType:
    """Return the type that holds the values of both, or say that there is none."""
    if there is None or there == comes:
        return comes
    for one, other in ((there, comes), (comes, there)):
        if one.is_integer() and other.is_float():
            return other
        if one.is_integer() and isinstance(other, pl.Decimal):
            return _decimal(name, other, pl.Decimal(19, 0))
        if isinstance(one, pl.Date) and isinstance(other, pl.Datetime):
            return other
    if isinstance(there, pl.Decimal) and isinstance(comes, pl.Decimal):
        return _decimal(name, there, comes)
    if there.is_integer() and comes.is_integer():
        return there
    raise Conflict(
        f"column {name!r} of the dataset is {type_name(there)}, and the source stores {type_name(comes)}",
        field="columns",
        value=name,
        hint=f"confirm the type {type_name(there)!r} for it, or fill another dataset",
    )


def _decimal(name: str, one: pl.Decimal, other: pl.Decimal) -> pl.Decimal:
    scale = max(one.scale, other.scale)
    digits = max((one.precision or MOST_DIGITS) - one.scale, (other.precision or MOST_DIGITS) - other.scale) + scale
    if digits > MOST_DIGITS:
        known = one if scale == one.scale else other
        if (known.precision or MOST_DIGITS) == MOST_DIGITS:
            return pl.Decimal(MOST_DIGITS, scale)
        raise Conflict(
            f"column {name!r} would need {digits} digits", field="columns", value=name, allowed=f"at most {MOST_DIGITS}"
        )
    return pl.Decimal(digits, scale)
