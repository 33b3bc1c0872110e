"""The start page: how the workspace does, what needs somebody, what runs, what happened, the first steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fastapi import Response
from fastapi.responses import RedirectResponse

from aimass.access import Access
from aimass.apps.overview.console.sentences import SENTENCES, Fact
from aimass.apps.overview.domain import Activity, InWorkspace, ListActivity, Need, Situation
from aimass.apps.overview.service.overview import Overview
from aimass.web import PageVisit, Visit, page_router

router = page_router()
READ, TOLD, NEEDS, CURVE = 200, 9, 8, 5
TONES = {
    "alert": "bad",
    "approval": "warn",
    "collection": "bad",
    "dead_letters": "bad",
    "deployment": "bad",
    "gateway": "bad",
    "job": "bad",
    "locked": "warn",
    "pipeline_run": "bad",
    "quality": "warn",
    "quarantine": "warn",
    "review": "warn",
}
PARTS = {
    "situation": "apps.overview/_situation.html",
    "needs": "apps.overview/_needs.html",
    "running": "apps.overview/_running.html",
    "services": "apps.overview/_services.html",
    "activity": "apps.overview/_activity.html",
    "first-day": "apps.overview/_first_day.html",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One fact, told to a person."""

    icon: str
    tone: str
    title: str
    sub: str
    when: datetime
    href: str


@router.get("/")
def home(visit: Visit, workspace: str = "") -> Response:
    """Open the workspace that was visited last; without any, tell how to get one.

    The question: where do I begin?
    """
    place = workspace or visit.workspace
    if place:
        return RedirectResponse(f"/{place}", 303)
    return visit.render("apps.overview/welcome.html")


@router.get("/{workspace}")
def overview(visit: Visit) -> Response:
    """Show how the workspace does.

    The question: is everything well, and what should I do next?
    """
    service, wish = visit.get(Overview), InWorkspace(workspace=visit.workspace)
    now = service.show_overview(visit.who, wish)
    needs = needs_of(visit, service.list_needs(visit.who, wish))
    return visit.render(
        "apps.overview/overview.html",
        parts=PARTS,
        now=now,
        needs=needs[:NEEDS],
        more_needs=max(0, len(needs) - NEEDS),
        told=told(visit, service),
        names=names_of(visit, [one.by for one in now.running]),
        pages=pages_of(visit),
        steps_done=sum(step.is_done for step in now.first_day),
        subjects=subjects_of(visit, now),
        headline=headline(visit, now, needs),
        panels=visit.panels("overview.storage"),
        traffic=chart_of(visit, now),
    )


def needs_of(visit: PageVisit, found: Iterable[Need]) -> list[tuple[str, Need, str]]:
    """Return what waits for somebody with its tone and the one thing to do, the newest first."""
    verbs = {
        "alert": visit.say("Look at it"),
        "approval": visit.say("Decide"),
        "collection": visit.say("See why"),
        "dead_letters": visit.say("Look at them"),
        "deployment": visit.say("See why"),
        "forgotten": visit.say("Help"),
        "gateway": visit.say("See the workers"),
        "invitation": visit.say("Renew"),
        "job": visit.say("Open the log"),
        "locked": visit.say("Help"),
        "pipeline_run": visit.say("See why"),
        "quality": visit.say("See the rules"),
        "quarantine": visit.say("Look at the rows"),
        "review": visit.say("Review"),
        "uninvited": visit.say("Renew"),
    }
    return [
        (TONES.get(n.kind, "info"), replace(n, title=visit.tell(n.title)), verbs.get(n.kind, visit.say("Open")))
        for n in found
    ]


