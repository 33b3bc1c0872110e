"""Ready models: what may be used without being trained first."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Form, Response

from aimass.models.console.shown import headline
from aimass.models.domain import ListReady, OneReady, TakeReady
from aimass.models.service.models import Models
from aimass.models.zoo import FAMILIES, Family
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/zoo"


@router.get(PATH)
def ready_models(visit: Visit, q: str = "", family: Family | Literal[""] = "") -> Response:
    """List the ready models.

    The question: what can I try right now, how good is it, and may I use it?
    """
    visit.who.need("models.read", visit.workspace)
    found = visit.get(Models).list_ready(visit.who, ListReady(text=q or None, family=family or None))
    families = [(name, visit.say(title)) for name, title in FAMILIES.items()]
    more = {"q": q, "family": family, "families": families, "titles": FAMILIES, "headline": headline}
    return visit.render("models/zoo.html", parts={"zoo": "models/_zoo.html"}, found=found, **more)


@router.get(f"{PATH}/{{ready}}")
def ready_model(visit: Visit, ready: str) -> Response:
    """Show a ready model.

    The question: what does it answer, what did it learn from, and where are its limits?
    """
    visit.who.need("models.read", visit.workspace)
    found = visit.get(Models).get_ready(visit.who, OneReady(ready=ready))
    return visit.render("models/ready.html", ready=found, titles=FAMILIES, headline=headline)


@router.post(f"{PATH}/{{ready}}/take")
def take(visit: Visit, ready: str, model: Annotated[str, Form()] = "") -> Response:
    """Take a ready model into the library, then open its version."""
    wish = TakeReady(workspace=visit.workspace, ready=ready, model=model or None)
    made = visit.get(Models).take_ready(visit.who, wish)
    toast = visit.say("%(name)s version %(n)d is registered", name=made.model, n=made.number)
    return visit.go(f"/{visit.workspace}/models/{made.model}/versions/{made.number}?tab=reviews", toast=toast)
