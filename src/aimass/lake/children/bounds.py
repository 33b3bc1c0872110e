"""The smallest and the largest values of a file, as the log of a Delta table tells them: what a query need not read.

A bound that could be wrong is left out: a column without bounds is read by every query, which is slower and never wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

LONGEST = 64  # letters of a text that the log repeats
_MOMENT = "%Y-%m-%dT%H:%M:%S%.6fZ"
_MOMENT_LETTERS = len("2026-05-01T12:00:00.000000Z")
_DATE_LETTERS = len("2026-05-01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Of one column: values as the log writes them, None where it has none that can be told; and how many are missing."""

    low: Any
    high: Any
    nulls: int


def bounds_of(frame: pl.DataFrame) -> dict[str, Bounds]:
    """Return the bounds of each column whose values have an order.

    Examples
    --------
    >>> found = bounds_of(pl.DataFrame({"n": [3, None, -1], "t": ["b", "a", "a" * 100], "f": [1.0, float("nan"), 0.0]}))
    >>> found["n"], found["t"].low, found["f"].high
    (Bounds(low=-1, high=3, nulls=1), 'a', None)
    """
    kinds = {name: kind for name, kind in frame.schema.items() if _is_ordered(kind)}
    if not kinds:
        return {}
    asked = [_told(pl.col(name), kind, end).alias(f"{end}{name}") for name, kind in kinds.items() for end in ("<", ">")]
    row = frame.select(asked).row(0, named=True) if len(frame) else {}
    found = {name: _sure(kind, row.get(f"<{name}"), row.get(f">{name}")) for name, kind in kinds.items()}
    return {name: Bounds(low=low, high=high, nulls=frame[name].null_count()) for name, (low, high) in found.items()}


def statistics(rows: int, bounds: Mapping[str, Bounds], columns: frozenset[str]) -> dict[str, Any]:
    """Write the statistics of a file for the log; only some columns may stand in it.

    Examples
    --------
    >>> statistics(2, {"n": Bounds(low=1, high=2, nulls=0), "mail": Bounds(low="a", high="b", nulls=0)}, frozenset({"n"}))
    {'numRecords': 2, 'minValues': {'n': 1}, 'maxValues': {'n': 2}, 'nullCount': {'n': 0}}
    """
    kept = {name: found for name, found in bounds.items() if name in columns}
    if not kept:
        return {"numRecords": rows}
    sure = {name: found for name, found in kept.items() if found.low is not None}
    return {
        "numRecords": rows,
        "minValues": {name: found.low for name, found in sure.items()},
        "maxValues": {name: found.high for name, found in sure.items()},
        "nullCount": {name: found.nulls for name, found in kept.items()},
    }


def _is_ordered(kind: pl.DataType) -> bool:
    return kind in (pl.Int64, pl.Float64, pl.String, pl.Boolean, pl.Date) or kind == pl.Datetime("us", "UTC")


def _told(cell: pl.Expr, kind: pl.DataType, end: str) -> pl.Expr:
    if kind == pl.Float64:  # NaN stands in no order, and makes both bounds NaN here
        return cell.nan_min() if end == "<" else cell.nan_max()
    found = cell.min() if end == "<" else cell.max()
    if kind == pl.Date:
        return found.dt.strftime("%Y-%m-%d")
    return found.dt.strftime(_MOMENT) if isinstance(kind, pl.Datetime) else found


def _sure(kind: pl.DataType, low: Any, high: Any) -> tuple[Any, Any]:
    """Return both bounds, or none where one of them is missing, or could not be read back as what it is."""
    if low is None or high is None or not all(_is_sure(kind, one) for one in (low, high)):
        return None, None
    if kind == pl.Float64:  # some readers put -0.0 below 0.0, others take them for the same
        return (-0.0 if low == 0 else low), (0.0 if high == 0 else high)
    return low, high


def _is_sure(kind: pl.DataType, value: Any) -> bool:
    if kind == pl.Float64:
        return math.isfinite(value)
    if kind == pl.String:
        return len(value) <= LONGEST
    if kind == pl.Date:
        return len(value) == _DATE_LETTERS
    return not isinstance(kind, pl.Datetime) or len(value) == _MOMENT_LETTERS
