"""Refresh views: when somebody asks, by a schedule, or by themselves when a source has a new version."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from sqlalchemy import Connection, Row

from aimass.cluster import Job, SubmitJob
from aimass.infra.database import Change
from aimass.kernel.erasing import ERASED, Erased, Person
from aimass.kernel.errors import AimassError, Conflict, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import SYSTEM, Principal, policy
from aimass.kernel.usecase import use_case
from aimass.lake.commands import NewVersion
from aimass.lake.events import MADE_VIEW_FAILED, MADE_VIEW_REFRESHED, MADE_VIEW_REFRESHING
from aimass.lake.features import SourceVersion
from aimass.lake.policy_store import guarded_datasets
from aimass.lake.service.views import Views, origin_of, tell_made_view
from aimass.lake.store import dataset_row
from aimass.lake.view_store import (
    add_refresh,
    claim_view,
    drop_old_refreshes,
    failed_refreshes,
    find_refresh,
    free_view,
    made_view_by_id,
    made_view_row,
    made_views_of,
    maker_of,
    newest_versions,
    note_made_view,
    put_made_view,
    put_refresh,
    refresh_of,
    refreshes_page,
    workspaces_that_follow,
)
from aimass.lake.views import (
    ListViewRefreshes,
    OneViewRefresh,
    RefreshView,
    View,
    ViewRefresh,
    behind,
    digest_of,
    pause,
    upstream,
)

REFRESH = "lake.refresh_view"
Cause = Literal["manual", "on_change", "schedule"]
_PATH = "/workspaces/{workspace}/views/{view}"
_ANEW = "refresh the view: aimass views refresh"
_ASKED = "what it asks was changed while the refresh waited"
_SEEN = "what its owner may see was changed while the refresh waited"
_SCRUBBED = ("name", "description", "sql", "parameters", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a refresh reads: versions, where their rows lie that the owner sees, and a digest of what he sees."""

    sources: list[SourceVersion]
    tables: dict[str, dict[str, Any]]
    private: list[dict[str, Any]]
    seen: str


