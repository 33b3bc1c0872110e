"""The list of services."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form, Response

from aimass.serving.console.deploying import models_of
from aimass.serving.console.shown import figures_of, running_of
from aimass.serving.domain.commands import CreateEndpoint, DeployModel, ListEndpoints
from aimass.serving.domain.things import Endpoint
from aimass.serving.service.serving import Serving
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/services"
WINDOW_S = 3_600
MOST = 500
STATES = ("READY", "DEGRADED", "FAILED", "STARTING", "STOPPED")


@router.get(PATH)
def services(visit: Visit, q: str = "", state: str = "", cursor: str | None = None) -> Response:
    """Which of our services is not well right now?"""
    is_narrow = bool(q or state)
    wish = ListEndpoints(workspace=visit.workspace, limit=MOST if is_narrow else 50, cursor=cursor)
    page = visit.get(Serving).list_endpoints(visit.who, wish)
    found = [one for one in page.items if _fits(one, q.casefold(), state)]
    figures = figures_of(visit, [one.slug for one in found], WINDOW_S)
    return visit.render(
        "serving/services.html",
        parts={"services": "serving/_services.html"},
        found=[(one, figures.get(one.slug), running_of(one)) for one in found],
        next=page.next,
        total=_total(found, figures),
        states=STATES,
        q=q,
        state=state,
        models=models_of(visit),
    )


@router.post(PATH)
def create(
    visit: Visit,
    name: Annotated[str, Form()],
    model: Annotated[str, Form()] = "",
    description: Annotated[str, Form()] = "",
) -> Response:
    """Make a service and open it; with a model it answers as soon as that is loaded."""
    serving = visit.get(Serving)
    wish = CreateEndpoint(workspace=visit.workspace, name=name, description=description)
    made = serving.create_endpoint(visit.who, wish)
    if model:
        serving.deploy_model(visit.who, DeployModel(workspace=visit.workspace, model=model, endpoint=made.slug))
    toast = visit.say("Service %(name)s was created", name=made.slug)
    return visit.go(f"/{visit.workspace}/services/{made.slug}", toast=toast)


def _fits(one: Endpoint, text: str, state: str) -> bool:
    words = " ".join([one.slug, one.description, *(d.model for d in one.deployments)]).casefold()
    return text in words and state in ("", one.state)


def _total(found: list[Endpoint], figures: dict[str, Any]) -> dict[str, Any]:
    """Return the figures above the list."""
    known = list(figures.values())
    slow = [one["p95_s"] for one in known if one["p95_s"] is not None]
    sparks = [one["spark"] for one in known if one["spark"]]
    return {
        "well": sum(one.state == "READY" for one in found),
        "unwell": sum(one.state in ("DEGRADED", "FAILED") for one in found),
        "alerts": sum(one["alerts"] for one in known),
        "is_known": bool(known),
        "rpm": sum(one["rpm"] for one in known),
        "slowest_s": max(slow, default=None),
        "drifting": sum((one["psi"] or 0) > one["psi_limit"] for one in known),
        "spark": [sum(values) for values in zip(*sparks, strict=False)] if sparks else None,
    }
