"""Tables of the room gateway and the queries on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Integer,
    PrimaryKeyConstraint,
    Row,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from aimass.infra.database import Change, Instant, metadata
from aimass.kernel.erasing import Person

limits = Table(
    "gateway_limits",
    metadata,
    Column("workspace", String(63), nullable=False),
    Column("consumer", String(255), nullable=False),
    Column("rate_per_s", Float, nullable=True),
    Column("changed_by", String(255), nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    PrimaryKeyConstraint("workspace", "consumer"),
)


def all_limits(conn: Connection) -> Sequence[Row[Any]]:
    """Return the limits of every consumer."""
    return conn.execute(select(limits)).all()


def find_limit(conn: Connection, workspace: str, consumer: str) -> Row[Any] | None:
    """Return the limit of a consumer."""
    query = select(limits).where(limits.c.workspace == workspace, limits.c.consumer == consumer)
    return conn.execute(query).first()


def put_limit(change: Change, consumer: str, rate_per_s: float | None) -> None:
    """Write the limit of a consumer."""
    known = find_limit(change.conn, change.workspace, consumer)
    values: dict[str, Any] = {"rate_per_s": rate_per_s, "changed_by": change.who.name, "changed_at": change.now}
    if known is None:
        change.execute(insert(limits).values(workspace=change.workspace, consumer=consumer, version=1, **values))
    else:
        where = (limits.c.workspace == change.workspace, limits.c.consumer == consumer)
        change.execute(update(limits).where(*where).values(version=known.version + 1, **values))


def drop_limits(change: Change, person: Person) -> int:
    """Delete the limits of a consumer who is forgotten; return how many those were."""
    return change.execute(delete(limits).where(limits.c.consumer.in_(person.values))).rowcount
