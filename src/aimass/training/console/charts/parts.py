"""What several kinds of charts share: points, importance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def near(xs: Sequence[float], ys: Sequence[float]) -> list[list[float]]:
    """Return points of numbers of any size, written short."""
    return [[float(f"{x:.6g}"), float(f"{y:.6g}")] for x, y in zip(xs, ys, strict=True)]


def near_times(moments: Sequence[float], values: Sequence[float]) -> list[list[float]]:
    """Return points of moments and numbers of any size, written short."""
    return [[at, float(f"{value:.6g}")] for at, value in zip(moments, values, strict=True)]


def pairs(xs: Sequence[float], ys: Sequence[float]) -> list[list[float]]:
    """Return points of two columns, written short."""
    return [[round(x, 5), round(y, 5)] for x, y in zip(xs, ys, strict=True)]


def nearest(values: Sequence[float], wanted: float) -> int:
    """Return the position of the value that is nearest to the wanted one.

    Examples
    --------
    >>> nearest([1.0, 0.8, 0.55, 0.2], 0.5)
    2
    """
    return min(range(len(values)), key=lambda at: abs(values[at] - wanted))


def importance_of(found: Any) -> tuple[list[dict[str, Any]], str]:
    """Return the bars of importance, largest first, and how it was measured.

    Examples
    --------
    >>> importance_of({"tenure": 0.2, "gender": 0.01})
    ([{'name': 'tenure', 'value': 0.2}, {'name': 'gender', 'value': 0.01}], 'recipe')
    """
    if not found:
        return [], ""
    if isinstance(found, Mapping):
        return [{"name": name, "value": value} for name, value in found.items()], "recipe"
    return [{"name": one["column"], "value": one["drop"]} for one in found], "permutation"
