"""Reports as charts: what the console draws of a run or an evaluation; one file for each kind of answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aimass.training.console.charts.boxes import BoxCharts, box_charts
from aimass.training.console.charts.classes import ClassCharts, class_charts
from aimass.training.console.charts.clusters import ClusterCharts, cluster_charts
from aimass.training.console.charts.forecasts import ForecastCharts, forecast_charts
from aimass.training.console.charts.labels import LabelCharts, label_charts
from aimass.training.console.charts.numbers import NumberCharts, number_charts
from aimass.training.console.charts.orders import OrderCharts, order_charts
from aimass.training.console.charts.policies import PolicyCharts, policy_charts
from aimass.training.console.charts.spans import SpanCharts, span_charts
from aimass.training.console.charts.texts import LanguageCharts, SummaryCharts, language_charts, summary_charts

Shown = (
    ClassCharts
    | NumberCharts
    | ClusterCharts
    | OrderCharts
    | ForecastCharts
    | LabelCharts
    | SpanCharts
    | PolicyCharts
    | LanguageCharts
    | SummaryCharts
    | BoxCharts
)
# by what the curves of a task hold
_DRAWN: Mapping[str, Callable[[Mapping[str, Any], Callable[[str], str]], Shown]] = {
    "ahead": forecast_charts,
    "went": box_charts,
    "labels": label_charts,
    "estimates": policy_charts,
    "confused": span_charts,
    "surprise": language_charts,
    "overlap": summary_charts,
    "order": order_charts,
    "clusters": cluster_charts,
    "pairs": number_charts,
}


def charts_of(report: Mapping[str, Any], say: Callable[[str], str] = str) -> Shown:
    """Return the charts of a run's report or of an evaluation's; reports of old name no task. ``say`` translates names of lines."""
    drawn = next((draw for mark, draw in _DRAWN.items() if mark in report["curves"]), class_charts)
    return drawn(report, say)
