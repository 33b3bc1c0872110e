"""Tables of connections and of drift."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    insert,
    select,
    text,
    update,
)
from sqlalchemy import Connection as Link

from aimass.collector.commands import HIDDEN, Connection, DriftNote
from aimass.infra.database import Change, Instant, Json, PlacedJson, metadata
from aimass.kernel.errors import NotFound
from aimass.kernel.pages import decode_cursor

connections = Table(
    "collector_connections",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("connector", String(60), nullable=False),
    Column("parameters", PlacedJson, nullable=False),
    Column("secrets", Json, nullable=False),
    Column("sealed", LargeBinary, nullable=True),
    Column("answer", Json, nullable=True),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant, nullable=True),
    Column("version", Integer, nullable=False),
    Index(None, "workspace", "slug"),
)

drifts = Table(
    "collector_drifts",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("source_id", String(26), nullable=False),
    Column("source", String(63), nullable=False),
    Column("collection", String(26), nullable=False),
    Column("column", String(500), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("before", String(255), nullable=False),
    Column("after", String(255), nullable=False),
    Column("done", String(20), nullable=False),
    Column("decided_by", String(120), nullable=False, server_default=text("''")),
    Column("created_at", Instant, nullable=False),
    Index(None, "source_id", "id"),
)

DRIFT = ("column", "kind", "before", "after", "done")


def connection_of(row: Row[Any]) -> Connection:
    """Read a connection; its secrets are hidden."""
    told = {name: getattr(row, name) for name in Connection.__slots__}
    return Connection(**{**told, "parameters": {**row.parameters, **dict.fromkeys(row.secrets, HIDDEN)}})


def connection_row(conn: Link, workspace: str, slug: str) -> Row[Any] | None:
    """Return a connection that was not deleted."""
    where = (connections.c.workspace == workspace, connections.c.slug == slug, connections.c.deleted_at.is_(None))
    return conn.execute(select(connections).where(*where)).first()


def need_connection(conn: Link, workspace: str, slug: str) -> Row[Any]:
    """Return a connection, or say that there is none."""
    found = connection_row(conn, workspace, slug)
    if found is None:
        raise NotFound(f"there is no connection {slug!r} in workspace {workspace!r}", field="connection", value=slug)
    return found


def connections_page(conn: Link, workspace: str, cursor: str | None, limit: int) -> list[Connection]:
    """Return one connection more than the page wants, by slug."""
    query = select(connections).where(connections.c.workspace == workspace, connections.c.deleted_at.is_(None))
    if cursor:
        query = query.where(connections.c.slug > decode_cursor(cursor))
    return [connection_of(row) for row in conn.execute(query.order_by(connections.c.slug).limit(limit + 1))]


def add_connection(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new connection."""
    change.execute(insert(connections).values(**values))


def put_connection(change: Change, row: Row[Any], **values: Any) -> bool:
    """Change a connection that nobody changed meanwhile; tell whether it could."""
    where = (connections.c.id == row.id, connections.c.version == row.version)
    return change.execute(update(connections).where(*where).values(version=row.version + 1, **values)).rowcount == 1


def note_answer(change: Change, id_: str, answer: Mapping[str, Any]) -> None:
    """Keep what a check brought; the version stays."""
    change.execute(update(connections).where(connections.c.id == id_).values(answer=dict(answer)))


def known_drifts(conn: Link, source_id: str) -> set[tuple[str, ...]]:
    """Return what was noted of a source before, as the values of :data:`DRIFT`."""
    query = select(*(drifts.c[name] for name in DRIFT)).where(drifts.c.source_id == source_id)
    return {tuple(row) for row in conn.execute(query)}


def add_drift(change: Change, values: Mapping[str, Any]) -> None:
    """Note a difference between a source and its origin."""
    change.execute(insert(drifts).values(**values))


def drifts_page(conn: Link, source_id: str, cursor: str | None, limit: int) -> list[DriftNote]:
    """Return one note more than the page wants, the newest first."""
    query = select(drifts).where(drifts.c.source_id == source_id)
    if cursor:
        query = query.where(drifts.c.id < decode_cursor(cursor))
    rows = conn.execute(query.order_by(drifts.c.id.desc()).limit(limit + 1))
    return [DriftNote(**{name: getattr(row, name) for name in DriftNote.__slots__}) for row in rows]
