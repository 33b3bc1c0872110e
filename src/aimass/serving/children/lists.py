"""Columns whose cells are lists of numbers, as the tensors that a model takes."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Invalid
from aimass.models import Column
from aimass.serving.domain.scoring import ROWS_PER_REQUEST

_ELEMENTS: dict[str, Any] = {"BOOL": np.bool_, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64}
NUMBERS_AT_ONCE = 8_000_000
FIX = "repair the rows, or leave them out with a SELECT"


def tensor_of(one: Column, series: pl.Series, start: int) -> Any:
    """Return the array of an input, one row for each cell, or refuse the first row that does not fit.

    Parameters
    ----------
    one
        An input whose first size is free; a cell holds the numbers of all other sizes, in their order.
    start
        The number of the first row.

    Examples
    --------
    >>> image = Column(name="image", type="float", shape=(-1, 2, 2))
    >>> tensor_of(image, pl.Series("pixels", [[1, 2, 3, 4]]), 0).shape
    (1, 2, 2)
    """
    sizes = (one.shape or ())[1:]
    lists = _lists(one, series)
    lengths = lists.list.len().fill_null(0)
    _refuse(one, series, start, (lengths != prod(sizes)).to_numpy(), f"no list of {prod(sizes)} numbers")
    numbers = lists.explode().cast(pl.Float64).fill_null(float("nan")).to_numpy()
    element = _ELEMENTS.get(one.element, one.element.lower())
    with np.errstate(all="ignore"):
        found = numbers.astype(element)
        unlike = ~np.isfinite(numbers) if one.type == "float" else numbers != found.astype(np.float64)
        unlike |= ~np.isfinite(found)
    wrong = unlike.reshape(len(series), prod(sizes)).any(axis=1)
    _refuse(one, series, start, wrong, f"a null or a number that is no {one.element}")
    return found.reshape(len(series), *sizes)


def rows_at_once(inputs: Iterable[Column], most: int) -> int:
    """Return how many rows make a chunk, in whole requests: fewer where each row holds many numbers.

    Examples
    --------
    >>> rows_at_once([Column(name="image", type="float", shape=(-1, 3072))], 20_000)
    2600
    >>> rows_at_once([Column(name="age", type="float")], 20_000)
    20000
    """
    width = sum(prod(one.shape[1:]) for one in inputs if one.shape is not None)
    if not width:
        return most
    requests = NUMBERS_AT_ONCE // width // ROWS_PER_REQUEST
    return min(most, max(1, requests) * ROWS_PER_REQUEST)


def texts_of(series: pl.Series, most: int = 256) -> list[Any]:
    """Return the cells of a column as a record keeps them: a list as one text, a long one by its length.

    Examples
    --------
    >>> texts_of(pl.Series([[1, 2], [3, 4]])), texts_of(pl.Series([5]))
    (['[1,2]', '[3,4]'], [5])
    """
    if not isinstance(series.dtype, pl.List | pl.Array):
        return series.to_list()
    return [
        None if cell is None else f"[{len(cell)} numbers]" if len(cell) > most else str(cell).replace(" ", "")
        for cell in series.to_list()
    ]


def _lists(one: Column, series: pl.Series) -> pl.Series:
    if isinstance(series.dtype, pl.Array):
        series = series.arr.to_list()
    inner = series.dtype.inner if isinstance(series.dtype, pl.List) else None
    wanted = inner is not None and (inner == pl.Boolean if one.type == "boolean" else inner.is_numeric())
    if not wanted:
        raise Invalid(
            f"column {series.name!r} holds {series.dtype}, and input {one.name!r} takes lists of {one.type}",
            field=series.name,
        )
    return series


def _refuse(one: Column, series: pl.Series, start: int, wrong: Any, what: str) -> None:
    if wrong.any():
        raise Invalid(
            f"row {start + int(wrong.argmax())}: column {series.name!r} holds {what}, and input {one.name!r} is a tensor",
            field=series.name,
            hint=FIX,
        )
