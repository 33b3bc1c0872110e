"""Declare, find, change and delete feature views."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from aimass.infra.database import Change
from aimass.kernel.errors import Conflict, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug, clean_name, slug_of
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.lake.events import VIEW_CHANGED, VIEW_CREATED, VIEW_DELETED
from aimass.lake.feature_commands import (
    ChangeFeatureView,
    CreateFeatureView,
    DeleteFeatureView,
    ListFeatureViews,
)
from aimass.lake.feature_tables import add_view, drop_view, put_view, view_named, view_of, view_row, views_page
from aimass.lake.features import Feature, FeatureView, check_source, settled
from aimass.lake.service.ground import fresh
from aimass.lake.service.kept import Kept

_PATH = "/workspaces/{workspace}/feature-views"
_SOURCE = ("entity", "event_time", "created_time", "dataset", "sql", "features")
_PLAIN = ("description", "tags", "owner", "follows", "skew_limit")


class FeatureViews(Kept):
    """Use cases of feature views."""

    @use_case(f"POST {_PATH}", permission="lake.edit", cli="features create", status=201)
    def create_feature_view(self, who: Principal, command: CreateFeatureView) -> FeatureView:
        """Declare a feature view over a dataset, or over a SELECT; its columns are checked against the newest version."""
        name = clean_name(command.name)
        slug = check_slug(command.slug) if command.slug else slug_of(name)
        source = self._settled(who, command.workspace, {field: getattr(command, field) for field in _SOURCE})
        with self._database.change(who, command.workspace) as change:
            if view_named(change.conn, command.workspace, slug, name) is not None:
                raise Conflict(f"feature view {slug!r} exists already", field="name", value=name)
            values: dict[str, Any] = {"id": new_id(), "workspace": command.workspace, "name": name, "slug": slug}
            values |= {**source, **{field: getattr(command, field) for field in _PLAIN}}
            values |= {"ttl_s": command.ttl_s or None, "owner": command.owner or who.name, "generation": 0}
            values |= {"online_rows": 0, "online_from": [], "is_skewed": False, "created_by": who.id, "version": 1}
            add_view(change, {**values, "created_at": change.now, "changed_at": change.now})
            tell_view(change, VIEW_CREATED, slug, {"dataset": command.dataset, "features": len(source["features"])})
        return self._view(command.workspace, slug)

    @use_case(f"GET {_PATH}", permission="lake.read", cli="features list")
    def list_feature_views(self, who: Principal, command: ListFeatureViews) -> Page[FeatureView]:
        """List feature views, newest first; how their features compare one by one is shown with each view."""
        with self._database.read() as conn:
            found = views_page(conn, command.workspace, text=command.text, cursor=command.cursor, limit=command.limit)
        listed = [replace(view, skew={**view.skew, "features": []}) if view.skew else view for view in found]
        return page_of(listed, command.limit, lambda view: view.id)

    @use_case(f"PATCH {_PATH}/{{feature_view}}", permission="lake.edit", cli="features change", on="feature_view")
    def change_feature_view(self, who: Principal, command: ChangeFeatureView) -> FeatureView:
        """Change a feature view; training sets that were built keep the definition that they were built by."""
        given = {f: getattr(command, f) for f in (*_PLAIN, *_SOURCE) if getattr(command, f) is not None}
        values: dict[str, Any] = {field: value for field, value in given.items() if field in _PLAIN}
        if command.name is not None:
            values["name"] = clean_name(command.name)
        if command.ttl_s is not None:
            values["ttl_s"] = command.ttl_s or None
        if set(given) & set(_SOURCE):
            now = self._view(command.workspace, command.feature_view)
            values |= self._settled(who, command.workspace, _source_after(now, given))
        with self._database.change(who, command.workspace) as change:
            row = view_row(change.conn, command.workspace, command.feature_view)
            fresh(row, command.expected_version)
            taken = view_named(change.conn, command.workspace, row.slug, values["name"]) if "name" in values else None
            if taken is not None and taken.id != row.id:
                raise Conflict(f"feature view {taken.slug!r} has this name", field="name", value=values["name"])
            if values.get("entity", row.entity) != row.entity:
                values |= {"generation": row.generation + 1, "online_rows": 0, "online_at": None, "online_from": []}
            put_view(change, row.id, **values)
            tell_view(change, VIEW_CHANGED, row.slug, {"fields": sorted(values)})
        return self._view(command.workspace, command.feature_view)

    @use_case(f"DELETE {_PATH}/{{feature_view}}", permission="lake.manage", cli="features delete", on="feature_view")
    def delete_feature_view(self, who: Principal, command: DeleteFeatureView) -> None:
        """Delete a feature view with its online values; its datasets, and the training sets built by it, stay."""
        with self._database.change(who, command.workspace) as change:
            row = view_row(change.conn, command.workspace, command.feature_view)
            fresh(row, command.expected_version)
            drop_view(change, row.id)
            tell_view(change, VIEW_DELETED, row.slug, {})

    def sources_of(self, who: Principal, workspace: str, dataset: str | None, sql: str | None) -> list[str]:
        """Return the datasets that a view reads; the reader needs the right to use each."""
        readable = self.readable(who, workspace, "lake.use")
        if dataset is not None and dataset not in readable:
            raise NotFound(
                f"there is no dataset {dataset!r} with rows that you may use",
                field="dataset",
                value=dataset,
                hint="collect some data into it, or ask for lake.use",
            )
        return [dataset] if dataset is not None else self.used_in(sql or "", readable)

    def _settled(self, who: Principal, workspace: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """Check a declaration against its source, and return it with the types that it has there."""
        wanted = {**wanted, "created_time": wanted["created_time"] or None}
        check_source(wanted["dataset"], wanted["sql"])
        columns = self._columns(who, workspace, wanted["dataset"], wanted["sql"])
        features = settled(wanted, columns)
        types = {name: columns[name] for name in wanted["entity"]}
        return {**wanted, "features": [asdict(feature) for feature in features], "entity_types": types}

    def _columns(self, who: Principal, workspace: str, dataset: str | None, sql: str | None) -> dict[str, str]:
        """Return the columns of a source as it is now, by name."""
        used = self.sources_of(who, workspace, dataset, sql)
        if dataset is not None:
            with self._database.read() as conn:
                _, found = self._row(conn, workspace, dataset, None)
            return {column.name: column.type for column in found.columns}
        wanted = {"sql": sql, "known": used, "limit": 1, **self.tables_of(who, workspace, dict.fromkeys(used))}
        told = self._call("query:query", wanted)
        return {column["name"]: column["type"] for column in told["columns"]}

    def _view(self, workspace: str, slug: str) -> FeatureView:
        with self._database.read() as conn:
            return view_of(view_row(conn, workspace, slug))


def _source_after(now: FeatureView, given: dict[str, Any]) -> dict[str, Any]:
    """Return what decides the values after a change; a new source takes the place of the old one, whichever kind that was."""
    before: dict[str, Any] = {field: getattr(now, field) for field in _SOURCE}
    if "dataset" in given or "sql" in given:
        before |= {"dataset": None, "sql": None}
    if "features" not in given:
        before["features"] = [Feature(**asdict(feature)) for feature in now.features]
    return before | given


def tell_view(change: Change, event: str, view: str, facts: dict[str, Any]) -> None:
    """Write event and audit entry of a change to a feature view."""
    change.event(event, subject=f"feature_view:{view}", data=facts)
    change.audit(event, object_=f"feature_view:{view}", detail=facts)
