"""The table of queries that have run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Row,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
)

from aimass.infra.database import Change, Instant, Json, metadata
from aimass.kernel.pages import decode_cursor

query_runs = Table(
    "lake_query_runs",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("sql", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("datasets", Json, nullable=False),
    Column("state", String(10), nullable=False),
    Column("error", Text, nullable=True),
    Column("rows", BigInteger, nullable=True),
    Column("bytes", BigInteger, nullable=True),
    Column("seconds", Float, nullable=False),
    Column("by", String(120), nullable=False),
    Column("by_name", String(255), nullable=False),
    Column("via", String(80), nullable=False),
    Column("started_at", Instant, nullable=False),
    Index(None, "workspace", "by"),
)


def add_run(change: Change, values: Mapping[str, Any]) -> None:
    """Remember a query that has ended."""
    change.execute(insert(query_runs).values(**values))


def runs_page(conn: Connection, workspace: str, by: str | None, cursor: str | None, limit: int) -> list[Row[Any]]:
    """Return one query more than the page wants, newest first; of one person, or of all."""
    query = select(query_runs).where(query_runs.c.workspace == workspace)
    if by is not None:
        query = query.where(query_runs.c.by == by)
    if cursor:
        query = query.where(query_runs.c.id < decode_cursor(cursor))
    return list(conn.execute(query.order_by(query_runs.c.id.desc()).limit(limit + 1)))


def texts_about(conn: Connection, workspace: str, dataset: str, limit: int) -> list[str]:
    """Return the statements of the newest queries that read a dataset and came to an end."""
    query = select(query_runs.c.sql, query_runs.c.datasets).where(
        query_runs.c.workspace == workspace, query_runs.c.state == "SUCCEEDED"
    )
    rows = conn.execute(query.order_by(query_runs.c.id.desc()).limit(10 * limit))
    return [row.sql for row in rows if dataset in row.datasets][:limit]


def drop_runs_before(change: Change, moment: datetime) -> int:
    """Forget the queries before a moment; return how many."""
    return int(change.execute(delete(query_runs).where(query_runs.c.started_at < moment)).rowcount)


def runs_in(conn: Connection) -> list[Row[Any]]:
    """Return all remembered queries."""
    return list(conn.execute(select(query_runs)))


def drop_runs(change: Change, ids: list[str]) -> None:
    """Forget some queries."""
    change.execute(delete(query_runs).where(query_runs.c.id.in_(ids)))
