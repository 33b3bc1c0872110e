"""The rows that everybody loads: ten columns, the same each time, as CSV, in PostgreSQL and in SQLite."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg

from benchmarks.measure import free_port
from tests.fixtures.postgres import postgres_server

EVERY = 750  # one line of so many is broken
COLUMNS = {
    "id": "BIGINT",
    "customer": "BIGINT",
    "name": "VARCHAR",
    "mail": "VARCHAR",
    "country": "VARCHAR",
    "amount": "DOUBLE",
    "quantity": "BIGINT",
    "active": "BOOLEAN",
    "moment": "TIMESTAMP",
    "day": "DATE",
}
SQLITE = {"VARCHAR": "TEXT", "DOUBLE": "REAL", "BIGINT": "INTEGER"}
POSTGRES = {"VARCHAR": "text", "DOUBLE": "double precision"}
_ROWS = """
SELECT i AS id, hash(i) % 100000 AS customer, 'name ' || hash(i + 1) % 1000000 AS name,
  'person' || hash(i + 2) % 500000 || '@example.org' AS mail, ['Germany', 'France', 'China', 'Chile'][(1 + hash(i + 3) % 4)::INTEGER] AS country,
  (hash(i + 4) % 1000000) / 100 AS amount, hash(i + 5) % 100 AS quantity, hash(i + 6) % 2 = 0 AS active,
  TIMESTAMP '2025-01-01' + to_seconds((hash(i + 7) % 31536000)::BIGINT) AS moment,
  DATE '2025-01-01' + (hash(i + 8) % 365)::INTEGER AS day FROM range({rows}) t(i)
"""


def csv_file(path: Path, rows: int) -> Path:
    """Write the rows as CSV."""
    with duckdb.connect() as con:
        con.execute(f"COPY ({_ROWS.format(rows=rows)}) TO '{path}' (HEADER, DELIMITER ',')")
    return path


def broken(path: Path, target: Path) -> int:
    """Copy a CSV file and break some of its lines: too many cells, or no number where one should be; return how many."""
    count = 0
    with path.open("rb") as source, target.open("wb") as copy:
        copy.write(source.readline())
        for number, line in enumerate(source):
            if number % EVERY == EVERY - 1:
                count += 1
                line = b"no number" + line if count % 2 else line.rstrip(b"\n") + b",more,cells\n"  # noqa: PLW2901
            copy.write(line)
    return count


@contextlib.contextmanager
def postgres(path: Path) -> Iterator[int]:
    """Start a server with the rows in a table ``orders``; yields its port on the loopback."""
    port = free_port()
    with postgres_server("listen_addresses=127.0.0.1", f"port={port}"):
        with psycopg.connect(f"postgresql://aimass@127.0.0.1:{port}/postgres", autocommit=True) as con:
            kinds = ", ".join(f"{name} {POSTGRES.get(kind, kind)}" for name, kind in COLUMNS.items())
            con.execute(f"CREATE TABLE orders ({kinds})")  # type: ignore[arg-type]
            with path.open("rb") as source, con.cursor().copy("COPY orders FROM STDIN (FORMAT csv, HEADER)") as copy:
                while piece := source.read(1 << 20):
                    copy.write(piece)
            con.execute("ANALYZE orders")
        yield port


def sqlite(path: Path, rows: int) -> Path:
    """Write the rows into a table ``orders`` of a SQLite file."""
    kinds = ", ".join(f"{name} {SQLITE.get(kind, kind)}" for name, kind in COLUMNS.items())
    with contextlib.closing(sqlite3.connect(path)) as con, duckdb.connect() as made:
        con.execute(f"CREATE TABLE orders ({kinds})")
        texts = f"SELECT * REPLACE (strftime(moment, '%Y-%m-%d %H:%M:%S') AS moment, day::VARCHAR AS day) FROM ({_ROWS.format(rows=rows)})"  # noqa: S608 own names
        found = made.execute(texts)
        while part := found.fetchmany(50_000):
            con.executemany(f"INSERT INTO orders VALUES ({', '.join('?' * len(COLUMNS))})", part)  # noqa: S608 own names
        con.commit()
    return path
