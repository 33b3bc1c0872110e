"""Connections: where data lives, with secrets that nobody sees again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from pydantic import SecretStr
from sqlalchemy import Row

from aimass.collector.commands import (
    HIDDEN,
    Answer,
    ChangeConnection,
    Connection,
    ConnectorInfo,
    CreateConnection,
    DescribeStream,
    FoundStream,
    ListConnections,
    LoadedColumn,
    OneConnection,
    Preview,
    PreviewStream,
)
from aimass.collector.connectors import ConnectorManifest, connectors, find_connector
from aimass.collector.connectors.reach import Reach
from aimass.collector.events import CONNECTION_CHANGED, CONNECTION_CHECKED, CONNECTION_CREATED, CONNECTION_DELETED
from aimass.collector.service.ground import Part, known_fields, tell
from aimass.collector.settings import CollectorSettings
from aimass.collector.store import sources_of_connection
from aimass.collector.store.links import (
    add_connection,
    connection_of,
    connection_row,
    connections_page,
    need_connection,
    note_answer,
    put_connection,
)
from aimass.kernel.clock import instant
from aimass.kernel.errors import AimassError, Conflict, Invalid, Stale
from aimass.kernel.ids import new_id
from aimass.kernel.names import clean_name, slug_of
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import SIGNED_IN, use_case

_PATH = "/workspaces/{workspace}/connections"
_ONE = f"{_PATH}/{{connection}}"
_ASK = "aimass.collector.children.asking"
_CHECK_S, _DISCOVER_S, _PREVIEW_S = 30.0, 120.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a child needs to open a connection; the secrets go to it in memory alone."""

    connector: str
    parameters: Mapping[str, Any]
    reach: Mapping[str, Any]


