"""Series and findings as the data of charts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from aimass.monitoring.domain.monitors import Drift, FeatureDrift, Quality
from aimass.monitoring.domain.series import FINEST_S, Line, Point, floor_to

STEPS = (10, 30, 60, 120, 300, 600, 1_200, 3_600, 7_200, 14_400, 43_200, 86_400)
MOST_STEPS = 180
MOST_BARS = 14
AROUND_ONE_S = 1_800  # a line across needs two ends, where one moment alone is known


def step_of(window_s: int, most: int = MOST_STEPS) -> int:
    """Return the shortest round step that cuts a window into at most so many parts.

    Examples
    --------
    >>> step_of(900), step_of(3_600), step_of(604_800), step_of(3_600, 24)
    (10, 30, 3600, 300)
    """
    return next((step for step in STEPS if window_s / step <= most), STEPS[-1])


def steps_between(since: datetime, until: datetime, step_s: int) -> list[int]:
    """Return the start of each step of a window; the last one, which is not over, is left out."""
    first, last = floor_to(since.timestamp(), step_s), floor_to(until.timestamp() - FINEST_S, step_s)
    return list(range(first, last, step_s)) or [first]


def rates(times: Sequence[int], points: Iterable[Point]) -> list[list[float]]:
    """Return a rate for each step; nothing counted is zero."""
    known = {int(point.t.timestamp()): point.rate for point in points}
    return [[t, round(known.get(t, 0.0), 6)] for t in times]


def values(times: Sequence[int], points: Iterable[Point], name: str) -> list[list[float | None]]:
    """Return a value for each step; nothing measured is a gap."""
    known = {int(point.t.timestamp()): getattr(point, name) for point in points}
    return [[t, known.get(t)] for t in times]


def traffic_chart(
    times: Sequence[int], lines: Sequence[Line], marks: Sequence[Mapping[str, Any]], name: str
) -> dict[str, Any]:
    """Return requests per second, under a name in the visitor's language."""
    summed = [[t, sum(column)] for t, *column in zip(times, *[[y for _, y in rates(times, x.points)] for x in lines])]  # noqa: B905
    series = [{"name": name, "points": summed or [[t, 0] for t in times]}]
    return {"x": "time", "unit": "", "series": series, "marks": list(marks), "area": True, "from_zero": True}


def errors_chart(times: Sequence[int], lines: Sequence[Line]) -> dict[str, Any]:
    """Return what was refused or failed per second, a line for each code."""
    bad = [line for line in lines if line.labels.get("code", "0") >= "400"]
    series = [{"name": line.labels["code"], "points": rates(times, line.points)} for line in bad]
    series = series or [{"name": "4xx, 5xx", "points": [[t, 0] for t in times]}]
    return {"x": "time", "unit": "", "series": series, "from_zero": True}


def latency_chart(times: Sequence[int], lines: Sequence[Line], marks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the median and the slow ends of the latency."""
    points = lines[0].points if lines else []
    series = [{"name": name, "points": values(times, points, name)} for name in ("p50", "p95", "p99")]
    return {"series": series if points else [], "marks": list(marks)}


def psi_chart(drift: Drift) -> dict[str, Any]:
    """Return the stability index of the inputs that moved most."""
    return {"items": [{"name": one.name, "value": round(one.psi, 4)} for one in drift.features[:MOST_BARS]]}


def histogram_chart(feature: FeatureDrift) -> dict[str, Any]:
    """Return how the values of an input are spread, in the reference and now."""
    found = feature.histogram
    return {
        "bins": list(found.get("labels", ())),
        "reference": list(found.get("reference", ())),
        "current": list(found.get("live", ())),
    }


def drift_history_chart(drift: Drift, limit: float, names: tuple[str, str]) -> dict[str, Any]:
    """Return the largest index of each computation, and that of the predictions."""
    inputs = [[point.at.timestamp(), point.max_psi] for point in drift.history]
    outputs = [[point.at.timestamp(), point.prediction_psi] for point in drift.history]
    series: list[dict[str, Any]] = [{"name": names[0], "points": inputs}]
    if any(value is not None for _, value in outputs):
        series.append({"name": names[1], "points": outputs, "dashed": True})
    return {"x": "time", "series": series, "objective": limit, "line": "Limit", "from_zero": True}


def quality_history_chart(quality: Quality, metric: str, names: tuple[str, str]) -> dict[str, Any]:
    """Return a metric of each computation, with what the model reached on its test set."""
    points = [[p.at.timestamp(), p.metrics[metric]] for p in quality.history if metric in p.metrics]
    series: list[dict[str, Any]] = [{"name": names[0], "points": points}]
    baseline = quality.baseline.get(metric)
    if baseline is not None and points:
        first, last = points[0][0], points[-1][0]
        ends = (first, last) if first < last else (first - AROUND_ONE_S, last + AROUND_ONE_S)
        series.append({"name": names[1], "points": [[t, baseline] for t in ends], "dashed": True})
    return {"x": "time", "series": series}
