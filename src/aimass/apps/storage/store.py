"""Tables of the room storage and the queries on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, Row, String, Table, Text, delete, insert, select
from sqlalchemy import update as update_

from aimass.apps.storage.domain import Collection
from aimass.infra.database import Change, Instant, Json, metadata
from aimass.kernel.errors import NotFound
from aimass.kernel.pages import decode_cursor

collections = Table(
    "storage_collections",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("cause", String(16), nullable=False),
    Column("by", String(120), nullable=False),
    Column("by_name", String(255), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=True),
    Column("things", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("kinds", Json, nullable=False),
    Column("error", Text, nullable=False),
    Index(None, "state"),
)


def collection_of(row: Row[Any]) -> Collection:
    """Read a collection."""
    return Collection(**row._mapping)  # noqa: SLF001 the public name of the mapping view of a row


def add_collection(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new collection."""
    change.execute(insert(collections).values(**values))


def put_collection(change: Change, id_: str, **values: Any) -> None:
    """Change a collection."""
    change.execute(update_(collections).where(collections.c.id == id_).values(**values))


def drop_collection(change: Change, id_: str) -> None:
    """Forget a collection that found nothing."""
    change.execute(delete(collections).where(collections.c.id == id_))


def forget_collections(change: Change, before: datetime) -> None:
    """Forget the collections of long ago."""
    change.execute(delete(collections).where(collections.c.started_at < before))


def interrupt_collections(change: Change, but: str) -> None:
    """Note of collections that they did not come to their end; whoever calls holds the lock, so none runs."""
    query = update_(collections).where(collections.c.state == "RUNNING", collections.c.id != but)
    change.execute(query.values(state="INTERRUPTED", ended_at=change.now))


def need_collection(conn: Connection, id_: str) -> Collection:
    """Return a collection, or say that there is none."""
    row = conn.execute(select(collections).where(collections.c.id == id_)).first()
    if row is None:
        raise NotFound(f"there is no collection {id_!r}", field="collection", value=id_)
    return collection_of(row)


def collections_page(conn: Connection, cursor: str | None, limit: int) -> list[Collection]:
    """Return one collection more than the page wants, newest first."""
    query = select(collections)
    if cursor:
        query = query.where(collections.c.id < decode_cursor(cursor))
    return [collection_of(row) for row in conn.execute(query.order_by(collections.c.id.desc()).limit(limit + 1))]
