"""Service accounts of a workspace."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from fastapi import Form, Response

from aimass.access.console.forms import MANAGE, role_choices
from aimass.access.domain.keys import CreateService, ListKeys, ListServices, OneService
from aimass.access.domain.members import ListMembers
from aimass.access.service.access import Access
from aimass.web import Visit, page_router

router = page_router()
Text = Annotated[str, Form()]
PATH = "/{workspace}/settings/services"
SHOWN = 200


@router.get(PATH)
def services(visit: Visit, cursor: str | None = None) -> Response:
    """List the service accounts.

    The question: which machines have an account here, what may they do, and do they have a working key?
    """
    access, who, place = visit.get(Access), visit.who, visit.workspace
    found = access.list_services(who, ListServices(workspace=place, limit=SHOWN, cursor=cursor))
    held = access.list_members(who, ListMembers(workspace=place, limit=SHOWN)).items
    roles = {one.id: [m for m in held if m.kind == "service" and m.id == one.id] for one in found.items}
    keys = access.list_keys(who, ListKeys(workspace=place, limit=SHOWN)).items if visit.allows(MANAGE) else []
    working = Counter(key.owner for key in keys if key.owner_kind == "service" and key.revoked_at is None)
    parts, more = (
        {"services": "access/_services.html"},
        {"working": working, "choices": role_choices(visit), "role_names": dict(role_choices(visit))},
    )
    return visit.render("access/services.html", parts=parts, found=found, roles=roles, **more)


@router.post(PATH)
def create(visit: Visit, name: Text, role: Text = "") -> Response:
    """Make a service account; its keys come next."""
    wish = CreateService(workspace=visit.workspace, name=name, role=role or None)
    made = visit.get(Access).create_service(visit.who, wish)
    toast = visit.say("%(name)s was created; now give it a key", name=made.name)
    return visit.go(f"/{visit.workspace}/settings/services", toast=toast)


@router.post(f"{PATH}/{{service}}/disable")
def disable(visit: Visit, service: str) -> Response:
    """Stop all keys of a service account."""
    found = visit.get(Access).disable_service(visit.who, OneService(workspace=visit.workspace, service=service))
    return visit.done(visit.say("%(name)s is off; its keys do not work", name=found.name))


@router.post(f"{PATH}/{{service}}/enable")
def enable(visit: Visit, service: str) -> Response:
    """Let the keys of a service account work again."""
    found = visit.get(Access).enable_service(visit.who, OneService(workspace=visit.workspace, service=service))
    return visit.done(visit.say("%(name)s is on again", name=found.name))


@router.delete(f"{PATH}/{{service}}")
def remove(visit: Visit, service: str) -> Response:
    """Remove a service account; its keys are revoked."""
    visit.get(Access).remove_service(visit.who, OneService(workspace=visit.workspace, service=service))
    return visit.done(visit.say("The service account was removed and its keys revoked"))
