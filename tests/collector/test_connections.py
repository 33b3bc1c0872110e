from __future__ import annotations

import contextlib
import json
import sqlite3
from datetime import timedelta

import polars as pl
import pytest
from sqlalchemy import select

from aimass.collector import (
    CollectStreams,
    ListQuarantine,
    MendedRow,
    OneConnection,
    OneSource,
    ReplayQuarantine,
    StartCollection,
    StreamWish,
)
from aimass.collector.commands import (
    ChangeConnection,
    ChangeReading,
    CreateConnection,
    DescribeStream,
    ListConnections,
    ListDrift,
    LoadedColumn,
    PreviewStream,
)
from aimass.collector.domain import ListCollections
from aimass.collector.jobs import check_load, follow, order_load
from aimass.collector.linked_specs import CONNECTION
from aimass.collector.specs import SOURCE
from aimass.infra.database import Database, audit_log, events_log
from aimass.kernel.capability import JobKinds
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from aimass.lake import OneDataset
from tests.fixtures.data import ANN, EVE

BASE = "/api/v1/workspaces/demo"


@pytest.fixture
def shop(data, tmp_path, monkeypatch):
    """A SQLite file with twelve tables of three rows, and a connection to it."""
    monkeypatch.setenv("AIMASS_COLLECTOR_FOLDERS", f'["{tmp_path}"]')
    path = tmp_path / "shop.db"
    with contextlib.closing(sqlite3.connect(path)) as con:
        for number in range(12):
            con.execute(f"CREATE TABLE t{number:02} (id INTEGER PRIMARY KEY, name TEXT, changed TIMESTAMP)")
            rows = [(n, f"row {n}", f"2026-01-0{n + 1} 10:00:00") for n in range(3)]
            con.executemany(f"INSERT INTO t{number:02} VALUES (?, ?, ?)", rows)  # noqa: S608 a number
        con.commit()
    return data.connect("Shop", "sqlite", path=str(path)), path


@pytest.fixture
def moved(data, monkeypatch):
    """Move the clock of the platform on."""
    clock, ahead = data.rooms.get(Database).clock, [0.0]
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(seconds=ahead[0]))

    def move(seconds):
        ahead[0] += seconds

    return move


def insert(path, *rows):
    with contextlib.closing(sqlite3.connect(path)) as con:
        con.executemany("INSERT OR REPLACE INTO t00 VALUES (?, ?, ?)", rows)
        con.commit()


def one(connection):
    return OneConnection(workspace="demo", connection=connection.slug)


def test_a_connection_answers_shows_its_streams_and_some_rows(data, shop):
    connection, _ = shop
    answer = data.collector.check_connection(ANN, one(connection))
    assert (answer.ok, "12 tables" in answer.told) == (True, True)
    assert data.collector.get_connection(ANN, one(connection)).answer["ok"] is True
    streams = data.collector.discover_streams(ANN, one(connection))
    assert [stream.name for stream in streams] == [f"t{n:02}" for n in range(12)]
    assert (streams[0].keys, streams[0].cursors, streams[0].rows) == (["id"], ["changed", "id"], 3)
    columns = [LoadedColumn(name="id", type="integer"), LoadedColumn(name="name", type="integer")]
    wish = {"workspace": "demo", "connection": "shop", "stream": "t00"}
    seen = data.collector.preview_stream(ANN, PreviewStream(**wish, limit=2))
    assert seen.rows == [[0, "row 0", "2026-01-01T10:00:00.000Z"], [1, "row 1", "2026-01-02T10:00:00.000Z"]]
    seen = data.collector.preview_stream(ANN, PreviewStream(**wish, columns=columns))
    assert (seen.rows, seen.misfits[0]["reason"]) == ([], "'row 0' is no integer")
    with pytest.raises(NotFound, match="no table"):
        data.collector.describe_stream(ANN, DescribeStream(**{**wish, "stream": "absent"}))


