"""Rows in an order: files that cannot hold what is asked are not read, and what is written later is brought in order again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import select

from aimass.cluster import Jobs, ListJobs
from aimass.infra.database import Database, events_log
from aimass.kernel.errors import Invalid
from aimass.lake import OneDataset
from aimass.lake.children import layout
from aimass.lake.children.append import append
from aimass.lake.children.branch import fork
from aimass.lake.children.change import revert
from aimass.lake.children.compare import states
from aimass.lake.children.erase import erase
from aimass.lake.children.layout import share_read
from aimass.lake.children.maintain import diff, maintain
from aimass.lake.children.merge import merge
from aimass.lake.children.query import query
from aimass.lake.children.rewrite import ask, readable
from aimass.lake.children.share import files as shared_files
from aimass.lake.children.tables import Commit, commit, files, open_table
from aimass.lake.specs import DATASET
from tests.fixtures.data import ANN

START = datetime(2026, 1, 1, tzinfo=UTC)
LANDS = [f"land {n:02}" for n in range(8)]
ROWS = 4_000


def frame(number):
    """Return rows of all lands and days of a year, in no order."""
    ids = range(number * ROWS, (number + 1) * ROWS)
    return pl.DataFrame(
        {
            "id": list(ids),
            "land": [LANDS[n * 7 % 8] for n in ids],
            "at": [START + timedelta(hours=n * 7919 % 8760) for n in ids],
            "share": [n % 97 / 97 for n in ids],
            "who": [f"person {n}" for n in ids],
        }
    ).with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")))


@pytest.fixture
def small_files(monkeypatch):
    monkeypatch.setattr(layout, "SMALLEST", 40_000)


@pytest.fixture
def table(tmp_path, small_files):
    path = tmp_path / "trips"
    for number in range(4):
        commit(path, frame(number), Commit(app_id="test", batch=number + 1, private=frozenset({"who"})))
    return str(path)


def tended(path, *columns, **more):
    return maintain({"path": path, "order_by": list(columns), "pinned": [3], **more})


def read(path, sql, **parameters):
    """Return the files that a query reads, and all."""
    found = readable({"path": path}, ask(sql, ["trips"]), "trips", parameters)
    return found.read, found.files


def test_a_condition_reads_the_files_that_can_hold_it_and_no_other(table):
    told = tended(table, "land")
    assert (told["compacted"], told["share"] < 0.3) == (4, True)
    sql = "SELECT count(*), min(land), max(land) FROM trips WHERE land = 'land 03'"
    needed, every = read(table, sql)
    assert len(needed) <= 3 < len(every)
    for file in set(every) - set(needed):
        Path(file).unlink()  # who reads one of them fails
    found = query({"sql": sql, "tables": {"trips": {"path": table}}})
    assert found["rows"] == [[2_000, "land 03", "land 03"]]
    with pytest.raises(Invalid):
        query({"sql": "SELECT count(*), min(land) FROM trips", "tables": {"trips": {"path": table}}})


ALL = None
CASES = [
    ("land = 'land 03'", 1),
    ("'land 06' <= t.land", 1),
    ("land IN ('land 00', 'land 01') AND share > 0.5", 1),
    ("land BETWEEN $low AND 'land 02'", 1),
    ("(land = 'land 03' AND id > 5)", 1),
    ("land > 'land 99'", 1),
    ("land = 'land 03' OR id = 7", ALL),
    ("NOT land = 'land 03'", ALL),
    ("lower(land) = 'land 03'", ALL),
    ("land = who", ALL),
    ("share = 0.5", ALL),
    ("who = 'person 7'", ALL),
    ("land IN (SELECT max(land) FROM trips)", ALL),
]


@pytest.mark.parametrize(("where", "pruned"), CASES)
def test_whatever_is_passed_over_the_answer_is_the_same(table, where, pruned):
    sql = f"SELECT count(*), sum(id) FROM trips t WHERE {where}"  # noqa: S608 constants
    given = {"low": "land 01"} if "$" in where else {}
    told = {"sql": sql, "tables": {"trips": {"path": table}}, "parameters": given}
    before = query(told)["rows"]
    tended(table, "land")
    needed, every = read(table, sql, **given)
    assert (len(needed) < len(every)) is (pruned is not ALL)
    assert query(told)["rows"] == before


def test_moments_texts_that_are_cut_and_joins_are_answered_in_full(table):
    tended(table, "at")
    for where in ("at >= '2026-11-30'", "at < TIMESTAMP '2026-02-01 10:00:00'", "at = '2026-05-01T07:00:00Z'"):
        sql = f"SELECT count(*) FROM trips WHERE {where}"  # noqa: S608 constants
        needed, every = read(table, sql)
        assert len(needed) < len(every)
        exact = query(
            {
                "sql": sql.replace("FROM trips", "FROM (SELECT * FROM trips LIMIT 100000) trips"),
                "tables": {"trips": {"path": table}},
            }
        )
        assert query({"sql": sql, "tables": {"trips": {"path": table}}})["rows"] == exact["rows"]
    for sql in (
        "SELECT count(*) FROM trips a LEFT JOIN trips b USING (id) WHERE b.at > '2026-12-01'",
        "SELECT id AS at FROM trips WHERE at > '2026-12-01'",
        "WITH trips AS (SELECT * FROM trips) SELECT * FROM trips WHERE at > '2026-12-01'",
        "SELECT count(*) FROM trips WHERE at > now()",
    ):
        needed, every = read(table, sql)
        assert needed == every, sql
    hidden = readable(
        {"path": table, "policy": {"masks": {}}}, ask("SELECT * FROM trips WHERE id = 1", ["trips"]), "trips"
    )
    assert hidden.read == hidden.files


def test_it_is_brought_in_order_again_when_enough_came_in_none(table):
    share = tended(table, "land")["share"]
    before = files(open_table(table))
    assert tended(table, "land", share=share)["compacted"] == 0
    append({"path": table, "rows": frame(9).head(20).to_dicts(), "app_id": "few", "batch": 1})
    append({"path": table, "rows": frame(9).head(20).to_dicts(), "app_id": "few", "batch": 2})
    assert tended(table, "land", share=share)["compacted"] == 2
    assert set(before) < set(files(open_table(table)))
    for number in (5, 6):
        commit(table, frame(number), Commit(app_id="test", batch=number))
    again = tended(table, "land", share=share)
    assert (again["compacted"] > 2, again["share"] < 0.3) == (True, True)
    assert share_read(open_table(table), "land") == again["share"]


@pytest.mark.parametrize("column", ["absent", "share", "who"])
def test_what_gives_no_order_is_refused(table, column):
    with pytest.raises(Invalid) as refused:
        layout.check_order(open_table(table), [column])
    assert (refused.value.value, "land" in refused.value.allowed) == (column, True)


def test_everything_else_works_on_rows_in_an_order(table, tmp_path):
    version = open_table(table).version()
    tended(table, "land")
    assert diff({"path": table, "base": version, "head": open_table(table).version()})["rows_added"] == 0
    changed = frame(0).filter(pl.col("id") == 1).with_columns(land=pl.lit("land 99"))
    told = merge({"path": table, "keys": ["id"], "app_id": "m", "batch": 1}, changed)
    assert (told["updated"], told["inserted"]) == (1, 0)
    sql = "SELECT id FROM trips WHERE land = 'land 99'"
    assert query({"sql": sql, "tables": {"trips": {"path": table}}})["rows"] == [[1]]
    branch = str(tmp_path / "branch")
    assert fork({"path": table, "version": open_table(table).version(), "target": branch})["copied"] == 0
    assert query({"sql": sql, "tables": {"trips": {"path": branch}}})["rows"] == [[1]]
    at = {"path": table, "version": open_table(table).version()}
    assert sum(one["rows"] for one in shared_files(at)["files"]) == 4 * ROWS
    with states({"base": {"path": table, "version": version}, "head": at}, ["id"]) as both:
        assert sum(both.count("base", "head").values()) == 1
    back = {"path": table, "version": version, "expected": open_table(table).version()}
    made = revert({**back, "app_id": "r", "batch": 1, "describe": {"now": START.isoformat(), "keys": []}})
    assert (made["rows"], share_read(open_table(table), "land")) == (4 * ROWS, 1.0)
    assert tended(table, "land", share=0.3)["share"] < 0.3
    wish = {"values": ["person 77"], "columns": ["who"], "texts": ["who"], "kept": [version], "app_id": "e"}
    done = erase({"path": table, **wish})
    assert (done["deleted"], done["found"]) == (1, [])


def test_columns_are_proposed_from_what_is_asked_once_a_table_is_large(table, monkeypatch):
    queries = ["SELECT * FROM trips WHERE land = 'land 01'"] * 3 + [
        "SELECT id FROM trips WHERE at > '2026-05-01' AND id = 3"
    ]
    queries += ["SELECT * FROM trips WHERE who = 'person 1'", "SELECT * FROM trips WHERE share = 1", "DROP TABLE trips"]
    args = {"path": table, "dataset": "trips", "order_by": [], "queries": queries}
    assert layout.look(args)["proposals"] == []
    monkeypatch.setattr(layout, "MANY_FILES", 4)
    monkeypatch.setattr(layout, "MANY_BYTES", 1)
    told = layout.look(args)["proposals"]
    assert [(one["column"], one["queries"]) for one in told] == [("land", 3), ("at", 1), ("id", 1)]
    assert [one["share"] > layout.DRIFTED for one in told] == [True, True, True]


TRIPS = "id,land,km\n" + "".join(f"{n},land {n % 3},{n}\n" for n in range(30))
ORDER = "/api/v1/workspaces/demo/datasets/trips/order"


def test_a_dataset_is_ordered_by_wish_in_a_job_without_a_new_version(data):
    data.collect(TRIPS, "Trips", source={"keys": ["id"]})
    with data.http() as client:
        for who, seen, done in (("nobody", 401, 401), ("stranger", 404, 404), ("eve", 403, 403), ("uma", 200, 403)):
            head = {"x-who": who}
            assert client.get(ORDER, headers=head).status_code == seen, who
            assert client.put(ORDER, headers=head, json={"columns": ["land"]}).status_code == done, who
        assert client.put(ORDER, json={"columns": ["id"]}).json()["allowed"] == ["land", "km"]
        assert client.put(ORDER, json={"columns": ["land", "land"]}).status_code == 400
        assert client.put(ORDER, json={"columns": ["land"]}).json()["ordered_by"] == ["land"]
        jobs = data.rooms.get(Jobs)
        (job,) = jobs.list_jobs(ANN, ListJobs(workspace="demo", kind="lake.upkeep")).items
        assert data.done(job).state == "SUCCEEDED"
        told = client.get(ORDER).json()
        assert (told["ordered_by"], told["files"], told["share"], told["ordered_share"]) == (["land"], 1, 1.0, 1.0)
        assert client.get("/api/v1/workspaces/demo/datasets/trips/versions").json()["items"][0]["number"] == 1
    with data.rooms.get(Database).read() as conn:
        (fact,) = conn.execute(select(events_log.c.data).where(events_log.c.type == "lake.dataset.ordered")).scalars()
    assert (fact["columns"], fact["job"]) == (["land"], job.id)
    (document,) = DATASET.export(data.rooms.registry, ANN, "demo")
    assert document["ordered_by"] == ["land"]
    assert DATASET.apply(data.rooms.registry, ANN, "demo", {**document, "ordered_by": []}, dry_run=False)[1] == [
        "ordered_by"
    ]
    assert data.lake.get_dataset(ANN, OneDataset(workspace="demo", dataset="trips")).ordered_by == []
