"""Reads tables by COPY: the server writes every value as text, and the loader gives it its type.

Nothing is guessed on the way: a date of ``infinity`` or a number that no table holds reaches the loader as it is, and goes to
the quarantine there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import polars as pl
from arro3.core import Table
from psycopg import sql

from aimass.collector.connectors.cursor import CURSOR, Highest, begin_of
from aimass.collector.connectors.messages import no_utf8
from aimass.collector.connectors.port import Part, Reject, StreamColumn, StreamInfo, Wish
from aimass.collector.connectors.portions import PART_BYTES
from aimass.collector.connectors.postgres.manifest import Parameters
from aimass.collector.connectors.postgres_changes.run.slot import connect, told_clearly
from aimass.collector.connectors.postgres_changes.run.types import column_of
from aimass.kernel.errors import Invalid, NotFound
from aimass.kernel.ids import new_id

TABLES = 2_000
_KINDS = "('r', 'p', 'v', 'm', 'f')"
_MINE = (
    f"c.relkind IN {_KINDS} AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'"
    " AND has_table_privilege(c.oid, 'SELECT')"
)


class Postgres:
    """A connection to a database, for reading."""

    def __init__(self, parameters: Parameters) -> None:
        self._con = connect(parameters)
        with told_clearly():
            self._con.execute("SET default_transaction_read_only = on")

    def check(self) -> str:
        """Tell which server answers, and how many tables the role may read."""
        with told_clearly():
            row = self._con.execute(
                "SELECT current_setting('server_version'), count(c.oid) FROM pg_class c"  # noqa: S608 constants
                f" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_MINE}",
                [],
            ).fetchone()
        version, count = row or ("", 0)
        return f"PostgreSQL {version}: {count} tables and views may be read"

    def discover(self) -> list[StreamInfo]:
        """List the tables and views that the role may read."""
        with told_clearly():
            rows = self._con.execute(
                "SELECT c.oid, n.nspname, c.relname, greatest(c.reltuples, 0)::bigint,"  # noqa: S608 constants
                " pg_total_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                f" WHERE {_MINE} AND NOT c.relispartition ORDER BY 2, 3 LIMIT %s",
                [TABLES],
            ).fetchall()
            columns = self._columns([row[0] for row in rows])
        return [_told(row, columns.get(row[0], [])) for row in rows]

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Describe one table, ``schema.table``."""
        del parameters
        schema, _, name = stream.rpartition(".")
        with told_clearly():
            row = self._con.execute(
                "SELECT c.oid, n.nspname, c.relname, greatest(c.reltuples, 0)::bigint,"  # noqa: S608 constants
                " pg_total_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                f" WHERE {_MINE} AND n.nspname = %s AND c.relname = %s",
                [schema or "public", name],
            ).fetchone()
            if row is None:
                raise NotFound(f"there is no table {stream!r} to read", field="stream", value=stream)
            return _told(row, self._columns([row[0]])[row[0]])

    def _columns(self, tables: Sequence[int]) -> dict[int, list[tuple[StreamColumn, int]]]:
        """Return the columns of tables, each with its place in the primary key (0: none)."""
        rows = self._con.execute(
            "SELECT a.attrelid, a.attname, t.typname, a.atttypmod, NOT a.attnotnull,"
            " coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0) FROM pg_attribute a"
            " JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary"
            " WHERE a.attrelid = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum",
            [list(tables)],
        ).fetchall()
        found: dict[int, list[tuple[StreamColumn, int]]] = {}
        for table, name, native, modifier, is_nullable, place in rows:
            column = column_of(name, native, modifier, is_nullable=is_nullable)
            found.setdefault(table, []).append((column, place))
        return found

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part]:
        """Copy the rows, in the order of the cursor where there is one: one statement, one view of the table."""
        there = {column.name: column for column in self.describe(wish.stream, {}).columns}
        missing = [column.name for column in wish.columns if column.name not in there]
        if missing:
            raise Invalid(f"table {wish.stream!r} has no column {missing[0]!r}", field="columns", value=missing[0])
        now = datetime.now(UTC)  # noqa: TID251 compared with what stands in the rows
        seen = Highest(wish.cursor_type, state.get(CURSOR), now=now) if wish.cursor else None
        nothing = f"null-{new_id()}"
        query = _query(wish, state, there, nothing)
        names = [column.name for column in wish.columns]
        with told_clearly():
            for text in self._copied(query):
                rows, rejects = _read(text, names, nothing)
                if seen is not None:
                    _advance(seen, rows[str(wish.cursor)])
                told = {} if seen is None else seen.state
                yield Part(rows=_batch(rows) if len(rows) else None, state=told, rejects=rejects, size_bytes=len(text))
        yield Part(rows=None, state={} if seen is None else seen.state)

    def _copied(self, query: sql.Composed) -> Iterator[bytes]:
        """Yield what the server sends, in pieces of whole rows."""
        held = bytearray()
        with self._con.cursor() as cursor, self._as_it_is(), cursor.copy(query.as_bytes(self._con)) as copy:
            for row in copy:
                held += row
                if len(held) >= PART_BYTES:
                    yield bytes(held)
                    held.clear()
        if held:
            yield bytes(held)

    @contextmanager
    def _as_it_is(self) -> Iterator[None]:
        """Let a database without an encoding (SQL_ASCII) send its texts, where it would end the statement at the first odd one."""
        if self._con.info.parameter_status("server_encoding") != "SQL_ASCII":
            yield
            return
        self._con.execute("SET client_encoding = 'SQL_ASCII'")
        yield
        self._con.execute("SET client_encoding = 'UTF8'")

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Do nothing: a table remembers nobody."""

    def close(self) -> None:
        """Close the connection; a reading that goes on is broken off."""
        self._con.close()


RUN = Postgres


def _told(row: Sequence[Any], columns: Sequence[tuple[StreamColumn, int]]) -> StreamInfo:
    _, schema, name, rows, size = row
    keys = [column.name for column, place in sorted(columns, key=lambda pair: pair[1]) if place]
    kinds = tuple(column for column, _ in columns)
    return StreamInfo(
        name=f"{schema}.{name}",
        columns=kinds,
        keys=tuple(keys),
        cursors=_cursors(kinds, keys),
        rows=rows or None,
        size_bytes=size or None,
        modes=("full", "incremental"),
    )


def _cursors(columns: Sequence[StreamColumn], keys: Sequence[str]) -> tuple[str, ...]:
    moments = [column.name for column in columns if column.type == "timestamp"]
    moments.sort(key=lambda name: not any(word in name.lower() for word in ("updat", "modif", "chang")))
    return (*moments, *(c.name for c in columns if c.type == "integer" and [c.name] == list(keys)))


def _query(wish: Wish, state: Mapping[str, Any], there: Mapping[str, StreamColumn], nothing: str) -> sql.Composed:
    schema, _, name = wish.stream.rpartition(".")
    cells = [_cell(there[column.name]) for column in wish.columns]
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(cells), sql.Identifier(schema or "public", name))
    query += _where(wish, state, there)
    if wish.cursor is not None:
        query += sql.SQL(" ORDER BY {} NULLS FIRST").format(sql.Identifier(wish.cursor))
    if wish.limit is not None:
        query += sql.SQL(" LIMIT {}").format(sql.Literal(wish.limit))
    return sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, NULL {}, FORCE_QUOTE *)").format(query, sql.Literal(nothing))


def _cell(column: StreamColumn) -> sql.Composed:
    """Write arrays as JSON; everything else as the server does."""
    name = sql.Identifier(column.name)
    return sql.SQL("to_json({})").format(name) if column.native.startswith("_") else sql.SQL("{}").format(name)


def _where(wish: Wish, state: Mapping[str, Any], there: Mapping[str, StreamColumn]) -> sql.Composed | sql.SQL:
    if wish.cursor is None:
        return sql.SQL("")
    name = sql.Identifier(wish.cursor)
    is_plain = there[wish.cursor].native == "timestamp"
    if wish.since is not None or wish.until is not None:
        tests = [(">=", wish.since), ("<", wish.until)]
        given = [
            sql.SQL("{} {} {}").format(name, sql.SQL(sign), _bound(value, is_plain=is_plain))
            for sign, value in tests
            if value is not None
        ]
        return sql.SQL(" WHERE ") + sql.SQL(" AND ").join(given)
    if wish.mode != "incremental" or CURSOR not in state:
        return sql.SQL("")
    begin = begin_of(wish.cursor_type, state[CURSOR], wish.lag_s)
    return sql.SQL(" WHERE {} IS NULL OR {} >= {}").format(name, name, _bound(begin, is_plain=is_plain))


def _bound(value: Any, *, is_plain: bool) -> sql.Literal:
    """Write a bound; a column without a zone is compared with the same moment without one."""
    if isinstance(value, datetime) and is_plain:
        return sql.Literal(value.astimezone(UTC).replace(tzinfo=None))
    return sql.Literal(value)


def _read(text: bytes, names: Sequence[str], nothing: str) -> tuple[pl.DataFrame, tuple[Reject, ...]]:
    """Read rows; a database without an encoding (SQL_ASCII) holds texts in any, which are put aside where they are no UTF-8."""
    try:
        return _frame(text, names, nothing), ()
    except pl.exceptions.ComputeError:
        bytewise = _frame(text.decode("latin-1").encode(), names, nothing)  # a letter of a cell is a byte of it
    good: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    for row in bytewise.iter_rows(named=True):
        cells = {name: None if cell is None else _decoded(cell.encode("latin-1")) for name, cell in row.items()}
        broken = next((name for name, cell in cells.items() if isinstance(cell, bytes)), None)
        if broken is None:
            good.append(cells)
        else:
            rejects.append(no_utf8(cells, broken))
    return pl.DataFrame(good, schema=dict.fromkeys(names, pl.String), orient="row"), tuple(rejects)


def _decoded(raw: bytes) -> Any:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _frame(text: bytes, names: Sequence[str], nothing: str) -> pl.DataFrame:
    return pl.read_csv(
        text,
        has_header=False,
        schema=dict.fromkeys(names, pl.String),
        null_values=[nothing],
        empty_string_is_null=False,
    )


def _batch(rows: pl.DataFrame) -> Any:
    return Table.from_arrow(rows).combine_chunks().to_batches()[0]


def _advance(seen: Highest, cursors: pl.Series) -> None:
    """Take note of the cursors of some rows; they come in order, so that the last one that counts is near the end."""
    before = seen.value
    for value in reversed(cursors.drop_nulls().to_list()):
        try:
            seen.add(value)
        except Invalid:
            continue  # the row goes into quarantine; its cursor leads nowhere
        if seen.value != before or _is_behind(seen, value):
            return


def _is_behind(seen: Highest, value: str) -> bool:
    probe = Highest(seen.kind, value)
    return seen.value is not None and probe.value is not None and probe.value <= seen.value
