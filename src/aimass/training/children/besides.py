"""Further targets of a run: read from the rows, and measured on rows that nothing learned from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Invalid
from aimass.training.children.targets import MAX_CLASSES, find_task, is_of_lists
from aimass.training.errors import Unlearnable
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.beside import Beside

FIELD = "params.beside"
LEAST = 2
_TOLD = {"classification": ("accuracy", "roc_auc", "log_loss"), "regression": ("rmse", "mae", "r2")}


def need_columns(frame: pl.DataFrame, names: tuple[str, ...]) -> None:
    """Refuse a further target that the dataset does not have."""
    for name in names:
        if name not in frame.columns:
            raise Invalid(
                f"there is no column {name!r}",
                field=FIELD,
                value=name,
                allowed=frame.columns[:50],
                hint="check the name",
            )


def besides_of(rows: pl.DataFrame, parts: pl.Series, names: tuple[str, ...]) -> tuple[dict[str, Beside], list[str]]:
    """Return the further targets of rows, and notes for people; classes are those of the training part.

    Examples
    --------
    >>> rows = pl.DataFrame({"loop": [True, None, False, True], "ink": [0.5, 1.5, None, 2.5]})
    >>> found, notes = besides_of(rows, pl.Series(["train", "train", "train", "test"]), ("loop", "ink"))
    >>> found["loop"].truth.tolist(), found["loop"].classes, found["ink"].classes
    ([1.0, nan, 0.0, 1.0], ('false', 'true'), ())
    >>> notes[0]
    "beside the target 'loop' is learned: 2 classes, known of 2 of 3 training rows"
    """
    found: dict[str, Beside] = {}
    notes: list[str] = []
    is_train = parts == "train"
    for name in names:
        found[name] = one = _beside(rows[name], rows[name].filter(is_train))
        known = int(one.known[is_train.to_numpy()].sum())
        what = f"{len(one.classes)} classes" if one.classes else "a number"
        notes.append(
            f"beside the target {name!r} is learned: {what}, known of {known} of {int(is_train.sum())} training rows"
        )
    return found, notes


def _beside(column: pl.Series, train: pl.Series) -> Beside:
    """Return one further target of all rows, or refuse one from which nothing can be learned."""
    if column.dtype.is_nested() or is_of_lists(column.dtype):
        raise _unfit(column.name, str(column.dtype), "one class or one number a row", "holds lists")
    if find_task(train)[0] == "regression":
        return _numbers(column, train)
    text, told = _texts(column), _texts(train).drop_nulls().unique().sort().to_list()
    if not LEAST <= len(told) <= MAX_CLASSES:
        allowed = f"{LEAST} to {MAX_CLASSES} classes"
        raise _unfit(column.name, len(told), allowed, f"has {len(told)} classes in the training rows")
    places = {name: float(place) for place, name in enumerate(told)}
    truth = text.replace_strict(places, default=None, return_dtype=pl.Float64)
    return Beside(truth=truth.fill_null(float("nan")).to_numpy(), classes=tuple(told))


def _numbers(column: pl.Series, train: pl.Series) -> Beside:
    numbers = column.cast(pl.Float64)
    if numbers.is_infinite().any():
        raise _unfit(column.name, "infinite", "numbers that are finite", "holds infinite values")
    if train.cast(pl.Float64).fill_nan(None).drop_nulls().n_unique() < LEAST:
        raise _unfit(column.name, "no spread", f"{LEAST} values", "has no two values in the training rows")
    return Beside(truth=numbers.fill_null(float("nan")).to_numpy())


def _texts(column: pl.Series) -> pl.Series:
    """Return values as the names of classes: whole numbers without a point, whatever type held them beside nulls."""
    if column.dtype.is_float() or column.dtype.is_decimal():
        column = column.cast(pl.Float64).fill_nan(None).cast(pl.Int64, strict=False)
    return column.cast(pl.String)


def _unfit(name: str, value: Any, allowed: str, why: str) -> Unlearnable:
    return Unlearnable(
        f"column {name!r} {why}", field=FIELD, value=value, allowed=allowed, hint="leave it out of beside"
    )


def scores_beside(truths: Mapping[str, Beside], answers: Mapping[str, Any]) -> dict[str, float]:
    """Return the measures of each further target over the rows of which it is known, as ``beside.<column>.<metric>``.

    Examples
    --------
    >>> truths = {"ink": Beside(truth=np.array([1.0, np.nan, 3.0]))}
    >>> scores_beside(truths, {"ink": np.array([1.0, 9.0, 2.0])})["beside.ink.mae"]
    0.5
    """
    found: dict[str, float] = {}
    for name, one in truths.items():
        known = one.known
        if name not in answers or not known.any():
            continue
        truth = one.truth[known].astype(np.int64) if one.classes else one.truth[known]
        scores = measures_of(one.task).scores(truth, answers[name][known])
        told = {metric: scores[metric] for metric in _TOLD[one.task] if metric in scores}
        found |= {f"beside.{name}.{metric}": value for metric, value in told.items() if np.isfinite(value)}
    return found
