from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aimass.collector.children.landing import source_lease
from aimass.collector.children.loading import load
from aimass.collector.children.order import order_of
from aimass.kernel.errors import Conflict, Invalid
from tests.collector.conftest import Context

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TABLE = "CREATE TABLE orders (id INTEGER, name TEXT, amount TEXT, at TIMESTAMP)"
COLUMNS = [
    {"name": "id", "type": "integer", "nullable": False},
    {"name": "name", "type": "string"},
    {"name": "amount", "type": "decimal", "precision": 38, "scale": 20},
    {"name": "at", "type": "timestamp"},
]


class Shop:
    """A SQLite file and the dataset that is loaded from it."""

    def __init__(self, root):
        self.root, self.path = root, root / "shop.db"
        self.target, self.quarantine = root / "lake" / "t", root / "lake" / "_quarantine" / "t"
        self.runs = 0
        self.do(TABLE)

    def do(self, query, rows=None):
        with contextlib.closing(sqlite3.connect(self.path)) as con:
            con.execute(query) if rows is None else con.executemany(query, rows)
            con.commit()

    def put(self, *rows):
        told = [
            (i, n, a, (NOW + timedelta(seconds=s)).strftime("%Y-%m-%d %H:%M:%S") if s is not None else None)
            for i, n, a, s in rows
        ]
        self.do("INSERT INTO orders VALUES (?, ?, ?, ?)", told)

    def context(self, *, run=None, wish=None, **more):
        self.runs += 1
        wish = {
            "stream": "orders",
            "columns": COLUMNS,
            "mode": "incremental",
            "cursor": "at",
            "keys": [],
            **(wish or {}),
        }
        params = {
            "connector": "sqlite",
            "parameters": {"path": str(self.path)},
            "reach": {"folders": [str(self.root)]},
            "wish": wish,
            "into": "append",
            "target": str(self.target),
            "quarantine": str(self.quarantine),
            "source": "SOURCE",
            "run": run or f"RUN{self.runs}",
            "drift": "evolve",
            "poison": "skip",
            "max_reject_rate": 0.5,
            "describe": {"now": "2026-05-01T00:00:00+00:00"},
        }
        context = Context({**params, **more}, self.root / "work")
        context.secrets = {}
        return context

    def load(self, **more):
        return load(self.context(**more))

    def rows(self, *names):
        return pl.read_delta(str(self.target)).sort("id").select(names or ["id"]).rows()

    def ids(self):
        return [row[0] for row in self.rows()]

    def rejected(self):
        return pl.read_delta(str(self.quarantine)).sort("raw")


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def test_rows_come_typed_and_what_does_not_fit_is_put_aside_with_its_row(shop):
    shop.put((1, "a", "12345678901234567.12345678901234567890", 0), (2, "b", "two", 1), (None, "c", "3", 2))
    told = shop.load(max_reject_rate=1.0)
    assert (told["rows"], told["quarantined"], told["commits"]) == (1, 2, 1)
    assert str(shop.rows("amount")[0][0]) == "12345678901234567.12345678901234567890"
    assert shop.rejected().select("raw", "column", "reason").rows() == [
        ('{"id":2,"name":"b","amount":"two","at":"2026-01-01 00:00:01"}', "amount", "'two' is no decimal(38,20)"),
        (
            '{"name":"c","amount":"3","at":"2026-01-01 00:00:02"}',
            "id",
            "the value is missing, and the column allows none",
        ),
    ]
    assert told["version"]["columns"][2] == {"name": "amount", "type": "decimal", "precision": 38, "scale": 20}


def test_a_column_without_any_value_is_loaded_as_such(shop):
    shop.put((1, None, None, 0), (2, None, None, 1))
    assert shop.load()["rows"] == 2
    shop.put((3, "c", None, 2))
    assert (shop.load()["rows"], shop.rows("id", "name", "amount")) == (
        1,
        [(1, None, None), (2, None, None), (3, "c", None)],
    )


def test_each_row_comes_once_over_ties_late_rows_nulls_and_a_fast_clock(shop):
    shop.put((1, "a", "1", 0), (2, "b", "1", 10), (3, "c", "1", None), (4, "d", "x", 10))
    future = (datetime(2190, 1, 1, tzinfo=UTC) - NOW).total_seconds()
    shop.put((5, "e", "1", future))
    wish = {"lag_s": 5}
    first = shop.load(wish=wish)
    assert (first["rows"], first["quarantined"], first["late"]) == (4, 1, 0)
    again = shop.load(wish=wish)
    assert (again["rows"], again["quarantined"], again["version"]) == (0, 0, None)
    shop.put((6, "tie", "1", 10), (2, "b", "1", 10), (7, "late", "1", 7), (8, "null", "1", None), (9, "new", "1", 99))
    third = shop.load(wish=wish)
    assert (third["rows"], third["late"], third["quarantined"]) == (5, 1, 0)
    assert shop.ids() == [1, 2, 2, 3, 5, 6, 7, 8, 9]
    assert len(shop.rejected()) == 1


