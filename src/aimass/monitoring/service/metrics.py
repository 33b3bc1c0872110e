"""Series by name, and the traffic of endpoints: what lifecycle and the console look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from aimass.kernel.errors import Invalid
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.monitoring.domain.series import (
    EndpointMetrics,
    GetEndpointMetrics,
    Line,
    Point,
    QuerySeries,
    Sample,
    SeriesAnswer,
    Traffic,
    floor_to,
    labels_key,
    quantile,
    total,
)
from aimass.monitoring.service.ground import Part, in_utc
from aimass.monitoring.store import monitors, recorded, series

REQUESTS, LATENCY, FALLBACK = "gateway_requests", "gateway_latency_seconds", "gateway_fallback"
_MAX_POINTS = 20_000
_CLIENT, _SERVER = 400, 500


class Metrics(Part):
    """Use cases of series and traffic."""

    @use_case("GET /workspaces/{workspace}/series", permission="monitoring.read", cli="metrics query")
    def query_series(self, who: Principal, command: QuerySeries) -> SeriesAnswer:
        """Return counters and histograms by name: counts, rates and quantiles per step of time."""
        del who
        until = in_utc(command.until) if command.until else self._ground.now()
        since = in_utc(command.since) if command.since else until - timedelta(hours=1)
        _check(command, since, until)
        wanted = _labels(command.labels or [])
        with self._database.read() as conn:
            ids = series.names(conn, _place(command.workspace), command.name, wanted)
            found = list(
                series.read(conn, ids, floor_to(since.timestamp(), command.step_s), int(until.timestamp()) + 1)
            )
        lines: dict[str, dict[int, Sample]] = {}
        shown: dict[str, Mapping[str, str]] = {}
        for id_, t, sample in found:
            labels = ids[id_] if command.by is None else {key: ids[id_].get(key, "") for key in command.by}
            key = labels_key(labels)
            shown[key] = labels
            steps = lines.setdefault(key, {})
            start = floor_to(t, command.step_s)
            steps[start] = steps.get(start, Sample()) + sample
        answer = [
            Line(labels=shown[key], points=_points(steps, command.step_s)) for key, steps in sorted(lines.items())
        ]
        return SeriesAnswer(name=command.name, since=since, until=until, step_s=command.step_s, lines=answer)

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/metrics",
        permission="monitoring.read",
        on="endpoint",
        cli="metrics show",
    )
    def get_endpoint_metrics(self, who: Principal, command: GetEndpointMetrics) -> EndpointMetrics:
        """Return requests per second, latencies and error rates of an endpoint, in all and by revision."""
        del who
        until = in_utc(command.until) if command.until else self._ground.now()
        with self._database.read() as conn:
            return endpoint_metrics(conn, command, until)


def endpoint_metrics(conn: Connection, command: GetEndpointMetrics, until: datetime) -> EndpointMetrics:
    """Put the series of the gateway together for one endpoint; buckets of time that the window touches count whole."""
    since = until - timedelta(seconds=command.window_s)
    labels = {"endpoint": command.endpoint}
    requests = read_series(conn, command.workspace, (REQUESTS, labels), (since, until))
    latencies = read_series(conn, command.workspace, (LATENCY, labels), (since, until))
    rescued = read_series(conn, command.workspace, (FALLBACK, labels), (since, until))
    known = {row.revision: row for row in reversed(recorded.traffic_of(conn, command.workspace, command.endpoint))}
    known |= {row.revision: row for row in monitors.watching(conn, command.workspace, command.endpoint)}
    seen = (*requests, *latencies, *rescued)
    revisions = sorted({found["revision"] for found, _ in seen if found.get("revision")})
    lines = [traffic_of(_of(requests, r), _of(latencies, r), command.window_s, _of(rescued, r)) for r in revisions]
    return EndpointMetrics(
        endpoint=command.endpoint,
        since=since,
        until=until,
        total=replace(
            traffic_of(requests, [(of, s) for of, s in latencies if "shadow" not in of], command.window_s),
            rescued=int(sum(sample.count for _, sample in rescued)),
        ),
        revisions=[
            replace(line, **_served(revision, known.get(revision)))
            for revision, line in zip(revisions, lines, strict=True)
        ],
    )


Found = Sequence[tuple[Mapping[str, str], Sample]]


def read_series(
    conn: Connection, workspace: str, wanted: tuple[str, Mapping[str, str]], times: tuple[datetime, datetime]
) -> Found:
    """Read the samples of the series with a name and labels, each with all its labels."""
    ids = series.names(conn, workspace, *wanted)
    since, until = series.finest(times[0].timestamp()), int(times[1].timestamp()) + 1
    return [(ids[id_], sample) for id_, _, sample in series.read(conn, ids, since, until)]


def _of(found: Found, revision: str) -> Found:
    return [(labels, sample) for labels, sample in found if labels.get("revision") == revision]


def _served(revision: str, row: Any) -> dict[str, Any]:
    known = (
        {} if row is None else {"deployment": row.deployment, "model": row.model, "model_version": row.model_version}
    )
    return {"revision": revision, **known}


def traffic_of(requests: Found, latencies: Found, window_s: int, rescued: Found = ()) -> Traffic:
    """Put samples of requests and latencies together; ``rescued`` are requests that failed here and were answered elsewhere."""
    saved = sum(sample.count for _, sample in rescued)
    counted = [(int(labels.get("code", "0") or 0), sample.count) for labels, sample in requests]
    count = sum(n for _, n in counted) + saved
    errors = sum(n for code, n in counted if code >= _SERVER) + saved
    latency = total(sample for _, sample in latencies)
    return Traffic(
        requests=int(count),
        rps=count / window_s,
        errors=int(errors),
        error_rate=errors / count if count else None,
        rescued=int(saved),
        refused=int(sum(n for code, n in counted if _CLIENT <= code < _SERVER)),
        mean_ms=_ms(latency.sum / latency.count) if latency.count else None,
        p50_ms=_ms(quantile(0.50, latency.buckets)),
        p95_ms=_ms(quantile(0.95, latency.buckets)),
        p99_ms=_ms(quantile(0.99, latency.buckets)),
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _points(steps: Mapping[int, Sample], step_s: int) -> list[Point]:
    return [_point(t, sample, step_s) for t, sample in sorted(steps.items())]


def _point(t: int, sample: Sample, step_s: int) -> Point:
    has_values = bool(sample.buckets)
    return Point(
        t=datetime.fromtimestamp(t, UTC),
        count=sample.count,
        rate=sample.count / step_s,
        mean=sample.sum / sample.count if has_values and sample.count else None,
        p50=quantile(0.50, sample.buckets),
        p95=quantile(0.95, sample.buckets),
        p99=quantile(0.99, sample.buckets),
    )


def _place(workspace: str) -> str:
    """Return where series of a workspace stand; those of the platform itself carry no workspace."""
    return "" if workspace == "*" else workspace


def _labels(texts: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Invalid(f"label {text!r} has no value", field="labels", value=text, allowed="name=value")
        found[name] = value
    return found


def _check(command: QuerySeries, since: datetime, until: datetime) -> None:
    if since >= until:
        raise Invalid(
            "the start is not before the end", field="since", value=since.isoformat(), allowed="before 'until'"
        )
    if (until - since).total_seconds() / command.step_s > _MAX_POINTS:
        raise Invalid(
            "this would be too many points", field="step_s", value=command.step_s, hint="take longer steps or less time"
        )
