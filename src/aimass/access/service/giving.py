"""Give and take roles inside a change; nobody gives what he does not have."""

from __future__ import annotations

from typing import Any

from aimass.access.domain.members import GiveRole, SubjectKind
from aimass.access.domain.roles import BUILT_IN, Role, expand, may_give
from aimass.access.errors import MoreThanYouHave
from aimass.access.service.ground import find_service, find_user, need_place
from aimass.access.store import rows
from aimass.access.store.tables import grants, groups, roles
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.ids import new_id


def give(change: Change, command: GiveRole) -> str:
    """Give a role and return the id of the grant."""
    need_place(change.conn, command.workspace)
    kind, subject = subject_of(change.conn, command)
    role = role_of(change.conn, command.workspace, command.role)
    _need_all(change, role, command)
    place = {"workspace": command.workspace, "object": command.object or "", "role": role.slug}
    whom = {"subject_kind": kind, "subject_id": subject}
    if rows.find(change.conn, grants, **place, **whom):
        raise Conflict(f"{kind} has the role {role.slug!r} there already", field="role", value=role.slug)
    grant = new_id()
    rows.add(change.conn, grants, id=grant, **place, **whom, created_by=change.who.id, created_at=change.now)
    detail = {"grant": grant, "role": role.slug, "object": command.object}
    change.audit("access.grant.give", object_=f"{kind}:{subject}", detail=detail)
    change.event("access.grant.given", subject=f"{kind}:{subject}", data=detail)
    return grant


def subject_of(conn: Any, command: GiveRole) -> tuple[SubjectKind, str]:
    """Return kind and id of the one subject that the command names."""
    named = [part for part in (command.user, command.group, command.service) if part is not None]
    if len(named) != 1:
        raise Invalid(f"{len(named)} subjects are named", field="user", allowed="exactly one of user, group, service")
    if command.user is not None:
        return "user", find_user(conn, command.user).id
    if command.service is not None:
        return "service", find_service(conn, command.workspace, command.service).id
    return "group", need_group(conn, str(command.group)).slug


def need_group(conn: Any, slug: str) -> Any:
    """Return the row of a group."""
    row = rows.find(conn, groups, slug=slug)
    if row is None:
        raise NotFound(f"there is no group {slug!r}", field="group", value=slug)
    return row


def role_of(conn: Any, workspace: str, slug: str) -> Role:
    """Return a built-in role, or a role of the workspace."""
    if slug in BUILT_IN:
        return BUILT_IN[slug]
    row = rows.find(conn, roles, workspace=workspace, slug=slug)
    if row is None:
        own = [other.slug for other in rows.every(conn, roles, workspace=workspace)]
        raise Invalid(f"there is no role {slug!r}", field="role", value=slug, allowed=[*BUILT_IN, *own])
    return Role(slug=row.slug, name=row.name, permissions=expand(row.permissions), workspace=workspace)


def _need_all(change: Change, role: Role, command: GiveRole) -> None:
    if not may_give(change.who, role.permissions, command.workspace, command.object):
        raise MoreThanYouHave(
            f"{change.who.name!r} does not hold everything that the role {role.slug!r} gives",
            field="role",
            value=role.slug,
            hint="ask an administrator",
        )
