"""Loads on a full disk, by two collectors at once, from an origin that dies in the middle, and at the ends of every type."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import polars as pl
import pytest

from aimass.collector.children.landing import Landing
from aimass.collector.children.loading import load
from aimass.collector.children.order import order_of
from aimass.kernel.errors import Conflict
from aimass.lake import DiskFull, engine, open_table
from tests.collector.conftest import Context
from tests.collector.test_loading import Shop
from tests.fixtures.api_server import Reply, api_server
from tests.fixtures.disks import filled, small_disk


def run(params, work):
    """Load in a process of its own; tell the rows, or why not."""
    context = Context(params, work)
    context.secrets = {}
    try:
        return load(context)["rows"]
    except Conflict as reason:
        return reason.message


def test_two_collectors_on_one_source_take_each_row_once(tmp_path):
    shop = Shop(tmp_path)
    shop.put(*[(n, "x", "1", n) for n in range(30_000)])
    params = [shop.context().params for _ in range(8)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        told = list(pool.map(run, params, [tmp_path / f"work{n}" for n in range(8)]))
    assert shop.ids() == list(range(30_000))
    assert {one for one in told if isinstance(one, str)} <= {"another collection of this source runs"}
    assert sum(one for one in told if isinstance(one, int)) == 30_000


def test_a_collector_on_another_machine_is_found_out_by_its_commit(tmp_path):
    shop = Shop(tmp_path)
    shop.put((1, "a", "1", 0))
    slow = shop.context(run="SLOW")
    landing = Landing(slow, order_of(slow.params))  # it has looked, and is overtaken
    landing.take(pl.DataFrame({"id": [1], "name": ["a"], "amount": ["1"], "at": ["2026-01-01"]}).head(0))
    assert shop.load()["rows"] == 1
    with pytest.raises(Conflict, match="batch 1 was committed meanwhile"):
        landing.commit({"cursor": "2026-01-01T00:00:00+00:00"}, end=True)
    assert shop.ids() == [1]


def test_a_full_disk_stops_a_load_and_the_next_one_brings_every_row_once(tmp_path):
    with small_disk(tmp_path / "disk", 24) as disk:
        shop = Shop(disk)
        shop.put(*[(n, f"{n * 7919 % 99991:x}" * 4, "1" if n % 100 else "bad", n) for n in range(3_000)])
        shop.load()
        shop.put(*[(n, f"{n * 7919 % 99991:x}" * 4, "1" if n % 100 else "bad", n) for n in range(3_000, 6_000)])
        filler, stopped = filled(disk), shop.context()
        with pytest.raises(DiskFull, match="the disk is full"):
            load(stopped)
        assert not [line for line in stopped.lines if "origin" in line], "no other reading is tried"
        assert len(shop.ids()) == 2_970
        filler.unlink()
        assert shop.load()["rows"] == 2_970
        assert shop.ids() == [n for n in range(6_000) if n % 100]
        assert sorted(shop.rejected()["id"].to_list()) == sorted(set(shop.rejected()["id"].to_list()))
        assert len(shop.rejected()) == 60


ROWS = [{"id": n, "at": f"2026-01-{1 + n // 24:02}T{n % 24:02}:00:00+00:00"} for n in range(100)]
ORDERS = {
    "stream": "/orders",
    "columns": [{"name": "id", "type": "integer"}, {"name": "at", "type": "timestamp"}],
    "mode": "incremental",
    "cursor": "at",
    "keys": ["id"],
    "parameters": {"pagination": "page", "since_param": "since"},
}


@pytest.mark.parametrize(
    "bad",
    [
        Reply({}, 503, {"retry-after": "1"}),
        Reply(ROWS, cut=20),
        pytest.param(Reply({}, 429, {"retry-after": "1"}), marks=pytest.mark.long),
        pytest.param(Reply({}, 500), marks=pytest.mark.long),
    ],
    ids=["503", "dies in the middle of a page", "429", "500"],
)
def test_an_api_that_dies_between_pages_is_loaded_with_every_row_once(tmp_path, bad):
    shop, fails = (
        Shop(tmp_path),
        {"3": 1, "7": 4},
    )  # page, and how often it fails: once is waited out, four times end a pass

    def answer(asked):
        page = asked.query.get("page", "1")
        if fails.get(page, 0):
            fails[page] -= 1
            return bad
        since = asked.query.get("since", "").replace("Z", "+00:00")
        rows = [row for row in ROWS if row["at"] >= since]
        return Reply(rows[(int(page) - 1) * 10 : int(page) * 10])

    with api_server() as api:
        api.answer = answer
        told = shop.load(
            connector="rest",
            parameters={"base_url": api.url, "tries": 2},
            reach={"loopback": True},
            wish=ORDERS,
        )
    assert (told["rows"], told["quarantined"]) == (100, 0)
    assert shop.ids() == list(range(100))
    assert fails == {"3": 0, "7": 0}


LIMITS = [  # type, text, what is stored (None: quarantine)
    ("decimal", "9" * 38, "9" * 38),
    ("decimal", "-" + "9" * 38, "-" + "9" * 38),
    ("decimal", "1" + "0" * 38, None),
    ("decimal", "0.5", None),
    ("integer", "9223372036854775807", "9223372036854775807"),
    ("integer", "-9223372036854775808", "-9223372036854775808"),
    ("integer", "9223372036854775808", None),
    ("timestamp", "0001-01-01 00:00:00", "0001-01-01 00:00:00+00"),
    ("timestamp", "9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999+00"),
    ("timestamp", "10000-01-01 00:00:00", None),
    ("timestamp", "infinity", None),
    ("timestamp", "2026-02-30 00:00:00", None),
    ("timestamp", "2026-03-29T02:30:00+02:00", "2026-03-29 00:30:00+00"),
    ("date", "0001-01-01", "0001-01-01"),
    ("date", "9999-12-31", "9999-12-31"),
    ("date", "2026-02-29", None),
]


@pytest.mark.parametrize(("kind", "text", "stored"), LIMITS, ids=[f"{kind} {text[:24]}" for kind, text, _ in LIMITS])
def test_values_at_the_ends_of_a_type_are_stored_as_they_are_or_put_aside(tmp_path, kind, text, stored):
    shop = Shop(tmp_path)
    shop.do("DROP TABLE orders")
    shop.do("CREATE TABLE orders (id INTEGER, v TEXT)")
    shop.do("INSERT INTO orders VALUES (1, ?), (2, NULL)", [(text,)])
    digits = {"precision": 38, "scale": 0} if kind == "decimal" else {}
    columns = [{"name": "id", "type": "integer"}, {"name": "v", "type": kind, **digits}]
    wish = {"columns": columns, "mode": "full", "cursor": None}
    told = shop.load(wish=wish, into="replace", max_reject_rate=1.0)
    assert told["quarantined"] == (stored is None)
    files = [uri.removeprefix("file://") for uri in open_table(str(shop.target)).file_uris()]
    with engine(threads=1) as con:
        con.execute("SET TimeZone = 'UTC'")
        found = con.execute("SELECT id, v::VARCHAR FROM read_parquet($1) ORDER BY id", [files]).fetchall()
    assert found == ([] if stored is None else [(1, stored)]) + [(2, None)]
    if stored is None:
        assert json.loads(shop.rejected()["raw"][0]) == {"id": 1, "v": text}
