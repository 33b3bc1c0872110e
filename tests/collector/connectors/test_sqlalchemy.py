from __future__ import annotations

import contextlib
import sqlite3
import sys
import time
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from aimass.collector.children.casting import cast
from aimass.collector.connectors import find_connector, load_connector
from aimass.collector.connectors.contract import ConnectorContract, Wrong, frame_of
from aimass.collector.connectors.port import StreamColumn, Wish
from aimass.collector.connectors.reach import Reach, limit_to
from aimass.kernel.errors import Forbidden, Invalid, MissingExtra, NotFound
from tests.fixtures.engines import needs_mariadb
from tests.fixtures.mariadb import PASSWORD, mariadb_server


@pytest.fixture(scope="module")
def maria():
    with mariadb_server() as server:
        yield server


@contextlib.contextmanager
def opened(reach: Reach | None = None, **parameters):
    limit_to(reach or Reach(loopback=True))
    connector = load_connector("sqlalchemy")(find_connector("sqlalchemy").check(parameters))
    try:
        yield connector
    finally:
        connector.close()


class MariaOrigin:
    stream, stream_parameters = "orders", {}

    def __init__(self, server) -> None:
        self.server, self.database = server, server.create()
        self.parameters = {"url": server.url(self.database), "password": PASSWORD}
        self.wrong = [
            Wrong(parameters={"password": "wrong-battery"}, field="password"),
            Wrong(parameters={"url": server.url(self.database).replace(str(server.port), "1")}, field="url"),
            Wrong(parameters={"url": f"nosuch+driver://reader@127.0.0.1/{self.database}"}, field="url"),
        ]
        self.con = server.admin(self.database)
        self.do("SET time_zone = '+00:00'")
        self.do("CREATE TABLE orders (id bigint PRIMARY KEY, name text, at timestamp(6) NULL, KEY (at))")

    def do(self, statement: str, values=None):
        with self.con.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def put(self, items) -> None:
        rows = [(one.id, one.name, one.at and min(one.at, datetime(2038, 1, 1, tzinfo=UTC))) for one in items]
        with self.con.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO orders VALUES (%s, %s, %s) ON DUPLICATE KEY UPDATE name = VALUES(name), at = VALUES(at)",
                [(id_, name, at and at.replace(tzinfo=None)) for id_, name, at in rows],
            )

    @contextlib.contextmanager
    def interrupted(self):
        found = self.do("SELECT id FROM information_schema.processlist WHERE user = 'reader'")
        for (one,) in found:
            with contextlib.suppress(Exception):
                self.do(f"KILL {one}")
        yield


@needs_mariadb
class TestMariaDB(ConnectorContract):
    __test__ = True
    connector = "sqlalchemy"
    dies_within_rows = 200_000

    @pytest.fixture
    def origin(self, maria):
        found = MariaOrigin(maria)
        yield found
        found.con.close()


class SqliteOrigin:
    stream, stream_parameters, wrong = "orders", {}, ()

    def __init__(self, path) -> None:
        self.parameters = {"url": f"sqlite:///{path}"}
        self.wrong = [Wrong(parameters={"url": f"sqlite:///{path}.absent"}, field="url")]
        self.con = sqlite3.connect(path)
        self.con.execute("PRAGMA journal_mode = wal")
        self.con.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT, at TIMESTAMP)")

    def put(self, items) -> None:
        rows = [(one.id, one.name, one.at and one.at.strftime("%Y-%m-%d %H:%M:%S.%f")) for one in items]
        self.con.executemany("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", rows)
        self.con.commit()


class TestSqlite(ConnectorContract):
    __test__ = True
    connector = "sqlalchemy"
    can_be_interrupted = False
    dies_within_rows = 200_000

    @pytest.fixture
    def origin(self, tmp_path):
        found = SqliteOrigin(tmp_path / "shop.db")
        yield found
        found.con.close()


@pytest.fixture
def shop(maria):
    found = MariaOrigin(maria)
    yield found
    found.con.close()


def read(connector, stream, columns, mode="full", state=None, **more):
    return list(connector.read(Wish(stream=stream, columns=columns, mode=mode, **more), state or {}))


