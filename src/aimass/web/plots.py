"""Geometry of the small plots that the server draws as SVG: sparklines and column profiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a small histogram."""

    x: float
    y: float
    width: float
    height: float


def spark_points(values: Sequence[float | None], width: float = 96, height: float = 24) -> list[tuple[float, float]]:
    """Lay values out as the points of a sparkline, with a margin of 2; gaps are left out.

    Examples
    --------
    >>> spark_points([0, 1, 3], width=14, height=14)
    [(2.0, 12.0), (7.0, 8.67), (12.0, 2.0)]
    """
    known = [v for v in values if v is not None]
    if len(known) < 2:  # noqa: PLR2004 a line needs two points
        return []
    low, high = min(known), max(known)
    scale, step = (height - 4) / ((high - low) or 1), (width - 4) / (len(values) - 1)
    flat = high == low
    return [
        (round(2 + i * step, 2), round(height / 2 if flat else height - 2 - (v - low) * scale, 2))
        for i, v in enumerate(values)
        if v is not None
    ]


def bar_shapes(values: Sequence[float], width: float = 96, height: float = 24) -> list[Bar]:
    """Lay counts out as the bars of a small histogram; a count above zero is at least one pixel high.

    Examples
    --------
    >>> bar_shapes([1, 4], width=20, height=8)
    [Bar(x=0.0, y=6.0, width=9.0, height=2.0), Bar(x=10.0, y=0.0, width=9.0, height=8.0)]
    """
    if not values:
        return []
    top, step = max(*values, 0) or 1, width / len(values)
    bars: list[Bar] = []
    for i, value in enumerate(values):
        tall = round(max(1.0, value / top * height), 2) if value > 0 else 0.0
        bars.append(Bar(round(i * step, 2), round(height - tall, 2), round(max(1.0, step - 1), 2), tall))
    return bars
