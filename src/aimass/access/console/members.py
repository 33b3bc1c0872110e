"""Members of a workspace, and the roles they can have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from fastapi import Form, Response

from aimass.access.console.forms import MANAGE, READ, manages_platform
from aimass.access.domain.keys import ListServices
from aimass.access.domain.members import (
    CreateRole,
    GiveRole,
    ListMembers,
    Member,
    OneWorkspace,
    RemoveRole,
    TakeRole,
)
from aimass.access.domain.people import ListUsers
from aimass.access.domain.roles import LADDER
from aimass.access.service.access import Access
from aimass.kernel.principal import ANYWHERE
from aimass.web import PageVisit, Visit, page_router

router = page_router()
Text = Annotated[str, Form()]
PATH = "/{workspace}/settings/members"
ROLES = "/{workspace}/settings/members/roles"
SHOWN = 200


@dataclass(slots=True, kw_only=True)
class Subject:
    """A person, group or service account with all its roles here."""

    kind: str
    id: str
    name: str
    roles: list[Member] = field(default_factory=list[Member])


@router.get(PATH)
def members(visit: Visit, cursor: str | None = None, q: str = "") -> Response:
    """List the members.

    The question: who may do what in this workspace?
    """
    access, place = visit.get(Access), visit.workspace
    page = access.list_members(visit.who, ListMembers(workspace=place, limit=SHOWN, cursor=cursor))
    roles = access.list_roles(visit.who, OneWorkspace(workspace=place))
    found = [one for one in subjects(page.items) if q.casefold() in one.name.casefold()]
    parts = {"members": "access/_members.html"}
    more = {"known": _known(visit), "role_names": {role.slug: role.name for role in roles}, "q": q}
    return visit.render("access/members.html", parts=parts, found=found, next=page.next, roles=roles, **more)


@router.post(PATH)
def give(
    visit: Visit, kind: Annotated[Literal["user", "group", "service"], Form()], subject: Text, role: Text, on: Text = ""
) -> Response:
    """Give a role."""
    named: dict[str, Any] = {kind: subject}
    wish = GiveRole(workspace=visit.workspace, role=role, object=on or None, **named)
    visit.get(Access).give_role(visit.who, wish)
    toast = visit.say("%(name)s has a new role", name=subject)
    return visit.go(f"/{visit.workspace}/settings/members", toast=toast)


@router.delete(f"{PATH}/{{grant}}")
def take(visit: Visit, grant: str) -> Response:
    """Take a role away."""
    visit.get(Access).take_role(visit.who, TakeRole(workspace=visit.workspace, grant=grant))
    return visit.done(visit.say("The role was taken away"))


@router.get(ROLES)
def roles(visit: Visit) -> Response:
    """Show the roles.

    The question: what does each role allow?
    """
    found = visit.get(Access).list_roles(visit.who, OneWorkspace(workspace=visit.workspace))
    rooms = rooms_of(permission for role in found for permission in role.permissions)
    own = sorted({p.partition(".")[0] for c in visit.console.setup.capabilities for p in c.permissions})
    return visit.render(
        "access/roles.html", parts={"roles": "access/_roles.html"}, roles=found, rooms=own or rooms, ladder=LADDER
    )


@router.post(ROLES)
def create_role(visit: Visit, name: Text, permissions: Annotated[list[str], Form()]) -> Response:
    """Make a role of this workspace."""
    wish = CreateRole(workspace=visit.workspace, name=name, permissions=[p for p in permissions if p])
    made = visit.get(Access).create_role(visit.who, wish)
    return visit.go(
        f"/{visit.workspace}/settings/members/roles", toast=visit.say("%(name)s was created", name=made.name)
    )


@router.delete(f"{ROLES}/{{role}}")
def remove_role(visit: Visit, role: str) -> Response:
    """Remove a role that nobody holds."""
    visit.get(Access).remove_role(visit.who, RemoveRole(workspace=visit.workspace, role=role))
    return visit.done(visit.say("The role was removed"))


def subjects(found: Iterable[Member]) -> list[Subject]:
    """Gather the roles of each subject, in the order of their names.

    Examples
    --------
    >>> subjects([])
    []
    """
    by_id: dict[tuple[str, str], Subject] = {}
    for member in found:
        key = (member.kind, member.id)
        by_id.setdefault(key, Subject(kind=member.kind, id=member.id, name=member.name)).roles.append(member)
    return sorted(by_id.values(), key=lambda one: one.name.casefold())


def rooms_of(permissions: Iterable[str]) -> list[str]:
    """Return the rooms that permissions name.

    Examples
    --------
    >>> rooms_of(["*.read", "lake.edit", "lake.read"])
    ['lake']
    """
    return sorted({room for room in (p.partition(".")[0] for p in permissions) if room != ANYWHERE})


def _known(visit: PageVisit) -> dict[str, list[str]]:
    """Return names to choose from, for who may give roles: of people only for who sees the whole platform."""
    if not visit.allows(MANAGE):
        return {}
    access, who = visit.get(Access), visit.who
    services = access.list_services(who, ListServices(workspace=visit.workspace, limit=SHOWN)).items
    known = {"group": [group.slug for group in access.list_groups(who)], "service": [one.slug for one in services]}
    if manages_platform(visit) or who.allows(READ, ANYWHERE):
        known["user"] = [person.name for person in access.list_users(who, ListUsers(limit=SHOWN)).items]
    return known
