"""What people do with a service: deploy, share the traffic, promote, roll back, stop, start, remove."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import Form, Response
from pydantic import BaseModel, TypeAdapter, ValidationError

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
from aimass.serving.domain.placing import Device, ExecutionWish, IsolationWish
from aimass.serving.domain.scaling import Replicas
from aimass.serving.domain.things import MIB, Deployment, Placement, Resources, Split, TrafficPolicy, Trouble
from aimass.serving.service.serving import Serving
from aimass.web import PageVisit, Visit, page_router

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
    """What the dialog sends: ``what`` is ``alias:<name>`` or a version, ``role`` is ``main`` or ``canary``.

    A field that is empty leaves what the deployment has.
    """

    model: str
    what: str
    role: Literal["main", "canary"] = "main"
    weight: int = 10
    placement: Placement | Literal[""] = ""
    execution: ExecutionWish | Literal[""] = ""
    isolation: IsolationWish | Literal[""] = ""
    network: Literal["", "yes", "no"] = ""
    memory_mib: str = ""
    cpus: str = ""
    pinned: Literal["", "yes", "no"] = ""
    device: Device | Literal[""] = ""
    min_workers: str = ""
    max_workers: str = ""
    target: str = ""
    latency_ms: str = ""
    idle_s: str = ""
    reason: str = ""


class ShareForm(BaseModel):
    """Names of deployments and, in the same order, their percent."""

    name: list[str] = []
    weight: list[int] = []
    shadow: str = ""
    shadow_percent: int = 100
    fallback: str = ""
    fallback_on: list[Trouble] = []
    fallback_after_s: str = ""
    static: str = ""
    split: Split = "random"
    split_by: str = ""
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
        placement=form.placement or None,
        execution=form.execution or None,
        isolation=form.isolation or None,
        network=form.network == "yes" if form.network else None,
        pinned=form.pinned == "yes" if form.pinned else None,
        device=form.device or None,
        replicas=replicas_of(visit, endpoint, form),
        resources=resources_of(visit, endpoint, form),
        reason=form.reason,
    )
    visit.get(Serving).deploy(visit.who, wish)
    toast = visit.say("%(model)s is being loaded; what ran before answers until it is ready", model=form.model)
    return visit.go(f"/{visit.workspace}/services/{endpoint}", toast=toast)


def resources_of(visit: PageVisit, endpoint: str, form: DeployForm) -> Resources | None:
    """Return what the worker may use; what the form leaves open stays as it is."""
    if not form.memory_mib.strip() and not form.cpus.strip():
        return None
    before = deployed(visit, endpoint, form)
    present = before.resources if before is not None else Resources()
    memory, cpus = number_of("memory_mib", form.memory_mib), number_of("cpus", form.cpus)
    return replace(
        present,
        memory_bytes=present.memory_bytes if memory is None else round(memory * MIB),
        cpus=present.cpus if cpus is None else cpus or None,
    )


def replicas_of(visit: PageVisit, endpoint: str, form: DeployForm) -> Replicas | None:
    """Return how many workers there may be, and when; what the form leaves open stays as it is."""
    fields = {
        "min": "min_workers",
        "max": "max_workers",
        "target": "target",
        "latency_ms": "latency_ms",
        "idle_s": "idle_s",
    }
    said = {name: number_of(field, getattr(form, field)) for name, field in fields.items()}
    named: dict[str, Any] = {name: number for name, number in said.items() if number is not None}
    if not named:
        return None
    before = deployed(visit, endpoint, form)
    present = before.options.replicas if before is not None else Replicas()
    named |= {name: whole_of(fields[name], named[name]) for name in ("min", "max") if name in named}
    named |= {"latency_ms": named["latency_ms"] or None} if "latency_ms" in named else {}
    named.setdefault("max", max(present.max, named.get("min", 0)))
    return replace(present, **named)


def deployed(visit: PageVisit, endpoint: str, form: DeployForm) -> Deployment | None:
    """Return the deployment that the form is about, where there is one."""
    one = visit.get(Serving).get_endpoint(visit.who, OneEndpoint(workspace=visit.workspace, endpoint=endpoint))
    name = CANARY if form.role == CANARY else one.main
    return next((d for d in one.deployments if d.name == name), None)


def number_of(field: str, text: str) -> float | None:
    """Return the number that a person wrote, or None."""
    try:
        return float(text) if text.strip() else None
    except ValueError as reason:
        raise Invalid(f"{text!r} is no number", field=field, value=text) from reason


def whole_of(field: str, number: float) -> int:
    """Return a number that counts something."""
    if not number.is_integer():
        raise Invalid(f"{number:g} is no whole number", field=field, value=number)
    return int(number)


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
        shadow_percent=form.shadow_percent,
        fallback=form.fallback,
        fallback_on=form.fallback_on,
        fallback_after_s=seconds_of(form.fallback_after_s),
        static=static_of(visit, form.static),
        split=form.split,
        split_by=form.split_by,
        reason=form.reason,
    )
    serving.set_traffic(visit.who, wish)
    was = urlencode({"was": json.dumps(asdict(before), separators=(",", ":"))})
    return visit.done(
        visit.say("The traffic is shared anew"), undo=f"/{visit.workspace}/services/{endpoint}/traffic/back?{was}"
    )


@router.post(f"{PATH}/traffic/back")
def share_as_before(visit: Visit, endpoint: str, was: str) -> Response:
    """Take a change of the traffic back."""
    try:
        before = TypeAdapter(TrafficPolicy).validate_json(was)
    except ValidationError as reason:
        raise Invalid(f"{was[:80]!r} is no traffic", field="was", value=was[:200]) from reason
    whole = {**asdict(before), "shadow": before.shadow or "", "fallback": before.fallback or ""}
    whole |= {"static": before.static or {}, "fallback_after_s": before.fallback_after_s or 0}
    wish = SetTraffic(workspace=visit.workspace, endpoint=endpoint, reason="taken back", **whole)
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


def seconds_of(text: str) -> float:
    """Read a time; nothing is none.

    Examples
    --------
    >>> seconds_of("0.5"), seconds_of(" ")
    (0.5, 0.0)
    """
    try:
        return float(text.strip() or 0)
    except ValueError as reason:
        raise Invalid(f"{text!r} is no number", field="fallback_after_s", value=text) from reason


def static_of(visit: PageVisit, text: str) -> dict[str, Any]:
    """Read a static answer that a person wrote; nothing is none."""
    try:
        value = json.loads(text.strip() or "{}")
    except ValueError as reason:
        raise Invalid(visit.say("This is no JSON: %(reason)s", reason=reason), field="static") from reason
    if not isinstance(value, dict):
        raise Invalid(visit.say("Write an object with a value for each output"), field="static")
    return value
