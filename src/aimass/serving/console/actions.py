"""What people do with a service: deploy, share the traffic, promote, roll back, stop, start, remove."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Form, Response
from pydantic import BaseModel

from aimass.kernel.errors import Invalid
from aimass.serving.console.deploying import deploy_choices
from aimass.serving.console.shown import PATH, opened
from aimass.serving.domain.commands import (
    DeleteEndpoint,
    Deploy,
    OneDeployment,
    OneEndpoint,
    Promote,
    RollBack,
    SetTraffic,
)
from aimass.serving.domain.things import Placement
from aimass.serving.service.serving import Serving
from aimass.web import Visit, page_router

router = page_router()
Text = Annotated[str, Form()]
CANARY = "canary"
ONE = f"{PATH}/deployments/{{deployment}}"


@router.get(f"{PATH}/deploy")
def deploy_form(visit: Visit, endpoint: str, model: str = "") -> Response:
    """What of this model can be deployed? The form itself, for the dialog."""
    shared = opened(visit, endpoint, "overview")
    visit.who.need("serving.edit", visit.workspace, f"endpoint:{endpoint}")
    return visit.render("serving/_deploy_form.html", **shared, **deploy_choices(visit, model))


class DeployForm(BaseModel):
    """What the dialog sends: ``what`` is ``alias:<name>`` or a version, ``role`` is ``main`` or ``canary``."""

    model: str
    what: str
    role: Literal["main", "canary"] = "main"
    weight: int = 10
    placement: Placement = "auto"
    reason: str = ""


class ShareForm(BaseModel):
    """Names of deployments and, in the same order, their percent."""

    name: list[str]
    weight: list[int]
    shadow: str = ""
    fallback: str = ""
    reason: str = ""


@router.post(f"{PATH}/deployments")
def deploy(visit: Visit, endpoint: str, form: Annotated[DeployForm, Form()]) -> Response:
    """Deploy a model: in place of the main one, or beside it with a part of the traffic."""
    alias, version = _wanted(form.what)
    wish = Deploy(
        workspace=visit.workspace,
        endpoint=endpoint,
        model=form.model,
        alias=alias,
        model_version=version,
        name=CANARY if form.role == CANARY else None,
        weight=form.weight if form.role == CANARY else None,
        placement=form.placement,
        reason=form.reason,
    )
    visit.get(Serving).deploy(visit.who, wish)
    toast = visit.say("%(model)s is being loaded; what ran before answers until it is ready", model=form.model)
    return visit.go(f"/{visit.workspace}/services/{endpoint}", toast=toast)


@router.post(f"{PATH}/traffic")
def share(visit: Visit, endpoint: str, form: Annotated[ShareForm, Form()]) -> Response:
    """Share the traffic."""
    serving = visit.get(Serving)
    before = serving.get_endpoint(visit.who, OneEndpoint(workspace=visit.workspace, endpoint=endpoint)).traffic
    wish = SetTraffic(
        workspace=visit.workspace,
        endpoint=endpoint,
        weights=dict(zip(form.name, form.weight, strict=False)),
        shadow=form.shadow,
        fallback=form.fallback,
        reason=form.reason,
    )
    serving.set_traffic(visit.who, wish)
    was = {"was": _written(before.weights), "shadow": before.shadow or "", "fallback": before.fallback or ""}
    return visit.done(
        visit.say("The traffic is shared anew"),
        undo=f"/{visit.workspace}/services/{endpoint}/traffic/back?{urlencode(was)}",
    )


@router.post(f"{PATH}/traffic/back")
def share_as_before(visit: Visit, endpoint: str, was: str, shadow: str = "", fallback: str = "") -> Response:
    """Take a change of the traffic back."""
    wish = SetTraffic(
        workspace=visit.workspace,
        endpoint=endpoint,
        weights=_read(was),
        shadow=shadow,
        fallback=fallback,
        reason="taken back",
    )
    visit.get(Serving).set_traffic(visit.who, wish)
    return visit.done(visit.say("The traffic is as before"))


@router.post(f"{PATH}/promote")
def promote(visit: Visit, endpoint: str, deployment: Text, reason: Text = "") -> Response:
    """Make what the canary runs the main deployment."""
    wish = Promote(workspace=visit.workspace, endpoint=endpoint, deployment=deployment, reason=reason)
    visit.get(Serving).promote(visit.who, wish)
    return visit.go(
        f"/{visit.workspace}/services/{endpoint}", toast=visit.say("%(name)s was promoted", name=deployment)
    )


@router.post(f"{PATH}/rollback")
def roll_back(visit: Visit, endpoint: str, deployment: Text = "", revision: Text = "", reason: Text = "") -> Response:
    """Bring back what ran before."""
    number = int(revision) if revision.isdecimal() else None
    wish = RollBack(
        workspace=visit.workspace, endpoint=endpoint, deployment=deployment or None, revision=number, reason=reason
    )
    visit.get(Serving).roll_back(visit.who, wish)
    return visit.go(
        f"/{visit.workspace}/services/{endpoint}", toast=visit.say("Rolled back; it answers within a second")
    )


@router.post(f"{ONE}/stop")
def stop(visit: Visit, endpoint: str, deployment: str) -> Response:
    """Take a deployment out of service."""
    wish = OneDeployment(workspace=visit.workspace, endpoint=endpoint, deployment=deployment)
    visit.get(Serving).stop_deployment(visit.who, wish)
    address = f"/{visit.workspace}/services/{endpoint}/deployments/{deployment}/start"
    return visit.done(visit.say("%(name)s is stopped", name=deployment), undo=address)


@router.post(f"{ONE}/start")
def start(visit: Visit, endpoint: str, deployment: str) -> Response:
    """Start a deployment."""
    wish = OneDeployment(workspace=visit.workspace, endpoint=endpoint, deployment=deployment)
    visit.get(Serving).start_deployment(visit.who, wish)
    return visit.done(visit.say("%(name)s is starting", name=deployment))


@router.delete(ONE)
def remove(visit: Visit, endpoint: str, deployment: str) -> Response:
    """Remove a deployment; its revisions stay in the history."""
    wish = OneDeployment(workspace=visit.workspace, endpoint=endpoint, deployment=deployment)
    visit.get(Serving).remove_deployment(visit.who, wish)
    return visit.done(visit.say("%(name)s was removed", name=deployment))


@router.delete(PATH)
def delete(visit: Visit, endpoint: str) -> Response:
    """Delete the service."""
    visit.get(Serving).delete_endpoint(visit.who, DeleteEndpoint(workspace=visit.workspace, endpoint=endpoint))
    return visit.go(
        f"/{visit.workspace}/services",
        toast=visit.say("Service %(name)s was deleted; its history stays", name=endpoint),
    )


def _wanted(what: str) -> tuple[str | None, int | None]:
    """Read what a choice of the form stands for: an alias, or a version.

    Examples
    --------
    >>> _wanted("alias:champion"), _wanted("3")
    (('champion', None), (None, 3))
    """
    kind, _, alias = what.partition(":")
    if kind == "alias" and alias:
        return alias, None
    if not what.isdecimal():
        raise Invalid(f"{what!r} is no version", field="what", value=what, hint="choose an alias or a version")
    return None, int(what)


def _written(weights: Mapping[str, int]) -> str:
    return ",".join(f"{name}:{weight}" for name, weight in weights.items())


def _read(text: str) -> dict[str, int]:
    """Read weights back.

    Examples
    --------
    >>> _read("champion:90,canary:10")
    {'champion': 90, 'canary': 10}
    """
    pairs = [part.partition(":") for part in text.split(",") if part]
    if not all(weight.isdecimal() for _, _, weight in pairs):
        raise Invalid(f"{text!r} are no weights", field="was", value=text)
    return {name: int(weight) for name, _, weight in pairs}
