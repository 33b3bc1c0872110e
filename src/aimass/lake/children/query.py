"""SQL over datasets through DuckDB: read-only, without files, extensions or settings, within limits."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import duckdb
import polars as pl
from arro3.core import RecordBatchReader, Table

from aimass.kernel.errors import Invalid, TooLarge
from aimass.lake.children.guard import check_select
from aimass.lake.children.tables import files, open_table, scan
from aimass.lake.children.values import columns_of, plain

MAX_ROWS = 10_000
TIMEOUT_S = 30.0
MEMORY_MB = 512
OFF = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
}
_SQL_TYPES = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
    "date": "DATE",
    "json": "VARCHAR",
}


def sql_name(name: str) -> str:
    """Quote an identifier for DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def sql_literal(text: str) -> str:
    """Quote a text for DuckDB."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def engine(
    memory_mb: int = MEMORY_MB, threads: int = 2, spill: str | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB without extensions; it works in UTC."""
    con = duckdb.connect(config={**OFF, "memory_limit": f"{memory_mb}MB", "threads": threads})
    try:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET python_enable_replacements = false")
        con.execute(f"SET temp_directory = {sql_literal(spill or '')}")
        yield con
    finally:
        con.close()


def attach(con: duckdb.DuckDBPyConnection, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Make each dataset a view over its files, and close everything else: files, settings, extensions."""
    allowed: list[str] = []
    for name, at in tables.items():
        table = open_table(at["path"], at.get("version"))
        parquet = files(table)
        allowed += parquet
        con.execute(f"CREATE VIEW {sql_name(name)} AS {_view(at, parquet)}")
    con.execute(f"SET allowed_paths = [{', '.join(map(sql_literal, allowed))}]")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def _view(at: Mapping[str, Any], parquet: list[str]) -> str:
    columns = columns_of(dict(scan(at["path"], at.get("version")).collect_schema()))
    if not parquet:
        empty = ", ".join(f"NULL::{_SQL_TYPES[c['type']]} AS {sql_name(c['name'])}" for c in columns)
        return f"SELECT {empty} WHERE false"
    wanted = ", ".join(sql_name(c["name"]) for c in columns)
    return f"SELECT {wanted} FROM read_parquet([{', '.join(map(sql_literal, parquet))}], union_by_name = true)"  # noqa: S608 quoted


@contextmanager
def time_limit(con: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt a query that runs too long, and say so."""
    timer = threading.Timer(seconds, con.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as reason:
        raise TooLarge(f"the query ran longer than {seconds:g} s", hint="ask for less, or raise timeout_s") from reason
    except duckdb.OutOfMemoryException as reason:
        raise TooLarge("the query needs more memory than it may use", hint="aggregate or filter earlier") from reason
    except duckdb.Error as reason:
        raise Invalid(f"the query failed: {str(reason).splitlines()[0]}", field="sql") from reason
    finally:
        timer.cancel()


def query(args: dict[str, Any]) -> dict[str, Any]:
    """Run one SELECT over datasets.

    Parameters
    ----------
    args
        ``sql``; ``tables``: name in SQL to ``{path, version}``; ``known``: names for the error
        message; ``limit`` (rows), ``timeout_s``, ``memory_mb``.

    Returns
    -------
    dict
        ``columns`` (name, type), ``rows`` (lists), ``truncated`` (more rows were there), ``sql`` as it ran.
    """
    sql = check_select(str(args["sql"]), args.get("known") or args["tables"])
    limit = max(1, min(int(args.get("limit") or 1000), MAX_ROWS))
    with (
        engine(int(args.get("memory_mb") or MEMORY_MB)) as con,
        time_limit(con, float(args.get("timeout_s") or TIMEOUT_S)),
    ):
        attach(con, args["tables"])
        frame = pl.DataFrame(Table.from_arrow(con.sql(sql).limit(limit + 1)))
    rows = [[plain(cell) for cell in row] for row in frame.head(limit).iter_rows()]
    return {"columns": columns_of(dict(frame.schema)), "rows": rows, "truncated": len(frame) > limit, "sql": sql}


def select(con: duckdb.DuckDBPyConnection, sql: str) -> RecordBatchReader:
    """Stream the rows of a checked statement."""
    return RecordBatchReader.from_arrow(con.sql(sql))


def sample(sql: str, tables: Mapping[str, Mapping[str, Any]], rows: int) -> pl.DataFrame:
    """Return the first rows of a SELECT over datasets."""
    checked = check_select(sql, tables)
    with engine() as con, time_limit(con, TIMEOUT_S):
        attach(con, tables)
        return pl.DataFrame(Table.from_arrow(con.sql(checked).limit(rows)))
