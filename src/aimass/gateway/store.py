"""Tables of the room gateway and the queries on them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Float,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Row,
    String,
    Table,
    UniqueConstraint,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from aimass.gateway.domain.slow import ListSlow
from aimass.infra.database import Change, Instant, Json, metadata
from aimass.kernel.erasing import SHORTEST, Person
from aimass.kernel.errors import Invalid
from aimass.kernel.pages import decode_cursor
from aimass.kernel.principal import ANYWHERE

FAILED = 500
ROW_BYTES = 300

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

slow_requests = Table(
    "gateway_slow_requests",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("at", Instant, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("name", String(63), nullable=False),
    Column("service", String(255), nullable=False),
    Column("target", String(64), nullable=False),
    Column("version", String(300), nullable=False),
    Column("consumer", String(255), nullable=False),
    Column("method", String(20), nullable=False),
    Column("path", String(500), nullable=False),
    Column("status", Integer, nullable=False),
    Column("error", String(100), nullable=False),
    Column("first_byte_s", Float, nullable=True),
    Column("queue_s", Float, nullable=True),
    Column("compute_s", Float, nullable=True),
    Column("bytes_in", BigInteger, nullable=True),
    Column("bytes_out", BigInteger, nullable=True),
    Column("retries", Integer, nullable=False),
    Column("breaker", String(20), nullable=False),
    Column("trace", String(32), nullable=False),
    Index("ix_gateway_slow_requests_workspace", "workspace", "id"),
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


def routes_naming(conn: Connection, parts: Collection[str]) -> Sequence[Row[Any]]:
    """Return the routes of all workspaces whose policies hold one of these texts anywhere."""
    told = cast(routes.c.policy, String)
    wanted = or_(*(told.contains(part, autoescape=True) for part in sorted(parts)))
    return conn.execute(select(routes).where(wanted).order_by(routes.c.id)).all()


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


def slow_matching(conn: Connection, wish: ListSlow) -> Sequence[Row[Any]]:
    """Return one request more than the page wants, in the order asked for."""
    table = slow_requests.c
    wanted = [table.workspace == wish.workspace]
    exact = ((table.status, wish.status), (table.consumer, wish.consumer), (table.trace, wish.trace))
    wanted += [column == value for column, value in exact if value is not None]
    for kind, name in (("route", wish.route), ("endpoint", wish.endpoint)):
        if name is not None:
            wanted += [table.kind == kind, table.name == name]
    if wish.failed is not None:
        wanted.append(table.status >= FAILED if wish.failed else table.status < FAILED)
    if wish.least_s is not None:
        wanted.append(table.seconds >= wish.least_s)
    if wish.since is not None:
        wanted.append(table.at >= wish.since)
    if wish.until is not None:
        wanted.append(table.at < wish.until)
    is_by_time = wish.order == "newest"
    if wish.cursor:
        wanted.append(_after(decode_cursor(wish.cursor), is_by_time=is_by_time))
    order = (table.id.desc(),) if is_by_time else (table.seconds.desc(), table.id.desc())
    return conn.execute(select(slow_requests).where(*wanted).order_by(*order).limit(wish.limit + 1)).all()


def _after(place: str, *, is_by_time: bool) -> ColumnElement[bool]:
    """Return the condition that a request comes after the last one of the page before: ``<id>`` or ``<seconds> <id>``."""
    table = slow_requests.c
    if is_by_time:
        return table.id < place
    text, _, id_ = place.partition(" ")
    try:
        seconds = float(text)
    except ValueError as reason:
        raise Invalid("the cursor is of another order", field="cursor", value=place, hint="start again") from reason
    return or_(table.seconds < seconds, (table.seconds == seconds) & (table.id < id_))


def add_slow(change: Change, rows: Sequence[dict[str, Any]]) -> None:
    """Write requests; those that are there already stay as they are."""
    ids = [row["id"] for row in rows]
    there = set(change.conn.scalars(select(slow_requests.c.id).where(slow_requests.c.id.in_(ids))))
    fresh = [row for row in rows if row["id"] not in there]
    if fresh:
        change.execute(insert(slow_requests), fresh)


def drop_old_slow(change: Change, before: datetime, most: int) -> int:
    """Delete the requests that came before a moment, and those beyond so many; return how many."""
    table = slow_requests.c
    gone = change.execute(delete(slow_requests).where(table.at < before)).rowcount
    last = change.conn.scalar(select(table.id).order_by(table.id.desc()).offset(most).limit(1))
    if last is not None:
        gone += change.execute(delete(slow_requests).where(table.id <= last)).rowcount
    return gone


def count_slow(conn: Connection) -> list[tuple[str, int, int]]:
    """Return how many requests each workspace has, and about how many bytes they take."""
    table = slow_requests.c
    size = func.sum(func.length(table.path) + func.length(table.consumer) + ROW_BYTES).label("bytes")
    query = select(table.workspace, func.count().label("n"), size).group_by(table.workspace)
    return [(row.workspace, row.n, row.bytes) for row in conn.execute(query.order_by(table.workspace))]


def drop_slow_of(change: Change, person: Person) -> int:
    """Delete the requests of a person, and those whose address names him; return how many."""
    table = slow_requests.c
    named = [table.path.contains(value, autoescape=True) for value in person.values if len(value) >= SHORTEST]
    query = delete(slow_requests).where(or_(table.consumer.in_(person.values), *named))
    if person.workspace != ANYWHERE:
        query = query.where(table.workspace == person.workspace)
    return change.execute(query).rowcount
