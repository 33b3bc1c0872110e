"""Make, find, change and delete views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Row

from aimass.cluster import CancelJob
from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug, clean_name, slug_of
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.lake.commands import CreateDataset
from aimass.lake.events import MADE_VIEW_CHANGED, MADE_VIEW_CREATED, MADE_VIEW_DELETED
from aimass.lake.features import SourceVersion
from aimass.lake.policy_store import guarded_datasets
from aimass.lake.saved import OneSavedQuery
from aimass.lake.service.ground import fresh
from aimass.lake.service.sharing import Sharing
from aimass.lake.store import any_dataset_row, dataset_row, datasets_of, origin_behind_erasures, put_dataset
from aimass.lake.view_store import (
    add_made_view,
    drop_made_view,
    made_view_row,
    made_views_of,
    made_views_page,
    maker_of,
    newest_versions,
    put_made_view,
)
from aimass.lake.views import (
    ChangeView,
    CreateView,
    DeleteView,
    ListViews,
    Moved,
    OneView,
    View,
    ViewState,
    Why,
    behind,
    check_text,
    circle_of,
    digest_of,
)

_PATH = "/workspaces/{workspace}/views"
_PLAIN = ("description", "refresh", "every_s")
_KEPT = tuple(name for name in View.__dataclass_fields__ if name not in ("state", "why", "behind", "sources", "job"))
_NOTHING = {"made_digest": "", "made_seen": "", "tried": [], "sources": [], "failures": 0, "error": None}
_NEVER: dict[str, Any] = dict.fromkeys(("refreshed_at", "last", "current", "current_job", "tried_at"))


class Views(Sharing):
    """Use cases of views."""

    @use_case(f"POST {_PATH}", permission="lake.edit", cli="views create", status=201)
    def create_view(self, who: Principal, command: CreateView) -> View:
        """Make a view: a SELECT whose rows are kept as a dataset of its own; you are its owner, and your policies count.

        Raises
        ------
        Invalid
            The text is no SELECT, reads what is not there, or reads what it makes.
        Conflict
            There is such a view, or a dataset of that name which no view of this name has made.
        """
        check_text(command.sql, command.saved_query)
        name = clean_name(command.name)
        slug = check_slug(command.slug) if command.slug else slug_of(name)
        dataset = check_slug(command.dataset, field="dataset") if command.dataset else slug
        text = self._text(who, command, {})
        reads = self._reads_of(who, command.workspace, dataset, text)
        with self._database.read() as conn:
            _refuse_taken(conn, command.workspace, slug)
        self._target(who, command, slug, dataset)
        with self._database.change(who, command.workspace) as change:
            _refuse_taken(change.conn, command.workspace, slug)
            target = dataset_row(change.conn, command.workspace, dataset)
            _refuse_foreign(change.conn, target, slug)
            _refuse_circle(change.conn, command.workspace, dataset, reads)
            values: dict[str, Any] = {"id": new_id(), "workspace": command.workspace, "name": name, "slug": slug}
            values |= {field: getattr(command, field) for field in _PLAIN} | text | _NOTHING | _NEVER
            values |= {"dataset": dataset, "dataset_id": target.id, "reads": reads, "version": 1}
            values |= {"owner": who.id, "owner_name": who.name, "created_by": who.id}
            add_made_view(change, {**values, "created_at": change.now, "changed_at": change.now})
            tell_made_view(change, MADE_VIEW_CREATED, slug, {"dataset": dataset, "reads": reads})
        return self._shown(command.workspace, slug)

    @use_case(f"GET {_PATH}", permission="lake.read", cli="views list")
    def list_views(self, who: Principal, command: ListViews) -> Page[View]:
        """List views by address, each with whether it is fresh."""
        with self._database.read() as conn:
            found = self._told(conn, command.workspace, made_views_page(conn, command))
        return page_of(found, command.limit, lambda view: view.slug)

    @use_case(f"GET {_PATH}/{{view}}", permission="lake.read", cli="views show", on="view")
    def get_view(self, who: Principal, command: OneView) -> View:
        """Show a view: what it asks, whose rights count, whether it is fresh, and which sources have moved on."""
        return self._shown(command.workspace, command.view)

    @use_case(f"PATCH {_PATH}/{{view}}", permission="lake.edit", cli="views change", on="view")
    def change_view(self, who: Principal, command: ChangeView) -> View:
        """Change a view of your own, or with lake.manage that of somebody else; who changes what it asks becomes its owner."""
        with self._database.read() as conn:
            row = made_view_row(conn, command.workspace, command.view)
        _need_own(who, row)
        values: dict[str, Any] = {n: getattr(command, n) for n in _PLAIN if getattr(command, n) is not None}
        if command.name is not None:
            values["name"] = clean_name(command.name)
        asks = any(part is not None for part in (command.sql, command.saved_query, command.parameters))
        if asks or command.take_over:
            text = self._text(who, command, _text_of(row))
            values |= {**text, "reads": self._reads_of(who, command.workspace, row.dataset, text)}
            values |= {"owner": who.id, "owner_name": who.name}
        with self._database.change(who, command.workspace) as change:
            row = made_view_row(change.conn, command.workspace, command.view)
            _need_own(who, row)  # again: somebody may have taken it over meanwhile
            fresh(row, command.expected_version)
            _refuse_circle(change.conn, command.workspace, row.dataset, values.get("reads", []))
            put_made_view(change, row.id, **values)
            if command.layer is not None:
                put_dataset(change, row.dataset_id, layer=command.layer)
            fields = sorted({*values, *(["layer"] if command.layer else [])})
            tell_made_view(change, MADE_VIEW_CHANGED, row.slug, {"fields": fields})
        return self._shown(command.workspace, command.view)

    @use_case(f"DELETE {_PATH}/{{view}}", permission="lake.edit", cli="views delete", on="view")
    def delete_view(self, who: Principal, command: DeleteView) -> None:
        """Delete a view of your own, or with lake.manage that of somebody else; its dataset stays, as an ordinary one."""
        with self._database.change(who, command.workspace) as change:
            row = made_view_row(change.conn, command.workspace, command.view)
            _need_own(who, row)
            fresh(row, command.expected_version)
            drop_made_view(change, row.id)
            tell_made_view(change, MADE_VIEW_DELETED, row.slug, {"dataset": row.dataset})
        if row.current_job is not None:
            with suppress(Conflict, NotFound):  # it has ended meanwhile, or is not kept any more
                self._ground.jobs.cancel_job(SYSTEM, CancelJob(workspace=row.workspace, job=row.current_job))

    def _shown(self, workspace: str, slug: str) -> View:
        with self._database.read() as conn:
            return self._told(conn, workspace, [made_view_row(conn, workspace, slug)])[0]

    def _told(self, conn: Connection, workspace: str, rows: Iterable[Row[Any]]) -> list[View]:
        """Return rows as views, each with how far it is behind."""
        newest, guarded = newest_versions(conn, workspace), guarded_datasets(conn, workspace)
        return [self._view_of(conn, row, newest, guarded) for row in rows]

    def _view_of(
        self, conn: Connection, row: Row[Any], newest: Mapping[str, tuple[int, str]], guarded: set[str]
    ) -> View:
        why, moved = self.why(conn, row, newest, guarded)
        if row.refreshed_at is None:
            why = []  # there is nothing yet that could be behind
        return View(
            **{name: getattr(row, name) for name in _KEPT},
            sources=[SourceVersion(**source) for source in row.sources],
            job=row.current_job,
            state=_state(row, why),
            why=why,
            behind=moved,
        )

    def why(
        self, conn: Connection, row: Row[Any], newest: Mapping[str, tuple[int, str]], guarded: set[str]
    ) -> tuple[list[Why], list[Moved]]:
        """Return what a view is behind of, and which of its sources have moved on."""
        moved = behind(row.reads, row.sources, newest)
        found: list[Why] = ["sources"] if moved else []
        if row.digest != row.made_digest:
            found.append("definition")
        if self._seen_by_owner(conn, row, guarded) != row.made_seen:
            found.append("policies")
        return found, moved

    def _seen_by_owner(self, conn: Connection, row: Row[Any], guarded: set[str]) -> str | None:
        """Return a digest of what policies leave the owner of a view; None when he may see nothing any more."""
        if not any({slug, slug.partition("@")[0]} & guarded for slug in row.reads):
            return ""
        try:
            return self.seen(conn, self.owner_of(row), row.workspace, row.reads)
        except Conflict:
            return None

    def owner_of(self, row: Row[Any]) -> Principal:
        """Return the owner of a view with the rights that he has now."""
        if row.owner == SYSTEM.id:
            return SYSTEM
        try:
            return self._ground.access.principal(row.owner)
        except Unauthenticated as reason:
            raise Conflict(
                f"the owner of view {row.slug!r} is gone or suspended, so nobody's rights count for it",
                field="owner",
                hint=f"take it over: aimass views change {row.slug} --take-over",
            ) from reason

    def _text(self, who: Principal, command: CreateView | ChangeView, before: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a view asks from now on: its own text, or that of a saved query."""
        given = command.parameters or {}
        if command.saved_query is not None:
            if isinstance(command, ChangeView):
                check_text(command.sql, command.saved_query)
            one = OneSavedQuery(workspace=command.workspace, saved_query=command.saved_query)
            saved = self.get_saved_query(who, one)
            text = {"sql": saved.sql, "parameters": {**saved.parameters, **given}, "saved_query": saved.slug}
        elif command.sql is not None:
            kept = before.get("parameters", {}) if command.parameters is None else given
            text = {"sql": command.sql, "parameters": kept, "saved_query": None}
        else:
            text = {**before, "parameters": before["parameters"] if command.parameters is None else given}
        return {**text, "digest": digest_of(text["sql"], text["parameters"])}

    def _reads_of(self, who: Principal, workspace: str, dataset: str, text: Mapping[str, Any]) -> list[str]:
        """Check what a view asks, and return the datasets that it reads; those need not have rows yet."""
        with self._database.read() as conn:
            rows, newest = datasets_of(conn, workspace), newest_versions(conn, workspace)
        known = {row.slug for row in rows if who.allows("lake.use", workspace, f"dataset:{row.slug}")} | {dataset}
        reads = self.used_in(text["sql"], sorted(known))
        with self._database.read() as conn:
            _refuse_circle(conn, workspace, dataset, reads)
        if all(slug in newest for slug in reads):
            wish = {"sql": text["sql"], "known": reads, "parameters": text["parameters"]}
            self._call("query:columns", {**wish, **self.tables_of(who, workspace, dict.fromkeys(reads))})
        return reads

    def _target(self, who: Principal, command: CreateView, slug: str, dataset: str) -> None:
        """Make the dataset of a view, or take one that is empty or that an earlier view of this name has left."""
        with self._database.read() as conn:
            row = any_dataset_row(conn, command.workspace, dataset)
        if row is None:
            name = command.name if command.dataset is None else dataset
            wish = CreateDataset(
                workspace=command.workspace,
                name=name,
                slug=dataset,
                description=command.description,
                layer=command.layer,
            )
            self.create_dataset(who, wish)
            return
        who.need("lake.edit", command.workspace, f"dataset:{dataset}")
        with self._database.change(who, command.workspace) as change:
            _refuse_foreign(change.conn, row, slug)
            put_dataset(change, row.id, layer=command.layer)