class Connections(Part):
    """Use cases of connections."""

    @use_case("GET /connectors", permission=SIGNED_IN, cli="connectors list")
    def list_connectors(self, who: Principal) -> list[ConnectorInfo]:
        """List the connectors that are installed, with what they want to know."""
        del who
        return [_info(manifest) for manifest in connectors().values()]

    @use_case(f"POST {_PATH}", permission="collector.manage", cli="connections create", status=201)
    def create_connection(self, who: Principal, command: CreateConnection) -> Connection:
        """Create a connection; its secrets are sealed and never shown again."""
        name, manifest = clean_name(command.name), find_connector(command.connector)
        slug, id_ = slug_of(name), new_id()
        plain, secrets = _split(manifest, command.parameters)
        with self._database.change(who, command.workspace) as change:
            if connection_row(change.conn, command.workspace, slug) is not None:
                raise Conflict(f"there is a connection {slug!r} already", field="name", value=command.name)
            values = {"id": id_, "workspace": command.workspace, "slug": slug, "name": name, "answer": None}
            values |= {"connector": manifest.name, "parameters": plain, "secrets": sorted(secrets)}
            values |= {"sealed": self._sealed(id_, secrets), "deleted_at": None, "version": 1}
            add_connection(change, {**values, "created_by": who.id, "created_at": change.now})
            tell(change, CONNECTION_CREATED, f"connection:{slug}", {"connector": manifest.name})
        return self._connection(command.workspace, slug)

    @use_case(f"GET {_PATH}", permission="collector.read", cli="connections list")
    def list_connections(self, who: Principal, command: ListConnections) -> Page[Connection]:
        """List the connections of a workspace; secrets are shown as ``***``."""
        with self._database.read() as conn:
            rows = connections_page(conn, command.workspace, command.cursor, command.limit)
        return page_of(rows, command.limit, lambda one: one.slug)

    @use_case(f"GET {_ONE}", permission="collector.read", cli="connections show", on="connection")
    def get_connection(self, who: Principal, command: OneConnection) -> Connection:
        """Show a connection; secrets are shown as ``***``."""
        return self._connection(command.workspace, command.connection)

    @use_case(f"PATCH {_ONE}", permission="collector.manage", cli="connections change", on="connection")
    def change_connection(self, who: Principal, command: ChangeConnection) -> Connection:
        """Change a connection; a secret that is left out, or is ``***``, stays as it is."""
        with self._database.change(who, command.workspace) as change:
            row = need_connection(change.conn, command.workspace, command.connection)
            if command.expected_version not in (None, row.version):
                raise Stale(f"connection {row.slug!r} has version {row.version}", value=command.expected_version)
            values: dict[str, Any] = {} if command.name is None else {"name": clean_name(command.name)}
            if command.parameters is not None:
                values |= self._again(row, command.parameters)
            if values and not put_connection(change, row, **values):
                raise Stale(f"connection {row.slug!r} changed meanwhile")
            changed = sorted({*values} - {"sealed", "answer"})
            tell(change, CONNECTION_CHANGED, f"connection:{row.slug}", {"fields": changed})
        return self._connection(command.workspace, command.connection)

    def _again(self, row: Row[Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns of a connection with other parameters.

        A secret is kept only while nothing else changes that decides where it is sent: else whoever may change a connection
        could have the secret delivered to a machine of his own.
        """
        manifest = find_connector(row.connector)
        entered = {name: value for name, value in parameters.items() if value != HIDDEN or name not in manifest.secrets}
        stays = [name for name in row.secrets if name not in entered]
        kept = self._secrets_of(row)
        plain, secrets = _split(manifest, {**entered, **{name: kept[name] for name in stays}})
        if stays and plain != row.parameters:
            raise Invalid(
                "where a connection leads cannot change while its secrets stay hidden",
                field=f"parameters.{stays[0]}",
                hint=f"enter {', '.join(stays)} again",
            )
        return {
            "parameters": plain,
            "secrets": sorted(secrets),
            "sealed": self._sealed(row.id, secrets),
            "answer": None,
        }

    @use_case(f"DELETE {_ONE}", permission="collector.manage", cli="connections delete", on="connection")
    def delete_connection(self, who: Principal, command: OneConnection) -> None:
        """Delete a connection; its secrets are erased at once. Sources that use it have to go first."""
        with self._database.change(who, command.workspace) as change:
            row = need_connection(change.conn, command.workspace, command.connection)
            using = sources_of_connection(change.conn, command.workspace, row.slug)
            if using:
                raise Conflict(
                    f"{len(using)} sources use connection {row.slug!r}",
                    value=[source.slug for source in using][:10],
                    hint="delete these sources first",
                )
            gone = {"deleted_at": change.now, "sealed": None, "secrets": [], "parameters": {}}
            put_connection(change, row, **gone)
            tell(change, CONNECTION_DELETED, f"connection:{row.slug}", {"connector": row.connector})

    @use_case(f"POST {_ONE}/check", permission="collector.use", cli="connections check", on="connection")
    def check_connection(self, who: Principal, command: OneConnection) -> Answer:
        """Try whether a connection answers; what is wrong is the answer, not an error."""
        row = self._need(command.workspace, command.connection)
        try:
            told = self._ask(row, "check", {}, _CHECK_S)
            answer = Answer(ok=True, told=told["told"])
        except AimassError as reason:
            answer = Answer(ok=False, told=reason.message, field=reason.field, hint=reason.hint)
        with self._database.change(who, command.workspace) as change:
            note_answer(change, row.id, {**asdict(answer), "at": instant(change.now)})
            tell(change, CONNECTION_CHECKED, f"connection:{row.slug}", {"ok": answer.ok})
        return answer

    @use_case(f"POST {_ONE}/discovery", permission="collector.use", cli="connections discover", on="connection")
    def discover_streams(self, who: Principal, command: OneConnection) -> list[FoundStream]:
        """List what a connection offers: tables, topics, files, with their columns."""
        row = self._need(command.workspace, command.connection)
        return [_found(stream) for stream in self._ask(row, "discover", {}, _DISCOVER_S)["streams"]]

    @use_case(f"POST {_ONE}/stream", permission="collector.use", cli="connections describe", on="connection")
    def describe_stream(self, who: Principal, command: DescribeStream) -> FoundStream:
        """Show one stream of a connection with its columns as they are now."""
        row = self._need(command.workspace, command.connection)
        find_connector(row.connector).check_stream(command.stream_parameters)
        more = {"stream": command.stream, "stream_parameters": command.stream_parameters}
        return _found(self._ask(row, "discover", more, _DISCOVER_S)["streams"][0])

    @use_case(f"POST {_ONE}/preview", permission="collector.use", cli="connections preview", on="connection")
    def preview_stream(self, who: Principal, command: PreviewStream) -> Preview:
        """Show a few rows of a stream as they would be stored; nothing is kept."""
        row = self._need(command.workspace, command.connection)
        find_connector(row.connector).check_stream(command.stream_parameters)
        more = {"stream": command.stream, "stream_parameters": command.stream_parameters, "limit": command.limit}
        told = self._ask(row, "preview", {**more, "columns": [asdict(c) for c in command.columns]}, _PREVIEW_S)
        return Preview(**{**told, "columns": [LoadedColumn(**column) for column in told["columns"]]})

    def opening(self, workspace: str, connection: str) -> Opening:
        """Return what a job is told of a connection; secrets are not part of it."""
        row = self._need(workspace, connection)
        return Opening(connector=row.connector, parameters=row.parameters, reach=reach().told())

    def secrets_for(self, workspace: str, connection: str) -> dict[str, Any]:
        """Return the secrets of a connection, for the child that is about to start."""
        return self._secrets_of(self._need(workspace, connection))

    def _ask(self, row: Row[Any], question: str, more: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        args = {"connector": row.connector, "parameters": row.parameters, "reach": reach().told()}
        args |= {"secrets": self._secrets_of(row), **more}
        return self._ground.warm.call(f"{_ASK}:{question}", args, timeout_s=timeout_s)

    def _need(self, workspace: str, slug: str) -> Row[Any]:
        with self._database.read() as conn:
            return need_connection(conn, workspace, slug)

    def _connection(self, workspace: str, slug: str) -> Connection:
        return connection_of(self._need(workspace, slug))

    def _sealed(self, id_: str, secrets: Mapping[str, Any]) -> bytes | None:
        return self._ground.secrets.seal(orjson.dumps(dict(secrets)), about=_about(id_)) if secrets else None

    def _secrets_of(self, row: Row[Any]) -> dict[str, Any]:
        if row.sealed is None:
            return {}
        return orjson.loads(self._ground.secrets.unseal(row.sealed, about=_about(row.id)))


def _about(id_: str) -> str:
    return f"connection:{id_}"


def reach() -> Reach:
    """Return what the operator lets connectors reach."""
    found = CollectorSettings()
    return Reach(
        folders=tuple(found.folders),
        refused=tuple(found.refused_networks),
        loopback=found.loopback,
        modules=tuple(found.modules),
    )


def _split(manifest: ConnectorManifest, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check parameters, and part them into what may be shown and what is sealed."""
    checked = manifest.check(given)
    plain = checked.model_dump(mode="json", exclude=set(manifest.secrets), exclude_none=True)
    secrets = {name: getattr(checked, name) for name in manifest.secrets}
    opened = {name: v.get_secret_value() if isinstance(v, SecretStr) else v for name, v in secrets.items()}
    return plain, {name: value for name, value in opened.items() if value not in (None, "")}


def _found(told: Mapping[str, Any]) -> FoundStream:
    columns = [LoadedColumn(**column) for column in told["columns"]]
    return FoundStream(**known_fields(FoundStream, {**told, "columns": columns}))


def _info(manifest: ConnectorManifest) -> ConnectorInfo:
    return ConnectorInfo(
        name=manifest.name,
        version=manifest.version,
        title=manifest.title,
        summary=manifest.summary,
        family=manifest.family,
        modes=sorted(manifest.modes),
        secrets=sorted(manifest.secrets),
        parameters=manifest.parameters.model_json_schema(),
        stream_parameters=manifest.stream.model_json_schema(),
        extra=manifest.extra,
    )
