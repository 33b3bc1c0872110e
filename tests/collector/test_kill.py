"""Files and tables land with every row once, whenever the process that loads them is killed."""

from __future__ import annotations

import contextlib
import random
import sqlite3

import polars as pl
import psycopg
import pytest

from aimass.collector import CollectStreams, StreamWish
from aimass.collector.commands import LoadedColumn
from aimass.lake import AboutVersion, ListVersions
from tests.fixtures.collecting import collect_and_kill, killed_and_ended
from tests.fixtures.data import ANN
from tests.fixtures.engines import needs_postgres
from tests.fixtures.postgres import postgres_server
from tests.fixtures.writers import TILL, writing

ROWS = 150_000


def seeds(count, *, is_first_long=False):
    """Return the seeds: the first one runs each time, the others in the long suite."""
    long = pytest.mark.long
    return [pytest.param(n, marks=[long] if n > 1 or is_first_long else []) for n in range(1, count + 1)]


@pytest.mark.parametrize("seed", seeds(6))
def test_a_file_whose_collection_is_killed_ends_with_every_row_once(data, tmp_path, seed):
    pl.DataFrame({"id": range(ROWS), "text": ["x" * 20] * ROWS}).write_csv(tmp_path / "big.csv")
    text = (tmp_path / "big.csv").read_bytes() + b"oops,bad\n"
    upload, source = data.upload(text), data.source()
    data.pin(source, upload, types={"id": "integer"})
    found = killed_and_ended(data, data.start(source, upload), random.Random(seed))
    assert (found.state, found.rows, found.quarantined) == ("SUCCEEDED", ROWS, 1), found.error
    assert data.lake.get_version(ANN, AboutVersion(workspace="demo", dataset="customers")).rows == ROWS
    assert len(data.lake.list_versions(ANN, ListVersions(workspace="demo", dataset="customers")).items) == 1
    assert pl.read_delta(str(data.lake.table_path("demo", "customers")))["id"].n_unique() == ROWS
    assert len(pl.read_delta(str(data.lake.quarantine_path("demo", "customers")))) == 1


@pytest.mark.parametrize("seed", seeds(4))
def test_a_live_sqlite_table_is_appended_to_with_every_row_once(data, tmp_path, monkeypatch, seed):
    monkeypatch.setenv("AIMASS_COLLECTOR_FOLDERS", f'["{tmp_path}"]')
    path = tmp_path / "till.db"
    with contextlib.closing(sqlite3.connect(path)) as con:
        con.execute("PRAGMA journal_mode = WAL")
        con.execute(TILL)
        con.executemany("INSERT INTO receipts VALUES (?, 0, ?)", [(n, str(n / 8)) for n in range(40_000)])
        con.commit()
    connection = data.connect("Till", "sqlite", path=str(path))
    columns = [LoadedColumn(name="id", type="integer"), LoadedColumn(name="amount", type="float")]
    wish = StreamWish(stream="receipts", columns=columns, keys=[], cursor="id")
    command = CollectStreams(
        workspace="demo", connection=connection.slug, streams=[wish], reading="incremental", into="append"
    )
    source = data.collector.collect_streams(ANN, command)[0]
    with writing("till", str(path), seed, 6.0) as till:
        kills = collect_and_kill(data, source, random.Random(seed), lambda: till.poll() is not None, (0.05, 2))
    assert data.load(source).state == "SUCCEEDED"
    with contextlib.closing(sqlite3.connect(path)) as con:
        there = con.execute("SELECT id FROM receipts WHERE amount <> 'none' ORDER BY id").fetchall()
        bad = con.execute("SELECT count(*) FROM receipts WHERE amount = 'none'").fetchone()[0]
    assert kills >= 1
    assert data.rows("receipts").select("id").sort("id").rows() == there
    assert len(pl.read_delta(str(data.lake.quarantine_path("demo", "receipts")))) == bad > 0


@pytest.mark.postgres
@needs_postgres
@pytest.mark.timeout(110)
@pytest.mark.parametrize("seed", seeds(4, is_first_long=True))
def test_a_live_postgres_table_is_merged_with_every_row_as_it_is(data, monkeypatch, seed):
    monkeypatch.setenv("AIMASS_COLLECTOR_LOOPBACK", "true")
    with postgres_server() as server:
        database = server.create().partition("@/")[2].partition("?")[0]
        folder = str(server.folder)
        with contextlib.closing(psycopg.connect(host=folder, user="aimass", dbname=database, autocommit=True)) as con:
            con.execute("create table orders (id int primary key, changed timestamptz, amount numeric(12,3))")
            con.execute("insert into orders select g, clock_timestamp(), g / 8.0 from generate_series(0, 40000) g")
            connection = data.connect("Shop", "postgres", host=folder, database=database, user="aimass")
            wish = StreamWish(stream="public.orders", name="orders", cursor="changed", keys=["id"])
            command = CollectStreams(
                workspace="demo", connection=connection.slug, streams=[wish], reading="incremental", into="merge"
            )
            source = data.collector.collect_streams(ANN, command)[0]
            with writing("desk", folder, database, seed, 6.0) as desk:
                kills = collect_and_kill(data, source, random.Random(seed), lambda: desk.poll() is not None, (0.5, 2))
            found = data.load(source)
            assert found.state == "SUCCEEDED", found.error
            there = con.execute("select id, amount from orders order by id").fetchall()
    assert kills >= 1
    assert data.rows("orders").sort("id").select("id", "amount").rows() == there
