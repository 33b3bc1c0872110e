"""The table of saved queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    or_,
    select,
    update,
)

from aimass.infra.database import Change, Instant, Json, metadata
from aimass.kernel.pages import decode_cursor
from aimass.lake.saved import SavedQuery

saved_queries = Table(
    "lake_saved_queries",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", Text, nullable=False),
    Column("sql", Text, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("owner", String(120), nullable=False),
    Column("owner_name", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("version", BigInteger, nullable=False),
    UniqueConstraint("workspace", "slug"),
)


def saved_of(row: Row[Any]) -> SavedQuery:
    """Return a row as a saved query."""
    return SavedQuery(**{name: getattr(row, name) for name in SavedQuery.__dataclass_fields__})


def find_saved(conn: Connection, workspace: str, slug: str) -> SavedQuery | None:
    """Return the saved query with a slug."""
    wanted = select(saved_queries).where(saved_queries.c.workspace == workspace, saved_queries.c.slug == slug)
    row = conn.execute(wanted).first()
    return None if row is None else saved_of(row)


def saved_page(
    conn: Connection, workspace: str, owner: str | None, text: str | None, cursor: str | None, limit: int
) -> list[SavedQuery]:
    """Return one saved query more than the page wants, by slug: those that an owner sees, or all."""
    table = saved_queries.c
    query = select(saved_queries).where(table.workspace == workspace)
    if owner is not None:
        query = query.where(or_(table.shared.is_(True), table.owner == owner))
    if text:
        query = query.where(
            or_(*(column.icontains(text, autoescape=True) for column in (table.name, table.slug, table.description)))
        )
    if cursor:
        query = query.where(table.slug > decode_cursor(cursor))
    return [saved_of(row) for row in conn.execute(query.order_by(table.slug).limit(limit + 1))]


def all_saved(conn: Connection) -> list[SavedQuery]:
    """Return every saved query."""
    return [saved_of(row) for row in conn.execute(select(saved_queries))]


def add_saved(change: Change, values: Mapping[str, Any]) -> None:
    """Keep a query."""
    change.execute(insert(saved_queries).values(**values))


def put_saved(change: Change, id_: str, **values: Any) -> None:
    """Change a saved query."""
    values = {"changed_at": change.now, "version": saved_queries.c.version + 1, **values}
    change.execute(update(saved_queries).where(saved_queries.c.id == id_).values(**values))


def drop_saved(change: Change, id_: str) -> None:
    """Forget a saved query."""
    change.execute(delete(saved_queries).where(saved_queries.c.id == id_))