@needs_mariadb
def test_every_type_of_mariadb_keeps_its_digits(shop):
    shop.do(
        "CREATE TABLE t (a bigint unsigned PRIMARY KEY, b decimal(38,20), c json, d date, e datetime(6), f timestamp(6) NULL,"
        " g bit(1), h bit(12), i time, j year, k enum('x','y'), l set('p','q'), m varbinary(4), n double, o tinyint(1), p decimal(60,2))"
    )
    shop.do("SET SESSION sql_mode = ''")
    shop.do(
        "INSERT INTO t VALUES (18446744073709551615, 123456789012345678.12345678901234567890, '{\"n\": 1.10}', '2026-05-01',"
        " '2026-05-01 10:00:00.123456', '2026-05-01 10:00:00.123456', b'1', b'100000000001', '-12:30:00', 2026, 'y', 'p,q',"
        " x'00ff', 0.1, 1, 12345678901234567890123456789012345678901234567890.12)"
    )
    with opened(**shop.parameters) as connector:
        info = connector.describe("t", {})
        assert [(c.name, c.type, c.precision, c.scale) for c in info.columns[:8]] == [
            ("a", "decimal", 20, 0), ("b", "decimal", 38, 20), ("c", "string", None, None), ("d", "date", None, None),
            ("e", "timestamp", None, None), ("f", "timestamp", None, None), ("g", "boolean", None, None), ("h", "integer", None, None),
        ]  # fmt: skip
        assert [c.type for c in info.columns[8:]] == [
            "string", "integer", "string", "string", "string", "float", "integer", "string",
        ]  # fmt: skip
        typed, good, bad = cast(frame_of(read(connector, "t", info.columns)), info.columns)
    assert not bad
    row = typed.filter(good).rows(named=True)[0]
    moment = datetime(2026, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)
    assert row == {
        "a": Decimal(18446744073709551615), "b": Decimal("123456789012345678.12345678901234567890"), "c": '{"n": 1.10}',
        "d": date(2026, 5, 1), "e": moment, "f": moment, "g": True, "h": 2049, "i": "-1 day, 11:30:00", "j": 2026, "k": "y",
        "l": "p,q", "m": "00ff", "n": 0.1, "o": 1, "p": "12345678901234567890123456789012345678901234567890.12",
    }  # fmt: skip


@needs_mariadb
@pytest.mark.parametrize(("zero_dates", "kept"), [("reject", 1), ("null", 2)])
def test_dates_of_zeros_are_put_aside_or_no_value(shop, zero_dates, kept):
    shop.do("SET SESSION sql_mode = ''")
    shop.do("CREATE TABLE t (a int PRIMARY KEY, d date, e datetime)")
    shop.do("INSERT INTO t VALUES (1, '0000-00-00', '0000-00-00 00:00:00'), (2, '2026-05-01', '2026-05-01 10:00:00')")
    with opened(**shop.parameters) as connector:
        columns = connector.describe("t", {}).columns
        parts = read(connector, "t", columns, parameters={"zero_dates": zero_dates})
        typed, good, bad = cast(frame_of(parts), columns)
    assert len(typed.filter(good)) == kept
    assert [(one.column, one.reason) for one in bad] == [("d", "'0000-00-00' is no date")][: 2 - kept]
    assert typed.filter(good)["d"].to_list()[-1] == date(2026, 5, 1)


@needs_mariadb
def test_names_with_quotes_and_views_and_other_schemas_are_read(shop, maria):
    other = maria.create()
    shop.do("CREATE TABLE `odd ``; -- name` (`a ``b` int, `c:d` int, `e%%f` int)")
    shop.do("INSERT INTO `odd ``; -- name` VALUES (1, 2, 3)")
    shop.do("CREATE VIEW seen AS SELECT 7 AS n")
    shop.do(f"CREATE TABLE {other}.there AS SELECT 9 AS n")
    with opened(**shop.parameters, schemas=[other]) as connector:
        names = [info.name for info in connector.discover()]
        assert {"odd `; -- name", "seen", f"{other}.there"} <= set(names)
        for name, row in (("odd `; -- name", (1, 2, 3)), ("seen", (7,)), (f"{other}.there", (9,))):
            assert frame_of(read(connector, name, connector.describe(name, {}).columns)).rows() == [row]
        assert "MariaDB" in connector.check()


