from __future__ import annotations

import contextlib

import psycopg
import pytest

from aimass.collector.connectors import find_connector, load_connector
from aimass.collector.connectors.contract import COLUMNS, ConnectorContract, Wrong, frame_of, items
from aimass.collector.connectors.port import Wish
from aimass.collector.connectors.reach import Reach, limit_to
from tests.fixtures.engines import needs_postgres

pytestmark = [
    pytest.mark.postgres,
    needs_postgres,
]


class PostgresOrigin:
    stream = "public.orders"

    def __init__(self, server) -> None:
        url = server.create()
        self.database = url.partition("@/")[2].partition("?")[0]
        self.stream_parameters = {}
        self.parameters = {
            "host": str(server.folder),
            "database": self.database,
            "user": "aimass",
            "password": "pr1vate",
        }
        self.wrong = [
            Wrong(parameters={"database": "absent"}, field="database"),
            Wrong(parameters={"user": "nobody at all"}, field="password"),
            Wrong(parameters={"host": "/nowhere", "port": 1}, field="host"),
        ]
        self.con = psycopg.connect(host=str(server.folder), dbname=self.database, user="aimass", autocommit=True)
        self.con.execute("CREATE TABLE orders (id bigint PRIMARY KEY, name text, at timestamptz)")

    def put(self, items) -> None:
        with self.con.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE IF NOT EXISTS fresh (LIKE orders)")
            cursor.execute("TRUNCATE fresh")
            with cursor.copy("COPY fresh FROM STDIN") as copy:
                for item in items:
                    copy.write_row((item.id, item.name, item.at))
            cursor.execute(
                "INSERT INTO orders SELECT * FROM fresh"
                " ON CONFLICT (id) DO UPDATE SET name = excluded.name, at = excluded.at"
            )

    def drop(self, ids) -> None:
        self.con.execute("DELETE FROM orders WHERE id = ANY(%s)", [list(ids)])

    @contextlib.contextmanager
    def interrupted(self):
        self.con.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        yield


@pytest.fixture
def origin(postgres):
    found = PostgresOrigin(postgres)
    yield found
    found.con.close()


class TestPostgres(ConnectorContract):
    __test__ = True
    connector = "postgres"

    @pytest.fixture
    def origin(self, postgres):
        found = PostgresOrigin(postgres)
        yield found
        found.con.close()


def test_every_kind_of_value_comes_as_the_server_writes_it(origin):
    origin.con.execute(
        "CREATE TABLE kinds (a numeric(38,20), b date, c uuid, d jsonb, e int[], f interval, g timestamptz, h bytea,"
        " i text, j boolean, k numeric, l timestamp, m double precision, n text)"
    )
    origin.con.execute(
        "INSERT INTO kinds VALUES ('123456789012345678.12345678901234567890', 'infinity',"
        " 'b3c1f9ce-0000-4000-8000-000000000001', '{\"a\": [1]}', '{{1,2},{3,NULL}}', '1 year 2 hours',"
        " '2026-05-01 12:00:00.000001+02', '\\x00ff', '', true, 1e40, '2026-05-01 12:00', 0.1, null)"
    )
    limit_to(Reach(loopback=True))
    connector = load_connector("postgres")(find_connector("postgres").check(origin.parameters))
    found = connector.describe("public.kinds", {})
    told = {column.name: column.type for column in found.columns}
    assert [told[name] for name in "abcdefghijklmn"] == [
        *("decimal", "date", "string", "json", "json", "string", "timestamp", "string"),
        *("string", "boolean", "string", "timestamp", "float", "string"),
    ]
    wish = Wish(stream="public.kinds", columns=found.columns)
    row = frame_of(list(connector.read(wish, {}))).row(0)
    connector.close()
    assert row == (
        *("123456789012345678.12345678901234567890", "infinity", "b3c1f9ce-0000-4000-8000-000000000001"),
        *('{"a": [1]}', "[[1,2],[3,null]]", "P1YT2H", "2026-05-01 10:00:00.000001+00", "\\x00ff", "", "t"),
        *("1" + "0" * 40, "2026-05-01 12:00:00", "0.1", None),
    )


def test_a_row_that_changes_while_it_is_read_comes_as_it_was(origin):
    origin.put(items(0, 200_000))
    limit_to(Reach(loopback=True))
    connector = load_connector("postgres")(find_connector("postgres").check(origin.parameters))
    parts = connector.read(Wish(stream=origin.stream, columns=COLUMNS), {})
    first = next(parts)
    origin.con.execute("UPDATE orders SET name = 'changed'")
    names = frame_of([first, *parts])["name"]
    connector.close()
    assert (len(names), (names == "changed").any()) == (200_000, False)


def test_a_database_without_an_encoding_holds_back_only_the_texts_that_are_no_utf_8(origin):
    name = f"{origin.database}_plain"
    origin.con.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    with psycopg.connect(host=origin.parameters["host"], dbname=name, user="aimass", autocommit=True) as con:
        con.execute("CREATE TABLE plain (id bigint, name text)")
        con.execute(rb"INSERT INTO plain VALUES (1, E'n\xc3\xa91'), (2, E'caf\xe9, au\nlait'), (3, NULL)")
    limit_to(Reach(loopback=True))
    connection = load_connector("postgres")(find_connector("postgres").check({**origin.parameters, "database": name}))
    columns = connection.describe("public.plain", {}).columns
    parts = list(connection.read(Wish(stream="public.plain", columns=columns), {}))
    connection.close()
    assert frame_of(parts).to_dicts() == [{"id": "1", "name": "né1"}, {"id": "3", "name": None}]
    rejects = [(one.column, one.raw) for part in parts for one in part.rejects]
    assert rejects == [("name", '{"id":"2","name":"636166e92c2061750a6c616974"}')]