def test_twelve_tables_become_twelve_sources_that_collect(data, shop):
    connection, path = shop
    sources = data.follow(connection, *[f"t{n:02}" for n in range(12)])
    assert [source.reading["mode"] for source in sources] == ["incremental"] * 12
    assert sources[0].reading["into"] == "merge"
    assert data.lake.get_dataset(ANN, OneDataset(workspace="demo", dataset="t00")).keys == ["id"]
    first = data.load(sources[0])
    assert (first.state, first.rows, first.dataset_version) == ("SUCCEEDED", 3, 1), first.error
    assert data.load(sources[0]).dataset_version is None
    insert(path, (1, "changed", "2026-02-01 10:00:00"), (9, "new", "2026-02-02 10:00:00"))
    again = data.load(sources[0])
    assert (again.rows, again.facts["commits"], again.dataset_version) == (2, 1, 2)
    assert data.rows("t00").sort("id")["name"].to_list() == ["row 0", "changed", "row 2", "new"]
    progress = data.collector.get_source(ANN, OneSource(workspace="demo", source="t00")).progress
    assert progress["state"]["cursor"] == "2026-02-02T10:00:00+00:00"
    assert data.load(sources[0], reading="full").rows == 4
    assert len(data.rows("t00")) == 4


def test_all_streams_become_sources_or_none(data, shop):
    connection, _ = shop
    data.follow(connection, "t01")
    with pytest.raises(Conflict, match="already"):
        data.follow(connection, "t00", "t01")
    with pytest.raises(NotFound):
        data.collector.get_source(ANN, OneSource(workspace="demo", source="t00"))


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"reading": "changes"}, "reading"),
        ({"reading": "incremental", "into": "replace"}, "into"),
        ({"reading": "full", "into": "merge", "streams": {"keys": []}}, "keys"),
        ({"reading": "incremental", "streams": {"cursor": "absent"}}, "cursor"),
        ({"streams": {"keys": ["absent"]}}, "keys"),
        ({"streams": {"columns": [LoadedColumn(name="id", type="decimal", precision=50)]}}, "precision"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_made(data, shop, wishes, field):
    wish = StreamWish(stream="t00", **wishes.pop("streams", {}))
    command = CollectStreams(workspace="demo", connection="shop", streams=[wish], **wishes)
    with pytest.raises(Invalid) as caught:
        data.collector.collect_streams(ANN, command)
    assert caught.value.field == field


def test_a_paused_source_collects_nothing_until_it_is_resumed(data, shop):
    source = data.follow(shop[0], "t00")[0]
    about = OneSource(workspace="demo", source="t00")
    assert data.collector.pause_source(ANN, about).is_paused
    with pytest.raises(Conflict, match="is paused"):
        data.load(source)
    assert not data.collector.resume_source(ANN, about).is_paused
    assert data.load(source).rows == 3


def test_rows_that_were_put_aside_are_mended_and_take_their_place(data, shop):
    source = data.follow(shop[0], "t00", max_reject_rate=0.5)[0]
    data.load(source)
    insert(shop[1], (7, "odd", "no moment"), (8, "odder", "no moment either"))
    assert data.load(source, reading="full").quarantined == 2
    about = ListQuarantine(workspace="demo", dataset="t00")
    aside = {json.loads(row.raw)["id"]: row.id for row in data.collector.list_quarantine(ANN, about).rows}
    rows = [
        MendedRow(id=aside[7], raw='{"id": 7, "name": "even", "changed": "2026-03-01 08:00:00"}'),
        MendedRow(id=aside[8], raw='{"id": 8, "nickname": "x"}'),
    ]
    job = data.done(data.collector.replay_quarantine(ANN, ReplayQuarantine(workspace="demo", dataset="t00", rows=rows)))
    assert (job.result["rows"], job.result["first"][0]["reason"]) == (1, "the field 'nickname' is not pinned")
    assert data.rows("t00").filter(pl.col("id") == 7)["name"].to_list() == ["even"]
    bare = MendedRow(id=aside[8], raw='{"id": 0, "name": "not this one", "changed": null}')
    job = data.done(
        data.collector.replay_quarantine(ANN, ReplayQuarantine(workspace="demo", dataset="t00", rows=[bare]))
    )
    assert (job.result["rows"], job.result["first"][0]["column"]) == (
        0,
        "changed",
    )  # nothing tells that it is the newer one
    left = MendedRow(id=aside[8], raw='{"id": 0, "name": "taken over", "changed": "2026-03-01 08:00:00"}')
    data.done(data.collector.replay_quarantine(ANN, ReplayQuarantine(workspace="demo", dataset="t00", rows=[left])))
    assert data.collector.list_quarantine(ANN, about).total == 0
    assert data.rows("t00").sort("id")["name"].to_list() == ["taken over", "row 1", "row 2", "even"]


def test_what_changes_at_the_origin_is_noted_once(data, shop):
    source = data.follow(shop[0], "t00")[0]
    data.load(source)
    with contextlib.closing(sqlite3.connect(shop[1])) as con:
        con.execute("ALTER TABLE t00 ADD COLUMN colour TEXT")
        con.execute("ALTER TABLE t00 DROP COLUMN name")
        con.commit()
    insert_wide = ("INSERT INTO t00 VALUES (?, ?, ?)", (20, "2026-04-01 10:00:00", "red"))
    with contextlib.closing(sqlite3.connect(shop[1])) as con:
        con.execute(*insert_wide)
        con.commit()
    first, again = data.load(source), data.load(source, reading="full")
    notes = data.collector.list_drift(ANN, ListDrift(workspace="demo", source="t00")).items
    assert sorted((note.column, note.kind, note.done) for note in notes) == [
        ("colour", "new", "added"),
        ("name", "dropped", "nulls"),
    ]
    assert {note.collection for note in notes} == {first.id}
    assert again.state == "SUCCEEDED"
    plan = data.collector.get_source(ANN, OneSource(workspace="demo", source="t00")).plan
    assert [column["name"] for column in plan["columns"]] == ["id", "name", "changed", "colour"]
    with pytest.raises(NotFound):
        data.collector.list_drift(ANN, ListDrift(workspace="demo", source="absent"))


def test_a_changed_reading_counts_from_the_next_collection_on(data, shop):
    connection, path = shop
    source = data.follow(connection, "t00")[0]
    changed = data.collector.change_reading(
        ANN, ChangeReading(workspace="demo", source="t00", into="append", lag_s=86_400.0, with_run=True)
    )
    assert changed.reading["lag_s"] == 86_400
    found = data.load(source)
    assert data.rows("t00")["_run"].to_list() == [found.id] * 3
    insert(path, (3, "late", "2026-01-02 12:00:00"))
    again = data.load(source)
    assert (again.rows, again.facts["late"]) == (1, 1)
    with pytest.raises(Invalid, match="no column"):
        data.collector.change_reading(ANN, ChangeReading(workspace="demo", source="t00", keys=["absent"]))


def test_a_connection_in_use_stays_and_one_that_goes_takes_its_parameters_along(data, shop):
    connection, _ = shop
    data.follow(connection, "t00")
    with pytest.raises(Conflict, match="1 sources use"):
        data.collector.delete_connection(ANN, one(connection))
    data.collector.delete_source(ANN, OneSource(workspace="demo", source="t00"))
    data.collector.delete_connection(ANN, one(connection))
    assert data.collector.list_connections(ANN, ListConnections(workspace="demo")).items == []
    with data.rooms.get(Database).read() as conn:
        told = set(conn.execute(select(events_log.c.type)).scalars())
        actions = set(conn.execute(select(audit_log.c.action)).scalars())
    wanted = {f"collector.connection.{verb}" for verb in ("created", "deleted")}
    assert wanted <= told
    assert wanted <= actions


def test_a_connection_is_checked_when_it_is_made_and_changed(data, shop, tmp_path):
    with pytest.raises(Invalid) as caught:
        data.connect("Other", "sqlite", file="x")
    assert caught.value.field == "parameters.path"
    with pytest.raises(Invalid, match="no connector"):
        data.connect("Other", "absent")
    change = ChangeConnection(workspace="demo", connection="shop", name="Store", parameters={"path": "/etc/passwd"})
    assert data.collector.change_connection(ANN, change).name == "Store"
    answer = data.collector.check_connection(ANN, one(shop[0]))
    assert (answer.ok, answer.field) == (False, "path")
    with pytest.raises(Conflict, match="already"):
        data.collector.create_connection(
            ANN, CreateConnection(workspace="demo", name="Shop", connector="sqlite", parameters={"path": "x"})
        )


def test_a_source_of_a_connection_takes_no_upload_and_the_other_way_round(data, shop):
    data.follow(shop[0], "t00")
    with pytest.raises(Invalid, match="reads from a connection"):
        data.collector.start_collection(ANN, StartCollection(workspace="demo", source="t00", upload="x" * 64))
    data.source("Files")
    with pytest.raises(Invalid, match="takes uploads"):
        data.collector.start_collection(ANN, StartCollection(workspace="demo", source="files", reading="full"))


def test_the_whole_way_over_http(data, shop):
    with data.http() as http:
        names = [one["name"] for one in http.get("/api/v1/connectors").json()]
        assert "sqlite" in names
        assert http.post(f"{BASE}/connections/shop/check").json()["ok"] is True
        assert len(http.post(f"{BASE}/connections/shop/discovery").json()) == 12
        made = http.post(f"{BASE}/connections/shop/sources", json={"streams": [{"stream": "t05"}]})
        assert made.status_code == 201, made.text
        begun = http.post(f"{BASE}/sources/t05/collections", json={})
        assert begun.status_code == 201, begun.text
        address = f"{BASE}/collections/{begun.json()['id']}"
        data.rooms.until(lambda: http.get(address).json()["state"] != "RUNNING")
        assert http.get(f"{BASE}/datasets/t05/rows").json()["rows"][0][:2] == [0, "row 0"]


@pytest.mark.parametrize(
    ("method", "path", "body", "statuses"),
    [
        ("GET", "/connections", None, (401, 404, 200, 200)),
        ("GET", "/connections/shop", None, (401, 404, 200, 200)),
        (
            "POST",
            "/connections",
            {"name": "n", "connector": "sqlite", "parameters": {"path": "x"}},
            (401, 404, 403, 201),
        ),
        ("POST", "/connections/shop/check", None, (401, 404, 403, 200)),
        ("POST", "/connections/shop/discovery", None, (401, 404, 403, 200)),
        ("POST", "/connections/shop/preview", {"stream": "t00"}, (401, 404, 403, 200)),
        ("POST", "/connections/shop/sources", {"streams": [{"stream": "t00"}]}, (401, 404, 403, 201)),
        ("PATCH", "/connections/shop", {"name": "m"}, (401, 404, 403, 200)),
        ("DELETE", "/connections/shop", None, (401, 404, 403, 204)),
    ],
)
def test_who_may_do_what(data, shop, method, path, body, statuses):
    with data.http() as http:
        told = [
            http.request(method, BASE + path, json=body, headers={"x-who": who}).status_code
            for who in ("", "stranger", "eve", "ann")
        ]
    assert tuple(told) == statuses


def followed(data, source):
    """Let the loop look once; return how many collections it began."""
    begun = follow(data.rooms.registry)
    data.rooms.until(lambda: not data.collector.list_collections(ANN, RUNNING).items)
    return begun, [c.state for c in data.collector.list_collections(ANN, ListCollections(workspace="demo")).items]


RUNNING = ListCollections(workspace="demo", state="RUNNING")


def test_a_source_that_goes_on_by_itself_collects_again_rests_after_a_failure_and_stops_when_paused(data, shop, moved):
    connection, path = shop
    (source,) = data.follow(connection, "t00", every_s=30.0)
    assert source.reading["every_s"] == 30.0
    assert followed(data, source) == (1, ["SUCCEEDED"])
    insert(path, (7, "later", "2026-02-01 10:00:00"))
    assert follow(data.rooms.registry) == 0, "it rests for thirty seconds"
    moved(31)
    assert followed(data, source) == (1, ["SUCCEEDED"] * 2)
    assert len(data.rows(source.dataset)) == 4
    path.rename(path.with_suffix(".away"))
    moved(31)
    assert followed(data, source)[1][0] == "FAILED"
    moved(31)
    assert followed(data, source)[1][:2] == ["FAILED", "FAILED"]
    path.with_suffix(".away").rename(path)
    data.collector.pause_source(ANN, OneSource(workspace="demo", source=source.slug))
    moved(3600)
    assert follow(data.rooms.registry) == 0
    data.collector.resume_source(ANN, OneSource(workspace="demo", source=source.slug))
    assert followed(data, source)[1][0] == "SUCCEEDED"
    data.collector.change_reading(ANN, ChangeReading(workspace="demo", source=source.slug, every_s=-1))
    moved(3600)
    assert follow(data.rooms.registry) == 0


def test_a_source_that_cannot_begin_keeps_no_other_from_its_collection(data, shop, monkeypatch):
    connection, _ = shop
    data.follow(connection, "t00", "t01", every_s=0.0)
    real = data.collector.start_collection

    def refused(who, command):
        if command.source == "t00":
            raise NotFound("its connection is gone")
        return real(who, command)

    monkeypatch.setattr(data.collector, "start_collection", refused)
    assert follow(data.rooms.registry) == 1
    data.rooms.until(lambda: not data.collector.list_collections(ANN, RUNNING).items)


def test_a_schedule_begins_a_collection_once_and_passes_over_one_that_runs(data, shop):
    connection, _ = shop
    (source,) = data.follow(connection, "t00")
    kind = data.rooms.get(JobKinds)["collector.load"]
    assert kind.by_schedule
    for _ in range(2):
        order_load(data.rooms.registry, ANN, "demo", {"source": source.slug}, "nightly/1")
    data.rooms.until(lambda: not data.collector.list_collections(ANN, RUNNING).items)
    order_load(data.rooms.registry, ANN, "demo", {"source": source.slug, "reading": "full"}, "nightly/2")
    data.rooms.until(lambda: not data.collector.list_collections(ANN, RUNNING).items)
    assert len(data.collector.list_collections(ANN, ListCollections(workspace="demo")).items) == 2
    for payload, field in (
        ({}, "source"),
        ({"source": "t00", "x": 1}, "x"),
        ({"source": "t00", "reading": "stream"}, "reading"),
    ):
        with pytest.raises(Invalid) as told:
            check_load(data.rooms.registry, ANN, "demo", payload)
        assert told.value.field == field
    with pytest.raises(NotFound):
        check_load(data.rooms.registry, ANN, "demo", {"source": "nope"})
    with pytest.raises(Forbidden):
        check_load(data.rooms.registry, EVE, "demo", {"source": "t00"})
    data.source("Uploads")
    with pytest.raises(Invalid, match="takes uploads"):
        check_load(data.rooms.registry, ANN, "demo", {"source": "uploads"})


def applied(data, document, kind=SOURCE, **more):
    return kind.apply(data.rooms.registry, ANN, "demo", document, **{"dry_run": False, **more})


def test_connections_and_their_sources_are_documents_that_change_nothing_when_applied_again(data, shop):
    connection, path = shop
    data.follow(connection, "t00", every_s=60.0)
    (known,) = CONNECTION.export(data.rooms.registry, ANN, "demo")
    (source,) = SOURCE.export(data.rooms.registry, ANN, "demo")
    assert (known["name"], source["reading"]["stream"], source["reading"]["every_s"]) == ("Shop", "t00", 60.0)
    assert applied(data, known, CONNECTION) == ("none", [])
    assert applied(data, source) == ("none", [])
    changed = {**source, "reading": {"stream": "t00", "every_s": None, "drift": "freeze"}, "max_reject_rate": 0.5}
    assert applied(data, changed, dry_run=True) == ("change", ["max_reject_rate", "reading"])
    assert applied(data, changed) == ("change", ["max_reject_rate", "reading"])
    now = data.collector.get_source(ANN, OneSource(workspace="demo", source="t00"))
    assert (now.reading["every_s"], now.reading["drift"], now.max_reject_rate) == (None, "freeze", 0.5)
    assert now.reading["keys"] == source["reading"]["keys"]
    other = {"kind": "connection", "name": "Copy", "connector": "sqlite", "parameters": {"path": str(path)}}
    assert applied(data, other, CONNECTION) == ("create", ["connector", "parameters"])
    new = {**source, "name": "Twin", "dataset": "twin", "connection": "copy"}
    assert applied(data, new)[0] == "create"
    assert applied(data, new) == ("none", [])
    assert data.load("twin").rows == 3
    with pytest.raises(Conflict, match="reads from elsewhere"):
        applied(data, {**new, "connection": "shop"})


def test_documents_hold_no_secret_and_keep_those_that_are_there(data):
    told = {"host": "db.example.org", "database": "books", "user": "reader", "password": "correct-horse"}
    document = {"kind": "connection", "name": "Books", "connector": "postgres", "parameters": told}
    assert applied(data, document, CONNECTION)[0] == "create"
    (exported,) = CONNECTION.export(data.rooms.registry, ANN, "demo")
    assert "correct-horse" not in json.dumps(exported)
    assert applied(data, exported, CONNECTION) == ("none", [])
    assert data.collector.secrets_for("demo", "books") == {"password": "correct-horse"}
    for wrong, field in (
        ({**exported, "name": "New"}, "parameters.password"),
        ({**exported, "connector": "sqlite"}, "connector"),
        ({**exported, "colour": 1}, "colour"),
        ({**exported, "parameters": 3}, "parameters"),
    ):
        with pytest.raises(Invalid) as refused:
            applied(data, wrong, CONNECTION)
        assert refused.value.field == field
    for wrong, field in (
        ({"connection": "books"}, "reading"),
        ({"connection": "books", "reading": {"stream": "a", "x": 1}}, "reading.x"),
        ({"connection": "books", "mode": "append"}, "mode"),
    ):
        with pytest.raises(Invalid) as refused:
            applied(data, {"kind": "source", "name": "Odd", **wrong})
        assert refused.value.field == field
