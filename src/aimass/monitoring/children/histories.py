"""Lists of a series, which a forecast is asked with: watched as figures of each of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from aimass.models import Signature, figures_of
from aimass.monitoring.children.rows import INPUT, OUTPUT

_FORECAST = ("forecast", "low", "high")
_MARK = ".level"


def is_of_series(signature: Signature) -> bool:
    """Tell whether a model answers forecasts."""
    return tuple(one.name for one in signature.outputs) == _FORECAST


def spread(frame: pl.DataFrame) -> pl.DataFrame:
    """Return rows with figures in the place of lists.

    Examples
    --------
    >>> spread(pl.DataFrame({"history": [[1.0, 3.0]], "hour": [5]})).columns[:2]
    ['history.level', 'history.spread']
    """
    columns: list[pl.Series] = []
    for column in frame.iter_columns():
        columns += figures_of(column).get_columns() if column.dtype.is_nested() else [column]
    return pl.DataFrame(columns)


def parts_of(name: str, columns: Sequence[str]) -> list[str]:
    """Return the figures that stand for an input, or the input itself.

    Examples
    --------
    >>> parts_of("history", ["history.level", "history.last", "hour"]), parts_of("hour", ["hour"])
    (['history.level', 'history.last'], ['hour'])
    """
    if name in columns or name + _MARK not in columns:
        return [name]
    return [column for column in columns if column.startswith(f"{name}.")]


def lists_in(columns: Sequence[str]) -> list[str]:
    """Return the inputs of a reference that are watched as figures, as records name them.

    Examples
    --------
    >>> lists_in(["input_history.level", "input_history.last", "input_hour"])
    ['input_history']
    """
    return [name.removesuffix(_MARK) for name in columns if name.startswith(INPUT) and name.endswith(_MARK)]


def hidden_in(live: pl.DataFrame, names: Sequence[str]) -> list[str]:
    """Return the inputs of which records keep nothing but the shape, because their lists are long: nothing tells how they moved.

    Examples
    --------
    >>> hidden_in(pl.DataFrame({"input_h": ["FP32[336]"], "input_g": ["[1, 2]"]}), ["input_h", "input_g"])
    ['input_h']
    """
    texts = {name: live[name].drop_nulls() for name in names if name in live.columns and live[name].dtype == pl.String}
    return [name for name, told in texts.items() if len(told) and not told.str.starts_with("[").any()]


def with_figures(live: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return records with the figures of such inputs, which stand among what fits no column, and no more among that."""
    if not names:
        return live
    told = [json.loads(text) if text else {} for text in live["misfit"]]
    columns: list[pl.Series] = []
    for name in names:
        texts = live[name].to_list() if name in live.columns and live[name].dtype == pl.String else [None] * live.height
        lists = [_numbers(one.get(name, _read(text))) for one, text in zip(told, texts, strict=True)]
        columns += figures_of(pl.Series(name, lists, dtype=pl.List(pl.Float64))).get_columns()
    left = [{name: value for name, value in one.items() if not _is_told(name, value, names)} for one in told]
    texts = [json.dumps(one, ensure_ascii=False) if one else None for one in left]
    rows = live.with_columns(pl.Series("misfit", texts, dtype=pl.String))
    return rows.hstack(columns)


def _is_told(name: str, value: Any, names: Sequence[str]) -> bool:
    """Tell whether what fits no column is a list that is watched, or one that a forecast answers."""
    return (name in names or name.startswith(OUTPUT)) and _numbers(value) is not None


def _read(text: str | None) -> Any:
    """Return the list that a record keeps as one text; None for the mere shape that stands for a long one."""
    if text is None or not text.startswith("["):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _numbers(given: Any) -> list[float | None] | None:
    """Return a list of numbers and nulls; None for anything else, and for whole numbers that no double holds."""
    if not isinstance(given, list) or not all(one is None or type(one) in (int, float) for one in given):
        return None
    try:
        return [None if one is None else float(one) for one in given]
    except OverflowError:
        return None
