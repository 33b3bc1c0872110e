"""Parquet through DuckDB: columns cast to their pinned types, what does not fit into quarantine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from arro3.core import RecordBatch, RecordBatchReader, Schema

from aimass.collector.connectors.file.plan import Pinned, Plan, unique_names
from aimass.collector.connectors.file.run.cast import cast_statement, good_rows, proposed_type
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.collector.connectors.file.run.scan import Opening, Scan
from aimass.kernel.errors import Invalid
from aimass.lake import engine, sql_literal, sql_name

SAMPLE = 1_000
EXAMPLES = 3


class ParquetReading:
    """One pass over a Parquet file."""

    def __init__(self, con: duckdb.DuckDBPyConnection, path: Path, plan: Plan) -> None:
        self._plan = plan
        statement = cast_statement(plan, dict(column_types(con, path)), _source(path))
        self._reader = RecordBatchReader.from_arrow(con.sql(statement))
        self.schema = Schema.from_arrow(self._reader.schema).remove(len(plan.columns))

    def batches(self, quarantine: Quarantine) -> Iterator[RecordBatch]:
        """Yield the good rows; bad ones go into quarantine on the way."""
        seen = 0
        for batch in self._reader:
            yield from good_rows(batch, self._plan, seen, quarantine)
            seen += batch.num_rows


@contextmanager
def open_file(ask: Opening) -> Iterator[tuple[ParquetReading, Scan]]:
    """Open a Parquet file for one pass."""
    with engine(spill=str(ask.work)) as con:
        column_types(con, ask.path)
        rows = con.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata({sql_literal(str(ask.path))})").fetchall()  # noqa: S608 quoted
        yield ParquetReading(con, ask.path, ask.plan), Scan.of_rows(ask.path.stat().st_size, int(rows[0][0]))


def sniff(path: Path, _given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose the columns of a Parquet file from its footer."""
    with engine() as con:
        return sniff_parquet(con, path)


def _source(path: Path) -> str:
    return f"read_parquet({sql_literal(str(path))})"


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
    return {"format": "parquet", **typed_columns(con, types, _source(path)), "whole": True}


def typed_columns(con: duckdb.DuckDBPyConnection, types: list[tuple[str, str]], source: str) -> dict[str, Any]:
    """Propose columns of a relation that has types of its own, with examples from its first rows."""
    names = [name for name, _ in types]
    if unique_names(names) != names:
        raise Invalid("two columns differ only in case, or one has no name", field="file", hint="rename them")
    cast = ", ".join(f"{_text(Pinned(name=n, type='string'), k)}::VARCHAR AS c{i}" for i, (n, k) in enumerate(types))
    rows = con.execute(f"SELECT {cast} FROM {source} AS t LIMIT {SAMPLE}").fetchall()  # noqa: S608 quoted
    columns = [
        {
            "name": name,
            "type": proposed_type(kind),
            "nullable": True,
            "examples": list(dict.fromkeys(row[i] for row in rows if row[i] is not None))[:EXAMPLES],
            "misfits": 0,
        }
        for i, (name, kind) in enumerate(types)
    ]
    return {"columns": columns, "sampled_rows": len(rows)}


def _text(column: Pinned, kind: str) -> str:
    name = f"t.{sql_name(column.name)}"
    nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP"))
    return f"to_json({name})" if nested else name
