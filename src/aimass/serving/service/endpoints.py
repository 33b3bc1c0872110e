"""Endpoints: make, read, change and delete them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from aimass.infra.database import Change
from aimass.kernel.errors import Conflict
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.serving.domain.commands import ChangeEndpoint, CreateEndpoint, DeleteEndpoint, ListEndpoints, OneEndpoint
from aimass.serving.domain.policy import PLAIN
from aimass.serving.domain.things import Endpoint, RecordPolicy
from aimass.serving.events import ENDPOINT_CHANGED, ENDPOINT_CREATED, ENDPOINT_DELETED, subject_of, tell
from aimass.serving.service.ground import Part, need_endpoint
from aimass.serving.service.shown import endpoint_of, endpoints_of
from aimass.serving.store import queries, tables

_RECORD = {
    "sample": "sample",
    "payload": "payload",
    "retention_days": "retention_days",
    "max_record_bytes": "max_bytes",
}
_PLAIN = ("description", "timeout_s", "max_body_bytes", "unseen")


class Endpoints(Part):
    """Use cases of endpoints."""

    @use_case("POST /workspaces/{workspace}/endpoints", permission="serving.edit", cli="services create", status=201)
    def create_endpoint(self, who: Principal, command: CreateEndpoint) -> Endpoint:
        """Create an endpoint: a stable name that clients call.

        Raises
        ------
        Conflict
            There is one with this name.
        """
        with self._database.change(who, command.workspace) as change:
            self.add_endpoint(change, command)
        return self._told(command.workspace, command.name)

    def add_endpoint(self, change: Change, command: CreateEndpoint) -> None:
        """Create an endpoint inside the caller's own change."""
        slug = check_slug(command.name, field="name")
        if queries.find_endpoint(change.conn, command.workspace, slug) is not None:
            raise Conflict(
                f"there is an endpoint {slug!r} already", field="name", value=slug, hint="choose another name"
            )
        record = RecordPolicy(
            sample=command.sample,
            payload=command.payload,
            retention_days=command.retention_days,
            max_bytes=command.max_record_bytes,
        )
        values = {name: getattr(command, name) for name in _PLAIN}
        values |= {"id": new_id(), "workspace": command.workspace, "slug": slug, "record": asdict(record)}
        values |= {"main": None, "shadow": None, "fallback": None, "policy": dict(PLAIN), "revisions": 0, "version": 1}
        values |= {"created_by": change.who.name, "created_at": change.now, "deleted_at": None}
        queries.add(change, tables.endpoints, values)
        change.audit("serving.endpoint.create", object_=subject_of(slug))
        facts = {"endpoint": slug, "id": values["id"], "record": values["record"]}
        change.event(ENDPOINT_CREATED, subject=subject_of(slug), data=facts)

    @use_case("GET /workspaces/{workspace}/endpoints", permission="serving.read", cli="services list")
    def list_endpoints(self, who: Principal, command: ListEndpoints) -> Page[Endpoint]:
        """List endpoints with what runs on them, by name."""
        del who
        with self._database.read() as conn:
            rows = queries.matching(conn, command.workspace, command.model, command.cursor, command.limit)
            page = page_of(rows, command.limit, lambda row: row.slug)
            return Page(items=endpoints_of(conn, page.items), next=page.next)

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}",
        permission="serving.read",
        on="endpoint",
        cli="services show",
    )
    def get_endpoint(self, who: Principal, command: OneEndpoint) -> Endpoint:
        """Show an endpoint with its deployments and traffic."""
        del who
        return self._shown(command.workspace, command.endpoint)

    @use_case(
        "PATCH /workspaces/{workspace}/endpoints/{endpoint}",
        permission="serving.edit",
        on="endpoint",
        cli="services change",
    )
    def change_endpoint(self, who: Principal, command: ChangeEndpoint) -> Endpoint:
        """Change the limits and the record policy of an endpoint."""
        with self._database.change(who, command.workspace) as change:
            row = need_endpoint(change.conn, command.workspace, command.endpoint, command.expected_version)
            given: dict[str, Any] = {name: getattr(command, name) for name in (*_PLAIN, *_RECORD)}
            given = {name: value for name, value in given.items() if value is not None}
            values = {name: value for name, value in given.items() if name in _PLAIN}
            record = {**row.record, **{_RECORD[name]: value for name, value in given.items() if name in _RECORD}}
            queries.put_endpoint(change, row.id, record=record, **values)
            facts = {"endpoint": row.slug, "changed": sorted(given), "record": record}
            change.audit("serving.endpoint.change", object_=subject_of(row.slug), detail=given)
            change.event(ENDPOINT_CHANGED, subject=subject_of(row.slug), data=facts)
        return self._told(command.workspace, command.endpoint)

    @use_case(
        "DELETE /workspaces/{workspace}/endpoints/{endpoint}",
        permission="serving.edit",
        on="endpoint",
        cli="services remove",
    )
    def delete_endpoint(self, who: Principal, command: DeleteEndpoint) -> None:
        """Delete an endpoint: it answers no more; its history stays."""
        with self._database.change(who, command.workspace) as change:
            row = need_endpoint(change.conn, command.workspace, command.endpoint, command.expected_version)
            for one in queries.live_deployments(change.conn, [row.id]):
                if one.serving is not None:
                    queries.put_revision(change, one.serving, state="RETIRED", retired_at=change.now)
            queries.put_endpoint(change, row.id, deleted_at=change.now)
            change.audit("serving.endpoint.delete", object_=subject_of(row.slug))
            change.event(ENDPOINT_DELETED, subject=subject_of(row.slug), data={"endpoint": row.slug, "id": row.id})

    def _shown(self, workspace: str, slug: str) -> Endpoint:
        with self._database.read() as conn:
            return self._read(conn, workspace, slug)

    def _read(self, conn: Connection, workspace: str, slug: str) -> Endpoint:
        return endpoint_of(conn, need_endpoint(conn, workspace, slug))

    def _told(self, workspace: str, slug: str) -> Endpoint:
        """Return an endpoint after a change, and show it on open pages."""
        endpoint = self._shown(workspace, slug)
        tell(self._ground.live, endpoint)
        return endpoint
