"""What an origin has besides what was confirmed waits for a word, and later collections obey it."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from sqlalchemy import select

from aimass.collector import ListQuarantine, OneSource, ReplayQuarantine
from aimass.collector.commands import ListDrift
from aimass.collector.jobs import attention
from aimass.collector.proposals import DecideDrift, ListProposals, ShowExamples
from aimass.infra.database import Database, audit_log, events_log
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from aimass.lake import ListVersions
from tests.fixtures.data import ANN, EVE, data_rooms

BASE = "/api/v1/workspaces/demo/sources/orders/proposals"


class Shop:
    """A table of orders whose owner changes its shape."""

    def __init__(self, data, path):
        self.data, self.path = data, path
        self.do("CREATE TABLE orders (id INTEGER PRIMARY KEY, price INTEGER, changed TIMESTAMP)")
        self.do("INSERT INTO orders VALUES (1, 10, '2026-01-01 10:00:00')")
        link = data.connect("Shop", "sqlite", path=str(path))
        (self.source,) = data.follow(link, "orders", drift="propose", max_reject_rate=1.0)
        assert self.load().rows == 1

    def do(self, *statements):
        with contextlib.closing(sqlite3.connect(self.path)) as con:
            for statement in statements:
                con.execute(statement)
            con.commit()

    def load(self):
        found = self.data.load(self.source)
        assert found.state == "SUCCEEDED", found.error
        return found

    def widen(self):
        """Make the price a float, and add two columns."""
        columns = "id INTEGER PRIMARY KEY, price REAL, changed TIMESTAMP, colour TEXT, weight INTEGER"
        self.do("DROP TABLE orders", f"CREATE TABLE orders ({columns})")
        self.do(
            "INSERT INTO orders VALUES (2, 20.0, '2026-01-02 10:00:00', 'red', 5)",
            "INSERT INTO orders VALUES (3, 2.5, '2026-01-02 11:00:00', 'blue', NULL)",
        )
        return self.load()

    def decide(self, decision, *columns, who=ANN, **more):
        wish = DecideDrift(workspace="demo", source="orders", decision=decision, columns=list(columns), **more)
        return self.data.collector.decide_drift(who, wish)

    def states(self):
        found = self.data.collector.list_proposals(EVE, ListProposals(workspace="demo", source="orders")).items
        return {one.column: (one.kind, one.before, one.after, one.state) for one in found}

    def history(self):
        notes = self.data.collector.list_drift(EVE, ListDrift(workspace="demo", source="orders")).items
        return {(one.column, one.kind, one.done, one.decided_by) for one in notes}

    def rows(self):
        return {row["id"]: row for row in self.data.rows("orders").drop("changed").to_dicts()}


@pytest.fixture
def shop(data, tmp_path, monkeypatch):
    monkeypatch.setenv("AIMASS_COLLECTOR_FOLDERS", f'["{tmp_path}"]')
    return Shop(data, tmp_path / "shop.db")


@pytest.fixture(scope="module")
def met(tmp_path_factory):
    """Make a platform that has met a wider type and two columns; each test decides on another one."""
    folder = tmp_path_factory.mktemp("met")
    with pytest.MonkeyPatch.context() as patch, data_rooms(folder / "data") as data:
        patch.setenv("AIMASS_COLLECTOR_FOLDERS", f'["{folder}"]')
        found = Shop(data, folder / "shop.db")
        found.widen()
        yield found


def test_what_is_accepted_is_stored_what_is_rejected_left_out_and_what_waited_is_replayed(data, shop):
    met = shop.widen()
    assert (met.rows, met.quarantined) == (1, 1)
    assert shop.states() == {
        "price": ("type", "integer", "float", "WAITING"),
        "colour": ("new", "", "string", "WAITING"),
        "weight": ("new", "", "integer", "WAITING"),
    }
    (need,) = [one for one in attention(data.rooms.registry, EVE) if one["kind"] == "drift"]
    assert (need["title"], need["subject"]) == (
        "3 new columns or types of orders wait for an approval",
        "source:orders",
    )
    seen = data.collector.show_examples(ANN, ShowExamples(workspace="demo", source="orders", column="colour"))
    assert (seen.values, seen.waiting) == (["red"], 0)
    seen = data.collector.show_examples(ANN, ShowExamples(workspace="demo", source="orders", column="price"))
    assert (seen.values, seen.waiting) == ([2.5], 1)

    assert [one.decided_by for one in shop.decide("accept", "price", "colour")] == [ANN.id, ANN.id]
    assert [one.state for one in shop.decide("reject")] == ["REJECTED"]
    assert shop.history() >= {
        ("price", "type", "cast", ""),
        ("price", "type", "accepted", ANN.id),
        ("colour", "new", "held", ""),
        ("colour", "new", "accepted", ANN.id),
        ("weight", "new", "rejected", ANN.id),
    }
    job = data.collector.replay_quarantine(ANN, ReplayQuarantine(workspace="demo", dataset="orders"))
    assert data.done(job).result["rows"] == 1
    assert data.collector.list_quarantine(ANN, ListQuarantine(workspace="demo", dataset="orders")).total == 0
    assert {key: row["price"] for key, row in shop.rows().items()} == {1: 10.0, 2: 20.0, 3: 2.5}

    shop.do("INSERT INTO orders VALUES (4, 4.5, '2026-01-03 10:00:00', 'green', 9)")
    assert (shop.load().quarantined, shop.rows()[4]["colour"], shop.rows()[4]["_extra"]) == (0, "green", None)
    assert "weight" not in shop.rows()[4]
    assert shop.states()["weight"][3] == "REJECTED"
    assert [one["kind"] for one in attention(data.rooms.registry, EVE)] == []
    assert len(data.lake.list_versions(ANN, ListVersions(workspace="demo", dataset="orders")).items) == 4


def test_what_was_rejected_is_proposed_again_when_somebody_asks_and_takes_another_type(data, shop):
    shop.widen()
    shop.decide("reject", "weight")
    with pytest.raises(Conflict, match="nothing of source 'orders' is waiting"):
        shop.decide("accept", "price", "colour"), shop.decide("accept")
    assert [one.column for one in shop.decide("reopen")] == ["weight"]
    assert [one.after for one in shop.decide("accept", types={"weight": "float"})] == ["integer"]
    shop.do("INSERT INTO orders VALUES (5, 1.0, '2026-01-04 10:00:00', NULL, 7)")
    shop.load()
    assert shop.rows()[5]["weight"] == 7.0
    assert {one[2] for one in shop.history() if one[0] == "weight"} == {"held", "rejected", "reopened", "accepted"}
    plan = data.collector.get_source(ANN, OneSource(workspace="demo", source="orders")).plan
    assert [one["type"] for one in plan["columns"] if one["name"] == "weight"] == ["float"]
    data.collector.delete_source(ANN, OneSource(workspace="demo", source="orders"))
    assert [one for one in attention(data.rooms.registry, EVE) if one["kind"] == "drift"] == []


def test_what_cannot_be_decided_is_refused(met):
    for wish, error in (
        ({"decision": "accept", "columns": ["absent"]}, NotFound),
        ({"decision": "accept", "columns": ["price"], "types": {"price": "string"}}, Invalid),
        ({"decision": "reopen"}, Conflict),
    ):
        with pytest.raises(error):
            met.data.collector.decide_drift(ANN, DecideDrift(workspace="demo", source="orders", **wish))
    with pytest.raises(NotFound):
        met.data.collector.show_examples(ANN, ShowExamples(workspace="demo", source="orders", column="id"))
    with pytest.raises(Forbidden):
        met.data.collector.show_examples(EVE, ShowExamples(workspace="demo", source="orders", column="colour"))


def test_every_decision_is_told_and_audited_without_a_value(met):
    met.decide("accept", "colour")
    with met.data.rooms.get(Database).read() as conn:
        told = {row.type: row.data for row in conn.execute(select(events_log.c.type, events_log.c.data))}
        audit = conn.execute(select(audit_log.c.action, audit_log.c.actor, audit_log.c.detail)).all()
    assert told["collector.drift.proposed"]["columns"] == ["colour", "price", "weight"]
    assert told["collector.drift.decided"] == {"decision": "accept", "columns": ["colour"], "count": 1}
    (entry,) = [row for row in audit if row.action == "collector.drift.decided"]
    assert entry.actor == ANN.name
    assert "blue" not in str(told) + "".join(str(row.detail) for row in audit)


def test_who_may_see_and_who_may_decide(met):
    wish = {"decision": "accept", "columns": ["weight"]}
    with met.data.http() as client:
        for who, seen, values, decided in (
            (None, 401, 401, 401),
            ("stranger", 404, 404, 404),
            ("eve", 200, 403, 403),
            ("uma", 200, 200, 403),
            ("ann", 200, 200, 200),
        ):
            head = {"x-who": who or "nobody"}
            answers = (
                client.get(BASE, headers=head),
                client.get(f"{BASE}/weight/examples", headers=head),
                client.post(BASE, headers=head, json=wish),
            )
            assert tuple(one.status_code for one in answers) == (seen, values, decided), who
