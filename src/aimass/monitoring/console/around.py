"""How a metric went around an alert: the curve that shows when it began, and whether it is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from aimass.monitoring.console.figures import newest_drift
from aimass.monitoring.console.plots import step_of, steps_between, values
from aimass.monitoring.domain.alerts import Alert
from aimass.monitoring.domain.series import Line, QuerySeries
from aimass.monitoring.service.metrics import LATENCY, REQUESTS
from aimass.monitoring.service.monitoring import Monitoring
from aimass.web import PageVisit

_MARGIN = timedelta(hours=1)
_LONGEST = timedelta(days=2)
_STEPS = 120
_FAILED, _REFUSED = "5", "4"


def curve_of(visit: PageVisit, alert: Alert) -> dict[str, Any] | None:
    """Return the curve of the metric of an alert with its limit, or None where no curve is kept."""
    area, _, name = alert.metric.partition(".")
    mark = {"x": alert.fired_at.timestamp(), "text": visit.say("fired"), "tone": "bad"}
    if area == "drift":
        found = newest_drift(visit, alert.endpoint, alert.target or None, points=50)
        points = [[p.at.timestamp(), p.max_psi] for p in found.history] if found else []
        return _chart("PSI", points, alert.threshold, mark) if len(points) > 1 else None
    if area != "traffic" or name not in ("error_rate", "refused_rate", "p50_ms", "p95_ms", "p99_ms"):
        return None
    if name.endswith("_ms"):
        points = _latency(visit, alert, name.removesuffix("_ms"))
        return {**_chart(name.removesuffix("_ms"), points, alert.threshold / 1000, mark), "unit": "s"}
    points = _share(visit, alert, _FAILED if name == "error_rate" else _REFUSED)
    return {**_chart(visit.say("Errors"), points, alert.threshold, mark), "unit": "share"}


def _chart(name: str, points: Sequence[Sequence[Any]], limit: float, mark: dict[str, Any]) -> dict[str, Any]:
    series = [{"name": name, "points": list(points)}]
    return {"x": "time", "series": series, "objective": limit, "line": "Limit", "marks": [mark], "from_zero": True}


def _asked(visit: PageVisit, alert: Alert, name: str, by: list[str]) -> tuple[list[int], list[Line]]:
    """Return the steps of the time around the alert, and the lines of a series over it."""
    now = visit.console.setup.clock.now()
    end = min(now, (alert.resolved_at or now) + _MARGIN, alert.fired_at + _LONGEST)
    since = alert.fired_at - _MARGIN
    step_s = step_of(int((end - since).total_seconds()), _STEPS)
    labels = [f"endpoint={alert.endpoint}"]
    wish = QuerySeries(
        workspace=visit.workspace, name=name, labels=labels, by=by, since=since, until=end, step_s=step_s
    )
    found = visit.get(Monitoring).query_series(visit.who, wish)
    return steps_between(found.since, found.until, step_s), list(found.lines)


def _latency(visit: PageVisit, alert: Alert, quantile: str) -> list[list[float | None]]:
    times, lines = _asked(visit, alert, LATENCY, [])
    return values(times, lines[0].points if lines else (), quantile)


def _share(visit: PageVisit, alert: Alert, first: str) -> list[list[float | None]]:
    """Return the share of answers whose code begins with a digit; nothing asked is a gap."""
    times, lines = _asked(visit, alert, REQUESTS, ["code"])
    every, bad = dict.fromkeys(times, 0.0), dict.fromkeys(times, 0.0)
    for line in lines:
        for point in line.points:
            t = int(point.t.timestamp())
            if t in every:
                every[t] += point.count
                bad[t] += point.count if line.labels.get("code", "").startswith(first) else 0.0
    return [[t, bad[t] / every[t] if every[t] else None] for t in times]
