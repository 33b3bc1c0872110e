"""Schedules: what happens by the clock, and when next."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import available_timezones

from fastapi import Form, Response
from pydantic import BaseModel

from aimass.kernel.capability import JobKinds
from aimass.messaging.console.forms import json_of
from aimass.messaging.domain.schedules import (
    ChangeSchedule,
    CreateSchedule,
    JobAction,
    ListSchedules,
    MessageAction,
    Missed,
    PreviewCron,
    ScheduleName,
)
from aimass.messaging.domain.topics import ListTopics
from aimass.messaging.service import Messaging
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/work/schedules"
ONE = f"{PATH}/{{schedule}}"
MOST = 200


class Wish(BaseModel):
    """The form for a new schedule."""

    name: str
    cron: str
    zone: str = "UTC"
    missed: Missed = "once"
    does: str = ""
    body: str = ""


@router.get(PATH)
def schedules(visit: Visit, cursor: str | None = None) -> Response:
    """List the schedules.

    The question: what happens by itself, when next, and what is paused?
    """
    wish = ListSchedules(workspace=visit.workspace, cursor=cursor)
    found = visit.get(Messaging).list_schedules(visit.who, wish)
    more = {"actions": _actions(visit), "zones": _zones()}
    return visit.render(
        "messaging/schedules.html", parts={"schedules": "messaging/_schedules.html"}, found=found, **more
    )


@router.get("/{workspace}/work/schedules/-/preview")
def preview(visit: Visit, cron: str = "", zone: str = "UTC") -> Response:
    """Show the next times of a cron expression while it is written."""
    wish = PreviewCron(workspace=visit.workspace, cron=cron, zone=zone)
    times = visit.get(Messaging).preview_cron(visit.who, wish) if cron.strip() else []
    return visit.render("messaging/_preview.html", times=times, zone=zone)


@router.post(PATH)
def create(visit: Visit, wish: Annotated[Wish, Form()]) -> Response:
    """Create a schedule, then open it."""
    kind, _, name = wish.does.partition(":")
    data = json_of(visit, wish.body, "body")
    command = CreateSchedule(
        workspace=visit.workspace,
        name=wish.name,
        cron=wish.cron,
        zone=wish.zone,
        missed=wish.missed,
        job=JobAction(kind=name, payload=data or {}) if kind == "job" else None,
        message=MessageAction(topic=name, body=data) if kind == "message" else None,
    )
    made = visit.get(Messaging).create_schedule(visit.who, command)
    toast = visit.say("%(name)s was created", name=made.name)
    return visit.go(f"/{visit.workspace}/work/schedules/{made.schedule}", toast=toast)


@router.get(ONE)
def schedule(visit: Visit, schedule: str) -> Response:
    """Show one schedule.

    The question: when does it fire next, and what does it do?
    """
    wish = ScheduleName(workspace=visit.workspace, schedule=schedule)
    found = visit.get(Messaging).get_schedule(visit.who, wish)
    parts = {"schedule": "messaging/_schedule.html"}
    return visit.render("messaging/schedule.html", parts=parts, schedule=found, zones=_zones())


@router.post(f"{ONE}/settings")
def change(
    visit: Visit,
    schedule: str,
    version: Annotated[int, Form()],
    cron: Annotated[str, Form()],
    zone: Annotated[str, Form()],
    missed: Annotated[Missed, Form()] = "once",
) -> Response:
    """Change when it fires."""
    wish = ChangeSchedule(
        workspace=visit.workspace, schedule=schedule, cron=cron, zone=zone, missed=missed, expected_version=version
    )
    visit.get(Messaging).change_schedule(visit.who, wish)
    return visit.go(f"/{visit.workspace}/work/schedules/{schedule}", toast=visit.say("The schedule was changed"))


@router.post(f"{ONE}/{{deed}}")
def act(visit: Visit, schedule: str, deed: Literal["pause", "resume", "run"]) -> Response:
    """Pause it, resume it, or let it fire now."""
    messaging, wish = visit.get(Messaging), ScheduleName(workspace=visit.workspace, schedule=schedule)
    address = f"/{visit.workspace}/work/schedules/{schedule}"
    if deed == "run":
        messaging.run_schedule(visit.who, wish)
        return visit.done(visit.say("It fires now"))
    if deed == "pause":
        messaging.pause_schedule(visit.who, wish)
        return visit.done(visit.say("It fires no more"), undo=f"{address}/resume")
    messaging.resume_schedule(visit.who, wish)
    return visit.done(visit.say("It fires again"), undo=f"{address}/pause")


@router.delete(ONE)
def delete(visit: Visit, schedule: str) -> Response:
    """Delete a schedule."""
    visit.get(Messaging).delete_schedule(visit.who, ScheduleName(workspace=visit.workspace, schedule=schedule))
    return visit.go(f"/{visit.workspace}/work/schedules", toast=visit.say("%(name)s was deleted", name=schedule))


def _actions(visit: PageVisit) -> list[tuple[str, str]]:
    """Return what a schedule may do: publish on a topic, or start a job that allows it."""
    page = visit.get(Messaging).list_topics(visit.who, ListTopics(workspace=visit.workspace, limit=MOST))
    messages = [(f"message:{one.topic}", visit.say("publish on %(topic)s", topic=one.topic)) for one in page.items]
    kinds = [name for name, kind in sorted(visit.get(JobKinds).items()) if kind.by_schedule]
    return messages + [(f"job:{kind}", visit.say("start the job %(kind)s", kind=kind)) for kind in kinds]


def _zones() -> list[str]:
    return sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")
