"""What every change of an origin makes of a dataset under every policy: rows, columns, quarantine and notes, exactly."""

from __future__ import annotations

import orjson
import polars as pl
import pytest

from aimass.collector.children.drift import Drift
from aimass.collector.connectors.port import StreamColumn
from tests.collector.test_loading import Shop
from tests.fixtures.api_server import Reply, api_server

PINNED = [
    {"name": "id", "type": "integer", "native": "INTEGER", "nullable": False},
    {"name": "a", "type": "integer", "native": "INTEGER"},
    {"name": "at", "type": "timestamp", "native": "TIMESTAMP"},
]
POLICIES = ("evolve", "propose", "freeze")
MANY = [f"c{n}" for n in range(500)]


class Origin(Shop):
    """A table that is made anew in another shape between two collections."""

    def __init__(self, root):
        super().__init__(root)
        self.shape("id INTEGER, a INTEGER, at TIMESTAMP", [(1, 10, "2026-01-01 00:00:01")])

    def shape(self, columns, rows):
        self.do("DROP TABLE orders")
        self.do(f"CREATE TABLE orders ({columns})")
        self.do(f"INSERT INTO orders VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608 question marks

    def collect(self, policy, pinned=PINNED, **more):
        wish = {"columns": pinned, "cursor": "at"}
        return self.load(wish=wish, drift=policy, max_reject_rate=1.0, **more)

    def found(self):
        return pl.read_delta(str(self.target)).sort("id").drop("at").to_dicts()

    def reasons(self):
        return [] if not self.quarantine.exists() else sorted(self.rejected().select("column", "reason").rows())


@pytest.fixture
def origin(tmp_path):
    return Origin(tmp_path)


def second(n, value):
    return (n, value, f"2026-01-01 00:00:0{n}")


# each: columns and rows of the new shape, and by policy: the rows after row 1, the quarantine, the notes (column, kind, done)
CASES = {
    "new": (
        "id INTEGER, a INTEGER, at TIMESTAMP, b TEXT",
        [(*second(2, 20), "x"), (*second(3, 30), None)],
        {
            "evolve": ([{"a": 20, "b": "x"}, {"a": 30, "b": None}], [], [("b", "new", "added")]),
            "propose": ([{"a": 20, "_extra": '{"b":"x"}'}, {"a": 30, "_extra": None}], [], [("b", "new", "held")]),
            "freeze": ([None, {"a": 30}], [("b", "the column 'b' is not confirmed")], [("b", "new", "refused")]),
        },
    ),
    "dropped": (
        "id INTEGER, at TIMESTAMP",
        [(2, "2026-01-01 00:00:02")],
        dict.fromkeys(POLICIES, ([{"a": None}], [], [("a", "dropped", "nulls")])),
    ),
    "renamed": (
        "id INTEGER, b INTEGER, at TIMESTAMP",
        [second(2, 20)],
        {
            "evolve": ([{"a": None, "b": 20}], [], [("a", "dropped", "nulls"), ("b", "new", "added")]),
            "propose": ([{"a": None, "_extra": '{"b":20}'}], [], [("a", "dropped", "nulls"), ("b", "new", "held")]),
            "freeze": (
                [None],
                [("b", "the column 'b' is not confirmed")],
                [("a", "dropped", "nulls"), ("b", "new", "refused")],
            ),
        },
    ),
    "reordered": (
        "at TIMESTAMP, a INTEGER, id INTEGER",
        [("2026-01-01 00:00:02", 20, 2)],
        dict.fromkeys(POLICIES, ([{"a": 20}], [], [])),
    ),
    "widened": (
        "id INTEGER, a REAL, at TIMESTAMP",
        [second(2, 2.5), second(3, 3.0)],
        {
            "evolve": ([{"a": 2.5}, {"a": 3.0}], [], [("a", "type", "widened")]),
            "propose": ([None, {"a": 3}], [("a", "'2.5' is no integer")], [("a", "type", "cast")]),
            "freeze": ([None, {"a": 3}], [("a", "'2.5' is no integer")], [("a", "type", "cast")]),
        },
    ),
    "another type": (
        "id INTEGER, a TEXT, at TIMESTAMP",
        [second(2, "many"), second(3, "30")],
        dict.fromkeys(POLICIES, ([None, {"a": 30}], [("a", "'many' is no integer")], [("a", "type", "cast")])),
    ),
    "another case": (
        "id INTEGER, A INTEGER, at TIMESTAMP",
        [second(2, 20)],
        dict.fromkeys(POLICIES, ([{"a": 20}], [], [("a", "renamed", "same")])),
    ),
    "500 new columns": (
        f"id INTEGER, a INTEGER, at TIMESTAMP, {', '.join(f'{name} INTEGER' for name in MANY)}",
        [(*second(2, 20), *range(500))],
        {
            "evolve": (
                [{"a": 20, **{name: n for n, name in enumerate(MANY)}}],
                [],
                [(n, "new", "added") for n in MANY],
            ),
            "propose": (
                [{"a": 20, "_extra": orjson.dumps({name: n for n, name in enumerate(MANY)}).decode()}],
                [],
                [(n, "new", "held") for n in MANY],
            ),
            "freeze": ([None], [("c0", "the column 'c0' is not confirmed")], [(n, "new", "refused") for n in MANY]),
        },
    ),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("case", CASES)
def test_a_changed_origin(origin, case, policy):
    columns, rows, outcomes = CASES[case]
    after, aside, notes = outcomes[policy]
    assert origin.collect(policy)["rows"] == 1
    origin.shape(columns, rows)
    told = origin.collect(policy)
    wanted = [{"id": n, **row} for n, row in enumerate(after, 2) if row is not None]
    assert (told["rows"], told["quarantined"]) == (len(wanted), len(aside))
    first, *others = origin.found()
    assert others == wanted
    assert {name: value for name, value in first.items() if value is not None} == {"id": 1, "a": 10}
    assert origin.reasons() == aside
    assert [(note["column"], note["kind"], note["done"]) for note in told["drift"]] == notes
    again = origin.collect(policy, told["columns"])
    assert (again["rows"], again["quarantined"]) == (0, 0)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_narrower_origin_is_read_as_it_was_confirmed(origin, policy):
    origin.shape("id INTEGER, a REAL, at TIMESTAMP", [(1, 10.5, "2026-01-01 00:00:01")])
    pinned = [PINNED[0], {"name": "a", "type": "float", "native": "REAL"}, PINNED[2]]
    origin.collect(policy, pinned)
    origin.shape("id INTEGER, a INTEGER, at TIMESTAMP", [second(2, 20)])
    told = origin.collect(policy, pinned)
    assert origin.found() == [{"id": 1, "a": 10.5}, {"id": 2, "a": 20.0}]
    assert [(note["column"], note["kind"], note["done"]) for note in told["drift"]] == [("a", "type", "cast")]


@pytest.mark.parametrize(
    ("policy", "rows", "aside"),
    [
        ("evolve", [{"id": 1, "a": 1}, {"id": 2, "a": 2, "in": '{"x":[1,{"y":2}]}', "A_2": 9}], []),
        ("propose", [{"id": 1, "a": 1}, {"id": 2, "a": 2, "_extra": r'{"in":"{\"x\":[1,{\"y\":2}]}","A":9}'}], []),
        ("freeze", [{"id": 1, "a": 1}], [("in", "the column 'in' is not confirmed")]),
    ],
)
def test_nested_values_and_a_name_that_differs_in_case_alone(tmp_path, policy, rows, aside):
    origin = Origin(tmp_path)
    pinned = [{"name": "id", "type": "integer"}, {"name": "a", "type": "integer"}]
    wish = {"stream": "/orders", "columns": pinned, "mode": "full", "cursor": None}
    with api_server() as api:
        more = {"connector": "rest", "parameters": {"base_url": api.url}, "reach": {"loopback": True}, "wish": wish}
        api.answer = lambda _: Reply([{"id": 1, "a": 1}])
        origin.load(**more, drift=policy, into="replace", max_reject_rate=1.0)
        api.answer = lambda _: Reply([{"id": 1, "a": 1}, {"id": 2, "a": 2, "in": {"x": [1, {"y": 2}]}, "A": 9}])
        told = origin.load(**more, drift=policy, into="replace", max_reject_rate=1.0)
    found = pl.read_delta(str(origin.target)).sort("id").to_dicts()
    assert [{name: value for name, value in row.items() if value is not None} for row in found] == rows
    assert (told["quarantined"], origin.reasons()) == (len(aside), aside)


CASED = [{"id": 1, "a": 1, "A": 9, "Id": 7}]


def test_names_that_differ_in_case_alone_are_told_apart_once(tmp_path):
    origin = Origin(tmp_path)
    pinned = [{"name": "id", "type": "integer"}, {"name": "a", "type": "integer"}]
    wish = {"stream": "/orders", "mode": "full", "cursor": None}
    with api_server() as api:
        more = {"connector": "rest", "parameters": {"base_url": api.url}, "reach": {"loopback": True}}
        api.answer = lambda _: Reply(CASED)
        told = origin.load(**more, wish={**wish, "columns": pinned}, into="replace")
        assert sorted((note["column"], note["done"]) for note in told["drift"]) == [("A_2", "added"), ("Id_2", "added")]
        again = origin.load(**more, wish={**wish, "columns": told["columns"]}, into="replace")
    assert (again["drift"], again["columns"]) == ([], told["columns"])
    assert pl.read_delta(str(origin.target)).to_dicts() == [{"id": 1, "a": 1, "A_2": 9, "Id_2": 7}]


def test_a_numbered_column_follows_the_origin_by_its_own_name():
    known = [StreamColumn(name=name, type="integer", native="INT") for name in ("id", "ID_2")]
    drift = Drift(known, "evolve")
    drift.seen([StreamColumn(name=name, type="integer", native="INT") for name in ("ID", "id")])
    assert ([one.name for one in drift.asked], drift.columns, drift.notes) == (["id", "ID"], known, [])
    aligned, _, _ = drift.align(pl.DataFrame({"id": [1], "ID": [2]}))
    assert aligned.to_dicts() == [{"id": 1, "ID_2": 2}]
    alone = Drift(known, "evolve")
    alone.seen([StreamColumn(name="ID", type="integer", native="INT")])
    assert ([one.name for one in alone.asked], [(note.column, note.kind) for note in alone.notes]) == (
        ["ID"],
        [("id", "dropped")],
    )
    assert alone.align(pl.DataFrame({"ID": [2]}))[0].to_dicts() == [{"ID_2": 2}]


def test_a_name_with_a_number_of_its_own_is_no_numbered_one():
    drift = Drift([StreamColumn(name=name, type="integer") for name in ("id", "ID_2")], "evolve")
    drift.seen([StreamColumn(name=name, type="integer") for name in ("id", "ID_2", "ID")])
    assert [(note.column, note.kind) for note in drift.notes] == [("ID_3", "new")]
