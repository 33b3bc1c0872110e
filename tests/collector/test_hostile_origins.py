"""Origins that break the rules: what cannot be taken is put aside with its reason, and nothing blocks what follows."""

from __future__ import annotations

import contextlib
import re
import socket
import sqlite3
import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aimass.collector.connectors import find_connector, load_connector
from aimass.collector.connectors.cursor import Highest, begin_of
from aimass.collector.connectors.dlt.run import _Walk
from aimass.collector.connectors.messages import Parsed, Reading, batch_of
from aimass.collector.connectors.port import StreamColumn, Wish
from aimass.collector.connectors.reach import Reach, limit_to
from aimass.kernel.errors import Forbidden, Invalid, Unavailable
from tests.collector.test_loading import Shop
from tests.fixtures.api_server import Reply, api_server

WIDE = (StreamColumn(name="d", type="decimal", precision=38, scale=2),)
FLOATS = [{"name": "id", "type": "integer", "nullable": False}, {"name": "at", "type": "float"}]


def opened(name, parameters):
    return load_connector(name)(find_connector(name).check(parameters))


def deep(levels: int) -> bytes:
    return b'{"a":' + b"[" * levels + b"]" * levels + b"}"


@pytest.fixture
def api():
    limit_to(Reach(loopback=True))
    with api_server() as found:
        yield found


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("float", "NaN"),
        ("float", "inf"),
        ("decimal", "NaN"),
        ("decimal", "-Infinity"),
        ("decimal", "1e50"),
        ("integer", 10**30),
        ("integer", float("inf")),
        ("timestamp", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_a_value_after_which_nothing_would_come_moves_no_cursor(kind, value):
    with pytest.raises(Invalid, match=f"is no {kind}"):
        Highest(kind, None).add(value)


def test_a_lag_that_reaches_before_the_first_day_begins_there():
    assert begin_of("timestamp", "0001-01-01T00:00:05", 60) == datetime(1, 1, 1, tzinfo=UTC)
    assert begin_of("decimal", "1.5", 1) == Decimal("0.5")


@pytest.mark.parametrize(
    ("kind", "odd", "aside"), [("float", ["NaN", "Infinity", "-inf"], 0), ("integer", [10**30, "1e400", -(10**30)], 3)]
)
def test_rows_whose_cursor_is_no_number_hide_none_that_follow(tmp_path, api, kind, odd, aside):
    shop = Shop(tmp_path)
    rows = [{"id": n, "at": value} for n, value in enumerate([*odd, 5], 1)]
    api.answer = lambda _: Reply(rows)
    wish = {"stream": "/rows", "columns": [FLOATS[0], {"name": "at", "type": kind}], "cursor": "at"}
    told = {"connector": "rest", "parameters": {"base_url": api.url}, "reach": {"loopback": True}, "wish": wish}
    first = shop.load(**told, max_reject_rate=1.0)
    assert (first["rows"], first["quarantined"], first["state"]["cursor"]) == (4 - aside, aside, 5)
    rows.append({"id": 6, "at": 6})
    again = shop.load(**told, max_reject_rate=1.0)
    assert (again["rows"], again["quarantined"], again["state"]["cursor"]) == (1, 0, 6)


def test_an_infinite_number_in_a_table_hides_no_row_that_follows(tmp_path):
    shop = Shop(tmp_path)
    shop.do("DROP TABLE orders")
    shop.do("CREATE TABLE orders (id INTEGER, at REAL)")
    shop.do("INSERT INTO orders VALUES (?, ?)", [(1, 1.0), (2, float("inf")), (3, -0.0)])
    assert shop.load(wish={"columns": FLOATS})["rows"] == 3
    shop.do("INSERT INTO orders VALUES (?, ?)", [(4, 2.0)])
    again = shop.load(wish={"columns": FLOATS})
    assert (again["rows"], again["state"]["cursor"], shop.ids()) == (1, 2.0, [1, 2, 3, 4])


@pytest.mark.parametrize("columns", [(), WIDE], ids=["quick", "exact"])
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (deep(300), "deeper than 200 levels"),
        (deep(1_000), "deeper than 200 levels"),
        (deep(100_000), "limit|deeper"),
        (rb'{"a":"\ud800"}', "surrogate|half a character"),
        (b'{"a":"\xed\xa0\x80"}', "UTF-8|utf-8"),
        (b'{"a":NaN}', "character|NaN"),
        (b'{"a":1' + b"0" * 5_000 + b"}", "infinity|digits"),
        ('{"a":1}'.encode("utf-16"), "UTF-8|utf-8"),
    ],
)
def test_a_message_that_cannot_be_read_is_put_aside_and_the_others_come(columns, payload, reason):
    parsed = Reading.of("json", columns).rows([b'{"a":1}', payload, b'{"a":2}'], lambda index: f"message {index}")
    batch = batch_of(parsed)
    assert batch is not None
    assert (batch.num_rows, [one.place for one in parsed.rejects]) == (2, ["message 1"])
    assert re.search(reason, parsed.rejects[0].reason)


class Endless:
    """A body that goes on as long as somebody reads it; counts what was taken."""

    def __init__(self):
        self.sent = 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                link, _ = self.server.accept()
                with link, contextlib.suppress(OSError):
                    link.recv(65_536)
                    link.sendall(f"HTTP/1.1 {self.status} No\r\ncontent-type: text/plain\r\n\r\n".encode())
                    while self.sent < 1 << 30:
                        self.sent += link.send(b"x" * 65_536)

    status = 400


