"""The target of each task: what is read as the truth, how a task is found, and what a package then answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl

from aimass.models import LABELS, PROBABILITIES, Output
from aimass.training.children.boxing import objects
from aimass.training.children.marking import entities
from aimass.training.children.passages import every_text, references
from aimass.training.errors import Unlearnable
from aimass.training.measures.relevance import MOST_RELEVANT

MAX_CLASSES = 100
MANY_NUMBERS = 20
BINS, ROWS_PER_BIN = 10, 20
MULTILABEL = "multilabel"
FIXED_CLASSES: Mapping[str, tuple[str, ...]] = {"anomaly": ("normal", "anomaly")}  # of tasks that name them


def find_task(column: pl.Series) -> tuple[str, str]:
    """Return the task that a target is for, and why.

    Text and truth values are classes. Numbers are classes too while they are whole and there are at most 20 different
    ones; with fractions, or with more different numbers, they are predicted as numbers: regression.

    Examples
    --------
    >>> find_task(pl.Series("rooms", [1, 2, 3, 2]))
    ('classification', "target 'rooms' holds 3 different whole numbers")
    >>> find_task(pl.Series("price", [1.5, 2.25]))
    ('regression', "target 'price' holds fractions")
    """
    if is_of_lists(column.dtype) or _written_lists(column) is not None:
        return "multilabel", f"target {column.name!r} holds lists of labels"
    if not column.dtype.is_numeric():
        return "classification", f"target {column.name!r} holds {_kind_of(column)}"
    known = column.drop_nulls()
    if _has_fractions(known):
        return "regression", f"target {column.name!r} holds fractions"
    different = known.n_unique()
    task = "regression" if different > MANY_NUMBERS else "classification"
    return task, f"target {column.name!r} holds {different} different whole numbers"


def _kind_of(column: pl.Series) -> str:
    return "truth values" if column.dtype == pl.Boolean else "text"


def _has_fractions(known: pl.Series) -> bool:
    if not (known.dtype.is_float() or known.dtype.is_decimal()):
        return False
    numbers = known.cast(pl.Float64)
    return bool((numbers.is_finite() & (numbers != numbers.round())).any())


def target_of(frame: pl.DataFrame, target: str, task: str, separator: str = "") -> pl.Series:
    """Return the truth of each row as the task wants it, null where it is not known; ``separator`` cuts a text into labels."""
    if task == MULTILABEL:
        return label_sets(frame, target, separator)
    if target and is_of_lists(frame[target].dtype):
        raise Unlearnable(
            f"target {target!r} holds lists of labels",
            field="target",
            value=target,
            hint="split it for the task multilabel, or make a column with one value a row",
        )
    return TARGETS[task](frame, target)


def is_of_lists(dtype: Any) -> bool:
    """Tell whether cells of this type are lists of texts.

    Examples
    --------
    >>> is_of_lists(pl.List(pl.String())), is_of_lists(pl.List(pl.Float64())), is_of_lists(pl.String())
    (True, False, False)
    """
    inner = dtype.inner if isinstance(dtype, pl.List | pl.Array) else None
    return inner is not None and inner in (pl.String, pl.Categorical)


def _written_lists(column: pl.Series) -> pl.Series | None:
    """Return lists of labels that are written as JSON, as lists of texts in a file are when they are collected; None for other texts."""
    if column.dtype != pl.String or not column.drop_nulls().len() or not column.drop_nulls().str.starts_with("[").all():
        return None
    try:
        found = [None if text is None else json.loads(text) for text in column]
    except ValueError:
        return None
    is_clean = all(one is None or all(isinstance(name, str) for name in one) for one in found)
    return pl.Series(column.name, found, dtype=pl.List(pl.String)) if is_clean else None


def label_sets(frame: pl.DataFrame, target: str, separator: str = "") -> pl.Series:
    """Return the labels of each row, each once and in order; an empty list where it has none, null where nobody knows.

    Examples
    --------
    >>> label_sets(pl.DataFrame({"genre": ["war; love", "", None]}), "genre", ";").to_list()
    [['love', 'war'], [], None]
    >>> label_sets(pl.DataFrame({"genre": ['["war"]', "[]"]}), "genre").to_list()
    [['war'], []]
    """
    column = frame[target]
    written = _written_lists(column)
    if written is not None and not separator:
        column = written
    elif separator and column.dtype == pl.String:
        column = column.str.split(separator)
    elif not is_of_lists(column.dtype):
        raise Unlearnable(
            f"target {target!r} holds no lists of labels",
            field="target",
            value=str(column.dtype),
            allowed="lists of texts, or a text that a separator cuts into labels",
            hint="name the separator (label_separator, for example ';'), or split it for the task classification",
        )
    elif separator:
        raise Unlearnable(
            f"target {target!r} holds lists already", field="label_separator", value=separator, allowed=None
        )
    lists = column.arr.to_list() if isinstance(column.dtype, pl.Array) else column
    clean = pl.element().cast(pl.String).str.strip_chars()
    told = lists.cast(pl.List(pl.String)).list.eval(clean.filter(clean.is_not_null() & (clean != "")))
    return told.list.unique().list.sort().alias(target)


def labels(frame: pl.DataFrame, target: str) -> pl.Series:
    """Return the target as text, or refuse one that holds no classes."""
    column = frame[target]
    if column.dtype.is_float() and not (column.drop_nulls() == column.drop_nulls().round()).all():
        raise Unlearnable(
            f"target {target!r} holds fractions",
            field="target",
            value=target,
            hint="split it for the task regression, or put the numbers into classes first",
        )
    if column.dtype.is_float():
        column = column.cast(pl.Int64, strict=False)
    text = column.cast(pl.String)
    classes = text.drop_nulls().n_unique()
    if classes < 2:  # noqa: PLR2004 two classes
        raise Unlearnable(
            f"target {target!r} has {classes} class" + ("es" if classes == 0 else ""),
            field="target",
            value=text.drop_nulls().unique().to_list(),
            allowed=f"2 to {MAX_CLASSES} classes",
        )
    if classes > MAX_CLASSES:
        raise Unlearnable(
            f"target {target!r} has {classes} classes",
            field="target",
            value=classes,
            allowed=f"2 to {MAX_CLASSES} classes",
            hint="split it for the task regression" if frame[target].dtype.is_numeric() else "",
        )
    return text


def numbers(frame: pl.DataFrame, target: str) -> pl.Series:
    """Return the target as numbers, or refuse one that holds none; NaN is a target that is not known."""
    column = frame[target]
    if not column.dtype.is_numeric():
        raise Unlearnable(
            f"target {target!r} holds {_kind_of(column)}",
            field="target",
            value=target,
            hint="regression predicts numbers: split it for the task classification, or turn the column into numbers",
        )
    found = column.cast(pl.Float64).fill_nan(None)
    if found.is_infinite().any():
        raise Unlearnable(
            f"target {target!r} holds infinite values",
            field="target",
            value=target,
            hint="repair these rows, or leave them out",
        )
    if found.drop_nulls().n_unique() < 2:  # noqa: PLR2004 a spread
        raise Unlearnable(
            f"every known value of target {target!r} is the same", field="target", value=target, allowed="2 values"
        )
    return found


def anomalies(frame: pl.DataFrame, target: str) -> pl.Series:
    """Return which rows are known as anomalies, or refuse a target that does not tell; without one every row is normal."""
    normal, anomaly = FIXED_CLASSES["anomaly"]
    if not target:
        return pl.Series("target", [normal]).new_from_index(0, frame.height)
    column = frame[target]
    known = column.drop_nulls()
    tells = column.dtype == pl.Boolean or (column.dtype.is_numeric() and bool(known.is_in([0, 1]).all()))
    if not tells:
        raise Unlearnable(
            f"target {target!r} does not tell anomalies",
            field="target",
            value=known.unique().sort().head(5).cast(pl.String).to_list(),
            allowed="truth values, or 0 and 1",
            hint="name no target to measure without one, or make a column that is 1 for an anomaly",
        )
    if known.n_unique() == 1:
        raise Unlearnable(
            f"every known value of target {target!r} is the same", field="target", value=target, allowed="2 values"
        )
    return column.cast(pl.Int8).replace_strict({0: normal, 1: anomaly}, return_dtype=pl.String)


def groups(frame: pl.DataFrame, target: str) -> pl.Series:
    """Return what is known of each row, to measure clusters by; without a target every row is as good as any."""
    return labels(frame, target) if target else pl.Series("target", ["row"]).new_from_index(0, frame.height)


def relevances(frame: pl.DataFrame, target: str) -> pl.Series:
    """Return how much each row is wanted in its list, or refuse a target that does not tell: whole numbers from 0."""
    column = frame[target]
    if column.dtype == pl.Boolean:
        column = column.cast(pl.Int64)
    known = column.drop_nulls()
    if not column.dtype.is_numeric() or _has_fractions(known) or not known.is_between(0, MOST_RELEVANT).all():
        raise Unlearnable(
            f"target {target!r} does not tell how much a row is wanted",
            field="target",
            value=known.unique().sort().head(5).cast(pl.String).to_list(),
            allowed=f"whole numbers from 0 to {MOST_RELEVANT}, or truth values",
            hint="0 for a row that is not wanted in its list, more for one that is wanted more",
        )
    if known.n_unique() < 2:  # noqa: PLR2004 an order
        raise Unlearnable(
            f"every known value of target {target!r} is the same", field="target", value=target, allowed="2 values"
        )
    return column.cast(pl.Float64)


TARGETS: Mapping[str, Callable[[pl.DataFrame, str], pl.Series]] = {
    "classification": labels,
    "regression": numbers,
    "anomaly": anomalies,
    "clustering": groups,
    "ranking": relevances,
    "forecasting": numbers,
    "policy": numbers,
    "tagging": entities,
    "language": every_text,
    "summary": references,
    "detection": objects,
}


def strata_of(target: pl.Series) -> pl.Series:
    """Return the stratum of each row, whose share every part gets: its class, the rarest of its labels, or its bin of the numbers.

    There are ten bins of equally many rows, fewer where one would have less than 20.

    Examples
    --------
    >>> strata_of(pl.Series([float(n) for n in range(40)])).value_counts(sort=True)["count"].to_list()
    [20, 20]
    """
    if is_of_lists(target.dtype):
        return rarest_of(target)
    if not target.dtype.is_numeric():
        return target
    known = target.drop_nulls().to_numpy()
    bins = max(1, min(BINS, len(known) // ROWS_PER_BIN))
    edges = np.unique(np.quantile(known, np.arange(1, bins) / bins))
    places = np.searchsorted(edges, target.fill_null(0.0).to_numpy(), side="left")
    strata = pl.Series(target.name, [f"{place:02d}" for place in places])
    return pl.select(pl.when(target.is_null()).then(None).otherwise(strata)).to_series()


def rarest_of(target: pl.Series) -> pl.Series:
    """Return the rarest label of each row, empty for a row without one: who shares these out shares every label out.

    Examples
    --------
    >>> rarest_of(pl.Series([["a"], ["a", "b"], [], None])).to_list()
    ['a', 'b', '', None]
    """
    counts = dict(target.explode().drop_nulls().value_counts().iter_rows())
    chosen = [None if one is None else min(one, key=lambda name: (counts[name], name), default="") for one in target]
    return pl.Series(target.name, chosen, dtype=pl.String)


def truth_of(target: pl.Series, classes: tuple[str, ...]) -> Any:
    """Return the truth as recipes and measures take it: the index of the class, the number, or which labels each row has."""
    if is_of_lists(target.dtype):
        return np.array([[name in one for name in classes] for one in target], dtype=bool).reshape(-1, len(classes))
    if not classes:
        return target.to_numpy().astype(np.float64)
    codes = {name: code for code, name in enumerate(classes)}
    return np.array([codes[name] for name in target], dtype=np.int64)


def outputs_of(classes: tuple[str, ...], task: str = "") -> tuple[Output, ...]:
    """Return what a package answers: label and probabilities, or a number; of several labels a probability each, and those chosen."""
    if task == MULTILABEL:
        return (
            Output(name=PROBABILITIES, type="float", shape=(-1, len(classes)), classes=classes),
            Output(name=LABELS, type="string", shape=(-1, len(classes))),
        )
    if not classes:
        return (Output(name="value", type="float", shape=(-1,)),)
    return (
        Output(name="label", type="string", shape=(-1,)),
        Output(name="probabilities", type="float", shape=(-1, len(classes)), classes=classes),
    )
