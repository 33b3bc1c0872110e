"""From the columns of a dataset to what a model takes, with a clear refusal of what it cannot take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Invalid
from aimass.models import Column
from aimass.serving.children.lists import FIX, rows_at_once, tensor_of


@dataclass(slots=True, kw_only=True)
class Fed:
    """One chunk as a model takes it.

    Attributes
    ----------
    values
        By input: an array, or for a model worker a list.
    unseen
        By input, where some category was never seen: which rows hold one.
    """

    values: dict[str, Any]
    unseen: dict[str, Any] = field(default_factory=dict[str, Any])


class Feeder:
    """Prepares the columns of every chunk; safe in several threads.

    Parameters
    ----------
    inputs
        The inputs of the model.
    columns
        Input to column of the dataset.
    unseen
        What happens with unseen categories, over what the inputs say.
    """

    def __init__(self, inputs: tuple[Column, ...], columns: dict[str, str], unseen: str | None) -> None:
        self._inputs = inputs
        self._columns = columns
        self._unseen = unseen
        self._words = {
            one.name: np.array([*one.categories, ""], dtype=object) for one in inputs if one.categories is not None
        }

    def rows_at_once(self, most: int) -> int:
        """Return how many rows make a chunk."""
        return rows_at_once(self._inputs, most)

    def arrays(self, frame: pl.DataFrame, start: int) -> Fed:
        """Return arrays: text as objects, tensors in their datatype, all else as 32 bit floats; ``start`` is the number of the first row."""
        fed = Fed(values={})
        for one in self._inputs:
            series = frame[self._columns[one.name]]
            if one.shape is not None:
                fed.values[one.name] = tensor_of(one, series, start)
                continue
            make = self._texts if one.type == "string" else self._numbers
            fed.values[one.name] = make(one, series, start, fed)
        return fed

    def lists(self, frame: pl.DataFrame, start: int) -> Fed:
        """Return lists, and arrays of tensors, for a model worker; checked like the arrays."""
        fed = self.arrays(frame, start)
        for one in self._inputs:
            if one.shape is not None:
                continue
            series = frame[self._columns[one.name]]
            if one.type == "integer":
                series = series.cast(pl.Int64)
            elif one.type == "float":
                series = series.cast(pl.Float64).fill_nan(None)
            fed.values[one.name] = series.to_list()
        return fed

    def _numbers(self, one: Column, series: pl.Series, start: int, _fed: Fed) -> Any:
        if one.type == "integer" and series.dtype.is_float():
            self._check(one, series, start, series != series.round(), "no whole number")
        values = series.cast(pl.Float32).fill_null(float("nan")).to_numpy()
        if not np.isfinite(values).all():
            self._check(one, series, start, pl.Series(np.isinf(values)), "outside the range of a 32 bit number")
            self._check_nulls(one, np.isnan(values), start)
        return values

    def _check_nulls(self, one: Column, absent: Any, start: int) -> None:
        if not one.nullable and absent.any():
            raise Invalid(
                f"row {start + int(absent.argmax())}: input {one.name!r} may not be null",
                field=self._columns[one.name],
                hint=FIX,
            )

    def _check(self, one: Column, series: pl.Series, start: int, wrong: pl.Series, what: str) -> None:
        if wrong.any():
            at = int(wrong.fill_null(value=False).arg_max() or 0)
            raise Invalid(
                f"row {start + at}: {series[at]!r} in column {self._columns[one.name]!r} is {what}, "
                f"and input {one.name!r} is {one.type}",
                field=self._columns[one.name],
                value=series[at],
                hint=FIX,
            )

    def _texts(self, one: Column, series: pl.Series, start: int, fed: Fed) -> Any:
        if series.null_count():
            self._check_nulls(one, series.is_null().to_numpy(), start)
        words = self._words.get(one.name)
        if words is None:
            return series.fill_null("").to_numpy()
        codes = series.cast(pl.Enum(list(one.categories or ())), strict=False)
        places = codes.to_physical().cast(pl.Int64).fill_null(len(words) - 1).to_numpy()
        found = words[places]
        if codes.null_count() > series.null_count():
            strange = (codes.is_null() & series.is_not_null() & (series != "")).to_numpy()
            self._note_unseen(one, series, start, strange)
            found[strange] = series.filter(pl.Series(strange)).to_numpy()
            if strange.any():
                fed.unseen[one.name] = strange
        return found

    def _note_unseen(self, one: Column, series: pl.Series, start: int, strange: Any) -> None:
        if (self._unseen or one.unseen) == "serve" or not strange.any():
            return
        at = int(strange.argmax())
        raise Invalid(
            f"row {start + at}: {series[at]!r} in column {self._columns[one.name]!r} is none of the categories "
            f"that the model knows",
            field=self._columns[one.name],
            value=series[at],
            allowed=list(one.categories or ())[:100],
            hint="score with an endpoint whose setting 'unseen' is 'serve'",
        )