class Refreshing(Views):
    """Use cases of refreshes, and what the loop ``lake.views`` does."""

    @use_case(
        f"POST {_PATH}/refresh",
        permission="lake.edit",
        cli="views refresh",
        on="view",
        status=201,
        progress="lake.get_view_refresh",
    )
    def refresh_view(self, who: Principal, command: RefreshView) -> ViewRefresh:
        """Refresh a view as a job, under the rights and policies of its owner; a fresh one is left as it is.

        Raises
        ------
        Conflict
            Its owner is gone, suspended, or may not use one of its sources any more; what it made before stays.
        """
        return self.refresh(who, command, "manual")

    @use_case(f"GET {_PATH}/refreshes", permission="lake.read", cli="views refreshes", on="view")
    def list_view_refreshes(self, who: Principal, command: ListViewRefreshes) -> Page[ViewRefresh]:
        """List the refreshes of a view, newest first."""
        with self._database.read() as conn:
            row = made_view_row(conn, command.workspace, command.view)
            found = refreshes_page(conn, row.id, command.cursor, command.limit)
        return page_of(found, command.limit, lambda one: one.id)

    @use_case(f"GET {_PATH}/refreshes/{{refresh}}", permission="lake.read", cli="views refreshed", on="view")
    def get_view_refresh(self, who: Principal, command: OneViewRefresh) -> ViewRefresh:
        """Show one refresh of a view: what it read, what it made, or why it failed."""
        with self._database.read() as conn:
            view = made_view_row(conn, command.workspace, command.view)
            row = find_refresh(conn, command.refresh)
        if row is None or row.view_id != view.id:
            raise NotFound(f"there is no refresh {command.refresh!r}", field="refresh", value=command.refresh)
        return refresh_of(row)

    def refresh(self, who: Principal, command: RefreshView, cause: Cause) -> ViewRefresh:
        """Begin the refresh of a view, unless one runs or nothing has changed; note why it cannot begin."""
        with self._database.read() as conn:
            row = made_view_row(conn, command.workspace, command.view)
            running, last = find_refresh(conn, row.current), find_refresh(conn, row.last)
        if running is not None:
            return refresh_of(running)
        try:
            plan = self._plan_view(row)
        except AimassError as reason:
            self._refused(who, row, cause, reason)
            raise
        if last is not None and not command.force and self._is_fresh(row, plan):
            return replace(refresh_of(last), state="FRESH", job=None)
        return self._begin_refresh(who, row, cause, plan)

    def refresh_due(self, closed: Collection[str] = ()) -> int:
        """Begin the refreshes of views whose sources have moved on; return how many. What cannot begin is noted."""
        with self._database.read() as conn:
            places = [one for one in workspaces_that_follow(conn) if one not in closed]
            due = [row for workspace in places for row in self._due(conn, workspace)]
        for row in due:
            command = RefreshView(workspace=row.workspace, view=row.slug)
            try:
                self.refresh(policy(origin_of(row.slug)), command, "on_change")
            except AimassError:
                continue  # it is noted with the view, which waits longer for its next attempt
        return len(due)

    def _due(self, conn: Connection, workspace: str) -> list[Row[Any]]:
        """Return the views of a workspace whose turn it is: not those that read what another one is about to make."""
        rows, newest, guarded = (
            made_views_of(conn, workspace),
            newest_versions(conn, workspace),
            guarded_datasets(conn, workspace),
        )
        ready = [row for row in rows if row.refresh == "on_change" and self._is_due(conn, row, newest, guarded)]
        moving = {row.dataset for row in rows if row.current is not None} | {row.dataset for row in ready}
        made_of = {row.dataset: row.reads for row in rows}
        return [row for row in ready if not upstream(row.dataset, made_of) & moving]

    def _is_due(self, conn: Connection, row: Row[Any], newest: dict[str, tuple[int, str]], guarded: set[str]) -> bool:
        if row.current is not None or not all(slug in newest for slug in row.reads):
            return False
        if row.refreshed_at is not None and not self.why(conn, row, newest, guarded)[0]:
            return False
        has_moved = bool(behind(row.reads, row.tried, newest))
        rest = pause(row.every_s, 0 if has_moved else row.failures)
        return row.tried_at is None or row.tried_at + rest <= self._database.clock.now()

    def _plan_view(self, row: Row[Any]) -> Plan:
        """Settle on the versions that a refresh reads, as far as the owner of the view may see them now."""
        owner, workspace = self._owner_with_rights(row), row.workspace
        with self._database.read() as conn:
            found = [self._row(conn, workspace, slug, None) for slug in row.reads]
            seen = self.seen(conn, owner, workspace, row.reads)
        located = {v.dataset: self.locate(owner, workspace, v.dataset, v.number) for _, v in found}
        return Plan(
            sources=[
                SourceVersion(dataset=v.dataset, number=v.number, version_id=v.id, delta_version=v.delta_version)
                for _, v in found
            ],
            tables={slug: {"path": at.path, "version": at.delta_version} for slug, at in located.items()},
            private=[finding for known, _ in found for finding in known.classification if finding["private"]],
            seen=seen,
        )

    def _owner_with_rights(self, row: Row[Any]) -> Principal:
        """Return the owner of a view, or refuse one who may not make it any more."""
        owner = self.owner_of(row)
        if not owner.allows("lake.edit", row.workspace, f"dataset:{row.dataset}"):
            raise _lost(row, f"make versions of {row.dataset!r}")
        for slug in row.reads:
            if not owner.allows("lake.use", row.workspace, f"dataset:{slug}"):
                raise _lost(row, f"use dataset {slug!r}")
        return owner

    def need_wanted(self, job: Job) -> None:
        """Look once more right before a refresh runs: rights and policies count as they are then.

        Raises
        ------
        Conflict
            The refresh has ended, its view is gone or asks something else, or its owner may not see what it would read.
        """
        order = job.payload
        with self._database.read() as conn:
            row, refresh = made_view_by_id(conn, order["view"]), find_refresh(conn, order["refresh"])
            if row is None or refresh is None or refresh.state != "RUNNING":
                raise Conflict("this refresh has ended, or its view is gone", field="refresh", hint=_ANEW)
            seen = self.seen(conn, self._owner_with_rights(row), row.workspace, row.reads)
        if order["digest"] != row.digest or order["seen"] != seen:
            told = _ASKED if order["digest"] != row.digest else _SEEN
            raise Conflict(told, field="view", value=row.slug, hint=_ANEW)

    def _is_fresh(self, row: Row[Any], plan: Plan) -> bool:
        read = {source["dataset"]: source["version_id"] for source in row.sources}
        same = read == {source.dataset: source.version_id for source in plan.sources}
        return same and (row.made_digest, row.made_seen) == (row.digest, plan.seen) and row.error is None

    def _begin_refresh(self, who: Principal, row: Row[Any], cause: Cause, plan: Plan) -> ViewRefresh:
        """Queue the job and keep what it works by, in one change."""
        id_, sources = new_id(), [asdict(source) for source in plan.sources]
        wish = SubmitJob(
            workspace=row.workspace,
            kind=REFRESH,
            title=f"Refresh {row.slug}",
            payload=self._payload_of(row, plan, id_),
            subject=f"view:{row.slug}",
        )
        with self._database.change(who, row.workspace) as change:
            if not claim_view(change, row.id, id_):
                now = find_refresh(change.conn, made_view_row(change.conn, row.workspace, row.slug).current)
                if now is None:
                    raise NotFound(f"there is no view {row.slug!r} any more", field="view", value=row.slug)
                return refresh_of(now)
            job = self._ground.jobs.enqueue(change, wish)
            note_made_view(change, row.id, current_job=job.id, tried=sources, tried_at=change.now)
            values: dict[str, Any] = {"sources": sources, "job": job.id, "state": "RUNNING", "ended_at": None}
            self._add(change, row, id_, cause, {**values, "number": None, "rows": None, "error": None})
            tell_made_view(change, MADE_VIEW_REFRESHING, row.slug, {"refresh": id_, "cause": cause})
            return self._refresh_in(change, id_)

    def _payload_of(self, row: Row[Any], plan: Plan, id_: str) -> dict[str, Any]:
        told = {"sql": row.sql, "parameters": row.parameters, "tables": plan.tables, "inherited": plan.private}
        told |= {"path": str(self.table_path(row.workspace, row.dataset)), "dataset": row.dataset, "refresh": id_}
        told |= {"digest": digest_of(row.sql, row.parameters), "seen": plan.seen, "view": row.id}
        told |= {"sources": [source.version_id for source in plan.sources]}
        return {**told, "describe": self.describing(row.workspace, row.dataset, by=row.slug)}

    def _add(self, change: Change, row: Row[Any], id_: str, cause: Cause, values: dict[str, Any]) -> None:
        about = {"id": id_, "workspace": row.workspace, "view_id": row.id, "view": row.slug, "cause": cause}
        add_refresh(change, {**about, "created_by": change.who.id, "created_at": change.now, **values})

    def _refresh_in(self, change: Change, id_: str) -> ViewRefresh:
        made = find_refresh(change.conn, id_)
        if made is None:
            raise NotFound(f"there is no refresh {id_!r}", field="refresh", value=id_)
        return refresh_of(made)

    def _refused(self, who: Principal, row: Row[Any], cause: Cause, reason: AimassError) -> None:
        """Keep a refresh that could not begin, with the reason; what the view made before stays."""
        with self._database.change(who, row.workspace) as change:
            tried = [{"dataset": slug, "number": at[0], "version_id": at[1]} for slug, at in self._newest(change, row)]
            values = {"sources": [], "job": None, "state": "FAILED", "ended_at": change.now, "error": reason.problem()}
            id_ = new_id()
            self._add(change, row, id_, cause, {**values, "number": None, "rows": None})
            note_made_view(change, row.id, tried=tried, tried_at=change.now)
            self._failed(change, row, id_, "FAILED", reason.problem())

    def _newest(self, change: Change, row: Row[Any]) -> list[tuple[str, tuple[int, str]]]:
        newest = newest_versions(change.conn, row.workspace)
        return [(slug, newest[slug]) for slug in row.reads if slug in newest]

    def _failed(self, change: Change, row: Row[Any], id_: str, state: str, error: dict[str, Any] | None) -> None:
        error = error if state == "FAILED" else row.error
        note_made_view(change, row.id, failures=row.failures + 1, error=error)
        free_view(change, row.id, id_)
        tell_made_view(change, MADE_VIEW_FAILED, row.slug, {"refresh": id_, "state": state})
        drop_old_refreshes(change, row.id, row.last)
        self._ground.counters.add("lake_view_refreshes", state=state.lower())

    def view_refreshed(self, job: Job) -> None:
        """Note the version that a refresh has committed, with its lineage; the same again changes nothing.

        That of a view which was deleted meanwhile is noted too: the rows are in the table.
        """
        told, order = dict(job.result or {}), job.payload
        with self._database.read() as conn:
            row, refresh = made_view_by_id(conn, order["view"]), find_refresh(conn, order["refresh"])
        new = NewVersion(
            workspace=job.workspace,
            dataset=order["dataset"],
            described=told["version"],
            origin=origin_of(job.subject.partition(":")[2]),
            sources=tuple(("dataset_version", source) for source in order["sources"]),
            created_by=job.created_by,
        )
        try:
            made = self.add_version(new)
        except NotFound:  # the view was deleted, and its dataset purged: nobody is left to be told
            if row is None:
                return
            raise
        if row is None or refresh is None or refresh.state != "RUNNING":
            return
        with self._database.change(_system(job), job.workspace) as change:
            put_refresh(change, refresh.id, state="SUCCEEDED", number=made.number, rows=made.rows, ended_at=change.now)
            values = {"made_digest": order["digest"], "made_seen": order["seen"], "sources": refresh.sources}
            values |= {"refreshed_at": change.now, "last": refresh.id, "failures": 0, "error": None}
            note_made_view(change, row.id, **values, current=None, current_job=None)
            facts = {"refresh": refresh.id, "dataset": row.dataset, "number": made.number, "rows": made.rows}
            tell_made_view(change, MADE_VIEW_REFRESHED, row.slug, facts)
            drop_old_refreshes(change, row.id, refresh.id)
        self._ground.counters.add("lake_view_refreshes", state="succeeded")

    def view_not_refreshed(self, job: Job) -> None:
        """Note that a refresh failed or was cancelled; what the view made before stays."""
        state, error = ("CANCELLED" if job.state == "CANCELLED" else "FAILED"), dict(job.error) if job.error else None
        with self._database.change(_system(job), job.workspace) as change:
            row = made_view_by_id(change.conn, job.payload["view"])
            refresh = find_refresh(change.conn, job.payload["refresh"])
            if row is None or refresh is None or refresh.state != "RUNNING":
                return
            put_refresh(change, refresh.id, state=state, error=error, ended_at=change.now)
            self._failed(change, row, refresh.id, state, error)

    def failing_views(self) -> list[View]:
        """Return the views whose last refresh failed, of all workspaces."""
        with self._database.read() as conn:
            rows = [row for row in made_views_of(conn) if row.error is not None]
            places = sorted({row.workspace for row in rows})
            return [v for place in places for v in self._told(conn, place, [r for r in rows if r.workspace == place])]

    def made_by(self, workspace: str, dataset: str) -> str | None:
        """Return the slug of the view that makes a dataset; None when it is an ordinary one."""
        with self._database.read() as conn:
            return maker_of(conn, dataset_row(conn, workspace, dataset).id)

    def erase_views(self, person: Person) -> list[Erased]:
        """Take a person out of what views ask and say; those of an account that is gone stay, and are refreshed no more."""
        with self._database.read() as conn:
            found, failed = made_views_of(conn), failed_refreshes(conn)
        running = [row.slug for row in found if row.current is not None and person.looks_at(row.workspace)]
        later = tuple(f"view {slug!r} is being refreshed from rows of before" for slug in running)
        with self._database.change(SYSTEM, person.workspace) as change:
            count = sum(_erase(change, row, person) for row in found)
            for row in failed:
                if person.looks_at(row.workspace) and (error := person.scrubbed(row.error)) != row.error:
                    put_refresh(change, row.id, error=error)
                    count += 1
        return [Erased(what="views", count=count, later=later)]


def _erase(change: Change, row: Row[Any], person: Person) -> bool:
    before = {name: getattr(row, name) for name in _SCRUBBED}
    after = person.scrubbed(before) if person.looks_at(row.workspace) else before
    changed = {name: value for name, value in after.items() if value != before[name]}
    if row.owner in person.accounts or row.owner_name in person.values:
        changed |= {"owner_name": ERASED} if row.owner_name != ERASED else {}
    if "sql" in changed or "parameters" in changed:
        changed["digest"] = digest_of(after["sql"], after["parameters"])
    if changed:
        put_made_view(change, row.id, **changed)
    return bool(changed)


def _lost(row: Row[Any], what: str) -> Conflict:
    return Conflict(
        f"{row.owner_name!r}, the owner of view {row.slug!r}, may not {what} any more",
        field="owner",
        value=row.owner_name,
        hint=f"give the right back, or take the view over: aimass views change {row.slug} --take-over",
    )


def _system(job: Job) -> Principal:
    return Principal(id=job.created_by, name=job.created_by, kind="system")
