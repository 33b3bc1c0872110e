"""Change capture against a real PostgreSQL."""

from __future__ import annotations

import json
import random
from typing import Any

import psycopg
import pytest

from aimass.collector.connectors.postgres_changes.manifest import CONNECTOR
from aimass.collector.connectors.postgres_changes.run import RUN
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from tests.fixtures.draining import Committed, wish
from tests.fixtures.engines import needs_postgres
from tests.fixtures.postgres import postgres_server

pytestmark = [
    pytest.mark.postgres,
    needs_postgres,
    pytest.mark.xdist_group("postgres_changes"),
]


@pytest.fixture(scope="module")
def server():
    with postgres_server("wal_level=logical", "max_replication_slots=100", "max_wal_senders=20") as found:
        yield found


class Base:
    """A database of its own, and connections to it as the platform opens them."""

    def __init__(self, server: Any) -> None:
        self.name = server.create().partition("@/")[2].partition("?")[0]
        self.folder = str(server.folder)
        self.con = psycopg.connect(host=self.folder, dbname=self.name, user="aimass", autocommit=True)
        self.made: list[Any] = []

    def parameters(self, **more: Any) -> dict[str, Any]:
        return {"host": self.folder, "database": self.name, "user": "aimass", **more}

    def open(self, **more: Any) -> Any:
        self.made.append(RUN(CONNECTOR.check(self.parameters(**more))))
        return self.made[-1]

    def sql(self, *statements: str) -> None:
        for statement in statements:
            self.con.execute(statement)

    def slots(self) -> list[str]:
        return [
            row[0]
            for row in self.con.execute(
                "select slot_name from pg_replication_slots where database = current_database()"
            )
        ]

    def close(self) -> None:
        for one in self.made:
            one.close()
        for slot in self.slots():
            self.con.execute("select pg_drop_replication_slot(%s)", [slot])
        self.con.close()


@pytest.fixture
def base(server):
    found = Base(server)
    found.sql("create table orders (id int primary key, name text, amount numeric(12,2), at timestamptz default now())")
    yield found
    found.close()


def folded(found: Committed, key: str = "id") -> dict[str, dict[str, Any]]:
    """What the table would hold: operations in their order, the last one of each key counts."""
    rows: dict[str, dict[str, Any]] = {}
    for operation, row in zip(found.operations, found.rows, strict=True):
        if operation == "truncate":
            rows.clear()
        elif operation == "delete":
            rows.pop(row[key], None)
        else:
            rows[row[key]] = row
    return rows


def told(found: Committed) -> list[tuple[str, Any, Any]]:
    return [
        (operation, row["id"], row.get("name")) for operation, row in zip(found.operations, found.rows, strict=True)
    ]


def test_check_tells_the_log_and_the_slots(base):
    assert "keeps a logical log" in base.open().check()


def test_a_server_without_a_logical_log_is_said(tmp_path):
    with postgres_server() as server:
        base = Base(server)
        with pytest.raises(Invalid, match="logical log") as failure:
            base.open().check()
        assert "wal_level" in failure.value.hint
        base.close()


def test_a_role_that_may_not_replicate_is_said(base):
    base.sql("drop role if exists reader", "create role reader login")
    with pytest.raises(Invalid, match="may not replicate") as failure:
        base.open(user="reader").check()
    assert failure.value.field == "user"
    with pytest.raises((Forbidden, Invalid, Unavailable)) as failure:
        Committed().take(base.open(user="reader"), wish("public.orders"))
    assert "permission denied" in failure.value.message


def test_a_wrong_database_is_named(base):
    with pytest.raises(NotFound) as failure:
        base.open(database="nothing")
    assert failure.value.field == "database"


