"""Charts of predicted numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from aimass.training.console.charts.parts import importance_of, near


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberCharts:
    """The charts of one report about predicted numbers; each is the data that the chart of its name takes."""

    scatter: dict[str, Any]
    deciles: dict[str, Any]
    residuals: dict[str, Any]
    importance: dict[str, Any]
    method: str


def number_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> NumberCharts:
    """Draw a report about numbers."""
    del say
    curves = report["curves"]
    items, method = importance_of(report.get("importance"))
    return NumberCharts(
        scatter={"curves": [{"name": "", "points": near(curves["pairs"]["true"], curves["pairs"]["predicted"])}]},
        deciles={"lines": True, "curves": [{"name": "", "points": deciles_of(report)}]},
        residuals=_residuals(curves["residuals"]),
        importance={"items": items},
        method=method,
    )


def deciles_of(report: Mapping[str, Any]) -> list[list[float]]:
    """Return mean truth and mean prediction per tenth of the rows."""
    tenths = report["curves"]["deciles"]
    return near(tenths["observed"], tenths["predicted"])


def _residuals(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many rows were off by how much; each bin is named by its middle."""
    middles = [(low + high) / 2 for low, high in pairwise(found["edges"])]
    named = [f"{0.0 if abs(middle) < 1e-9 else middle:.3g}" for middle in middles]  # noqa: PLR2004 the bin around 0
    return {"items": [{"name": name, "value": n} for name, n in zip(named, found["counts"], strict=True)]}