@pytest.fixture
def endless():
    limit_to(Reach(loopback=True))
    made = Endless()
    yield made
    made.server.close()


@pytest.mark.parametrize("status", [400, 500, 403])
def test_an_error_without_end_is_left_after_its_beginning(endless, status):
    endless.status = status
    connection = opened("rest", {"base_url": endless.url, "tries": 1})
    with pytest.raises((Invalid, Unavailable, Forbidden), match=str(status)):
        connection.check()
    connection.close()
    assert endless.sent < 32 << 20  # what the kernel holds on both sides, and not the gigabyte


def test_a_token_without_end_is_no_token(endless):
    endless.status = 200
    told = {"auth": "oauth2", "client_id": "c", "secret": "s3cret", "token_url": f"{endless.url}/token"}
    connection = opened("rest", {"base_url": endless.url, "tries": 1, **told})
    with pytest.raises(Unavailable, match="no token"):
        connection.check()
    connection.close()
    assert endless.sent < 32 << 20


def test_a_row_of_an_api_that_nobody_could_write_down_blocks_no_other(tmp_path, api):
    shop = Shop(tmp_path)
    api.answer = lambda _: Reply(b'[{"id":1},{"id":2,"a":' + b"[" * 990 + b"]" * 990 + b'},{"id":3}]')
    wish = {"stream": "/rows", "columns": FLOATS[:1], "mode": "full", "cursor": None}
    told = {"connector": "rest", "parameters": {"base_url": api.url}, "reach": {"loopback": True}, "wish": wish}
    assert (shop.load(**told)["quarantined"], shop.ids()) == (1, [1, 3])
    assert shop.rejected().select("raw", "reason").rows() == [('{"id":2}', "it is nested deeper than 200 levels")]


def test_what_an_api_said_in_place_of_rows_is_shown_only_where_it_is_a_page(api):
    api.answer = lambda _: Reply(b'[{"name": "Erika Mustermann", ')
    connection = opened("rest", {"base_url": api.url, "tries": 1})
    with pytest.raises(Unavailable, match="no JSON") as told:
        list(connection.read(Wish(stream="/rows", columns=()), {}))
    connection.close()
    assert "Erika" not in told.value.message


def test_a_text_that_is_no_utf_8_is_put_aside_and_the_other_rows_come(tmp_path, monkeypatch):
    shop = Shop(tmp_path)
    monkeypatch.setattr("aimass.collector.connectors.sqlite.run.ROWS", 2)
    shop.put(*((n, f"né{n}", "1", n) for n in range(1, 8)))
    with contextlib.closing(sqlite3.connect(shop.path)) as con:
        con.execute("UPDATE orders SET name = CAST(x'636166e9' AS TEXT) WHERE id IN (4, 7)")
        con.commit()
    told = shop.load()
    assert (told["rows"], told["quarantined"], shop.ids()) == (5, 2, [1, 2, 3, 5, 6])
    assert shop.rows("name")[-1] == ("né6",)
    row = shop.rejected().select("raw", "column", "reason").row(0, named=True)
    assert (row["column"], '"name":"636166e9"' in row["raw"]) == ("name", True)
    assert "not UTF-8" in row["reason"]
    shop.put((8, "né8", "1", 8))
    again = shop.load()
    assert (again["rows"], again["quarantined"], shop.ids()) == (1, 0, [1, 2, 3, 5, 6, 8])


@pytest.mark.parametrize(
    ("name", "text", "places"),
    [
        ("x.ndjson", b'{"a":1}\n' + deep(300) + b'\n{"a":2}\n', ["x.ndjson, line 2"]),
        ("x.json", b'[{"a":1},\n' + deep(300) + b',\n{"a":2}]', ["x.json, line 2"]),
        ("x.json", rb'[{"a":1},{"a":"\ud800"},{"a":2}]', ["x.json, line 1"]),
        ("x.json", b'[{"a":1},{"a":1' + b"0" * 5_000 + b'},{"a":2}]', ["x.json"]),
    ],
)
def test_a_row_of_a_file_that_nobody_could_write_down_blocks_no_other(tmp_path, name, text, places):
    (tmp_path / name).write_bytes(text)
    limit_to(Reach(folders=(str(tmp_path),)))
    connection = opened("files", {"folder": str(tmp_path)})
    connection.describe(name, {})
    columns = (StreamColumn(name="a", type="integer"),)
    parts = list(connection.read(Wish(stream=name, columns=columns, parameters={"min_age_s": 0}), {}))
    connection.close()
    rows = sum(part.rows.num_rows for part in parts if part is not None and part.rows is not None)
    rejects = [reject.place for part in parts if part is not None for reject in part.rejects]
    assert (rows, rejects) == (2 if places != ["x.json"] else 0, places)


def test_a_resource_whose_cursor_is_no_number_is_read_to_its_end():
    columns = (StreamColumn(name="at", type="float"),)
    walk = _Walk(Wish(stream="rows", columns=columns, mode="incremental", cursor="at"), {"cursor": 5.0})
    assert [walk.belongs({"at": value}) for value in ("NaN", "soon", None, 1.0, 6.0)] == [True, True, True, False, True]
    batch = batch_of(Parsed(rows=[{"at": "NaN"}, {"at": "6.5"}]))
    assert batch is not None
    walk.part(batch)
    assert walk.ended().state["cursor"] == 6.5
