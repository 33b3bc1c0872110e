"""The explorer of series: any counter or histogram, by any label, over any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from fastapi import Response

from aimass.kernel.errors import Invalid
from aimass.monitoring.console.plots import rates, step_of, steps_between, values
from aimass.monitoring.domain.series import Line, ListSeries, QuerySeries, SeriesAnswer, SeriesName
from aimass.monitoring.service.monitoring import Monitoring
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/operate/metrics"
SPANS = {"15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000, "90d": 7_776_000}
MEASURES = ("rate", "count", "mean", "p50", "p95", "p99")
COUNTED = ("rate", "count")
MOST_LINES = 5
FIRST = "gateway_requests"


@router.get(PATH)
def metrics(visit: Visit, name: str = "", by: str = "", measure: str = "", span: str = "1h") -> Response:
    """How did this number go over the last hours, and which label explains it?"""
    if span not in SPANS:
        raise Invalid(f"{span!r} is no span of time", field="span", value=span, allowed=list(SPANS))
    names = visit.get(Monitoring).list_series(visit.who, ListSeries(workspace=visit.workspace))
    chosen = _chosen(names, name)
    if chosen is None:
        return visit.render("monitoring/metrics.html", parts={}, names=[], chosen=None, span=span, spans=list(SPANS))
    by = by if by in chosen.labels else ""
    narrow = {key: value for key in chosen.labels if (value := visit.request.query_params.get(f"label.{key}", ""))}
    answer = _ask(visit, chosen, (by, narrow), span)
    is_histogram = any(point.p50 is not None for line in answer.lines for point in line.points)
    measures = MEASURES if is_histogram else COUNTED
    measure = measure if measure in measures else "p95" if is_histogram else COUNTED[0]
    titles = _titles(visit, chosen)
    return visit.render(
        "monitoring/metrics.html",
        parts={"series": "monitoring/_series.html"},
        names=names,
        chosen=chosen,
        by=by,
        narrow=narrow,
        measure=measure,
        measures=measures,
        titles=titles,
        span=span,
        spans=list(SPANS),
        chart=chart_of(answer, by, measure, titles),
        totals=totals_of(answer, by),
        left_out=max(0, len(answer.lines) - MOST_LINES),
    )


def _chosen(names: Sequence[SeriesName], wanted: str) -> SeriesName | None:
    by_name = {one.name: one for one in names}
    return by_name.get(wanted) or by_name.get(FIRST) or next(iter(names), None)


def _ask(visit: PageVisit, chosen: SeriesName, wish: tuple[str, dict[str, str]], span: str) -> SeriesAnswer:
    by, narrow = wish
    now = visit.console.setup.clock.now()
    query = QuerySeries(
        workspace=visit.workspace,
        name=chosen.name,
        labels=[f"{key}={value}" for key, value in narrow.items()],
        by=[by] if by else [],
        since=now - timedelta(seconds=SPANS[span]),
        until=now,
        step_s=step_of(SPANS[span]),
    )
    return visit.get(Monitoring).query_series(visit.who, query)


def chart_of(answer: SeriesAnswer, by: str, measure: str, titles: Mapping[str, str]) -> dict[str, Any]:
    """Return the largest lines of an answer as a chart."""
    times = steps_between(answer.since, answer.until, answer.step_s)
    series = [
        {
            "name": _title(line.labels.get(by, ""), titles) or answer.name,
            "points": _points(times, line, measure, answer.step_s),
        }
        for line in _largest(answer.lines)
    ]
    unit = "s" if answer.name.endswith("_seconds") and measure not in COUNTED else ""
    return {"x": "time", "unit": unit, "series": series, "from_zero": True}


def _titles(visit: PageVisit, chosen: SeriesName) -> dict[str, str]:
    """Return what stands behind each revision: its id tells nobody anything."""
    revisions = chosen.labels.get("revision") or []
    known = visit.get(Monitoring).served_by(visit.who, visit.workspace) if revisions else {}
    return {one: f"{known.get(one, '')} …{one[-6:]}".strip() for one in revisions}


def _title(label: str, titles: Mapping[str, str]) -> str:
    return titles.get(label, label)


def _points(times: Sequence[int], line: Line, measure: str, step_s: int) -> list[list[float | None]]:
    if measure in COUNTED:
        factor = step_s if measure == "count" else 1
        return [[t, value * factor] for t, value in rates(times, line.points)]
    return values(times, line.points, measure)


def _largest(lines: Sequence[Line]) -> list[Line]:
    return sorted(lines, key=_count, reverse=True)[:MOST_LINES]


def _count(line: Line) -> float:
    return sum(point.count for point in line.points)


def totals_of(answer: SeriesAnswer, by: str) -> list[tuple[str, float, float | None]]:
    """Return each line with its count, and the largest 95th percentile of a step, the largest first."""
    ordered = sorted(answer.lines, key=_count, reverse=True)
    return [
        (line.labels.get(by, ""), _count(line), max((p.p95 for p in line.points if p.p95 is not None), default=None))
        for line in ordered
    ]
