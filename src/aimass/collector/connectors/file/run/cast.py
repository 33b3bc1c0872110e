"""Cells of a table cast to their pinned types by one SQL statement; what does not fit is told with its row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import duckdb
import orjson
import polars as pl
from arro3.core import RecordBatch, RecordBatchReader, Schema

from aimass.collector.connectors.file.plan import NAMES, Pinned, Plan
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.kernel.errors import Invalid
from aimass.lake import sql_name

BAD = "§bad"
LINE = "§line"
RAW = "§raw"
_OWN = frozenset({LINE, RAW})
_BOX = "label VARCHAR, x DOUBLE, y DOUBLE, width DOUBLE, height DOUBLE"
ENGINE_TYPES: Mapping[str, str] = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
    "date": "DATE",
    "numbers": "DOUBLE[]",
    "boxes": f"STRUCT({_BOX})[]",
    "poses": f"STRUCT({_BOX}, keypoints DOUBLE[])[]",
}
INTEGERS = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT", "UHUGEINT"}
)
FRACTIONS = frozenset({"DOUBLE", "FLOAT"})
TOLD = 100


class Given:
    """Hands a frame to the engine by the Arrow stream alone."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


class TableReading:
    """One pass over something that comes as frames: each is cast on its own, so memory stays flat.

    A frame may carry ``§line`` (where the row stood) and ``§raw`` (its text); else rows are counted, and told as JSON.

    Parameters
    ----------
    frames
        Yields the frames; what it finds wrong by itself goes into the quarantine it is given.
    texts
        The cells are texts: an empty one, and those of ``null_values``, are missing.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        plan: Plan,
        frames: Callable[[Quarantine], Iterator[pl.DataFrame]],
        *,
        texts: bool = False,
    ) -> None:
        self._con = con
        self._plan = plan
        self._frames = frames
        self._texts = texts
        empty = ", ".join(f"NULL::{ENGINE_TYPES[c.type]} AS {sql_name(c.name)}" for c in plan.columns)
        self.schema: Schema = RecordBatchReader.from_arrow(con.sql(f"SELECT {empty} WHERE false")).schema

    def batches(self, quarantine: Quarantine) -> Iterator[RecordBatch]:
        """Yield the good rows; bad ones go into quarantine on the way."""
        seen = 0
        for frame in self._frames(quarantine):
            self._con.register("given", Given(frame))
            types = table_types(self._con, "given")
            statement = cast_statement(self._plan, types, "given", texts=self._texts)
            for batch in RecordBatchReader.from_arrow(self._con.sql(statement)):
                yield from good_rows(batch, self._plan, seen, quarantine)
                seen += batch.num_rows
            self._con.unregister("given")


def table_types(con: duckdb.DuckDBPyConnection, source: str) -> dict[str, str]:
    """Return the engine's type of each column of a relation."""
    return {str(row[0]): str(row[1]) for row in con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}  # noqa: S608 quoted


def cast_statement(plan: Plan, types: Mapping[str, str], source: str, *, texts: bool = False) -> str:
    """Say in SQL: the pinned columns, then ``§bad``, null for a good row, else ``column:line:row``.

    Raises
    ------
    Invalid
        The columns are not the pinned ones.
    """
    check_columns(plan, [name for name in types if name not in _OWN])
    values = {c.name: _value(c, types[c.name], plan, texts=texts) for c in plan.columns}
    typed = [f"TRY_CAST({values[c.name]} AS {ENGINE_TYPES[c.type]}) AS {sql_name(c.name)}" for c in plan.columns]
    line = f"t.{sql_name(LINE)}::VARCHAR" if LINE in types else "''"
    names = ", ".join(f"{sql_name(name)} := t.{sql_name(name)}" for name in types if name not in _OWN)
    raw = f"coalesce(t.{sql_name(RAW)}, '')" if RAW in types else f"to_json(struct_pack({names}))::VARCHAR"
    tests = [
        f"WHEN {misfit(c, values[c.name], types[c.name])} THEN '{i}:' || {line} || ':' || {raw}"
        for i, c in enumerate(plan.columns)
    ]
    return f"SELECT {', '.join(typed)}, CASE {' '.join(tests)} END AS {sql_name(BAD)} FROM {source} AS t"  # noqa: S608 quoted


def check_columns(plan: Plan, names: list[str]) -> None:
    """Refuse a file whose columns are not the pinned ones."""
    here, pinned = set(names), set(plan.names)
    missing, new = [name for name in plan.names if name not in here], [name for name in names if name not in pinned]
    if missing or new:
        raise Invalid(
            f"the columns of the file are not the confirmed ones: {(missing or new)[0]!r} is {'missing' if missing else 'new'}",
            field="columns",
            value=(missing or new)[0],
            allowed=plan.names[:50],
            hint="propose the types again and confirm them",
        )