def test_keys_name_a_row_whatever_else_it_says(shop):
    wish = {"keys": ["id"]}
    shop.put((1, "a", "1", 10))
    shop.load(wish=wish)
    shop.do("UPDATE orders SET name = 'changed without a new moment'")
    assert shop.load(wish=wish)["rows"] == 0
    shop.do("UPDATE orders SET at = '2026-01-01 00:05:00'")
    assert shop.load(wish=wish)["rows"] == 1


def test_a_merge_keeps_one_row_for_each_key(shop):
    wish = {"keys": ["id"]}
    shop.put((1, "a", "1", 10), (2, "b", "1", 11))
    shop.load(wish=wish, into="merge")
    shop.do("UPDATE orders SET name = 'new', at = '2026-01-01 00:05:00' WHERE id = 1")
    told = shop.load(wish=wish, into="merge")
    assert shop.rows("id", "name") == [(1, "new"), (2, "b")]
    assert told["version"]["rows"] == 2


def test_a_full_reading_replaces_everything_in_one_commit(shop):
    wish = {"mode": "full", "cursor": None}
    shop.put((1, "a", "1", 10), (2, "b", "1", 11))
    shop.load(wish=wish, into="replace")
    shop.do("DELETE FROM orders WHERE id = 1")
    told = shop.load(wish=wish, into="replace")
    assert (shop.ids(), told["commits"], told["version"]["rows"]) == ([2], 1, 1)
    shop.do("DELETE FROM orders")
    assert (shop.load(wish=wish, into="replace")["rows"], shop.ids()) == (0, [])


def test_small_commits_go_on_from_each_other(shop):
    shop.put(*[(n, "x", "1", n) for n in range(500)])
    told = shop.load(pace={"rows": 100})
    assert shop.ids() == list(range(500))
    shop.put(*[(n, "x", "1", n) for n in range(500, 900)])
    assert shop.load(pace={"rows": 100})["batch"] == told["batch"] + 1  # the connector hands over whole parts
    assert shop.ids() == list(range(900))


def test_the_same_run_again_changes_nothing_and_tells_the_same(shop):
    shop.put((1, "a", "1", 10), (2, "b", "bad", 11))
    first = shop.load(run="R")
    again = shop.load(run="R")
    assert {k: v for k, v in again.items() if k not in ("version", "drift")} == {
        k: v for k, v in first.items() if k not in ("version", "drift")
    }
    assert (shop.ids(), len(shop.rejected())) == ([1], 1)


def test_two_collections_of_one_source_do_not_run_together(shop):
    context = shop.context()
    with source_lease(order_of(context.params)), pytest.raises(Conflict, match="another collection"):
        load(context)


def test_rows_that_were_put_aside_without_a_commit_are_taken_back(shop):
    shop.put((1, "a", "1", 10), (2, "b", "bad", 11))
    shop.load()
    ahead = pl.read_delta(str(shop.quarantine)).with_columns(pl.lit("orphan").alias("id"), pl.lit(2).alias("batch"))
    ahead.write_delta(str(shop.quarantine), mode="append")
    shop.put((3, "c", "worse", 12))
    shop.load()
    assert "orphan" not in shop.rejected()["id"].to_list()
    assert len(shop.rejected()) == 2


def test_a_poisoned_batch_goes_aside_whole_and_blocks_nothing(shop):
    shop.put(*[(n, "x", "bad" if n % 3 else "1", n) for n in range(90)])
    told = shop.load()
    assert (told["rows"], told["quarantined"], told["poisoned"]) == (0, 90, 1)
    shop.put((100, "x", "1", 100))
    assert shop.load()["rows"] == 1
    assert shop.ids() == [100]


def test_a_poisoned_batch_may_stop_the_collection_instead(shop):
    shop.put((1, "a", "bad", 1), (2, "b", "worse", 2))
    with pytest.raises(Invalid, match="2 of 2 rows were rejected"):
        shop.load(poison="stop")
    assert not shop.target.exists()
    shop.do("UPDATE orders SET amount = '1'")
    assert shop.load(poison="stop")["rows"] == 2


def test_a_back_fill_adds_what_is_missing_and_leaves_the_state(shop):
    shop.put((1, "a", "1", 100))
    state = shop.load()["state"]
    shop.put(*[(n, "old", "1", n) for n in range(10, 20)])
    assert shop.load()["rows"] == 0
    wish = {"since": (NOW + timedelta(seconds=12)).isoformat(), "until": (NOW + timedelta(seconds=15)).isoformat()}
    for wanted in (3, 0):
        told = shop.load(wish=wish)
        assert (told["rows"], told["state"]) == (wanted, state)
    assert shop.ids() == [1, 12, 13, 14]
