"""Erasures: what was asked for, how far it is, what is left; never whom it is about."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Response

from aimass.apps.storage.domain import AskErasure, ListErasures, OneErasure
from aimass.apps.storage.service.storage import Storage
from aimass.kernel.principal import ANYWHERE
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/privacy/erasures"
EVERYWHERE = "everywhere"


@router.get(PATH)
def erasures(visit: Visit, where: str = "", cursor: str | None = None) -> Response:
    """List the erasures.

    The question: was everybody erased who asked for it, and is anything left?
    """
    place = ANYWHERE if where == EVERYWHERE else visit.workspace
    found = visit.get(Storage).list_erasures(visit.who, ListErasures(workspace=place, cursor=cursor))
    parts = {"erasures": "apps.storage/_erasures.html"}
    may_everywhere = visit.who.allows("storage.manage", ANYWHERE)
    return visit.render(
        "apps.storage/erasures.html", parts=parts, found=found, may_everywhere=may_everywhere, place=place
    )


@router.post(PATH)
def ask(
    visit: Visit,
    values: Annotated[str, Form()],
    column: Annotated[str, Form()] = "",
    where: Annotated[str, Form()] = "",
) -> Response:
    """Ask for an erasure, then open it."""
    place = ANYWHERE if where == EVERYWHERE else visit.workspace
    named = [line.strip() for line in values.splitlines() if line.strip()]
    wish = AskErasure(workspace=place, values=named, column=column.strip() or None)
    asked = visit.get(Storage).ask_erasure(visit.who, wish)
    address = f"/{visit.workspace}/privacy/erasures/{asked.id}"
    return visit.go(
        address + (f"?where={EVERYWHERE}" if place == ANYWHERE else ""), toast=visit.say("The erasure begins")
    )


@router.get(f"{PATH}/{{erasure}}")
def erasure(visit: Visit, erasure: str, where: str = "") -> Response:
    """Show one erasure.

    The question: what was erased where, and what is left to do?
    """
    place = ANYWHERE if where == EVERYWHERE else visit.workspace
    found = visit.get(Storage).get_erasure(visit.who, OneErasure(workspace=place, erasure=erasure))
    return visit.render(
        "apps.storage/erasure.html", parts={"erasure": "apps.storage/_erasure.html"}, one=found, place=place
    )


@router.post(f"{PATH}/{{erasure}}/repeat")
def repeat(visit: Visit, erasure: str, where: Annotated[str, Form()] = "") -> Response:
    """Carry it out once more."""
    place = ANYWHERE if where == EVERYWHERE else visit.workspace
    visit.get(Storage).repeat_erasure(visit.who, OneErasure(workspace=place, erasure=erasure))
    return visit.done(visit.say("The erasure begins"))