def test_tables_are_discovered_with_types_and_keys(base):
    base.sql("create table t (a int, b int, tags text[], n numeric, d numeric(10,3), j jsonb, primary key (b, a))")
    found = {one.name: one for one in base.open().discover()}
    assert sorted(found) == ["public.orders", "public.t"]
    assert found["public.t"].keys == ("a", "b")
    assert [(c.name, c.type, c.precision, c.scale) for c in found["public.t"].columns] == [
        ("a", "integer", None, None),
        ("b", "integer", None, None),
        ("tags", "json", None, None),
        ("n", "string", None, None),
        ("d", "decimal", 10, 3),
        ("j", "json", None, None),
    ]


def test_rows_that_are_there_come_first_then_every_change_in_order(base):
    base.sql("insert into orders select g, 'old ' || g from generate_series(1, 3) g")
    found = Committed().take(base.open(), wish("public.orders"))
    assert told(found) == [("insert", "1", "old 1"), ("insert", "2", "old 2"), ("insert", "3", "old 3")]
    base.sql(
        "insert into orders values (4, 'new')",
        "update orders set name = 'b' where id = 1",
        "delete from orders where id = 2",
    )
    found.take(base.open(), wish("public.orders"))
    assert told(found)[3:] == [("insert", "4", "new"), ("update", "1", "b"), ("delete", "2", None)]


def test_a_preview_makes_no_slot(base):
    base.sql("insert into orders select g, 'x' from generate_series(1, 30) g")
    parts = list(base.open().read(wish("public.orders", limit=4), {}))
    assert [part.rows.num_rows for part in parts] == [4]
    assert base.slots() == []


def test_what_changes_while_the_rows_are_read_is_neither_lost_nor_doubled(base):
    base.sql("insert into orders select g, 'x' from generate_series(1, 50000) g")
    found, reading = Committed(), None
    connector = base.open()
    reading = connector.read(wish("public.orders"), {})
    found.commit(next(reading))
    base.sql("update orders set name = 'y' where id % 10 = 0", "delete from orders where id > 49990")
    base.sql("insert into orders values (60000, 'z')")
    for part in reading:
        if part is None:
            break
        found.commit(part)
    reading.close()
    assert len(found.rows) == 50_000 + 5_000 + 10 + 1
    rows = folded(found)
    assert len(rows) == 49_991
    assert sum(row["name"] == "y" for row in rows.values()) == 4_999


def test_an_acknowledgement_that_is_lost_doubles_nothing_and_one_that_comes_frees_the_log(base):
    found = Committed().take(base.open(), wish("public.orders"))
    base.sql("insert into orders values (1, 'a')")
    found.take(base.open(), wish("public.orders"), acknowledge=False)
    base.sql("insert into orders values (2, 'b')")
    found.take(base.open(), wish("public.orders"))
    assert told(found) == [("insert", "1", "a"), ("insert", "2", "b")]
    confirmed = base.con.execute("select confirmed_flush_lsn::text from pg_replication_slots").fetchone()
    assert confirmed == (f"{found.state['lsn'] >> 32:X}/{found.state['lsn'] & 0xFFFFFFFF:X}",)


def test_an_attempt_that_died_in_the_first_rows_is_emptied_and_made_again(base):
    base.sql("insert into orders select g, 'x' from generate_series(1, 50000) g")
    found = Committed().take(base.open(), wish("public.orders"), 1)
    base.sql("delete from orders where id < 100")
    found.take(base.open(), wish("public.orders"))
    assert "truncate" in found.operations
    assert len(folded(found)) == 49_901


def test_a_transaction_stays_whole_and_a_huge_one_goes_on_where_it_was(base):
    found = Committed().take(base.open(), wish("public.orders"))
    base.sql(
        "insert into orders select g, 'x' from generate_series(1, 25000) g", "insert into orders values (90000, 'y')"
    )
    connector = base.open()
    parts = [
        part for part, _ in zip(connector.read(wish("public.orders"), found.state), range(2), strict=False) if part
    ]
    assert parts[0].rows.num_rows == 25_000
    small = {"whole_rows": 10_000}
    for _ in range(5):
        found.take(base.open(), wish("public.orders", parameters=small), 1)
    assert [row["id"] for row in found.rows] == [*map(str, range(1, 25_001)), "90000"]


