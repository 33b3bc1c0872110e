"""Live quality of a model that finds objects in pictures: how many it found where the truth came back."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

import numpy as np
import polars as pl

from aimass.monitoring.children.rows import OUTPUT

OBJECTS = f"{OUTPUT}objects"
FOUND, HALF = 0.5, 0.5  # the score that counts as found, and how much of what both boxes cover they share
_DRAWS = 2_000
_SIDES = ("x", "y", "width", "height")
_Box = tuple[str, tuple[float, ...]]


def pictures_of(frame: pl.LazyFrame) -> pl.LazyFrame | None:
    """Return the rows whose ``said`` and ``became`` are lists of objects; None where no model said objects."""
    kinds = frame.collect_schema()
    if OBJECTS not in kinds or kinds[OBJECTS] != pl.String:
        return None
    return frame.filter(pl.col(OBJECTS).is_not_null() & pl.col("truth").str.starts_with("[")).with_columns(
        pl.col(OBJECTS).alias("said"), pl.col("truth").alias("became")
    )


def measure_objects(rows: pl.DataFrame) -> dict[str, Any]:
    """Return the F1 over all objects that are said with 0.5 or more; a truth that is no list of objects counts for nothing.

    Examples
    --------
    >>> box = '{"label":"cat","x":0,"y":0,"width":%d,"height":10,"score":0.9}'
    >>> rows = pl.DataFrame({"said": [f"[{box % 10}]", f"[{box % 10}]", "[]"], "became": [f"[{box % 8}]", f"[{box % 4}]", "?"]})
    >>> found = measure_objects(rows)["f1"]
    >>> found["value"], found["count"]
    (0.5, 2)
    """
    pairs = [(_boxes(said), _boxes(became)) for said, became in rows.select("said", "became").iter_rows()]
    known = [(own, true) for own, true in pairs if own is not None and true is not None]
    if not known:
        return {}
    counts = np.array([(_right(own, true), len(own) + len(true)) for own, true in known], dtype=float)
    rng = np.random.default_rng(0)
    times = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=_DRAWS)
    low, high = np.quantile(_f1(times @ counts), [0.025, 0.975])
    value = float(_f1(counts.sum(axis=0)))
    return {
        "f1": {
            "value": value,
            "low": float(low),
            "high": float(high),
            "count": len(known),
            "method": "bootstrap of pictures",
        }
    }


def _f1(counts: Any) -> Any:
    right, all_of_them = counts[..., 0], counts[..., 1]
    return np.divide(2 * right, all_of_them, out=np.zeros_like(right), where=all_of_them > 0)


def _boxes(written: str) -> list[_Box] | None:
    """Return the objects that are said to be there, the surest first; None for what is no list of them."""
    try:
        found = [
            (float(one.get("score", 1.0)), str(one["label"]), tuple(float(one[name]) for name in _SIDES))
            for one in json.loads(written)
        ]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    if not all(isfinite(value) for score, _, sides in found for value in (score, *sides)):
        return None
    return [(label, sides) for score, label, sides in sorted(found, key=lambda one: -one[0]) if score >= FOUND]


def _right(own: list[_Box], true: list[_Box]) -> int:
    """Return how many are at an object of their label that no surer one is at."""
    free = list(true)
    for label, sides in own:
        best = max((one for one in free if one[0] == label), key=lambda one: _shared(sides, one[1]), default=None)
        if best is not None and _shared(sides, best[1]) >= HALF:
            free.remove(best)
    return len(true) - len(free)


def _shared(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return what two boxes share of what they cover together."""
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    tall = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    both = max(wide, 0.0) * max(tall, 0.0)
    whole = one[2] * one[3] + other[2] * other[3] - both
    return both / whole if whole > 0 else 0.0
