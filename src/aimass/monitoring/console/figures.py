"""Numbers of endpoints for other rooms' pages: traffic, drift and open alerts in a few figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from aimass.monitoring.console.plots import step_of, steps_between
from aimass.monitoring.domain.alerts import ListAlerts
from aimass.monitoring.domain.monitors import Drift, GetDrift
from aimass.monitoring.domain.series import GetEndpointMetrics, Line, ListMetrics, QuerySeries, Traffic
from aimass.monitoring.errors import NotWatched
from aimass.monitoring.service.metrics import REQUESTS
from aimass.monitoring.service.monitoring import Monitoring
from aimass.web import PageVisit

DRIFT_LIMIT = 0.2
MOST_ALERTS = 500
SPARK_STEPS = 30
MOST_CALLERS = 20


def figures(visit: PageVisit, endpoints: Sequence[str], window_s: int) -> dict[str, dict[str, Any]]:
    """Return what is measured of each endpoint that the visitor may watch.

    Each has ``rpm requests refused error_rate p50_s p95_s p99_s spark psi psi_limit feature alerts`` and, when one endpoint is asked
    for, ``revisions``: by id the same numbers of traffic.
    """
    seen = [slug for slug in endpoints if visit.allows("monitoring.read", f"endpoint:{slug}")]
    if not seen:
        return {}
    traffic, revisions = _traffic(visit, seen, window_s)
    sparks, alerts = _sparks(visit, seen, window_s), open_alerts(visit, seen)
    found: dict[str, dict[str, Any]] = {}
    for slug in seen:
        drift = newest_drift(visit, slug)
        found[slug] = {
            **numbers_of(traffic.get(slug) or Traffic(), window_s),
            "revisions": {line.revision: numbers_of(line, window_s) for line in revisions},
            "spark": sparks.get(slug, []),
            "psi": drift.max_psi if drift else None,
            "psi_limit": DRIFT_LIMIT,
            "feature": drift.features[0].name if drift and drift.features else "",
            "alerts": alerts[slug],
        }
    return found


def numbers_of(traffic: Traffic, window_s: int) -> dict[str, Any]:
    """Return the numbers of traffic in the units of pages: per minute, and seconds."""
    return {
        "rpm": traffic.requests * 60 / window_s,
        "requests": traffic.requests,
        "refused": traffic.refused,
        "errors": traffic.errors,
        "rescued": traffic.rescued,
        "error_rate": traffic.error_rate,
        "p50_s": None if traffic.p50_ms is None else traffic.p50_ms / 1000,
        "p95_s": None if traffic.p95_ms is None else traffic.p95_ms / 1000,
        "p99_s": None if traffic.p99_ms is None else traffic.p99_ms / 1000,
    }


def _traffic(visit: PageVisit, slugs: Sequence[str], window_s: int) -> tuple[dict[str, Traffic], list[Traffic]]:
    """Return the traffic of each endpoint, and of each revision when there is one endpoint."""
    monitoring = visit.get(Monitoring)
    if len(slugs) == 1:
        one = GetEndpointMetrics(workspace=visit.workspace, endpoint=slugs[0], window_s=window_s)
        found = monitoring.get_endpoint_metrics(visit.who, one)
        return {slugs[0]: found.total}, found.revisions
    every = ListMetrics(workspace=visit.workspace, window_s=window_s)
    if not visit.allows("monitoring.read"):
        return {slug: _traffic(visit, [slug], window_s)[0][slug] for slug in slugs}, []
    return {one.endpoint: one.total for one in monitoring.list_metrics(visit.who, every)}, []


def _sparks(visit: PageVisit, slugs: Sequence[str], window_s: int) -> dict[str, list[float]]:
    """Return requests per second over the window, for the small plots."""
    if not visit.allows("monitoring.read"):
        return {}
    now = visit.console.setup.clock.now()
    since, step_s = now - timedelta(seconds=window_s), step_of(window_s, SPARK_STEPS)
    narrow = [f"endpoint={slugs[0]}"] if len(slugs) == 1 else None
    wish = QuerySeries(
        workspace=visit.workspace, name=REQUESTS, labels=narrow, by=["endpoint"], since=since, until=now, step_s=step_s
    )
    answer = visit.get(Monitoring).query_series(visit.who, wish)
    times = steps_between(answer.since, answer.until, step_s)
    sparks: dict[str, list[float]] = {}
    for line in answer.lines:
        rates = {point.t.timestamp(): point.rate for point in line.points}
        sparks[line.labels["endpoint"]] = [rates.get(t, 0.0) for t in times]
    return sparks


def open_alerts(visit: PageVisit, slugs: Sequence[str]) -> Counter[str]:
    """Count the open alerts of each endpoint."""
    if not visit.allows("monitoring.read"):
        return Counter()
    wish = ListAlerts(
        workspace=visit.workspace, endpoint=slugs[0] if len(slugs) == 1 else None, open=True, limit=MOST_ALERTS
    )
    return Counter(alert.endpoint for alert in visit.get(Monitoring).list_alerts(visit.who, wish).items)


def newest_drift(visit: PageVisit, endpoint: str, deployment: str | None = None, points: int = 0) -> Drift | None:
    """Return the newest comparison of an endpoint, or None."""
    wish = GetDrift(workspace=visit.workspace, endpoint=endpoint, deployment=deployment, limit=points)
    try:
        return visit.get(Monitoring).get_drift(visit.who, wish)
    except NotWatched:
        return None


def consumers(visit: PageVisit, window_s: int) -> dict[str, dict[str, float]] | None:
    """Return how much each consumer sends: ``rpm`` and the share of answers of 400 and above as ``bad``."""
    if not visit.allows("monitoring.read"):
        return None
    now = visit.console.setup.clock.now()
    wish = QuerySeries(
        workspace=visit.workspace,
        name=REQUESTS,
        by=["consumer", "code"],
        since=now - timedelta(seconds=window_s),
        until=now,
        step_s=step_of(window_s),
    )
    sent, bad = defaultdict[str, float](float), defaultdict[str, float](float)
    for line in visit.get(Monitoring).query_series(visit.who, wish).lines:
        count = sum(point.count for point in line.points)
        sent[line.labels["consumer"]] += count
        bad[line.labels["consumer"]] += count if line.labels["code"] >= "400" else 0
    return {name: {"rpm": n * 60 / window_s, "bad": bad[name] / n} for name, n in sent.items() if n}


def callers_of(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Return who called, who called most first: ``consumer requests refused errors last``; lines are by consumer and code."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        points = [point for point in line.points if point.count]
        if not points:
            continue
        name, code = line.labels["consumer"], line.labels["code"]
        one = found.setdefault(name, {"consumer": name, "requests": 0, "refused": 0, "errors": 0, "last": points[0].t})
        count = round(sum(point.count for point in points))
        one["requests"] += count
        one["errors"] += count if code >= "500" else 0
        one["refused"] += count if "400" <= code < "500" else 0
        one["last"] = max(one["last"], points[-1].t)
    return sorted(found.values(), key=lambda one: (-one["requests"], one["consumer"]))[:MOST_CALLERS]