def test_values_keep_their_text(base):
    base.sql(
        "create table t (id int primary key, s text, b bytea, n numeric(38,20), a int[], w text[][], j jsonb, f float8, u uuid, "
        "i interval, ok bool, d date, at timestamptz)"
    )
    row = (
        "values (1, E'tab\\t quote '' \" back\\\\ nul-less \\n 客', '\\x00ff', 123456789012345678.12345678901234567890,"
        ' \'{1,NULL,3}\', \'{{"a,b","NULL"},{NULL,"q\\""}}\', \'{"k": [1, 2]}\', 0.1, '
        "'6f9619ff-8b86-d011-b42d-00c04fc964ff', '1 day 02:00:00', true, '2026-05-01', '2026-05-01 12:00:00.123456+02')"
    )
    base.sql(f"insert into t {row}")
    found = Committed().take(base.open(), wish("public.t"))
    base.sql("update t set id = 2")
    found.take(base.open(), wish("public.t"))
    first, last = dict(found.rows[0]), dict(found.rows[-1])
    assert (found.operations, first.pop("id"), last.pop("id")) == (["insert", "delete", "insert"], "1", "2")
    assert first == last
    assert first["s"] == "tab\t quote ' \" back\\ nul-less \n 客"
    assert first["n"] == "123456789012345678.12345678901234567890"
    assert (json.loads(first["a"]), json.loads(first["w"])) == ([1, None, 3], [["a,b", "NULL"], [None, 'q"']])
    assert (first["f"], first["ok"], first["at"]) == ("0.1", "t", "2026-05-01 10:00:00.123456+00")
    assert first["b"] == "\\x00ff"


@pytest.mark.parametrize("identity", ["default", "full"])
def test_a_long_value_that_an_update_leaves_alone_is_not_lost(base, identity):
    base.sql("create table t (id int primary key, n int, body text)", "alter table t alter body set storage external")
    base.sql(f"alter table t replica identity {identity}")
    found = Committed().take(base.open(), wish("public.t"))
    base.sql("insert into t values (1, 0, repeat('x', 100000))", "update t set n = 1", "update t set n = 2")
    found.take(base.open(), wish("public.t"))
    assert [len(body) for body in found.column("body")] == [100_000] * 3
    assert found.operations == ["insert", "update", "update"]


def test_truncate_empties_and_other_tables_are_not_told(base):
    base.sql("create table other (id int primary key)", "insert into orders values (1, 'a')")
    found = Committed().take(base.open(), wish("public.orders"))
    base.sql(
        "begin; insert into other values (1); insert into orders values (2, 'b'); truncate orders, other; insert into orders values (3, 'c'); commit"
    )
    found.take(base.open(), wish("public.orders"))
    assert found.operations == ["insert", "insert", "truncate", "insert"]
    assert list(folded(found)) == ["3"]


def test_columns_that_come_and_go_in_between(base):
    found = Committed().take(base.open(), wish("public.orders"))
    base.sql(
        "insert into orders values (1, 'a')",
        "alter table orders add column note text default 'n'",
        "insert into orders values (2, 'b')",
        "alter table orders drop column amount",
        "alter table orders rename column name to label",
        "insert into orders (id, label) values (3, 'c')",
        "alter table orders alter column id type bigint",
        "insert into orders (id, label) values (5000000000, 'd')",
    )
    found.take(base.open(), wish("public.orders"))
    assert [(r["id"], r["name"], r["label"], r["note"]) for r in found.rows] == [
        ("1", "a", None, None),
        ("2", "b", None, "n"),
        ("3", None, "c", "n"),
        ("5000000000", None, "d", "n"),
    ]


