"""One service: what answers, how traffic is shared, and how well that goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from fastapi import Response

from aimass.serving.console.deploying import deploy_choices
from aimass.serving.console.shown import PATH, SPAN, SPANS, Figures, figures_of, opened, panel_of, window_of
from aimass.serving.domain.commands import ListRevisions, ListScalings
from aimass.serving.domain.scaling import Scaling
from aimass.serving.domain.things import Deployment, Revision, TrafficPolicy
from aimass.serving.service.serving import Serving
from aimass.web import PageVisit, Visit, page_router

router = page_router()
MOST = 200
FEW = 8
CLOSE = 25
PARTS = {
    "service-head": "serving/_head.html",
    "overview": "serving/_overview.html",
    "charts": "serving/_charts.html",
    "answers": "serving/_answers.html",
}


@router.get(PATH)
def overview(visit: Visit, endpoint: str, span: str = SPAN) -> Response:
    """Does this service answer well, with which model, and is the canary better than what it would replace?"""
    window_s = window_of(span)
    shared = opened(visit, endpoint, "overview")
    revisions = revisions_of(visit, endpoint)
    figures = figures_of(visit, [endpoint], window_s).get(endpoint)
    since = visit.console.setup.clock.now() - timedelta(seconds=window_s)
    marks = _marks(revisions, since, window_s)
    charts = panel_of(visit, "services.overview", endpoint=endpoint, window_s=window_s, marks=marks)
    return visit.render(
        "serving/overview.html",
        parts=PARTS,
        **shared,
        span=span,
        spans=list(SPANS),
        figures=figures,
        rows=_rows(shared["one"].deployments, revisions, figures),
        running=running_rows(shared["one"].deployments, revisions),
        back=back_choices(shared["one"].deployments, revisions),
        charts=charts,
        shadow=panel_of(visit, "services.shadow", endpoint=endpoint, window_s=window_s),
        rollout=panel_of(
            visit, "services.rollout", endpoint=endpoint, model=shared["main"].model if shared["main"] else ""
        ),
        said=said_of(visit, shared["one"].traffic),
        scalings=scalings_of(visit, endpoint),
        **deploy_choices(visit),
    )


def said_of(visit: PageVisit, traffic: TrafficPolicy) -> list[str]:
    """Return what a policy says besides weights, in words."""
    found: list[str] = []
    if traffic.split == "consumer":
        found.append(visit.say("each consumer is always sent to the same deployment"))
    elif traffic.split == "header":
        found.append(visit.say("assigned by the header %(name)s", name=traffic.split_by))
    elif traffic.split == "parameter":
        found.append(visit.say("assigned by the parameter %(name)s", name=traffic.split_by))
    if traffic.shadow:
        share = traffic.shadow_percent
        found.append(visit.say("%(name)s shadows %(share)d %% of the requests", name=traffic.shadow, share=share))
    if traffic.fallback:
        found.append(visit.say("%(name)s answers in its place when the chosen one cannot", name=traffic.fallback))
    if traffic.static:
        found.append(visit.say("a static answer stands in when nobody else can"))
    return found


def scalings_of(visit: PageVisit, endpoint: str) -> list[Scaling]:
    """Return when the number of workers changed last."""
    wish = ListScalings(workspace=visit.workspace, endpoint=endpoint, limit=FEW)
    return visit.get(Serving).list_scalings(visit.who, wish).items


def revisions_of(visit: PageVisit, endpoint: str) -> list[Revision]:
    """Return the newest revisions."""
    wish = ListRevisions(workspace=visit.workspace, endpoint=endpoint, limit=MOST)
    return visit.get(Serving).list_revisions(visit.who, wish).items


def back_choices(deployments: Sequence[Deployment], revisions: Sequence[Revision]) -> list[Revision]:
    """Return the revisions that answered once and do not now, newest first, one for each model version."""
    present = {d.revision for d in deployments}
    running = {r.digest for r in revisions if r.number in present}
    names = {d.name for d in deployments}
    found: dict[tuple[str, str], Revision] = {}
    for one in revisions:
        if one.ready_at is not None and one.deployment in names and one.digest not in running:
            found.setdefault((one.deployment, one.digest), one)
    return list(found.values())


def _rows(
    deployments: Sequence[Deployment], revisions: Sequence[Revision], figures: Figures | None
) -> list[tuple[Deployment, Mapping[str, Any] | None]]:
    """Return each deployment with what is measured of the revision that it runs."""
    ids = {one.number: one.id for one in revisions}
    measured: Mapping[str, Any] = figures["revisions"] if figures else {}
    ordered = sorted(deployments, key=lambda d: (not d.is_main, d.name))
    return [(one, measured.get(ids.get(one.revision or 0, ""))) for one in ordered]


def running_rows(deployments: Sequence[Deployment], revisions: Sequence[Revision]) -> list[tuple[Deployment, Revision]]:
    """Return each deployment that answers with its revision, where it is known how its requests are run."""
    known = {one.number: one for one in revisions if one.running is not None}
    return [(one, known[one.revision]) for one in deployments if one.revision in known]


def _marks(revisions: Sequence[Revision], since: datetime, window_s: int) -> list[dict[str, Any]]:
    """Return when revisions began to answer, for charts over time; of those that stand together the last one."""
    marks: list[dict[str, Any]] = []
    for one in sorted((r for r in revisions if r.ready_at and r.ready_at > since), key=lambda r: r.number):
        x = one.ready_at.timestamp() if one.ready_at else 0.0
        if marks and x - marks[-1]["x"] < window_s / CLOSE:
            marks.pop()
        marks.append({"x": x, "text": f"v{one.model_version}", "tone": "info"})
    return marks