def _value(column: Pinned, kind: str, plan: Plan, *, texts: bool) -> str:
    """Write nested values as JSON when the pinned type is a text, and missing texts as null."""
    name = f"t.{sql_name(column.name)}"
    nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP"))
    if nested and column.type == "string":
        return f"to_json({name})"
    if texts and kind == "VARCHAR":
        missing = ", ".join("'" + text.replace("'", "''") + "'" for text in ("", *plan.null_values))
        return f"CASE WHEN {name} IN ({missing}) THEN NULL ELSE {name} END"
    return name


def misfit(column: Pinned, value: str, kind: str) -> str:
    """Say in SQL when a cell does not fit: no such type, out of its range, or missing where it may not."""
    cast = f"TRY_CAST({value} AS {ENGINE_TYPES[column.type]})"
    tests = [f"({value} IS NOT NULL AND {cast} IS NULL)"]
    if not column.nullable:
        tests.append(f"{value} IS NULL")
    if column.type == "integer" and kind == "VARCHAR":
        tests.append(f"regexp_matches({value}, '[.eE]')")
    elif column.type == "integer" and kind not in INTEGERS:
        tests.append(f"TRY_CAST({value} AS DOUBLE) <> trunc(TRY_CAST({value} AS DOUBLE))")
    if column.type == "float" and kind == "VARCHAR":
        tests.append(f"NOT isfinite({cast})")
    if column.type == "string" and kind == "VARCHAR":
        tests.append(f"contains({value}, chr(0))")
    if column.type in {"date", "timestamp"}:
        tests.append(beyond(cast))
    if column.type == "numbers" and proposed_type(kind) != "numbers":
        tests.append(f"({cast} IS NOT NULL AND {odd_members(value, kind)})")
    return " OR ".join(tests)


def odd_members(value: str, kind: str) -> str:
    """Say in SQL that a cell that can be read as a list holds something that is no finite number, of which the engine makes a null."""
    texts = value if kind.endswith("[]") else f"TRY_CAST({value} AS VARCHAR[])"
    is_odd = "x IS NOT NULL AND NOT coalesce(isfinite(TRY_CAST(x AS DOUBLE)), false)"
    return f"len(list_filter({texts}::VARCHAR[], lambda x: {is_odd})) > 0"


def beyond(moment: str) -> str:
    """Say in SQL that a day or moment is infinite, or outside the years 1 to 9999 that everybody can show.

    Examples
    --------
    >>> beyond("c0")
    "(NOT isfinite(c0) OR c0 < DATE '0001-01-01' OR c0 >= DATE '10000-01-01')"
    """
    return f"(NOT isfinite({moment}) OR {moment} < DATE '0001-01-01' OR {moment} >= DATE '10000-01-01')"


def good_rows(batch: RecordBatch, plan: Plan, seen: int, quarantine: Quarantine) -> Iterator[RecordBatch]:
    """Cut the bad rows out of a batch, and put them aside."""
    flags = batch.column(batch.num_columns - 1)
    kept = batch.remove_column(batch.num_columns - 1)
    start = 0
    for row, flag in enumerate(pl.Series(flags)) if flags.null_count < batch.num_rows else ():
        if flag is None:
            continue
        index, line, raw = str(flag).split(":", 2)
        column = plan.columns[int(index)]
        kind, reason = _told(column, raw)
        quarantine.add(raw, int(line or seen + row + 1), column.name, reason, kind)
        if row > start:
            yield kept.slice(start, row - start)
        start = row + 1
    if start < batch.num_rows:
        yield kept.slice(start)


def _told(column: Pinned, raw: str) -> tuple[str, str]:
    """Say what is wrong, with the cell where the row is told as JSON."""
    try:
        value: Any = orjson.loads(raw)[column.name]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "CAST", f"the value is missing or no {column.type}"
    if value is None or value == "":
        return "MISSING", "the value is missing, and the column allows none"
    text = repr(value)
    if "\x00" in text or "\\x00" in text:
        return "NUL", "the text holds a NUL character"
    return "CAST", f"{text[:TOLD]} is no {NAMES.get(column.type, column.type)}"


def proposed_type(kind: str) -> str:
    """Propose a type to store for a type of the engine.

    Examples
    --------
    >>> proposed_type("UINTEGER"), proposed_type("TIMESTAMP_NS"), proposed_type("STRUCT(a INTEGER)")
    ('integer', 'timestamp', 'string')
    >>> proposed_type("UTINYINT[]"), proposed_type("FLOAT[64]"), proposed_type("VARCHAR[]"), proposed_type("DOUBLE[][]")
    ('numbers', 'numbers', 'string', 'string')
    """
    if kind.endswith("]"):
        return "numbers" if proposed_type(kind[: kind.rindex("[")]) in {"integer", "float"} else "string"
    if kind in INTEGERS:
        return "integer"
    if kind in FRACTIONS or kind.startswith("DECIMAL"):
        return "float"
    if kind.startswith("TIMESTAMP"):
        return "timestamp"
    return {"BOOLEAN": "boolean", "DATE": "date"}.get(kind, "string")
