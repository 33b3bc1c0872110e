"""What somebody writes by hand to bring a table into a Delta table: typed, and of CSV with what does not fit put aside."""

import json
import sqlite3
import sys

import polars as pl
from deltalake import write_deltalake

SCHEMA = {
    "id": pl.Int64,
    "customer": pl.Int64,
    "name": pl.String,
    "mail": pl.String,
    "country": pl.String,
    "amount": pl.Float64,
    "quantity": pl.Int64,
    "active": pl.Boolean,
    "moment": pl.Datetime("us"),
    "day": pl.Date,
}


def csv(source: str, target: str) -> int:
    """Let DuckDB read it with pinned types and keep what it rejects."""
    import duckdb
    from arro3.core import RecordBatchReader

    kinds = {"id": "BIGINT", "customer": "BIGINT", "amount": "DOUBLE", "quantity": "BIGINT"}
    kinds |= {"active": "BOOLEAN", "moment": "TIMESTAMPTZ", "day": "DATE"}
    columns = "{" + ", ".join(f"'{name}': '{kinds.get(name, 'VARCHAR')}'" for name in SCHEMA) + "}"
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("SET TimeZone = 'UTC'")
        read = f"read_csv('{source}', columns = {columns}, header = true, auto_detect = false, store_rejects = true)"
        write_deltalake(target, RecordBatchReader.from_arrow(con.sql(f"SELECT * FROM {read}")))  # noqa: S608 own names
        rejects = con.sql("SELECT line, column_name, error_message, csv_line FROM reject_errors")
        write_deltalake(f"{target}-rejects", RecordBatchReader.from_arrow(rejects))
    return 0


def postgres(source: str, target: str) -> int:
    """Copy the table as CSV, and give its columns their types."""
    import psycopg

    held = bytearray()
    with psycopg.connect(source) as con, con.cursor().copy("COPY orders TO STDOUT (FORMAT csv)") as copy:
        for piece in copy:
            held += piece
    given = {**SCHEMA, "active": pl.String, "moment": pl.String}
    frame = pl.read_csv(bytes(held), has_header=False, schema=given)
    moments = pl.col("moment").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC")
    write_deltalake(target, frame.with_columns(moments, pl.col("active") == "t"))
    return len(frame)


def sqlite(source: str, target: str) -> int:
    """Fetch rows, and give their columns their types."""
    frames = []
    found = sqlite3.connect(source).execute("SELECT * FROM orders")
    given = {**SCHEMA, "active": pl.Int64, "moment": pl.String, "day": pl.String}
    moments = pl.col("moment").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC")
    days = pl.col("day").str.to_date("%Y-%m-%d")
    while rows := found.fetchmany(100_000):
        frame = pl.DataFrame(rows, given, orient="row")
        frames.append(frame.with_columns(moments, days, pl.col("active").cast(pl.Boolean)))
    write_deltalake(target, pl.concat(frames))
    return sum(map(len, frames))


rows = {"csv": csv, "postgres": postgres, "sqlite": sqlite}[sys.argv[1]](sys.argv[2], sys.argv[3])
print(json.dumps({"rows": rows}))
