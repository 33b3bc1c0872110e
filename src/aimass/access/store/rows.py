"""Reading and writing single rows by equality; richer questions have a module of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, delete, func, insert, select, update


def add(conn: Connection, table: Table, **values: Any) -> None:
    """Insert a row."""
    conn.execute(insert(table).values(**values))


def change(conn: Connection, table: Table, where: dict[str, Any], **values: Any) -> int:
    """Update the rows that match; return how many there were."""
    return conn.execute(update(table).where(_match(table, where)).values(**values)).rowcount


def remove(conn: Connection, table: Table, **where: Any) -> int:
    """Delete the rows that match; return how many there were."""
    return conn.execute(delete(table).where(_match(table, where))).rowcount


def find(conn: Connection, table: Table, **where: Any) -> Row[Any] | None:
    """Return the one row that matches."""
    return conn.execute(select(table).where(_match(table, where))).first()


def every(conn: Connection, table: Table, **where: Any) -> Sequence[Row[Any]]:
    """Return all rows that match, in the order of the primary key."""
    return conn.execute(select(table).where(_match(table, where)).order_by(*table.primary_key.columns)).all()


def count(conn: Connection, table: Table, **where: Any) -> int:
    """Count the rows that match."""
    return conn.execute(select(func.count()).select_from(table).where(_match(table, where))).scalar_one()


def _match(table: Table, where: dict[str, Any]) -> Any:
    return and_(True, *(table.c[name] == value for name, value in where.items()))
