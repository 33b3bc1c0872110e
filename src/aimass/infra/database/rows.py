"""Carry rows from one database to another, whatever engine each of them is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import JSON, Column, Connection, RowMapping, Table, Text, bindparam, cast, func, insert, select, text

from aimass.infra.database.types import PlacedJson

_BATCH = 500


def copy_rows(
    source: Connection,
    target: Connection,
    tables: Iterable[tuple[Table, Table]],
    told: Callable[[str], None],
) -> int:
    """Copy every row of each pair of tables, in the order given; return how many.

    JSON travels as its text, so that an absent value stays absent. Columns that only one side has keep their default.

    Parameters
    ----------
    source, target
        Connections inside a transaction each; nothing is committed here.
    tables
        The table of the source and the one of the target; a table comes after those that it refers to.
    told
        Called with the name of a table before its rows are copied.
    """
    total = 0
    for old, new in tables:
        told(new.name)
        names = [column.name for column in new.columns if column.name in old.columns]
        wanted = select(*[_read(old.c[name], new.c[name]) for name in names])
        given = {name: _write(target, old.c[name], new.c[name]) for name in names}
        texts = [name for name in names if _is_json(old.c[name], new.c[name])]
        rows = source.execute(wanted.execution_options(yield_per=_BATCH)).mappings()
        for part in rows.partitions():
            target.execute(insert(new).values(given), [_as_written(row, texts) for row in part])
            total += len(part)
        _go_on_counting(source, target, old, new)
    return total


def _as_written(row: RowMapping, texts: Iterable[str]) -> dict[str, Any]:
    """Write JSON the way our own rows are written, not in the way of the engine that it comes from."""
    there = {name: json.dumps(json.loads(row[name])) for name in texts if row[name] is not None}
    return {**row, **there}


def _is_json(*columns: Column[Any]) -> bool:
    return any(isinstance(column.type, JSON | PlacedJson) for column in columns)


def _read(old: Column[Any], new: Column[Any]) -> Any:
    return cast(old, Text).label(old.name) if _is_json(old, new) else old


def _write(conn: Connection, old: Column[Any], new: Column[Any]) -> Any:
    if not _is_json(old, new):
        return bindparam(new.name, type_=new.type)
    value = bindparam(new.name, type_=Text())
    return value if conn.dialect.name == "sqlite" else cast(value, new.type)


def _go_on_counting(source: Connection, target: Connection, old: Table, new: Table) -> None:
    """Let the next number of the target be that of the source: a number that was given once is never given again."""
    column = new.autoincrement_column
    if column is None:
        return
    highest = target.execute(select(func.max(column))).scalar() or 0
    last = max(highest, _last_number(source, old, str(column.name)))
    if not last:
        return
    if target.dialect.name == "sqlite":
        if new.dialect_options["sqlite"]["autoincrement"]:
            target.execute(text("delete from sqlite_sequence where name = :name"), {"name": new.name})
            row = {"name": new.name, "last": last}
            target.execute(text("insert into sqlite_sequence(name, seq) values (:name, :last)"), row)
        return
    sequence = _sequence(target, new, str(column.name))
    if sequence:
        target.execute(text("select setval(cast(:sequence as regclass), :last)"), {"sequence": sequence, "last": last})


def _last_number(conn: Connection, table: Table, column: str) -> int:
    if conn.dialect.name == "sqlite":
        if not table.dialect_options["sqlite"]["autoincrement"]:
            return 0
        found = conn.execute(text("select seq from sqlite_sequence where name = :name"), {"name": table.name}).scalar()
        return int(found or 0)
    sequence = _sequence(conn, table, column)
    if not sequence:
        return 0
    found = conn.execute(text("select pg_sequence_last_value(cast(:sequence as regclass))"), {"sequence": sequence})
    return int(found.scalar() or 0)


def _sequence(conn: Connection, table: Table, column: str) -> str | None:
    where = {"name": f'"{table.schema}"."{table.name}"' if table.schema else f'"{table.name}"', "column": column}
    return conn.execute(text("select pg_get_serial_sequence(:name, :column)"), where).scalar()


def first_filled(conn: Connection, tables: Sequence[Table]) -> str | None:
    """Return the name of the first table that holds a row; None when every one of them is empty."""
    for table in tables:
        if conn.execute(select(text("1")).select_from(table).limit(1)).first() is not None:
            return table.name
    return None
