"""Reads tables of a SQLite file with the library that comes with Python."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from arro3.core import Table

from aimass.collector.connectors.cursor import CURSOR, Highest, begin_of
from aimass.collector.connectors.messages import no_utf8
from aimass.collector.connectors.port import Part, Reject, StreamColumn, StreamInfo, Wish
from aimass.collector.connectors.portions import fetched_columns
from aimass.collector.connectors.reach import check_path
from aimass.collector.connectors.sqlite.manifest import Parameters
from aimass.kernel.errors import Invalid, NotFound, Unavailable

ROWS = 50_000
_NATIVE = "native"


class Sqlite:
    """A database file, open for reading alone."""

    def __init__(self, parameters: Parameters) -> None:
        self._path = check_path(parameters.path)
        if not self._path.is_file():
            raise NotFound(f"there is no file {parameters.path!r}", field="path", value=parameters.path)
        uri = f"{self._path.as_uri()}?mode=ro"
        try:
            self._con = sqlite3.connect(uri, uri=True, timeout=parameters.timeout_s, isolation_level=None)
            self._con.execute("PRAGMA query_only = 1")
            self._con.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as reason:
            raise _told(reason, self._path) from reason

    def check(self) -> str:
        """Tell the version of the library, and how many tables there are."""
        return f"SQLite {sqlite3.sqlite_version}: {len(self._names())} tables and views"

    def _names(self) -> list[str]:
        query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY 1"
        return [row[0] for row in self._rows(query)]

    def discover(self) -> list[StreamInfo]:
        """Return the tables and views."""
        return [self.describe(name, {}) for name in self._names()]

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Return a table with its columns as they are declared."""
        del parameters
        if stream not in self._names():
            raise NotFound(f"there is no table {stream!r}", field="stream", value=stream, allowed=self._names()[:100])
        found = list(self._rows(f"PRAGMA table_xinfo({_name(stream)})"))
        columns = tuple(_column(row) for row in found if row[6] != 1)  # 1: hidden in a virtual table
        keys = tuple(row[1] for row in sorted(found, key=lambda row: row[5]) if row[5])
        return StreamInfo(
            name=stream,
            columns=columns,
            keys=keys,
            cursors=_cursors(columns, keys),
            rows=next(self._rows(f"SELECT count(*) FROM {_name(stream)}"))[0],  # noqa: S608 quoted
            modes=("full", "incremental"),
        )

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part]:
        """Read one transaction's view of a table, in the order of the cursor where there is one."""
        names = [column.name for column in wish.columns]
        seen = self._highest(wish, state)
        native = state.get(_NATIVE)
        query, values = _query(wish, names, state)
        try:
            self._con.execute("BEGIN")
            for found, size in fetched_columns(_Rows(self._con, query, values), ROWS):
                is_odd = self._con.text_factory is _text_or_bytes
                good, rejects = _apart(names, found) if is_odd else (found, ())
                if seen is not None:
                    native = _advance(seen, native, good[names.index(str(wish.cursor))])
                rows = _batch(names, good) if good[0] else None
                yield Part(rows=rows, state=_state(seen, native), rejects=rejects, size_bytes=size)
            yield Part(rows=None, state=_state(seen, native))
        except sqlite3.Error as reason:
            raise _told(reason, self._path) from reason
        finally:
            if self._con.in_transaction:
                self._con.execute("ROLLBACK")

    def _highest(self, wish: Wish, state: Mapping[str, Any]) -> Highest | None:
        if wish.cursor is None:
            return None
        now = datetime.now(UTC)  # noqa: TID251 compared with what stands in the rows
        return Highest(wish.cursor_type, state.get(CURSOR), now=now)

    def _rows(self, query: str) -> Iterator[Sequence[Any]]:
        try:
            yield from self._con.execute(query).fetchall()
        except sqlite3.Error as reason:
            raise _told(reason, self._path) from reason

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Do nothing: a file remembers nobody."""

    def close(self) -> None:
        """Close the file."""
        self._con.close()


RUN = Sqlite


class _NoText(bytes):
    """The bytes of a text that is not written in UTF-8."""


def _text_or_bytes(raw: bytes) -> str | _NoText:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return _NoText(raw)


class _Rows:
    """Fetches rows of a statement; from the first text on that is no UTF-8 each text is read by ourselves, which costs more."""

    def __init__(self, con: sqlite3.Connection, query: str, values: list[Any]) -> None:
        self._con, self._query, self._values = con, query, values
        self._rows = con.execute(query, values)
        self._done = 0

    def __call__(self, count: int) -> list[Any]:
        try:
            found = self._rows.fetchmany(count)
        except sqlite3.OperationalError as reason:
            if "UTF-8" not in str(reason) or self._con.text_factory is _text_or_bytes:
                raise
            found = self._again(count)
        self._done += len(found)
        return found

    def _again(self, count: int) -> list[Any]:
        """Go back to where the last rows ended: within a transaction a statement gives the same rows in the same order."""
        self._con.text_factory = _text_or_bytes
        self._rows = self._con.execute(self._query, self._values)
        left = self._done
        while left:
            left -= len(self._rows.fetchmany(min(left, ROWS)))
        return self._rows.fetchmany(count)


def _apart(names: list[str], columns: list[list[Any]]) -> tuple[list[list[Any]], tuple[Reject, ...]]:
    """Return the columns of the rows that are whole, and the rows with a text that nobody can read."""
    bad = {row for cells in columns for row, value in enumerate(cells) if isinstance(value, _NoText)}
    if not bad:
        return columns, ()
    good = [[value for row, value in enumerate(cells) if row not in bad] for cells in columns]
    return good, tuple(_reject(names, [cells[row] for cells in columns]) for row in sorted(bad))


def _reject(names: list[str], row: Sequence[Any]) -> Reject:
    column = next(name for name, value in zip(names, row, strict=True) if isinstance(value, _NoText))
    return no_utf8(dict(zip(names, row, strict=True)), column)


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _told(reason: sqlite3.Error, path: Path) -> Exception:
    if isinstance(reason, sqlite3.OperationalError) and "no such" not in str(reason):
        return Unavailable(f"the database {path.name!r} cannot be read: {reason}", field="path", hint="try again")
    return Invalid(f"the database {path.name!r} cannot be read: {reason}", field="path", value=path.name)


def _column(row: Sequence[Any]) -> StreamColumn:
    """Propose a type from the declared one; SQLite itself lets any value stand anywhere."""
    native = str(row[2] or "").upper()
    kinds = (
        (("BOOL",), "boolean"),
        (("INT",), "integer"),
        (("TIMESTAMP", "DATETIME"), "timestamp"),
        (("DATE",), "date"),
        (("JSON",), "json"),
        (("REAL", "FLOA", "DOUB"), "float"),
        (("NUMERIC", "DECIMAL"), "decimal"),
    )
    kind = next((kind for marks, kind in kinds if any(mark in native for mark in marks)), "string")
    precision, scale = _digits(native) if kind == "decimal" else (None, None)
    if kind == "decimal" and precision is None:
        kind = "float"
    return StreamColumn(
        name=row[1], type=kind, nullable=not row[3] and not row[5], native=native, precision=precision, scale=scale
    )


def _digits(native: str) -> tuple[int | None, int | None]:
    inside = native.partition("(")[2].partition(")")[0]
    numbers = [int(part) for part in inside.split(",") if part.strip().isdigit()]
    if not numbers or numbers[0] > 38:  # noqa: PLR2004 no table holds more
        return None, None
    return numbers[0], numbers[1] if len(numbers) > 1 else 0


def _cursors(columns: Sequence[StreamColumn], keys: Sequence[str]) -> tuple[str, ...]:
    moments = [column.name for column in columns if column.type == "timestamp"]
    moments.sort(key=lambda name: not any(word in name.lower() for word in ("updat", "modif", "chang")))
    numbers = [column.name for column in columns if column.type == "integer" and [column.name] == list(keys)]
    return (*moments, *numbers)


def _query(wish: Wish, names: list[str], state: Mapping[str, Any]) -> tuple[str, list[Any]]:
    where, values = _where(wish, state)
    query = f"SELECT {', '.join(map(_name, names)) or 'NULL'} FROM {_name(wish.stream)}{where}"  # noqa: S608 quoted
    if wish.cursor is not None:
        query += f" ORDER BY {_name(wish.cursor)}"
    if wish.limit is not None:
        query += f" LIMIT {int(wish.limit)}"
    return query, values


def _where(wish: Wish, state: Mapping[str, Any]) -> tuple[str, list[Any]]:
    if wish.cursor is None:
        return "", []
    column, is_moment = _name(wish.cursor), wish.cursor_type == "timestamp"
    left, right = (f"julianday({column})", "julianday(?)") if is_moment else (column, "?")
    if wish.since is not None or wish.until is not None:
        bounds = [(f"{left} >= {right}", wish.since), (f"{left} < {right}", wish.until)]
        given = [(test, value) for test, value in bounds if value is not None]
        return " WHERE " + " AND ".join(test for test, _ in given), [_bound(value) for _, value in given]
    if wish.mode != "incremental" or CURSOR not in state:
        return "", []
    if not wish.lag_s and _NATIVE in state:
        return f" WHERE {column} IS NULL OR {column} >= ?", [state[_NATIVE]]
    begin = begin_of(wish.cursor_type, state[CURSOR], wish.lag_s)
    return f" WHERE {column} IS NULL OR {left} >= {right}", [_bound(begin)]


def _bound(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return float(value) if isinstance(value, Decimal) else value if isinstance(value, int | float | str) else str(value)


def _advance(seen: Highest, native: Any, values: list[Any]) -> Any:
    """Take note of the cursors of some rows, and of the highest one as the file writes it."""
    for value in reversed(values):
        before = seen.value
        if value is not None:
            try:
                seen.add(value)
            except Invalid:
                continue  # the row goes into quarantine; its cursor leads nowhere
        if seen.value != before:
            return value
        if value is not None and before is not None:
            break
    return native


def _state(seen: Highest | None, native: Any) -> dict[str, Any]:
    if seen is None or not seen.state:
        return {}
    return {**seen.state, **({_NATIVE: native} if isinstance(native, int | float | str) else {})}


def _batch(names: list[str], cells: list[list[Any]]) -> Any:
    columns = [
        _series(name, values) for name, values in zip(names, cells, strict=False)
    ]  # nothing wished: one of nulls
    return Table.from_arrow(pl.DataFrame(columns)).combine_chunks().to_batches()[0]


def _series(name: str, values: list[Any]) -> pl.Series:
    try:
        made = pl.Series(name, values, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        return pl.Series(name, [None if value is None else _text(value) for value in values], pl.String)
    # Arrow's type of nothing but nulls does not pass between the libraries
    return made.cast(pl.String) if made.dtype == pl.Null else made


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
