"""A connection to a SQL database: what tables there are, and their rows by a cursor that the server keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy import exc

from aimass.collector.connectors.cursor import CURSOR, Highest, begin_of
from aimass.collector.connectors.messages import arrow
from aimass.collector.connectors.port import Part, StreamColumn, StreamInfo, Wish
from aimass.collector.connectors.portions import fetched
from aimass.collector.connectors.sqlalchemy.manifest import Parameters, Stream
from aimass.collector.connectors.sqlalchemy.run.engine import MYSQL, engine_of, told_clearly
from aimass.collector.connectors.sqlalchemy.run.types import (
    MYSQL_COLUMNS,
    MYSQL_SIZE,
    column_of,
    cursors_of,
    mysql_columns,
    series,
)
from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import Invalid, NotFound

MOST_ROWS = 50_000
_NULLS_LAST = ("postgresql", "oracle")  # unless they are told otherwise


class SqlDatabase:
    """A database, open for reading."""

    def __init__(self, parameters: Parameters) -> None:
        self._schemas = [None, *parameters.schemas]
        self._engine = engine_of(parameters)
        with told_clearly():
            self._con = self._engine.connect()
        self._dialect = self._engine.dialect.name
        self._inspector = sa.inspect(self._con)

    def check(self) -> str:
        """Tell which server answers, and how many tables it offers."""
        with told_clearly():
            count = len(self._names())
        version = ".".join(map(str, (self._con.dialect.server_version_info or ())[:3]))
        name = "MariaDB" if getattr(self._con.dialect, "is_mariadb", False) else self._dialect
        return f"{name} {version}: {count} tables and views may be read"

    def _names(self) -> dict[str, tuple[str | None, str]]:
        """Return tables and views by the names of their streams: with the schema where it is not the default one."""
        found: dict[str, tuple[str | None, str]] = {}
        for schema in self._schemas:
            names = [*self._inspector.get_table_names(schema), *self._inspector.get_view_names(schema)]
            found |= {name if schema is None else f"{schema}.{name}": (schema, name) for name in names}
        return dict(sorted(found.items()))

    def discover(self) -> list[StreamInfo]:
        """List the tables and views."""
        with told_clearly():
            return [self._info(stream, *place) for stream, place in self._names().items()]

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Describe one table, ``table`` or ``schema.table``."""
        del parameters
        with told_clearly():
            self._inspector.clear_cache()
            return self._info(stream, *self._place(stream))

    def _place(self, stream: str) -> tuple[str | None, str]:
        names = self._names()
        if stream not in names:
            raise NotFound(f"there is no table {stream!r}", field="stream", value=stream, allowed=list(names)[:100])
        return names[stream]

    def _info(self, stream: str, schema: str | None, name: str) -> StreamInfo:
        columns, keys = self._columns(schema, name)
        rows, size = self._estimate(schema, name)
        return StreamInfo(
            name=stream,
            columns=columns,
            keys=keys,
            cursors=cursors_of(columns, keys),
            rows=rows,
            size_bytes=size,
            modes=("full", "incremental"),
        )

    def _columns(self, schema: str | None, name: str) -> tuple[tuple[StreamColumn, ...], tuple[str, ...]]:
        if self._dialect in MYSQL:  # SQLAlchemy would ask for what made a view, which a reader may not see
            rows = self._con.execute(MYSQL_COLUMNS, {"schema": schema, "name": name}).all()
            return mysql_columns(rows)
        keys = tuple(self._inspector.get_pk_constraint(name, schema).get("constrained_columns") or ())
        return tuple(column_of(one, keys) for one in self._inspector.get_columns(name, schema)), keys

    def _estimate(self, schema: str | None, name: str) -> tuple[int | None, int | None]:
        """Ask how large a table is where the server keeps count of it."""
        if self._dialect not in MYSQL:
            return None, None
        row = self._con.execute(MYSQL_SIZE, {"schema": schema, "name": name}).first()
        return (None, None) if row is None else (row[0], row[1])

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part]:
        """Read one statement's view of a table, in the order of the cursor where there is one."""
        said = Stream.model_validate(dict(wish.parameters))
        now = SystemClock().now()
        seen = None if wish.cursor is None else Highest(wish.cursor_type, state.get(CURSOR), now=now)
        with told_clearly():
            info = self._info(wish.stream, *self._place(wish.stream))
            query = self._query(wish, state, info)
            streaming = self._con.execution_options(stream_results=True, max_row_buffer=MOST_ROWS)
            result = streaming.execute(query)
        cells, raw = _Cells(wish, info, said), result.cursor
        at_end = False
        try:
            for rows, size in fetched(_clearly(result), MOST_ROWS):
                if seen is not None:
                    _advance(seen, cells.cursors(rows))
                yield Part(rows=arrow(cells.frame(rows)), state={} if seen is None else seen.state, size_bytes=size)
            at_end = True
            yield Part(rows=None, state={} if seen is None else seen.state)
        finally:
            self._let_go(result, raw, is_whole=at_end)

    def _let_go(self, result: Any, raw: Any, *, is_whole: bool) -> None:
        """End a statement; one that is left early is not read to its end for that."""
        left = getattr(raw, "_result", None)
        with suppress(exc.SQLAlchemyError):
            if self._con.invalidated:
                if left is not None:
                    left.unbuffered_active = False  # PyMySQL would go on reading from a connection that is gone
                return
            if not is_whole and self._dialect in MYSQL:
                self._stop(self._con)
            result.close()
            self._con.rollback()

    def _stop(self, con: sa.Connection) -> None:
        """Let the server stop sending: its driver reads a statement to the end before it lets go of it."""
        number = con.connection.driver_connection.thread_id()  # pyright: ignore[reportOptionalMemberAccess]
        with self._engine.connect() as other:
            other.execute(sa.text("KILL QUERY :number"), {"number": number})

    def _query(self, wish: Wish, state: Mapping[str, Any], info: StreamInfo) -> sa.Select[Any]:
        schema, name = self._place(wish.stream)
        there = {column.name for column in info.columns}
        for column in (*(one.name for one in wish.columns), *([wish.cursor] if wish.cursor else ())):
            if column not in there:
                raise NotFound(f"table {wish.stream!r} has no column {column!r}", field="columns", value=column)
        columns = [sa.column(one.name) for one in wish.columns] or [sa.null()]
        query = sa.select(*columns).select_from(sa.table(name, schema=schema))
        if wish.cursor is not None:
            cursor = sa.column(wish.cursor)
            query = query.where(*self._where(wish, state, cursor))
            query = query.order_by(cursor.nulls_first() if self._dialect in _NULLS_LAST else cursor)
        return query if wish.limit is None else query.limit(wish.limit)

    def _where(
        self, wish: Wish, state: Mapping[str, Any], cursor: sa.ColumnElement[Any]
    ) -> list[sa.ColumnElement[bool]]:
        if wish.since is not None or wish.until is not None:
            least = [] if wish.since is None else [self._side(cursor, wish) >= self._bound(wish.since, wish)]
            most = [] if wish.until is None else [self._side(cursor, wish) < self._bound(wish.until, wish)]
            return [*least, *most]
        if wish.mode != "incremental" or CURSOR not in state:
            return []
        begin = begin_of(wish.cursor_type, state[CURSOR], wish.lag_s)
        if self._dialect == "sqlite" and isinstance(begin, datetime):
            begin -= timedelta(milliseconds=1)  # its days in floating point keep no microseconds
        return [sa.or_(cursor.is_(None), self._side(cursor, wish) >= self._bound(begin, wish))]

    def _side(self, cursor: sa.ColumnElement[Any], wish: Wish) -> sa.ColumnElement[Any]:
        is_text = self._dialect == "sqlite" and wish.cursor_type == "timestamp"
        return sa.func.julianday(cursor) if is_text else cursor

    def _bound(self, value: Any, wish: Wish) -> sa.ColumnElement[Any]:
        """Write a bound; a moment as one without a zone in UTC, as the rows are read."""
        if isinstance(value, datetime):
            value = value.astimezone(UTC)
            if self._dialect == "sqlite":
                return sa.func.julianday(value.strftime("%Y-%m-%d %H:%M:%S.%f"))
            value = value if self._dialect == "postgresql" else value.replace(tzinfo=None)
        if self._dialect == "sqlite" and not isinstance(value, int | float | str):
            value = float(value) if wish.cursor_type == "decimal" else str(value)
        return sa.literal(value)

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Do nothing: a table remembers nobody."""

    def close(self) -> None:
        """Close the connection."""
        with suppress(exc.SQLAlchemyError):
            self._con.close()
        self._engine.dispose()


class _Cells:
    """Rows of a driver into columns."""

    def __init__(self, wish: Wish, info: StreamInfo, said: Stream) -> None:
        native = {column.name: column.native for column in info.columns}
        self._columns: Sequence[StreamColumn] = wish.columns
        self._bits = {name for name, told in native.items() if told.upper().startswith("BIT")}
        self._no_zeros = said.zero_dates == "null"
        names = [column.name for column in wish.columns]
        self._at = names.index(wish.cursor) if wish.cursor in names else None

    def frame(self, rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
        """Return the rows as a frame."""
        if not self._columns:
            return pl.DataFrame(height=len(rows))
        values = zip(*rows, strict=True)
        return pl.DataFrame(
            [
                series(one.name, cells, is_bits=one.name in self._bits, no_zeros=self._no_zeros)
                for one, cells in zip(self._columns, values, strict=True)
            ]
        )

    def cursors(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        """Return the cursors of the rows."""
        return [] if self._at is None else [row[self._at] for row in rows]


def _clearly(result: sa.CursorResult[Any]) -> Callable[[int], Sequence[Sequence[Any]]]:
    """Return what fetches rows, and tells clearly why it cannot."""

    def fetch(count: int) -> Sequence[Sequence[Any]]:
        with told_clearly():
            return result.fetchmany(count)

    return fetch


def _advance(seen: Highest, values: Sequence[Any]) -> None:
    """Take note of the cursors of some rows; they come in order, so that the last one that counts is near the end."""
    for value in reversed(values):
        before = seen.value
        if value is None:
            continue
        try:
            seen.add(value)
        except Invalid:
            continue  # the row goes into quarantine; its cursor leads nowhere
        if seen.value != before or (before is not None and Highest(seen.kind, value).value <= before):
            return
