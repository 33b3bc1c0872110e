"""Charts of forecasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aimass.training.console.charts.parts import importance_of, near, near_times


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastCharts:
    """The charts of one report about forecasts, the series that is shown, and what the seasonal naive forecast reaches."""

    shown: dict[str, Any]
    ahead: dict[str, Any]
    coverage: dict[str, Any]
    series: str
    season: int
    naive_mase: float
    importance: dict[str, Any]
    method: str


def forecast_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> ForecastCharts:
    """Draw a report about forecasts."""
    curves = report["curves"]
    ahead, shown = curves["ahead"], curves["shown"]
    items, method = importance_of(report.get("importance"))
    steps = list(range(1, len(ahead["mae"]) + 1))
    names = [("true", "What came"), ("forecast", "Forecast"), ("low", "Low"), ("high", "High")]
    lines = [
        {"name": say(name), "points": near_times(shown["at"], shown[key]), "dashed": key in ("low", "high")}
        for key, name in names
    ]
    errors = [(say("Model"), ahead["mae"], False), (say("Seasonal naive"), ahead["naive"], True)]
    return ForecastCharts(
        shown={"x": "time", "series": lines},
        ahead={
            "x": "step",
            "x_name": say("steps ahead"),
            "from_zero": True,
            "series": [{"name": name, "points": near(steps, one), "dashed": dashed} for name, one, dashed in errors],
        },
        coverage={
            "x": "step",
            "x_name": say("steps ahead"),
            "unit": "share",
            "series": [{"name": say("Inside"), "points": near(steps, ahead["coverage"])}],
        },
        series=shown["series"],
        season=curves["season"],
        naive_mase=curves["naive_mase"],
        importance={"items": items},
        method=method,
    )
