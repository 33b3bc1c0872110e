"""What monitoring shows on the pages of a service."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from aimass.kernel.errors import Invalid
from aimass.monitoring.console.figures import DRIFT_LIMIT, callers_of, newest_drift
from aimass.monitoring.console.plots import (
    drift_history_chart,
    errors_chart,
    histogram_chart,
    latency_chart,
    psi_chart,
    quality_history_chart,
    step_of,
    steps_between,
    traffic_chart,
)
from aimass.monitoring.domain.monitors import Drift, FeatureDrift, GetQuality, ListMonitors, Monitor, Quality
from aimass.monitoring.domain.records import (
    Coverage,
    GetCoverage,
    GetRecording,
    ListRecords,
    Recording,
    RecordOrigin,
)
from aimass.monitoring.domain.series import QuerySeries, SeriesAnswer
from aimass.monitoring.errors import NotWatched
from aimass.monitoring.service.metrics import LATENCY, REQUESTS
from aimass.monitoring.service.monitoring import Monitoring
from aimass.web import PageVisit, Panel

POINTS = 200
SUMMARIES = ("rouge_l", "rouge_1", "rouge_2")
METRICS = ("auc", "accuracy", "f1", "brier", "mase", "rmse", "mae", "median_ae", "r2", "mape", "reward", *SUMMARIES)
ERRORS = ("brier", "rmse", "mae", "median_ae", "mape", "mase")
PAGE = 50
ROWS_OF_A_REQUEST = 50
_TRACE = re.compile("[0-9a-f]{32}")


def overview(visit: PageVisit, endpoint: str, window_s: int, marks: Sequence[Mapping[str, Any]] = ()) -> Panel | None:
    """Return the traffic of an endpoint over time."""
    panel = _traffic(visit, (REQUESTS, LATENCY), f"endpoint={endpoint}", window_s, marks)
    if panel is None:
        return None
    callers = callers_of(_query(visit, REQUESTS, f"endpoint={endpoint}", window_s, ["consumer", "code"]).lines)
    return Panel(template="monitoring/_overview.html", context={**panel.context, "callers": callers})


def route(visit: PageVisit, route: str, window_s: int) -> Panel | None:
    """Return the traffic of a route to a service over time."""
    return _traffic(visit, ("gateway_route_requests", "gateway_route_seconds"), f"route={route}", window_s, ())


def _traffic(
    visit: PageVisit, names: tuple[str, str], label: str, window_s: int, marks: Sequence[Mapping[str, Any]]
) -> Panel | None:
    if not visit.allows("monitoring.read"):
        return None
    requests = _query(visit, names[0], label, window_s, ["code"])
    latency = _query(visit, names[1], label, window_s, [])
    times = steps_between(requests.since, requests.until, requests.step_s)
    charts = {
        "requests": traffic_chart(times, requests.lines, marks, visit.say("Requests")),
        "latency": latency_chart(times, latency.lines, marks),
        "errors": errors_chart(times, requests.lines),
    }
    return Panel(template="monitoring/_traffic.html", context=charts)


def _query(visit: PageVisit, name: str, label: str, window_s: int, by: list[str]) -> SeriesAnswer:
    now = visit.console.setup.clock.now()
    wish = QuerySeries(
        workspace=visit.workspace,
        name=name,
        labels=[label],
        by=by,
        since=now - timedelta(seconds=window_s),
        until=now,
        step_s=step_of(window_s),
    )
    return visit.get(Monitoring).query_series(visit.who, wish)


def drift(visit: PageVisit, endpoint: str) -> Panel | None:
    """Return how far inputs and predictions moved, and how good the predictions were."""
    if not visit.allows("monitoring.read", f"endpoint:{endpoint}"):
        return None
    query = visit.request.query_params
    monitors = _monitors(visit, endpoint)
    deployment = query.get("deployment") or None
    found = newest_drift(visit, endpoint, deployment, POINTS)
    quality = _quality(visit, endpoint, deployment)
    feature = _feature(found, query.get("feature", "")) if found else None
    shown = found or quality
    context: dict[str, Any] = {
        "monitors": monitors,
        "monitor": next((m for m in monitors if shown and m.id == shown.monitor), monitors[0] if monitors else None),
        "deployment": deployment or (shown.deployment if shown else ""),
        "drift": found,
        "feature": feature,
        "quality": quality,
        "coverage": _coverage(visit, endpoint),
        "limit": DRIFT_LIMIT,
        "charts": _drift_charts(visit, found, feature),
        "measured": _measured(visit, quality),
    }
    return Panel(template="monitoring/_drift.html", context=context)


def _drift_charts(visit: PageVisit, found: Drift | None, feature: FeatureDrift | None) -> dict[str, Any]:
    if found is None or feature is None:
        return {}
    return {
        "psi": psi_chart(found),
        "histogram": histogram_chart(feature),
        "history": drift_history_chart(found, DRIFT_LIMIT, (visit.say("inputs"), visit.say("predictions"))),
    }


def _measured(visit: PageVisit, quality: Quality | None) -> list[dict[str, Any]]:
    """Return each metric with its interval, what the test set gave, and its history."""
    if quality is None:
        return []
    shown: list[dict[str, Any]] = []
    for name in [metric for metric in METRICS if metric in quality.metrics]:
        one, base = quality.metrics[name], quality.baseline.get(name)
        worse = base is not None and (one.low > base if name in ERRORS else one.high < base)
        shown.append({"name": name, "one": one, "baseline": base, "worse": worse})
    first = shown[0]["name"] if shown else ""
    names = (visit.say("live"), visit.say("on the test set"))
    return [
        {**entry, "chart": quality_history_chart(quality, first, names) if entry["name"] == first else None}
        for entry in shown
    ]


def _feature(found: Drift, name: str) -> FeatureDrift | None:
    columns = [*found.features, *([found.prediction] if found.prediction else [])]
    return next((one for one in columns if one.name == name), columns[0] if columns else None)


def _monitors(visit: PageVisit, endpoint: str) -> list[Monitor]:
    if not visit.allows("monitoring.read"):
        return []
    wish = ListMonitors(workspace=visit.workspace, endpoint=endpoint, limit=100)
    return visit.get(Monitoring).list_monitors(visit.who, wish).items


def _quality(visit: PageVisit, endpoint: str, deployment: str | None) -> Quality | None:
    wish = GetQuality(workspace=visit.workspace, endpoint=endpoint, deployment=deployment, limit=POINTS)
    try:
        return visit.get(Monitoring).get_quality(visit.who, wish)
    except NotWatched:
        return None


def _coverage(visit: PageVisit, endpoint: str) -> Coverage | None:
    try:
        wish = GetCoverage(workspace=visit.workspace, endpoint=endpoint)
        return visit.get(Monitoring).get_coverage(visit.who, wish)
    except NotWatched:
        return None


def _recording(visit: PageVisit, endpoint: str) -> Recording | None:
    try:
        wish = GetRecording(workspace=visit.workspace, endpoint=endpoint)
        return visit.get(Monitoring).get_recording(visit.who, wish)
    except NotWatched:
        return None


def records(visit: PageVisit, endpoint: str) -> Panel | None:
    """Return the newest inference records."""
    if not visit.allows("monitoring.read", f"endpoint:{endpoint}"):
        return None
    query = visit.request.query_params
    status, wanted = query.get("status", ""), query.get("q") or None
    trace = wanted if wanted and _TRACE.fullmatch(wanted) else None
    wish = ListRecords(
        workspace=visit.workspace,
        endpoint=endpoint,
        deployment=query.get("deployment") or None,
        status=int(status) if status.isdecimal() else None,
        request_id=wanted if trace is None else None,
        trace=trace,
        origin=_origin(query.get("origin", "")),
        limit=PAGE,
        cursor=query.get("cursor"),
    )
    recording = _recording(visit, endpoint)
    page = visit.get(Monitoring).list_records(visit.who, wish) if recording and recording.rows else None
    context = {
        "recording": recording,
        "coverage": _coverage(visit, endpoint),
        "records": page.items if page else [],
        "next": page.next if page else None,
        "deployments": [monitor.deployment for monitor in _monitors(visit, endpoint)],
        "endpoint": endpoint,
    }
    return Panel(template="monitoring/_records.html", context=context)


def _origin(text: str) -> RecordOrigin | None:
    if text not in ("", "live", "batch"):
        raise Invalid(f"{text!r} is no origin", field="origin", value=text, allowed=["live", "batch"])
    return text or None


def record(visit: PageVisit, endpoint: str, request: str) -> Panel | None:
    """Return everything that is kept of one request."""
    if not visit.allows("monitoring.read", f"endpoint:{endpoint}"):
        return None
    wish = ListRecords(workspace=visit.workspace, endpoint=endpoint, request_id=request, limit=ROWS_OF_A_REQUEST)
    found = sorted(visit.get(Monitoring).list_records(visit.who, wish).items, key=lambda one: (one.row, one.deployment))
    classes = next((m.classes for m in _monitors(visit, endpoint) if m.classes), [])
    context = {
        "records": found,
        "revision": found[0].revision if found else "",
        "classes": classes,
        "endpoint": endpoint,
        "request_id": request,
        "may_tell": visit.allows("monitoring.use", f"endpoint:{endpoint}"),
    }
    return Panel(template="monitoring/_record.html", context=context)