def headline(visit: PageVisit, now: Situation, needs: list[Any]) -> tuple[str, str]:
    """Return the tone and the one sentence that answers whether everything is well."""
    services = now.services
    if services and services.down:
        one = visit.say("One service does not answer.")
        return "bad", one if services.down == 1 else visit.say("%(n)d services do not answer.", n=services.down)
    if services and services.degraded:
        one = visit.say("One service does badly.")
        return "warn", one if services.degraded == 1 else visit.say("%(n)d services do badly.", n=services.degraded)
    alerts = sum(need.kind == "alert" for _, need, _ in needs)
    if alerts:
        one = visit.say("One alert fires.")
        return "bad", one if alerts == 1 else visit.say("%(n)d alerts fire.", n=alerts)
    if needs:
        one = visit.say("One thing waits for somebody.")
        return "warn", one if len(needs) == 1 else visit.say("%(n)d things wait for somebody.", n=len(needs))
    if services and services.healthy:
        return "ok", visit.say("All is well.")
    return "info", visit.say("Nothing is served here yet.")


def chart_of(visit: PageVisit, now: Situation) -> dict[str, Any] | None:
    """Return the requests of the last hour as a chart, once there are enough minutes for a curve."""
    minutes = now.traffic.minutes if now.traffic else []
    if len(minutes) < CURVE:
        return None
    points = [[minute.t.timestamp(), minute.requests] for minute in minutes]
    return {
        "x": "time",
        "unit": "",
        "from_zero": True,
        "area": True,
        "series": [{"name": visit.say("requests"), "points": points}],
    }


def told(visit: PageVisit, service: Overview) -> list[Told]:
    """Return the latest facts that a person wants to hear of, in sentences."""
    every = service.list_activity(visit.who, ListActivity(workspace=visit.workspace, limit=READ))
    facts = [one for one in every if one.type in SENTENCES and not _is_quiet(one)][:TOLD]
    names = names_of(visit, [one.actor for one in facts] + [one.subject.partition(":")[2] for one in facts])
    return [_told(visit, one, names) for one in facts]


def _is_quiet(one: Activity) -> bool:
    """Tell whether a fact is no news: a review that only waits for its decision."""
    return one.type == "models.version.quarantined" and not one.data.get("failed")


def _told(visit: PageVisit, one: Activity, names: dict[str, str]) -> Told:
    sentence, id_ = SENTENCES[one.type], one.subject.partition(":")[2]
    pipeline = one.data.get("pipeline") if one.type.startswith("lifecycle.") else None
    page = None if pipeline else visit.document(one.subject)
    what = pipeline or names.get(id_) or (page.title if page else id_)
    fact = Fact(who=names.get(one.actor, one.actor), what=what, data=one.data)
    return Told(
        icon=sentence.icon,
        tone=sentence.tone,
        title=sentence.words(visit.say, fact),
        sub=sentence.more(visit.say, fact),
        when=one.time,
        href=page.href if page else "",
    )


def names_of(visit: PageVisit, ids: Iterable[str]) -> dict[str, str]:
    """Return names for ids of people and accounts; the platform itself and its policies have theirs too."""
    wanted = set(ids)
    own = {
        one: visit.say("The policy %(name)s", name=one.partition(":")[2]) for one in wanted if one.startswith("policy:")
    }
    return visit.get(Access).names_of(wanted) | own | {"system": visit.say("The platform")}


def pages_of(visit: PageVisit) -> dict[str, str]:
    """Return the address of each page that a room announces and the visitor may see, by its path below the workspace."""
    places = [place for room in visit.console.setup.capabilities for place in room.pages]
    return {
        place.path.removeprefix("/{workspace}"): place.path.replace("{workspace}", visit.workspace)
        for place in places
        if place.path.startswith("/{workspace}/") and visit.allows(place.permission)
    }


def subjects_of(visit: PageVisit, now: Situation) -> dict[str, tuple[str, str]]:
    """Return title and page of what shows that a first step is done."""
    found = {step.subject: visit.document(step.subject) for step in now.first_day if step.subject}
    return {
        subject: (page.title, page.href) if page else (subject.partition(":")[2], "") for subject, page in found.items()
    }
