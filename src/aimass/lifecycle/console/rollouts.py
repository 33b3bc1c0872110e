"""Pages of rollouts, and the card of the one that is open on a service."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Form, Query, Response
from pydantic import BaseModel

from aimass.kernel.errors import Invalid
from aimass.lifecycle.rollouts import ListRollouts, NameRollout, RolloutState, StartRollout
from aimass.lifecycle.service import Lifecycle
from aimass.models import ListVersions, Models
from aimass.web import PageVisit, Panel, Visit, page_router

router = page_router()
PATH = "/{workspace}/work/rollouts"
MOST = 200
STATES: tuple[RolloutState, ...] = ("RUNNING", "PAUSED", "PROMOTED", "ROLLED_BACK", "FAILED")


class Wanted(BaseModel):
    """What the address of the list asks for."""

    endpoint: str = ""
    state: RolloutState | Literal[""] = ""
    cursor: str | None = None


class Start(BaseModel):
    """The form for a new rollout, in the units that people write."""

    endpoint: str
    model: str
    model_version: int
    steps: str = "1, 5, 25, 100"
    bake_min: float = 10
    requests: int = 50
    error_rate_percent: float = 1
    quality_margin: float = 0.05
    reason: str = ""


@router.get(PATH)
def rollouts(visit: Visit, wanted: Annotated[Wanted, Query()]) -> Response:
    """Which versions are on their way out, how well do they do, and what waits for me?"""
    wish = ListRollouts(
        workspace=visit.workspace,
        endpoint=wanted.endpoint or None,
        state=wanted.state or None,
        cursor=wanted.cursor,
    )
    found = visit.get(Lifecycle).list_rollouts(visit.who, wish)
    return visit.render(
        "lifecycle/rollouts.html",
        parts={"rollouts": "lifecycle/_rollouts.html"},
        found=found,
        wanted=wanted,
        states=STATES,
        is_filtered=bool(wanted.endpoint or wanted.state),
    )


@router.post(PATH)
def start(visit: Visit, form: Annotated[Start, Form()]) -> Response:
    """Begin to bring a version out, then open it."""
    wish = StartRollout(
        workspace=visit.workspace,
        endpoint=form.endpoint,
        model=form.model,
        model_version=form.model_version,
        steps=steps_of(form.steps),
        bake_s=round(form.bake_min * 60),
        requests=form.requests,
        error_rate_margin=form.error_rate_percent / 100,
        quality_margin=form.quality_margin,
        reason=form.reason,
    )
    made = visit.get(Lifecycle).start_rollout(visit.who, wish)
    toast = visit.say(
        "%(model)s v%(n)d is being loaded; then it gets its first share", model=made.model, n=made.model_version
    )
    return visit.go(f"/{visit.workspace}/work/rollouts/{made.id}", toast=toast)


@router.get(f"{PATH}/{{rollout}}")
def rollout(visit: Visit, rollout: str) -> Response:
    """At which step is it, does the version do well enough to go on, and what happened so far?"""
    found = visit.get(Lifecycle).get_rollout(visit.who, NameRollout(workspace=visit.workspace, rollout=rollout))
    parts = {"rollout": "lifecycle/_rollout.html"}
    may = visit.allows("lifecycle.use") and visit.allows("serving.edit", f"endpoint:{found.endpoint}")
    return visit.render("lifecycle/rollout.html", parts=parts, one=found, may=may)


@router.post(f"{PATH}/{{rollout}}/{{deed}}")
def act(
    visit: Visit,
    rollout: str,
    deed: Literal["pause", "resume", "promote", "rollback"],
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Pause it, resume it, promote it now, or take it out now."""
    lifecycle, name = visit.get(Lifecycle), NameRollout(workspace=visit.workspace, rollout=rollout, reason=reason)
    address = f"/{visit.workspace}/work/rollouts/{rollout}"
    if deed == "pause":
        lifecycle.pause_rollout(visit.who, name)
        return visit.done(visit.say("It stays at its step"), undo=f"{address}/resume")
    if deed == "resume":
        lifecycle.resume_rollout(visit.who, name)
        return visit.done(visit.say("Its step begins anew"))
    if deed == "promote":
        lifecycle.promote_rollout(visit.who, name)
        return visit.done(visit.say("It is the main deployment now"))
    lifecycle.roll_back_rollout(visit.who, name)
    return visit.done(visit.say("It was taken out"))


def panel(visit: PageVisit, endpoint: str, model: str = "") -> Panel | None:
    """Return the rollout that is open on an endpoint, or the form that starts one."""
    if not visit.allows("lifecycle.read"):
        return None
    wish = ListRollouts(workspace=visit.workspace, endpoint=endpoint, limit=1)
    page = visit.get(Lifecycle).list_rollouts(visit.who, wish)
    newest = page.items[0] if page.items else None
    may = visit.allows("lifecycle.use") and visit.allows("serving.edit", f"endpoint:{endpoint}")
    versions = _versions(visit, model) if may and model else []
    context = {"newest": newest, "may": may, "versions": versions, "endpoint": endpoint, "model": model}
    return Panel(template="lifecycle/_rollout_card.html", context=context)


def _versions(visit: PageVisit, model: str) -> list[tuple[str, str]]:
    if not visit.allows("models.read"):
        return []
    wish = ListVersions(workspace=visit.workspace, model=model, review="APPROVED", limit=MOST)
    found = visit.get(Models).list_versions(visit.who, wish).items
    return [(str(one.number), visit.say("version %(n)d", n=one.number)) for one in found]


def steps_of(text: str) -> list[int]:
    """Read steps that a person wrote.

    Examples
    --------
    >>> steps_of("1, 5 25,100")
    [1, 5, 25, 100]
    """
    words = text.replace(",", " ").replace("%", " ").split()
    if not words or not all(word.isdecimal() for word in words):
        raise Invalid(
            f"{text!r} are no steps", field="steps", value=text, hint="write percents, for example 1, 5, 25, 100"
        )
    return [int(word) for word in words]