def _state(row: Row[Any], why: list[Why]) -> ViewState:
    if row.current is not None:
        return "REFRESHING"
    if row.error is not None:
        return "FAILED"
    if row.refreshed_at is None:
        return "NEW"
    return "STALE" if why else "FRESH"


def _text_of(row: Row[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("sql", "parameters", "saved_query")}


def _refuse_taken(conn: Connection, workspace: str, slug: str) -> None:
    if any(row.slug == slug for row in made_views_of(conn, workspace)):
        raise Conflict(f"view {slug!r} exists already", field="name", value=slug, hint="choose another name")


def _refuse_circle(conn: Connection, workspace: str, dataset: str, reads: list[str]) -> None:
    """Refuse a view that reads what it makes; asked again in the change itself, as another view may have changed meanwhile."""
    others = {row.dataset: row.reads for row in made_views_of(conn, workspace) if row.dataset != dataset}
    way = circle_of(dataset, reads, others)
    if way:
        raise Invalid(
            f"the view reads what it makes: {' → '.join(way)}", field="sql", value=way, hint="read another dataset"
        )


def _refuse_foreign(conn: Connection, row: Row[Any], slug: str) -> None:
    """Refuse a dataset with rows that did not come from a view of this name."""
    maker = maker_of(conn, row.id)
    if maker is not None:
        raise Conflict(f"dataset {row.slug!r} is made by view {maker!r}", field="dataset", value=row.slug)
    if row.deleted_at is not None:
        raise Conflict(
            f"dataset {row.slug!r} was deleted and can be restored", field="dataset", value=row.slug, hint="purge it"
        )
    is_left = row.latest is not None and origin_behind_erasures(conn, row.id) == origin_of(slug)
    if row.parent_id is not None or (row.latest is not None and not is_left):
        raise Conflict(
            f"dataset {row.slug!r} exists, and a view would replace its rows",
            field="dataset",
            value=row.slug,
            hint="choose another name for the view, or another dataset",
        )


def origin_of(slug: str) -> str:
    """Return what the versions say of where they come from that a view makes."""
    return f"view:{slug}"


def _need_own(who: Principal, row: Row[Any]) -> None:
    """Refuse who neither owns a view nor manages the lake."""
    if row.owner != who.id and not who.allows("lake.manage", row.workspace, f"view:{row.slug}"):
        raise Forbidden(f"view {row.slug!r} belongs to somebody else", field="view", hint="ask for lake.manage")


def tell_made_view(change: Change, event: str, view: str, facts: dict[str, Any]) -> None:
    """Write event and audit entry of a change to a view."""
    change.event(event, subject=f"view:{view}", data=facts)
    change.audit(event, object_=f"view:{view}", detail=facts)
