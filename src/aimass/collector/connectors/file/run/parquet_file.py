"""Parquet through DuckDB: columns cast to their pinned types, what does not fit into quarantine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from arro3.core import RecordBatch, RecordBatchReader, Schema

from aimass.collector.connectors.file.plan import Pinned, Plan, unique_names
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.kernel.errors import Invalid
from aimass.lake import sql_literal, sql_name

BAD = "§bad"
SAMPLE = 1_000
EXAMPLES = 3
_CAST = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
    "date": "DATE",
}
_INTEGERS = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT"}
)


class ParquetReading:
    """One pass over a Parquet file."""

    def __init__(self, con: duckdb.DuckDBPyConnection, path: Path, plan: Plan) -> None:
        self._plan = plan
        types = dict(column_types(con, path))
        missing = [name for name in plan.names if name not in types]
        new = [name for name in types if name not in plan.names]
        if missing or new:
            raise Invalid(
                f"the columns of the file are not the confirmed ones: {(missing or new)[0]!r} is {'missing' if missing else 'new'}",
                field="columns",
                value=(missing or new)[0],
                allowed=plan.names[:50],
                hint="propose the types again and confirm them",
            )
        typed = [f"TRY_CAST({_text(c, types[c.name])} AS {_CAST[c.type]}) AS {sql_name(c.name)}" for c in plan.columns]
        tests = [
            f"WHEN {_test(c, types[c.name])} THEN '{i}:' || to_json(t)::VARCHAR" for i, c in enumerate(plan.columns)
        ]
        bad = f"CASE {' '.join(tests)} END AS {sql_name(BAD)}"
        statement = f"SELECT {', '.join(typed)}, {bad} FROM {_source(path)} AS t"  # noqa: S608 quoted
        self._reader = RecordBatchReader.from_arrow(con.sql(statement))
        self.schema = Schema.from_arrow(self._reader.schema).remove(len(plan.columns))

    def batches(self, quarantine: Quarantine) -> Iterator[RecordBatch]:
        """Yield the good rows; bad ones go into quarantine on the way."""
        seen = 0
        for batch in self._reader:
            flags = batch.column(batch.num_columns - 1)
            kept = batch.remove_column(batch.num_columns - 1)
            start = 0
            for row, flag in enumerate(pl.Series(flags)) if flags.null_count < batch.num_rows else ():
                if flag is None:
                    continue
                index, _, raw = str(flag).partition(":")
                column = self._plan.columns[int(index)]
                quarantine.add(raw, seen + row + 1, column.name, f"the value is missing or no {column.type}", "CAST")
                if row > start:
                    yield kept.slice(start, row - start)
                start = row + 1
            if start < batch.num_rows:
                yield kept.slice(start)
            seen += batch.num_rows


def _source(path: Path) -> str:
    return f"read_parquet({sql_literal(str(path))})"


def _text(column: Pinned, kind: str) -> str:
    """Write nested values as JSON when the pinned type is a text."""
    name = f"t.{sql_name(column.name)}"
    nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP"))
    return f"to_json({name})" if nested and column.type == "string" else name


def _test(column: Pinned, kind: str) -> str:
    name = f"t.{sql_name(column.name)}"
    tests = [f"({name} IS NOT NULL AND TRY_CAST({_text(column, kind)} AS {_CAST[column.type]}) IS NULL)"]
    if not column.nullable:
        tests.append(f"{name} IS NULL")
    if column.type == "integer" and kind not in _INTEGERS and not kind.startswith("VARCHAR"):
        tests.append(f"TRY_CAST({name} AS DOUBLE) <> trunc(TRY_CAST({name} AS DOUBLE))")
    return " OR ".join(tests)


def column_types(con: duckdb.DuckDBPyConnection, path: Path) -> list[tuple[str, str]]:
    """Read names and types from the footer of the file."""
    try:
        found = con.execute(f"DESCRIBE SELECT * FROM {_source(path)}").fetchall()  # noqa: S608 quoted
    except duckdb.Error as reason:
        raise Invalid(f"this is no readable Parquet file: {str(reason).splitlines()[0]}", field="file") from reason
    return [(str(row[0]), str(row[1])) for row in found]


def sniff_parquet(con: duckdb.DuckDBPyConnection, path: Path) -> dict[str, Any]:
    """Propose the columns of a Parquet file from its footer."""
    types = column_types(con, path)
    names = [name for name, _ in types]
    if unique_names(names) != names:
        raise Invalid("two columns differ only in case, or one has no name", field="file", hint="rename them")
    cast = ", ".join(f"{_text(Pinned(name=n, type='string'), k)}::VARCHAR AS c{i}" for i, (n, k) in enumerate(types))
    rows = con.execute(f"SELECT {cast} FROM {_source(path)} AS t LIMIT {SAMPLE}").fetchall()  # noqa: S608 quoted
    columns = [
        {
            "name": name,
            "type": _proposed(kind),
            "nullable": True,
            "examples": list(dict.fromkeys(row[i] for row in rows if row[i] is not None))[:EXAMPLES],
            "misfits": 0,
        }
        for i, (name, kind) in enumerate(types)
    ]
    return {"format": "parquet", "columns": columns, "sampled_rows": len(rows), "whole": True}


def _proposed(kind: str) -> str:
    if kind in _INTEGERS:
        return "integer"
    if kind in {"DOUBLE", "FLOAT"} or kind.startswith("DECIMAL"):
        return "float"
    if kind.startswith("TIMESTAMP"):
        return "timestamp"
    return {"BOOLEAN": "boolean", "DATE": "date"}.get(kind, "string")
