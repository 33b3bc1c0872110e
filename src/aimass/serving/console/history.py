"""The history of a service: who ran what in production when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from fastapi import Response

from aimass.access import Access
from aimass.serving.console.service import back_choices, revisions_of
from aimass.serving.console.shown import PATH, opened
from aimass.serving.domain.commands import ListHistory
from aimass.serving.domain.things import HistoryEntry, Revision
from aimass.serving.service.serving import Serving
from aimass.web import Visit, page_router

router = page_router()
PARTS = {"service-head": "serving/_head.html", "history": "serving/_history.html"}
TOGETHER = timedelta(seconds=2)
TONES = ("c1", "c2", "c3", "c4", "c5")


@router.get(f"{PATH}/history")
def history(visit: Visit, endpoint: str, cursor: str | None = None) -> Response:
    """Who ran what in production when, why, and to what can I go back?"""
    shared = opened(visit, endpoint, "history")
    revisions = revisions_of(visit, endpoint)
    wish = ListHistory(workspace=visit.workspace, endpoint=endpoint, cursor=cursor)
    page = visit.get(Serving).list_history(visit.who, wish)
    back = {one.number: one for one in revisions if one.ready_at is not None}
    present = {d.revision for d in shared["one"].deployments}
    numbers = {one.number for one in back_choices(shared["one"].deployments, revisions)}
    return visit.render(
        "serving/history.html",
        parts=PARTS,
        **shared,
        entries=[(entry, _change(entry)) for entry in _told_once(page.items)],
        next=page.next,
        chart=timeline(revisions, visit.console.setup.clock.now()),
        back=numbers & set(back),
        present=present,
        people=visit.get(Access).names_of(entry.actor for entry in page.items),
    )


def timeline(revisions: Sequence[Revision], now: datetime) -> dict[str, Any]:
    """Return who answered when, a row for each deployment, for the chart; a model version keeps its colour."""
    shown = [one for one in revisions if one.ready_at is not None]
    versions = sorted({(one.model, one.model_version) for one in shown})
    tones = {version: TONES[at % len(TONES)] for at, version in enumerate(versions)}
    rows: dict[str, list[dict[str, Any]]] = {}
    for one in reversed(shown):
        span = {
            "from": one.ready_at.timestamp() if one.ready_at else 0,
            "to": (one.retired_at or now).timestamp(),
            "tone": tones[one.model, one.model_version],
            "text": f"v{one.model_version}",
        }
        rows.setdefault(one.deployment, []).append(span)
    return {"rows": [{"name": name, "spans": spans} for name, spans in rows.items()]}


def _told_once(entries: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """Leave out changes of traffic that a revision of the same moment tells already."""
    revisions = [entry for entry in entries if entry.kind == "revision"]
    return [
        entry
        for entry in entries
        if entry.kind == "revision"
        or not any(
            r.cause == entry.cause and r.actor == entry.actor and abs(r.time - entry.time) < TOGETHER for r in revisions
        )
    ]


def _change(entry: HistoryEntry) -> str:
    """Return the traffic of an entry as one text."""
    shares = [f"{name} {weight} %" for name, weight in entry.weights.items() if weight]
    return " · ".join([*shares, *(f"{name} {_short(value)}" for name, value in entry.policy.items())])


def _short(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)[:80]
