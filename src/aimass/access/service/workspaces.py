"""Workspaces: create, list, change, delete."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from aimass.access.domain.members import (
    RESERVED,
    ChangeWorkspace,
    CreateWorkspace,
    DeletedWorkspace,
    ListDeleted,
    ListWorkspaces,
    OneWorkspace,
    RestoreWorkspace,
    Workspace,
)
from aimass.access.domain.roles import ADMIN
from aimass.access.service.ground import Part, need_version, need_workspace
from aimass.access.store import queries, rows
from aimass.access.store.tables import grants, workspaces
from aimass.infra.database import Change, drop_workspace
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.keeping import KEEP_DELETED_DAYS, Going
from aimass.kernel.names import check_slug, clean_name, slug_of
from aimass.kernel.pages import Page, decode_cursor, page_of
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal
from aimass.kernel.usecase import SIGNED_IN, use_case

_RULE = f"a deleted workspace is kept for {KEEP_DELETED_DAYS} days"


class Workspaces(Part):
    """The one level of tenancy."""

    @use_case("POST /workspaces", permission=SIGNED_IN, cli="workspaces create", status=201)
    def create_workspace(self, who: Principal, command: CreateWorkspace) -> Workspace:
        """Create a workspace; its creator becomes its administrator."""
        self._need_creator(who)
        name = clean_name(command.name)
        slug = check_slug(command.slug or slug_of(name))
        if slug in RESERVED:
            raise Invalid(f"the slug {slug!r} is kept for the platform's own pages", field="slug", value=slug)
        with self._change(who, slug) as change:
            if rows.find(change.conn, workspaces, slug=slug):
                raise Conflict(f"the slug {slug!r} is taken", field="slug", value=slug, hint="choose another slug")
            rows.add(
                change.conn,
                workspaces,
                slug=slug,
                name=name,
                review=command.review,
                settings={key: value for key, value in command.settings.items() if value is not None},
                created_at=change.now,
                created_by=who.id,
                version=1,
            )
            if who.kind == "user":
                _make_admin(change, slug, who.id)
            change.audit("access.workspace.create", object_=f"workspace:{slug}", detail={"review": command.review})
            change.event("access.workspace.created", subject=f"workspace:{slug}")
            return _workspace(need_workspace(change.conn, slug))

    @use_case("GET /workspaces", permission=SIGNED_IN, cli="workspaces list")
    def list_workspaces(self, who: Principal, command: ListWorkspaces) -> Page[Workspace]:
        """List the workspaces that the caller knows."""
        everything = who.kind == "system" or any(grant.workspace == ANYWHERE for grant in who.grants)
        known = None if everything else {grant.workspace for grant in who.grants}
        after = decode_cursor(command.cursor) if command.cursor else ""
        with self._database.read() as conn:
            found = queries.workspace_page(conn, known, after, command.limit + 1)
        page = page_of(found, command.limit, lambda row: row.slug)
        return Page(items=[_workspace(row) for row in page.items], next=page.next)

    @use_case("GET /workspaces/{workspace}", permission="access.read", cli="workspaces show")
    def get_workspace(self, who: Principal, command: OneWorkspace) -> Workspace:
        """Show one workspace."""
        del who
        with self._database.read() as conn:
            return _workspace(need_workspace(conn, command.workspace))

    @use_case("PATCH /workspaces/{workspace}", permission="access.manage", cli="workspaces change")
    def change_workspace(self, who: Principal, command: ChangeWorkspace) -> Workspace:
        """Change name, review policy or settings of a workspace."""
        with self._change(who, command.workspace) as change:
            row = need_workspace(change.conn, command.workspace)
            need_version(row, command.expected_version)
            values: dict[str, Any] = {}
            if command.name is not None:
                values["name"] = clean_name(command.name)
            if command.review is not None:
                values["review"] = command.review
            if command.settings is not None:
                merged = {**row.settings, **command.settings}
                values["settings"] = {key: value for key, value in merged.items() if value is not None}
            rows.change(change.conn, workspaces, {"slug": row.slug}, version=row.version + 1, **values)
            detail = {"fields": sorted(values), "review": command.review}
            change.audit("access.workspace.change", object_=f"workspace:{row.slug}", detail=detail)
            change.event("access.workspace.changed", subject=f"workspace:{row.slug}", data=detail)
            return _workspace(need_workspace(change.conn, row.slug))

    @use_case("DELETE /workspaces/{workspace}", permission="access.manage", cli="workspaces delete", status=204)
    def delete_workspace(self, who: Principal, command: OneWorkspace) -> None:
        """Delete a workspace: nothing of it serves, runs or fires any more; its data goes when its retention ends."""
        with self._change(who, command.workspace) as change:
            row = need_workspace(change.conn, command.workspace)
            rows.change(change.conn, workspaces, {"slug": row.slug}, deleted_at=change.now, version=row.version + 1)
            change.audit("access.workspace.delete", object_=f"workspace:{row.slug}")
            change.event("access.workspace.deleted", subject=f"workspace:{row.slug}")

    @use_case("GET /deleted-workspaces", permission="access.manage", cli="workspaces deleted")
    def list_deleted(self, who: Principal, command: ListDeleted) -> list[DeletedWorkspace]:
        """List the workspaces that were deleted and can be restored, and until when."""
        del who, command
        with self._database.read() as conn:
            found = queries.leaving_workspaces(conn)
        return [
            DeletedWorkspace(slug=row.slug, name=row.name, deleted_at=row.deleted_at, goes_at=_going(row).goes_at)
            for row in found
        ]

    @use_case("POST /deleted-workspaces/{deleted}/restore", permission="access.manage", cli="workspaces restore")
    def restore_workspace(self, who: Principal, command: RestoreWorkspace) -> Workspace:
        """Bring a deleted workspace back: it serves, and its schedules go on; what was cancelled stays cancelled."""
        with self._change(who, command.deleted) as change:
            row = rows.find(change.conn, workspaces, slug=command.deleted)
            if row is None or row.deleted_at is None or row.purged_at is not None:
                raise NotFound(
                    f"there is no deleted workspace {command.deleted!r}",
                    field="deleted",
                    value=command.deleted,
                    hint="aimass workspaces deleted",
                )
            rows.change(change.conn, workspaces, {"slug": row.slug}, deleted_at=None, version=row.version + 1)
            change.audit("access.workspace.restore", object_=f"workspace:{row.slug}")
            change.event("access.workspace.restored", subject=f"workspace:{row.slug}")
            return _workspace(need_workspace(change.conn, row.slug))

    def has_workspace(self, slug: str) -> bool:
        """Tell whether there is such a workspace, for the rooms above."""
        with self._database.read() as conn:
            return rows.find(conn, workspaces, slug=slug, deleted_at=None) is not None

    def closed(self) -> frozenset[str]:
        """Return the workspaces that were deleted, for the rooms above: nothing of them serves, runs or fires."""
        with self._database.read() as conn:
            return queries.closed_workspaces(conn)

    def leaving(self) -> list[Going]:
        """Return the deleted workspaces whose data is still there, and when it goes."""
        with self._database.read() as conn:
            return [_going(row) for row in queries.leaving_workspaces(conn)]

    def purge_workspaces(self) -> list[Going]:
        """Remove the rows of workspaces that were deleted long ago, of every room; files follow by the event.

        Slug, name and audit log stay: another workspace of this slug would be taken for the old one.
        """
        now = self._database.clock.now()
        due = [going for going in self.leaving() if going.goes_at <= now]
        for going in due:
            with self._change(SYSTEM, going.workspace) as change:
                gone = drop_workspace(change, going.workspace)
                rows.change(change.conn, workspaces, {"slug": going.workspace}, purged_at=change.now)
                subject = f"workspace:{going.workspace}"
                change.audit("access.workspace.purge", object_=subject, detail={"rows": gone})
                change.event("access.workspace.purged", subject=subject, data={"rows": gone})
        return due

    def _need_creator(self, who: Principal) -> None:
        if who.kind == "service":
            raise Forbidden("a service account belongs to one workspace and makes no other", hint="ask a person")
        if self._settings.workspaces_by == "administrators":
            who.need("access.manage", ANYWHERE)


def _going(row: Row[Any]) -> Going:
    return Going(
        kind="workspace",
        name=row.name,
        workspace=row.slug,
        since=row.deleted_at,
        goes_at=row.deleted_at + timedelta(days=KEEP_DELETED_DAYS),
        rule=_RULE,
    )


def _make_admin(change: Change, workspace: str, user_id: str) -> None:
    grant = new_id()
    rows.add(
        change.conn,
        grants,
        id=grant,
        workspace=workspace,
        object="",
        role=ADMIN.slug,
        subject_kind="user",
        subject_id=user_id,
        created_by=change.who.id,
        created_at=change.now,
    )
    change.audit("access.grant.give", object_=f"user:{user_id}", detail={"grant": grant, "role": ADMIN.slug})


def _workspace(row: Any) -> Workspace:
    return Workspace(
        slug=row.slug,
        name=row.name,
        review=row.review,
        settings=row.settings,
        created_at=row.created_at,
        created_by=row.created_by,
        version=row.version,
    )
