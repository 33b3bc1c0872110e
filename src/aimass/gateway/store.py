"""Tables of the room gateway and the queries on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    PrimaryKeyConstraint,
    Row,
    String,
    Table,
    UniqueConstraint,
    delete,
    func,
    insert,
    select,
    update,
)

from aimass.infra.database import Change, Instant, Json, metadata
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


upstreams = Table(
    "gateway_upstreams",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("upstream", String(63), nullable=False),
    Column("title", String(255), nullable=False),
    Column("policy", Json, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("workspace", "upstream"),
)
instances = Table(
    "gateway_instances",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("upstream", String(63), nullable=False),
    Column("url", String(255), nullable=False),
    Column("host", String(255), nullable=False),
    Column("address", String(45), nullable=False),
    Column("port", Integer, nullable=False),
    Column("tls", Boolean, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("lease_s", Float, nullable=True),
    Column("registered_by", String(255), nullable=False),
    Column("registered_at", Instant, nullable=False),
    UniqueConstraint("workspace", "upstream", "url"),
)
routes = Table(
    "gateway_routes",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("route", String(63), nullable=False),
    Column("title", String(255), nullable=False),
    Column("upstream", String(63), nullable=False),
    Column("prefix", String(255), nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("policy", Json, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("workspace", "route"),
    UniqueConstraint("workspace", "prefix"),
)


def find_row(conn: Connection, table: Table, **where: str) -> Row[Any] | None:
    """Return the row with these values."""
    return conn.execute(select(table).where(*(table.c[name] == value for name, value in where.items()))).first()


def rows_after(conn: Connection, table: Table, column: str, after: str, limit: int, **where: str) -> Sequence[Row[Any]]:
    """Return rows with these values in the order of a column, beginning after one."""
    query = select(table).where(*(table.c[name] == value for name, value in where.items()), table.c[column] > after)
    return conn.execute(query.order_by(table.c[column]).limit(limit)).all()


def routes_like(conn: Connection, workspace: str, part: str, after: str, limit: int) -> Sequence[Row[Any]]:
    """Return routes whose name holds a part of it, in the order of names, beginning after one."""
    query = select(routes).where(routes.c.workspace == workspace, routes.c.route > after)
    if part:
        query = query.where(routes.c.route.contains(part, autoescape=True))
    return conn.execute(query.order_by(routes.c.route).limit(limit)).all()


def rows_of(conn: Connection, table: Table, **where: str) -> Sequence[Row[Any]]:
    """Return every row with these values, oldest first."""
    query = select(table).where(*(table.c[name] == value for name, value in where.items()))
    return conn.execute(query.order_by(table.c.id)).all()


def counts_of(conn: Connection, workspace: str, names: Sequence[str]) -> dict[str, int]:
    """Return how many instances each of these services has."""
    query = select(instances.c.upstream, func.count().label("n")).where(
        instances.c.workspace == workspace, instances.c.upstream.in_(names)
    )
    return {row.upstream: row.n for row in conn.execute(query.group_by(instances.c.upstream))}


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
