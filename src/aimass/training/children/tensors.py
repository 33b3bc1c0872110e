"""Columns whose cells are lists of equally many numbers: each is one input of a model, such as an image or an embedding."""

from __future__ import annotations

import numpy as np
import polars as pl

from aimass.training.errors import Unlearnable

MAX_LENGTH = 65_536
_HINT = "repair the rows, or leave the column out"


def is_tensor(dtype: pl.DataType) -> bool:
    """Tell whether cells of this type are lists of numbers.

    Examples
    --------
    >>> is_tensor(pl.List(pl.UInt8())), is_tensor(pl.List(pl.String())), is_tensor(pl.Float64())
    (True, False, False)
    """
    inner = dtype.inner if isinstance(dtype, pl.List | pl.Array) else None
    return inner is not None and inner.is_numeric() and not (isinstance(dtype, pl.Array) and len(dtype.shape) > 1)


def why_no_tensor(column: pl.Series, *, is_chosen: bool) -> str | None:
    """Return why a column of lists is nothing to learn from, None where it is; one that was chosen is refused instead."""
    lengths = _lists(column).list.len().drop_nulls().unique().sort().to_list()
    longest = lengths[-1] if lengths else 0
    if len(lengths) == 1 and 0 < longest <= MAX_LENGTH:
        return None
    if len(lengths) > 1:
        why = f"its lists hold {lengths[0]} to {longest} numbers, and all must hold equally many"
    else:
        why = f"its lists hold {longest} numbers, and 1 to {MAX_LENGTH} are allowed"
    if is_chosen:
        raise Unlearnable(
            f"column {column.name!r} is of no use: {why}", field="features", value=column.name, hint=_HINT
        )
    return why


def length_of(column: pl.Series) -> int:
    """Return how many numbers each list of a column holds; they were found to be equally long."""
    return int(_lists(column).list.len().max() or 0)  # type: ignore[arg-type]  a length is a whole number


def tensor_of(column: pl.Series, length: int) -> pl.Series:
    """Return a column as arrays of 32 bit floats, or refuse lists of another length, nulls, and what is not finite.

    Examples
    --------
    >>> tensor_of(pl.Series("pixels", [[0, 255], [16, 3]]), 2).dtype
    Array(Float32, shape=(2,))
    """
    lists = _lists(column)
    _refuse(column, lists.is_null(), "is missing")
    odd = lists.list.len() != length
    if odd.any():
        found = lists.filter(odd).list.len()[0]
        _refuse(column, odd, f"holds {found} numbers, and those learned from hold {length}")
    numbers = lists.explode().cast(pl.Float32, strict=False).fill_null(float("nan")).to_numpy()
    numbers = numbers.reshape(len(column), length) if len(column) else numbers[:0].reshape(0, length)
    is_odd = ~np.isfinite(numbers).min(axis=1, initial=True)
    _refuse(column, pl.Series(is_odd, dtype=pl.Boolean), "holds a null, or a number that is not finite")
    return pl.Series(column.name, numbers, dtype=pl.Array(pl.Float32, length))


def _lists(column: pl.Series) -> pl.Series:
    return column.arr.to_list() if isinstance(column.dtype, pl.Array) else column


def _refuse(column: pl.Series, wrong: pl.Series, what: str) -> None:
    count = int(wrong.sum())
    if count:
        raise Unlearnable(
            f"column {column.name!r}: the list of {count} of {len(column)} rows {what}",
            field="features",
            value=column.name,
            hint=_HINT,
        )