def test_a_table_without_a_key_is_refused_before_it_is_published(base):
    base.sql("create table bare (a int)", "insert into bare values (1)")
    with pytest.raises(Invalid, match="no primary key") as failure:
        Committed().take(base.open(), wish("public.bare"))
    assert "REPLICA IDENTITY FULL" in failure.value.hint
    base.sql("update bare set a = 2")
    base.sql("alter table bare replica identity full")
    found = Committed().take(base.open(), wish("public.bare", keys=("a",)))
    base.sql("delete from bare")
    assert found.take(base.open(), wish("public.bare", keys=("a",))).operations == ["insert", "delete"]


def test_a_slot_that_is_gone_means_everything_again_or_a_stop(base):
    base.sql("insert into orders values (1, 'a'), (2, 'b')")
    found = Committed().take(base.open(), wish("public.orders"))
    base.sql(f"select pg_drop_replication_slot('{base.slots()[0]}')", "delete from orders where id = 1")
    with pytest.raises(Conflict, match="is gone"):
        Committed(state=dict(found.state)).take(base.open(), wish("public.orders", parameters={"on_lost_slot": "stop"}))
    found.take(base.open(), wish("public.orders"))
    assert list(folded(found)) == ["2"]


def test_a_slot_that_somebody_else_moved_means_everything_again(base):
    found = Committed().take(base.open(), wish("public.orders"))
    base.sql("insert into orders values (1, 'a')")
    base.con.execute(
        "select count(*) from pg_logical_slot_get_binary_changes(%s, null, null, 'proto_version', '1', 'publication_names', %s)",
        [base.slots()[0]] * 2,
    )
    assert list(folded(found.take(base.open(), wish("public.orders")))) == ["1"]


def test_the_position_follows_a_log_in_which_only_others_write(base, monkeypatch):
    monkeypatch.setattr("aimass.collector.connectors.postgres_changes.run.connection.QUIET_BYTES", 1 << 16)
    found = Committed().take(base.open(), wish("public.orders"))
    before = found.state["lsn"]
    base.sql("create table noise (a text)", "insert into noise select repeat('x', 100) from generate_series(1, 5000)")
    found.take(base.open(), wish("public.orders"))
    assert found.state["lsn"] - before > 1 << 16
    base.sql("insert into orders values (1, 'a')")
    assert told(found.take(base.open(), wish("public.orders"))) == [("insert", "1", "a")]


def test_a_server_that_ends_the_session_is_unavailable_and_reading_goes_on(base):
    found = Committed().take(base.open(), wish("public.orders"))
    reading = base.open().read(wish("public.orders"), found.state)
    assert next(reading) is None
    base.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'aimass'")
    with pytest.raises(Unavailable):
        next(reading)
    base.sql("insert into orders values (1, 'a')")
    assert told(found.take(base.open(), wish("public.orders"))) == [("insert", "1", "a")]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_transactions_with_crashes_end_in_the_same_table(base, seed):
    chance, found = random.Random(seed), Committed()
    for step in range(12):
        for _ in range(chance.randrange(1, 8)):
            ids = [chance.randrange(60) for _ in range(chance.randrange(1, 12))]
            with base.con.transaction():
                for one in ids:
                    base.con.execute(
                        chance.choice(
                            [
                                "insert into orders values (%(a)s, %(b)s) on conflict (id) do update set name = excluded.name",
                                "update orders set name = %(b)s where id = %(a)s",
                                "delete from orders where id = %(a)s",
                            ]
                        ),
                        {"a": one, "b": f"{seed}-{step}-{chance.random()}"},
                    )
                if chance.random() < 0.1:
                    base.con.execute("truncate orders")
        copy = Committed([*found.rows], [], dict(found.state), [*found.operations])
        copy.take(
            base.open(),
            wish("public.orders", parameters={"whole_rows": 3}),
            chance.randrange(1, 4),
            acknowledge=chance.random() < 0.5,
        )
        if chance.random() < 0.7:
            found = copy  # else the process died before its commit
    found.take(base.open(), wish("public.orders"))
    there = {str(row[0]): row[1] for row in base.con.execute("select id, name from orders")}
    assert {key: row["name"] for key, row in folded(found).items()} == there
