"""Connections as documents, and the part of a source's document that tells how a connection is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aimass.collector.commands import (
    HIDDEN,
    ChangeConnection,
    ChangeReading,
    CollectStreams,
    Connection,
    CreateConnection,
    ListConnections,
    LoadedColumn,
    OneConnection,
    StreamWish,
)
from aimass.collector.domain import ChangeSource, Source
from aimass.collector.service.collector import Collector
from aimass.kernel.errors import Invalid, NotFound
from aimass.kernel.names import slug_of
from aimass.kernel.pages import MAX_LIMIT, every
from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry

KIND = "connection"
LINKED = ("dataset", "connection", "reading", "columns", "max_reject_rate")
_FIELDS = ("connector", "parameters")
_READ = ("into", "lag_s", "drift", "poison", "with_run", "every_s")
_COLUMN = tuple(LoadedColumn.__dataclass_fields__)


class Connections:
    """The kind ``connection``: name, connector and parameters; secrets are shown as ``***`` and stay as they are."""

    def export(self, registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
        """Write every connection that the principal may read."""
        if not who.allows("collector.read", workspace):
            return []
        collector, wish = registry.get(Collector), ListConnections(workspace=workspace, limit=MAX_LIMIT)
        found = every(lambda cursor: collector.list_connections(who, replace(wish, cursor=cursor)))
        return [_document(one) for one in found]

    def apply(
        self, registry: Registry, who: Principal, workspace: str, document: Mapping[str, Any], *, dry_run: bool
    ) -> tuple[str, list[str]]:
        """Create or change a connection until it is as the document says; return what was done and which fields differ."""
        _check(document)
        collector, slug = registry.get(Collector), slug_of(document["name"])
        try:
            present = collector.get_connection(who, OneConnection(workspace=workspace, connection=slug))
        except NotFound:
            present = None
        before = _document(present) if present else {}
        fields = [name for name in _FIELDS if name in document and document[name] != before.get(name)]
        if present and "connector" in fields:
            raise Invalid(f"connection {slug!r} is of another kind", field="connector", value=document["connector"])
        hidden = [name for name, value in document.get("parameters", {}).items() if value == HIDDEN]
        if not present and hidden:
            raise Invalid(f"{hidden[0]!r} is hidden", field=f"parameters.{hidden[0]}", hint="write the secret once")
        if not dry_run and present and fields:
            change = ChangeConnection(workspace=workspace, connection=slug, parameters=document["parameters"])
            collector.change_connection(who, change)
        elif not dry_run and not present:
            given = {name: document[name] for name in _FIELDS if name in document}
            collector.create_connection(who, CreateConnection(workspace=workspace, name=document["name"], **given))
        return ("change" if fields else "none") if present else "create", fields


CONNECTION = Connections()


def linked_document(source: Source) -> dict[str, Any]:
    """Write the fields of a source that reads from a connection."""
    columns = [{name: column.get(name) for name in _COLUMN} for column in source.plan["columns"]]
    told = {"dataset": source.dataset, "connection": source.connection, "reading": dict(source.reading)}
    return {**told, "columns": columns, "max_reject_rate": source.max_reject_rate}


def make_linked(collector: Collector, who: Principal, workspace: str, document: Mapping[str, Any]) -> None:
    """Make a source of a connection as a document tells it; the origin is asked whether it offers the stream."""
    reading = dict(document.get("reading") or {})
    wish = StreamWish(
        stream=reading.get("stream", ""),
        stream_parameters=reading.get("parameters") or {},
        name=document["name"],
        dataset=document.get("dataset"),
        columns=_columns(document),
        keys=reading.get("keys"),
        cursor=reading.get("cursor"),
    )
    more = {name: reading[name] for name in _READ if name in reading}
    if "max_reject_rate" in document:
        more["max_reject_rate"] = document["max_reject_rate"]
    link = {"workspace": workspace, "connection": document["connection"]}
    collector.collect_streams(who, CollectStreams(**link, streams=[wish], reading=reading.get("mode"), **more))


def change_linked(
    collector: Collector, who: Principal, source: Source, document: Mapping[str, Any], fields: list[str]
) -> None:
    """Change a source of a connection where its document differs."""
    one: dict[str, Any] = {"workspace": source.workspace, "source": source.slug}
    if {"reading", "columns"} & set(fields):
        reading = {**source.reading, **(document.get("reading") or {})}
        more = {name: reading[name] for name in (*_READ, "keys", "cursor") if reading.get(name) is not None}
        more["every_s"] = -1.0 if reading.get("every_s") is None else reading["every_s"]
        columns = _columns(document) or None
        told = {"reading": reading["mode"], "stream_parameters": reading.get("parameters") or {}, "columns": columns}
        collector.change_reading(who, ChangeReading(**one, **told, **more))
    if "max_reject_rate" in fields:
        collector.change_source(who, ChangeSource(**one, max_reject_rate=document["max_reject_rate"]))


def check_linked(document: Mapping[str, Any]) -> None:
    """Refuse fields that a source of a connection does not have."""
    unknown = sorted(set(document) - {"kind", "name", *LINKED})
    if unknown:
        allowed = ["name", *LINKED]
        raise Invalid(f"a source of a connection has no {unknown[0]!r}", field=unknown[0], allowed=allowed)
    reading = document.get("reading")
    if not isinstance(reading, Mapping) or not reading.get("stream"):
        raise Invalid("a source of a connection names its stream", field="reading", value=reading)
    known = {"stream", "parameters", "mode", "cursor", "keys", *_READ}
    strange = sorted(set(reading) - known)
    if strange:
        raise Invalid(f"a reading has no {strange[0]!r}", field=f"reading.{strange[0]}", allowed=sorted(known))


def _columns(document: Mapping[str, Any]) -> list[LoadedColumn]:
    found: list[LoadedColumn] = []
    for column in document.get("columns") or []:
        strange = sorted(set(column) - set(_COLUMN))
        if strange:
            raise Invalid(f"a column has no {strange[0]!r}", field="columns", value=strange[0], allowed=list(_COLUMN))
        found.append(LoadedColumn(**{name: value for name, value in column.items() if value is not None}))
    return found


def _document(connection: Connection) -> dict[str, Any]:
    told = {"connector": connection.connector, "parameters": connection.parameters}
    return {"kind": KIND, "name": connection.name, **told}


def _check(document: Mapping[str, Any]) -> None:
    unknown = sorted(set(document) - {"kind", "name", *_FIELDS})
    if unknown:
        allowed = ["name", *_FIELDS]
        raise Invalid(f"a connection has no {unknown[0]!r}", field=unknown[0], value=unknown[0], allowed=allowed)
    if not isinstance(document.get("parameters", {}), Mapping):
        raise Invalid("parameters are names with values", field="parameters", value=document["parameters"])
