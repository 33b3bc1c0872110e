"""Tables of the room storage and the queries on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
)
from sqlalchemy import update as update_

from aimass.apps.storage.domain import Collection, Erasure
from aimass.apps.storage.ledger import Asked
from aimass.infra.database import OUTLIVES, Change, Instant, Json, audit_log, metadata
from aimass.kernel.erasing import ERASED, Person
from aimass.kernel.errors import NotFound
from aimass.kernel.pages import decode_cursor
from aimass.kernel.principal import ANYWHERE

_AUTHORS = ("_by", "by_name")

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


erasures = Table(
    "storage_erasures",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("column", String(255), nullable=True),
    Column("sealed", Text, nullable=True),
    Column("by", String(120), nullable=False),
    Column("by_name", String(255), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("state", String(16), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("passes", Integer, nullable=False),
    Column("next_at", Instant, nullable=True),
    Column("ended_at", Instant, nullable=True),
    Column("erased", Json, nullable=False),
    Column("left", Json, nullable=False),
    Column("later", Json, nullable=False),
    Column("error", Text, nullable=False),
    Index(None, "workspace", "id"),
    Index(None, "next_at"),
    info={OUTLIVES: True},
)


def erasure_of(row: Row[Any]) -> Erasure:
    """Read an erasure."""
    return Erasure(**{name: getattr(row, name) for name in Erasure.__slots__})


def add_erasure(change: Change, asked: Asked, *, origin: str, erased: Mapping[str, int] | None = None) -> None:
    """Write an erasure that is to be carried out at once."""
    values = {name: getattr(asked, name) for name in Asked.__slots__}
    begun = {"state": "ASKED", "origin": origin, "passes": 0, "next_at": change.now, "ended_at": None}
    told = {"erased": dict(erased or {}), "left": [], "later": [], "error": ""}
    change.execute(insert(erasures).values(**values, **begun, **told))


def put_erasure(change: Change, id_: str, **values: Any) -> None:
    """Change an erasure."""
    change.execute(update_(erasures).where(erasures.c.id == id_).values(**values))


def due_erasures(conn: Connection, now: datetime | None) -> Sequence[Any]:
    """Return the rows of erasures that are due, oldest first; of all that are under way without a moment."""
    query = select(erasures).where(erasures.c.next_at.is_not(None))
    if now is not None:
        query = query.where(erasures.c.next_at <= now)
    return conn.execute(query.order_by(erasures.c.id)).all()


def known_erasures(conn: Connection) -> dict[str, Asked | None]:
    """Return every erasure of the database by id, as it was asked for; None for one whose values are in the ledger alone."""
    rows = conn.execute(select(erasures))
    return {
        row.id: None if row.sealed is None else Asked(**{n: getattr(row, n) for n in Asked.__slots__}) for row in rows
    }


def need_erasure(conn: Connection, workspace: str, id_: str) -> Erasure:
    """Return an erasure, or say that there is none."""
    row = conn.execute(select(erasures).where(erasures.c.workspace == workspace, erasures.c.id == id_)).first()
    if row is None:
        raise NotFound(f"there is no erasure {id_!r} in workspace {workspace!r}", field="erasure", value=id_)
    return erasure_of(row)


def erasures_page(conn: Connection, workspace: str, cursor: str | None, limit: int) -> list[Erasure]:
    """Return one erasure more than the page wants, newest first."""
    query = select(erasures).where(erasures.c.workspace == workspace)
    if cursor:
        query = query.where(erasures.c.id < decode_cursor(cursor))
    return [erasure_of(row) for row in conn.execute(query.order_by(erasures.c.id.desc()).limit(limit + 1))]


def forget_authors(change: Change, person: Person) -> int:
    """Take a person out of the columns that say by whom something was made, in every table; return how many rows those were.

    The audit log keeps who acted: its entries are chained.
    """
    told = 0
    for table in metadata.sorted_tables:
        if table is audit_log:
            continue
        here: list[ColumnElement[bool]] = []
        if person.workspace != ANYWHERE:
            if "workspace" not in table.c:
                continue
            here = [table.c.workspace == person.workspace]
        for column in table.c:
            if column.name.endswith(_AUTHORS) and isinstance(column.type, String):
                named = update_(table).where(column.in_(person.values), *here)
                told += change.execute(named.values({column: ERASED})).rowcount
    return told
