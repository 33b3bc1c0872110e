"""Roles and members: who may do what where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aimass.access.domain.members import (
    CreateGroup,
    CreateRole,
    GiveRole,
    Group,
    GroupMember,
    HeldRole,
    ListMembers,
    Member,
    OneGroup,
    OneWorkspace,
    RemoveRole,
    RoleView,
    TakeRole,
)
from aimass.access.domain.people import OneUser
from aimass.access.domain.roles import BUILT_IN, Role, check_permission, expand, may_give
from aimass.access.errors import MoreThanYouHave
from aimass.access.service.giving import give, need_group
from aimass.access.service.ground import Part, find_user, keeping_an_administrator, need_place, need_workspace
from aimass.access.store import queries, rows
from aimass.access.store.tables import grants, group_members, groups, roles
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.kernel.names import clean_name, slug_of
from aimass.kernel.pages import Page, decode_cursor, page_of
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.usecase import SIGNED_IN, use_case


class Members(Part):
    """Give and take roles."""

    @use_case("GET /workspaces/{workspace}/members", permission="access.read", cli="members list")
    def list_members(self, who: Principal, command: ListMembers) -> Page[Member]:
        """List who has which role in a workspace."""
        del who
        after = decode_cursor(command.cursor) if command.cursor else ""
        with self._database.read() as conn:
            need_place(conn, command.workspace)
            found = queries.members(conn, command.workspace, after, command.limit + 1)
        page = page_of(found, command.limit, lambda row: row.id)
        return Page(items=[_member(row) for row in page.items], next=page.next)

    @use_case("POST /workspaces/{workspace}/members", permission="access.manage", cli="members add", status=201)
    def give_role(self, who: Principal, command: GiveRole) -> Member:
        """Give a role to a user, a group or a service account."""
        with self._change(who, command.workspace) as change:
            grant = give(change, command)
            return _member(queries.member(change.conn, grant))

    @use_case(
        "DELETE /workspaces/{workspace}/members/{grant}", permission="access.manage", cli="members remove", status=204
    )
    def take_role(self, who: Principal, command: TakeRole) -> None:
        """Take a role away."""
        with self._change(who, command.workspace) as change, keeping_an_administrator(change.conn):
            row = rows.find(change.conn, grants, id=command.grant, workspace=command.workspace)
            if row is None:
                raise NotFound(f"there is no grant {command.grant!r}", field="grant", value=command.grant)
            rows.remove(change.conn, grants, id=row.id)
            subject = f"{row.subject_kind}:{row.subject_id}"
            change.audit("access.grant.take", object_=subject, detail={"grant": row.id, "role": row.role})
            change.event("access.grant.taken", subject=subject, data={"grant": row.id, "role": row.role})

    @use_case("GET /access/users/{user}/roles", permission="access.read", cli="users roles")
    def list_roles_of(self, who: Principal, command: OneUser) -> list[HeldRole]:
        """List every role that a person holds, in all workspaces and through groups."""
        del who
        with self._database.read() as conn:
            found = queries.grants_of(conn, "user", find_user(conn, command.user).id)
        return [_held(row) for row in found]

    @use_case("GET /workspaces/{workspace}/roles", permission="access.read", cli="roles list")
    def list_roles(self, who: Principal, command: OneWorkspace) -> list[RoleView]:
        """List the built-in roles and those of the workspace."""
        del who
        with self._database.read() as conn:
            own = [_role(row) for row in rows.every(conn, roles, workspace=command.workspace)]
        return [_view(role) for role in [*BUILT_IN.values(), *own]]

    @use_case("POST /workspaces/{workspace}/roles", permission="access.manage", cli="roles create", status=201)
    def create_role(self, who: Principal, command: CreateRole) -> RoleView:
        """Make a role of a workspace out of permissions that the caller holds himself."""
        permissions = expand(check_permission(text) for text in command.permissions)
        slug = slug_of(clean_name(command.name))
        if not permissions:
            raise Invalid("a role without permissions gives nothing", field="permissions")
        if not may_give(who, permissions, command.workspace):
            raise MoreThanYouHave("a role cannot hold more than its maker has", field="permissions")
        with self._change(who, command.workspace) as change:
            need_workspace(change.conn, command.workspace)
            if slug in BUILT_IN or rows.find(change.conn, roles, workspace=command.workspace, slug=slug):
                raise Conflict(f"there is a role {slug!r}", field="name", value=command.name)
            values = {"name": clean_name(command.name), "permissions": sorted(permissions)}
            rows.add(change.conn, roles, workspace=command.workspace, slug=slug, **values)
            change.audit("access.role.create", object_=f"role:{slug}", detail={"permissions": sorted(permissions)})
        return RoleView(slug=slug, built_in=False, name=values["name"], permissions=values["permissions"])

    @use_case("DELETE /workspaces/{workspace}/roles/{role}", permission="access.manage", cli="roles remove", status=204)
    def remove_role(self, who: Principal, command: RemoveRole) -> None:
        """Remove a role of a workspace that nobody holds any more."""
        with self._change(who, command.workspace) as change:
            if rows.count(change.conn, grants, workspace=command.workspace, role=command.role):
                raise Conflict(f"somebody holds the role {command.role!r}", field="role", hint="take it away first")
            if not rows.remove(change.conn, roles, workspace=command.workspace, slug=command.role):
                raise NotFound(f"there is no own role {command.role!r}", field="role", value=command.role)
            change.audit("access.role.remove", object_=f"role:{command.role}")


class Groups(Part):
    """People who get roles together."""

    @use_case("GET /access/groups", permission=SIGNED_IN, cli="groups list")
    def list_groups(self, who: Principal) -> list[Group]:
        """List the groups; of their people, only who reads the whole platform sees all, others see themselves."""
        with self._database.read() as conn:
            found = [_group(conn, row) for row in rows.every(conn, groups)]
        if who.allows("access.read", ANYWHERE):
            return found
        return [replace(group, members=[name for name in group.members if name == who.name]) for group in found]

    @use_case("POST /access/groups", permission="access.manage", cli="groups create", status=201)
    def create_group(self, who: Principal, command: CreateGroup) -> Group:
        """Make a group."""
        name = clean_name(command.name)
        slug = slug_of(name)
        with self._change(who, ANYWHERE) as change:
            if rows.find(change.conn, groups, slug=slug):
                raise Conflict(f"there is a group {slug!r}", field="name", value=name)
            rows.add(change.conn, groups, slug=slug, name=name, created_at=change.now)
            change.audit("access.group.create", object_=f"group:{slug}")
            return _group(change.conn, need_group(change.conn, slug))

    @use_case("DELETE /access/groups/{group}", permission="access.manage", cli="groups remove", status=204)
    def remove_group(self, who: Principal, command: OneGroup) -> None:
        """Remove a group and the roles it gave."""
        with self._change(who, ANYWHERE) as change, keeping_an_administrator(change.conn):
            slug = need_group(change.conn, command.group).slug
            rows.remove(change.conn, group_members, group_slug=slug)
            rows.remove(change.conn, grants, subject_kind="group", subject_id=slug)
            rows.remove(change.conn, groups, slug=slug)
            change.audit("access.group.remove", object_=f"group:{slug}")
            change.event("access.group.removed", subject=f"group:{slug}")

    @use_case("POST /access/groups/{group}/members", permission="access.manage", cli="groups add")
    def add_to_group(self, who: Principal, command: GroupMember) -> Group:
        """Put a person into a group."""
        with self._change(who, ANYWHERE) as change:
            slug, user = need_group(change.conn, command.group).slug, find_user(change.conn, command.user)
            if not rows.find(change.conn, group_members, group_slug=slug, user_id=user.id):
                rows.add(change.conn, group_members, group_slug=slug, user_id=user.id)
                _note(change, slug, "add", user.id)
            return _group(change.conn, need_group(change.conn, slug))

    @use_case("DELETE /access/groups/{group}/members/{user}", permission="access.manage", cli="groups take")
    def take_from_group(self, who: Principal, command: GroupMember) -> Group:
        """Take a person out of a group."""
        with self._change(who, ANYWHERE) as change, keeping_an_administrator(change.conn):
            slug, user = need_group(change.conn, command.group).slug, find_user(change.conn, command.user)
            if rows.remove(change.conn, group_members, group_slug=slug, user_id=user.id):
                _note(change, slug, "take", user.id)
            return _group(change.conn, need_group(change.conn, slug))


def _note(change: Change, slug: str, verb: str, user_id: str) -> None:
    change.audit(f"access.group.{verb}", object_=f"group:{slug}", detail={"user": user_id})
    change.event("access.group.changed", subject=f"group:{slug}", data={"user": user_id})


def _group(conn: Any, row: Any) -> Group:
    names = queries.group_names(conn, row.slug)
    return Group(slug=row.slug, name=row.name, members=names, created_at=row.created_at)


def _role(row: Any) -> Role:
    return Role(slug=row.slug, name=row.name, permissions=expand(row.permissions), workspace=row.workspace)


def _view(role: Role) -> RoleView:
    return RoleView(slug=role.slug, name=role.name, built_in=role.built_in, permissions=sorted(role.permissions))


def _held(row: Any) -> HeldRole:
    return HeldRole(
        grant=row.id,
        workspace=row.workspace,
        role=row.role,
        object=row.object or None,
        group=row.subject_id if row.subject_kind == "group" else None,
        since=row.created_at,
    )


def _member(row: Any) -> Member:
    return Member(
        grant=row.id,
        kind=row.subject_kind,
        id=row.subject_id,
        name=row.subject_name or row.subject_id,
        role=row.role,
        object=row.object or None,
        since=row.created_at,
    )
