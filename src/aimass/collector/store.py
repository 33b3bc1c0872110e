"""Tables of sources and collections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)

from aimass.collector.domain import Collection, ListCollections, Source
from aimass.infra.database import Change, Instant, Json, metadata
from aimass.kernel.errors import NotFound
from aimass.kernel.pages import decode_cursor

sources = Table(
    "collector_sources",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("dataset", String(63), nullable=False),
    Column("plan", Json, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("max_reject_rate", Float, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant, nullable=True),
    Column("version", Integer, nullable=False),
    Index(None, "workspace", "slug"),
)

collections = Table(
    "collector_collections",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("source_id", String(26), nullable=False),
    Column("source", String(63), nullable=False),
    Column("dataset", String(63), nullable=False),
    Column("number", Integer, nullable=False),
    Column("key", String(150), nullable=False),
    Column("upload", String(64), nullable=False),
    Column("filename", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("job", String(26), nullable=True),
    Column("rows", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("reasons", Json, nullable=False),
    Column("dataset_version", Integer, nullable=True),
    Column("error", Json, nullable=True),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=True),
    UniqueConstraint("source_id", "key"),
    UniqueConstraint("source_id", "number"),
    Index(None, "workspace", "id"),
)


def _source(row: Row[Any]) -> Source:
    return Source(**{name: getattr(row, name) for name in Source.__slots__})


def _collection(row: Row[Any]) -> Collection:
    return Collection(**{name: getattr(row, name) for name in Collection.__slots__})


def find_source(conn: Connection, workspace: str, slug: str) -> Source | None:
    """Return a source that was not deleted."""
    where = (sources.c.workspace == workspace, sources.c.slug == slug, sources.c.deleted_at.is_(None))
    row = conn.execute(select(sources).where(*where)).first()
    return None if row is None else _source(row)


def need_source(conn: Connection, workspace: str, slug: str) -> Source:
    """Return a source, or say that there is none."""
    found = find_source(conn, workspace, slug)
    if found is None:
        raise NotFound(f"there is no source {slug!r} in workspace {workspace!r}", field="source", value=slug)
    return found


def sources_page(conn: Connection, workspace: str, cursor: str | None, limit: int) -> list[Source]:
    """Return one source more than the page wants, by slug."""
    query = select(sources).where(sources.c.workspace == workspace, sources.c.deleted_at.is_(None))
    if cursor:
        query = query.where(sources.c.slug > decode_cursor(cursor))
    return [_source(row) for row in conn.execute(query.order_by(sources.c.slug).limit(limit + 1))]


def add_source(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new source."""
    change.execute(insert(sources).values(**values))


def put_source(change: Change, source: Source, **values: Any) -> bool:
    """Change a source that nobody changed meanwhile; tell whether it could."""
    where = (sources.c.id == source.id, sources.c.version == source.version)
    done = change.execute(update(sources).where(*where).values(version=source.version + 1, **values))
    return done.rowcount == 1


def next_number(conn: Connection, source_id: str) -> int:
    """Return the number of the next collection of a source: the number of its transaction in the table."""
    return (
        conn.execute(select(func.max(collections.c.number)).where(collections.c.source_id == source_id)).scalar() or 0
    ) + 1


def find_by_key(conn: Connection, source_id: str, key: str) -> Collection | None:
    """Return the collection that a key started."""
    row = conn.execute(
        select(collections).where(collections.c.source_id == source_id, collections.c.key == key)
    ).first()
    return None if row is None else _collection(row)


def running_of(conn: Connection, source_id: str) -> Collection | None:
    """Return the collection of a source that has not ended."""
    where = (collections.c.source_id == source_id, collections.c.state == "RUNNING")
    row = conn.execute(select(collections).where(*where)).first()
    return None if row is None else _collection(row)


def need_collection(conn: Connection, workspace: str, id_: str) -> Collection:
    """Return a collection, or say that there is none."""
    row = conn.execute(select(collections).where(collections.c.workspace == workspace, collections.c.id == id_)).first()
    if row is None:
        raise NotFound(f"there is no collection {id_!r} in workspace {workspace!r}", field="collection", value=id_)
    return _collection(row)


def collections_page(conn: Connection, command: ListCollections) -> list[Collection]:
    """Return one collection more than the page wants, newest first."""
    query = select(collections).where(collections.c.workspace == command.workspace)
    for name in ("source", "dataset", "state"):
        if getattr(command, name) is not None:
            query = query.where(collections.c[name] == getattr(command, name))
    if command.cursor:
        query = query.where(collections.c.id < decode_cursor(command.cursor))
    return [_collection(row) for row in conn.execute(query.order_by(collections.c.id.desc()).limit(command.limit + 1))]


def add_collection(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new collection."""
    change.execute(insert(collections).values(**values))


def put_collection(change: Change, id_: str, **values: Any) -> None:
    """Change a collection."""
    change.execute(update(collections).where(collections.c.id == id_).values(**values))