@needs_mariadb
def test_a_preview_of_a_large_table_is_left_without_reading_it_to_its_end(shop):
    shop.do("CREATE TABLE big (a bigint PRIMARY KEY, t char(200))")
    shop.do("INSERT INTO big SELECT seq, repeat('x', 200) FROM seq_1_to_500000")
    columns = (StreamColumn(name="a", type="integer"), StreamColumn(name="t", type="string"))
    with opened(**shop.parameters) as connector:
        reading = connector.read(Wish(stream="big", columns=columns), {})
        next(reading)
        began = time.monotonic()
        reading.close()
        assert time.monotonic() - began < 2, "the rest was read"
        assert frame_of(read(connector, "big", columns, limit=3))["a"].to_list() == [1, 2, 3]


@needs_mariadb
def test_a_connection_only_reads(shop):
    shop.do(f"GRANT INSERT ON {shop.database}.* TO reader@'%'")
    with opened(**shop.parameters) as connector, pytest.raises(Exception, match="READ ONLY"):
        connector._con.exec_driver_sql("INSERT INTO orders VALUES (1, 'x', NULL)")


@needs_mariadb
def test_a_table_or_column_that_is_not_there_is_named(shop):
    with opened(**shop.parameters) as connector:
        with pytest.raises(NotFound) as told:
            connector.describe("nothing", {})
        assert (told.value.field, told.value.allowed) == ("stream", ["orders"])
        with pytest.raises(NotFound, match="no column 'x'"):
            read(connector, "orders", (StreamColumn(name="x", type="string"),))


@needs_mariadb
def test_a_database_that_is_not_there_is_named_without_the_password(shop):
    with pytest.raises((Invalid, Forbidden)) as told, opened(url=shop.server.url("absent"), password=PASSWORD):
        pass
    assert PASSWORD not in str(told.value.problem())


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql+pymysql://reader:secret@127.0.0.1/shop", "password stands in the address"),
        ("mysql+pymysql://reader@127.0.0.1/shop?local_infile=1", "local_infile"),
        ("mysql+pymysql://reader@127.0.0.1/shop?read_default_file=/etc/passwd", "read_default_file"),
        ("mysql+pymysql:///shop", "names no host"),
        ("nosuch://h/d", "no dialect"),
        ("mysql+pymysql://reader@127.0.0.1:no/shop", "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url, message):
    with pytest.raises(Invalid, match=message) as told, opened(url=url):
        pass
    assert told.value.field == "url"
    assert "secret" not in str(told.value.problem())


@pytest.mark.parametrize(
    "url",
    [
        "mysql+pymysql://reader@127.0.0.1/shop",
        "mysql+pymysql://reader@/shop?unix_socket=/run/mysqld/mysqld.sock",
        "mysql+pymysql://reader@169.254.169.254/shop",
        "postgresql+psycopg://reader@192.0.2.1,127.0.0.1/shop",
        "sqlite:////etc/passwd",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_what_the_operator_closed_is_not_reached(url, tmp_path):
    with pytest.raises(Forbidden) as told, opened(Reach(folders=(str(tmp_path),)), url=url):
        pass
    assert told.value.field == "url"


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("mysql+pymysql://r@127.0.0.1/d", "pip install 'aimass[connectors]'"),
        ("postgresql+psycopg://r@127.0.0.1/d", "pip install 'aimass[postgres]'"),
    ],
)
def test_a_driver_that_is_not_installed_is_told_with_the_command(monkeypatch, url, hint):
    monkeypatch.setitem(sys.modules, url.partition("+")[2].partition(":")[0], None)
    with pytest.raises(MissingExtra) as told, opened(url=url):
        pass
    assert told.value.hint == hint


def test_a_driver_that_no_extra_brings_is_named():
    with pytest.raises(Invalid, match="pyodbc") as told, opened(url="mssql+pyodbc://r@127.0.0.1/d"):
        pass
    assert told.value.hint.startswith("pip install pyodbc")


def test_a_moment_in_another_form_is_compared_as_a_moment(tmp_path):
    con = sqlite3.connect(tmp_path / "a.db")
    con.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP)")
    con.executemany("INSERT INTO t VALUES (?, ?)", [(1, "2026-05-01T10:00:00"), (2, "2026-05-01 11:00:00")])
    con.commit()
    con.close()
    columns = (StreamColumn(name="id", type="integer"), StreamColumn(name="at", type="timestamp"))
    with opened(Reach(folders=(str(tmp_path),)), url=f"sqlite:///{tmp_path}/a.db") as connector:
        state = {"cursor": "2026-05-01T10:00:00+00:00"}
        parts = read(connector, "t", columns, "incremental", state, cursor="at")
    assert sorted(frame_of(parts)["id"]) == [1, 2]
