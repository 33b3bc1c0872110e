"""The card on a learner's page: where its snapshots go, and what feedback brought."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Response
from pydantic import BaseModel

from aimass.kernel.errors import NotFound
from aimass.lifecycle.releases import OneRelease, SetRelease
from aimass.lifecycle.service import Lifecycle
from aimass.training import Learner
from aimass.web import PageVisit, Panel, Visit, page_router

router = page_router()
PATH = "/{workspace}/work/learners/{learner}/release"


class Wish(BaseModel):
    """The form that sets a release."""

    endpoint: str
    model: str = ""
    feeds: bool = False


@router.post(PATH)
def set_release(visit: Visit, learner: str, wish: Annotated[Wish, Form()]) -> Response:
    """Let snapshots take over an endpoint."""
    command = SetRelease(
        workspace=visit.workspace,
        learner=learner,
        endpoint=wish.endpoint,
        model=wish.model or None,
        feeds=wish.feeds,
    )
    visit.get(Lifecycle).set_release(visit.who, command)
    return visit.done(visit.say("The next snapshot takes over when its review approves it"))


@router.post(f"{PATH}/rollback")
def roll_back(visit: Visit, learner: str) -> Response:
    """Let the endpoint answer with the snapshot before."""
    visit.get(Lifecycle).roll_back_release(visit.who, OneRelease(workspace=visit.workspace, learner=learner))
    return visit.done(visit.say("The snapshot before takes over"))


@router.delete(PATH)
def end(visit: Visit, learner: str) -> Response:
    """Let snapshots go nowhere."""
    visit.get(Lifecycle).end_release(visit.who, OneRelease(workspace=visit.workspace, learner=learner))
    return visit.done(visit.say("Snapshots go nowhere any more"))


def release_panel(visit: PageVisit, learner: Learner) -> Panel | None:
    """Return the card of a learner's release, with the form where there is none."""
    if not visit.allows("lifecycle.read"):
        return None
    one = OneRelease(workspace=learner.workspace, learner=learner.slug)
    try:
        found = visit.get(Lifecycle).get_release(visit.who, one)
    except NotFound:
        found = None
    return Panel(template="lifecycle/_release.html", context={"release": found, "learner": learner})
