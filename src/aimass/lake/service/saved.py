"""Keep queries under a name, and run them again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from aimass.infra.compute import Stop
from aimass.infra.database import Change
from aimass.kernel.erasing import ERASED, Erased, Person
from aimass.kernel.errors import Conflict, Forbidden, NotFound, Stale
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug, clean_name, slug_of
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.lake.commands import QueryRows
from aimass.lake.domain import Rows
from aimass.lake.events import SAVED_QUERY_CHANGED, SAVED_QUERY_CREATED, SAVED_QUERY_DELETED
from aimass.lake.saved import (
    ChangeSavedQuery,
    DeleteSavedQuery,
    ListSavedQueries,
    OneSavedQuery,
    RunSavedQuery,
    SavedQuery,
    SaveQuery,
)
from aimass.lake.saved_store import add_saved, all_saved, drop_saved, find_saved, put_saved, saved_page
from aimass.lake.service.asking import Asking

_PATH = "/workspaces/{workspace}/saved-queries"
_PLAIN = ("description", "sql", "parameters", "shared")


class SavedQueries(Asking):
    """Use cases of saved queries."""

    @use_case(f"GET {_PATH}", permission="lake.use", cli="queries list")
    def list_saved_queries(self, who: Principal, command: ListSavedQueries) -> Page[SavedQuery]:
        """List the saved queries that you see: your own and the shared ones; with lake.manage all."""
        owner = None if who.allows("lake.manage", command.workspace) else who.id
        with self._database.read() as conn:
            found = saved_page(conn, command.workspace, owner, command.text, command.cursor, command.limit)
        return page_of(found, command.limit, lambda saved: saved.slug)

    @use_case(f"POST {_PATH}", permission="lake.use", cli="queries save", status=201)
    def save_query(self, who: Principal, command: SaveQuery) -> SavedQuery:
        """Keep a query under a name, for yourself or for everybody in the workspace."""
        name = clean_name(command.name)
        slug = check_slug(command.slug) if command.slug else slug_of(name)
        with self._database.change(who, command.workspace) as change:
            if find_saved(change.conn, command.workspace, slug) is not None:
                raise Conflict(f"saved query {slug!r} exists already", field="name", value=name)
            values: dict[str, Any] = {"id": new_id(), "workspace": command.workspace, "slug": slug, "name": name}
            values |= {field: getattr(command, field) for field in _PLAIN}
            values |= {"owner": who.id, "owner_name": who.name, "version": 1}
            add_saved(change, {**values, "created_at": change.now, "changed_at": change.now})
            _tell(change, SAVED_QUERY_CREATED, slug, {"shared": command.shared})
            return self._saved(change.conn, who, command.workspace, slug)

    @use_case(f"GET {_PATH}/{{saved_query}}", permission="lake.use", cli="queries show")
    def get_saved_query(self, who: Principal, command: OneSavedQuery) -> SavedQuery:
        """Show a saved query."""
        with self._database.read() as conn:
            return self._saved(conn, who, command.workspace, command.saved_query)

    @use_case(f"PATCH {_PATH}/{{saved_query}}", permission="lake.use", cli="queries change")
    def change_saved_query(self, who: Principal, command: ChangeSavedQuery) -> SavedQuery:
        """Change a saved query of your own; with lake.manage that of somebody else."""
        values = {field: getattr(command, field) for field in _PLAIN if getattr(command, field) is not None}
        if command.name is not None:
            values["name"] = clean_name(command.name)
        with self._database.change(who, command.workspace) as change:
            known = self._own(change.conn, who, command)
            put_saved(change, known.id, **values)
            _tell(change, SAVED_QUERY_CHANGED, known.slug, {"fields": sorted(values)})
            return self._saved(change.conn, who, command.workspace, known.slug)

    @use_case(f"DELETE {_PATH}/{{saved_query}}", permission="lake.use", cli="queries delete")
    def delete_saved_query(self, who: Principal, command: DeleteSavedQuery) -> None:
        """Delete a saved query of your own; with lake.manage that of somebody else."""
        with self._database.change(who, command.workspace) as change:
            known = self._own(change.conn, who, command)
            drop_saved(change, known.id)
            _tell(change, SAVED_QUERY_DELETED, known.slug, {})

    @use_case(f"POST {_PATH}/{{saved_query}}/run", permission="lake.use", cli="queries run")
    def run_saved_query(self, who: Principal, command: RunSavedQuery, *, stop: Stop | None = None) -> Rows:
        """Run a saved query under your own rights, with its values or with others."""
        with self._database.read() as conn:
            known = self._saved(conn, who, command.workspace, command.saved_query)
        wish = QueryRows(
            workspace=command.workspace,
            sql=known.sql,
            parameters={**known.parameters, **command.parameters},
            limit=command.limit,
            timeout_s=command.timeout_s,
        )
        return self.query(who, wish, stop=stop, via=f"saved:{known.slug}")

    def _saved(self, conn: Connection, who: Principal, workspace: str, slug: str) -> SavedQuery:
        known = find_saved(conn, workspace, slug)
        if known is None or not (known.shared or known.owner == who.id or who.allows("lake.manage", workspace)):
            raise NotFound(f"there is no saved query {slug!r}", field="saved_query", value=slug)
        return known

    def _own(self, conn: Connection, who: Principal, command: ChangeSavedQuery | DeleteSavedQuery) -> SavedQuery:
        """Return a saved query that somebody may change, in the state that he knows."""
        known = self._saved(conn, who, command.workspace, command.saved_query)
        if known.owner != who.id and not who.allows("lake.manage", command.workspace):
            hint = "save a copy of your own, or ask for lake.manage"
            raise Forbidden(f"saved query {known.slug!r} belongs to somebody else", field="saved_query", hint=hint)
        if command.expected_version not in (None, known.version):
            told = f"saved query {known.slug!r} has version {known.version}"
            raise Stale(told, field="expected_version", value=command.expected_version)
        return known

    def erase_saved_queries(self, person: Person) -> list[Erased]:
        """Take a person out of what is saved, and forget what his account kept for itself."""
        with self._database.read() as conn:
            found = all_saved(conn)
        count = 0
        with self._database.change(SYSTEM, person.workspace) as change:
            for saved in found:
                count += _erase(change, saved, person)
        return [Erased(what="saved queries", count=count)]


def _erase(change: Change, saved: SavedQuery, person: Person) -> int:
    if saved.owner in person.accounts and not saved.shared:
        drop_saved(change, saved.id)
        return 1
    before = {name: getattr(saved, name) for name in ("name", "description", "sql", "parameters", "owner_name")}
    after = person.scrubbed(before) if person.looks_at(saved.workspace) else dict(before)
    if saved.owner in person.accounts:
        after["owner_name"] = ERASED
    if after == before:
        return 0
    put_saved(change, saved.id, **after)
    return 1


def _tell(change: Change, event: str, slug: str, facts: dict[str, Any]) -> None:
    change.event(event, subject=f"saved_query:{slug}", data=facts)
    change.audit(event, object_=f"saved_query:{slug}", detail=facts)
