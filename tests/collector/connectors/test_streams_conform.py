"""The connectors of streams, APIs and changes pass the suite that every connector passes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import types
from pathlib import Path
from typing import Any

import dlt
import nats
import psycopg
import pytest

from aimass.collector.connectors.contract import ConnectorContract, Wrong
from aimass.collector.connectors.push.spool import Bounds, Spool
from aimass.collector.connectors.reach import Reach, limit_to
from aimass.kernel.errors import Forbidden
from tests.collector.test_mqtt import publish
from tests.fixtures.api_server import Asked, Reply, api_server
from tests.fixtures.brokers import mosquitto, nats_server, needs_mosquitto, needs_nats
from tests.fixtures.draining import Committed
from tests.fixtures.engines import needs_postgres
from tests.fixtures.postgres import postgres_server


def told(item: Any) -> dict[str, Any]:
    return {"id": item.id, "name": item.name, "at": item.at.isoformat() if item.at else None}


class NatsOrigin:
    stream, stream_parameters = "ITEMS", {"envelope": False}

    def __init__(self, broker: Any) -> None:
        self.url = broker.url
        self.parameters = {"url": broker.url, "user": "ann", "password": "correct-horse"}
        self.wrong = [
            Wrong(parameters={"password": "wrong-battery"}, field="password"),
            Wrong(parameters={"url": "nats://127.0.0.1:1", "timeout_s": 0.5}, field="url"),
        ]
        self._do(lambda js: js.add_stream(name="ITEMS", subjects=["items.>"]))

    def _do(self, work: Any) -> None:
        async def run() -> None:
            client = await nats.connect(self.url, user="ann", password="correct-horse")
            await work(client.jetstream())
            await client.close()

        asyncio.run(run())

    def put(self, items: Any) -> None:
        async def send(js: Any) -> None:
            for item in items:
                await js.publish("items.new", json.dumps(told(item)).encode())

        self._do(send)


@needs_nats
class TestNats(ConnectorContract):
    __test__ = True
    connector = "nats"

    @pytest.fixture
    def origin(self, tmp_path):
        with nats_server(tmp_path, "--user", "ann", "--pass", "correct-horse") as broker:
            yield NatsOrigin(broker)


class MqttOrigin:
    stream, stream_parameters = "items", {"envelope": False}

    def __init__(self, broker: Any) -> None:
        self.broker = broker
        self.parameters = {"url": broker.url, "look_s": 0.5}
        self.wrong = [Wrong(parameters={"url": "mqtt://127.0.0.1:1"}, field="url")]

    def put(self, items: Any) -> None:
        publish(self.broker, [("items", json.dumps(told(item)).encode()) for item in items], retain=True)


@needs_mosquitto
class TestMqtt(ConnectorContract):
    __test__ = True
    connector = "mqtt"

    @pytest.fixture
    def origin(self, tmp_path):
        with mosquitto(tmp_path) as broker:
            found = MqttOrigin(broker)
            with self.opened(found) as connector:  # the session begins here: the broker keeps what comes from now on
                Committed().take(connector, self.wish(found, "stream"))
            yield found


class ChangesOrigin:
    stream, stream_parameters = "public.items", {}

    def __init__(self, server: Any) -> None:
        name = server.create().partition("@/")[2].partition("?")[0]
        self.parameters = {"host": str(server.folder), "database": name, "user": "aimass", "password": "correct-horse"}
        self.wrong = [
            Wrong(parameters={"database": "nothing"}, field="database"),
            Wrong(parameters={"host": "127.0.0.1", "port": 1}, field="host"),
            Wrong(parameters={"user": "nobody_here"}, field="password"),
        ]
        self.con = psycopg.connect(host=str(server.folder), dbname=name, user="aimass", autocommit=True)
        self.con.execute("create table items (id int primary key, name text, at timestamptz)")

    def put(self, items: Any) -> None:
        query = "insert into items values (%s, %s, %s) on conflict (id) do update set name = excluded.name, at = excluded.at"
        with self.con.cursor() as cursor:
            cursor.executemany(query, [(item.id, item.name, item.at) for item in items])

    def drop(self, ids: Any) -> None:
        self.con.execute("delete from items where id = any(%s)", [list(ids)])


@pytest.fixture(scope="module")
def server():
    with postgres_server("wal_level=logical", "max_replication_slots=50", "max_wal_senders=20") as found:
        yield found


@pytest.mark.postgres
@needs_postgres
class TestPostgresChanges(ConnectorContract):
    __test__ = True
    connector = "postgres_changes"

    @pytest.fixture
    def origin(self, server):
        found = ChangesOrigin(server)
        yield found
        for (slot,) in found.con.execute("select slot_name from pg_replication_slots").fetchall():
            found.con.execute("select pg_drop_replication_slot(%s)", [slot])
        found.con.close()


class RestOrigin:
    stream = "/items"

    def __init__(self, api: Any) -> None:
        self.stream_parameters = {"pagination": "page", "size_param": "n", "page_size": 1000, "since_param": "since"}
        self.api, self.rows, self.is_cut = api, dict[int, dict[str, Any]](), False
        self.parameters = {
            "base_url": api.url,
            "auth": "bearer",
            "secret": "correct-horse",
            "paths": ["/items"],
            "tries": 2,
        }
        self.wrong = [
            Wrong(parameters={"secret": "wrong-battery"}, field="secret"),
            Wrong(parameters={"base_url": "http://127.0.0.1:1"}, field="base_url"),
        ]
        api.answer = self.answer

    def answer(self, asked: Asked) -> Reply:
        if asked.headers["authorization"] != "Bearer correct-horse":
            return Reply({}, 401)
        if self.is_cut:
            return Reply({}, 502)
        if asked.path != "/items":
            return Reply({}, 404)
        since = asked.query.get("since", "").replace("Z", "+00:00")
        rows = [row for row in self.rows.values() if row["at"] is None or row["at"] >= since]
        rows.sort(key=lambda row: row["at"] or "")
        size, page = int(asked.query.get("n", 1000)), int(asked.query.get("page", 1)) - 1
        return Reply({"items": rows[page * size : (page + 1) * size]})

    def put(self, items: Any) -> None:
        self.rows |= {item.id: told(item) for item in items}

    @contextlib.contextmanager
    def interrupted(self):
        self.is_cut = True
        yield
        self.is_cut = False


class TestRest(ConnectorContract):
    __test__ = True
    connector = "rest"
    dies_within_rows = 20_000

    @pytest.fixture
    def origin(self):
        with api_server() as api:
            yield RestOrigin(api)


class PushOrigin:
    stream, stream_parameters, parameters = "items", {}, {}
    wrong = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = Spool(folder, Bounds(most_bytes=1 << 30))

    def put(self, items: Any) -> None:
        lines = [json.dumps(told(item)).encode() + b"\n" for item in items]
        self.spool.append(b"".join(lines), len(lines), None, 0)


class TestPush(ConnectorContract):
    __test__ = True
    connector = "push"
    knows_streams = False

    @pytest.fixture
    def origin(self, tmp_path):
        found = PushOrigin(tmp_path / "inbox")
        yield found
        found.spool.close(0)

    def wish(self, origin, mode, **more):
        return super().wish(origin, mode, **{"inbox": str(origin.folder), **more})


class DltOrigin:
    stream, stream_parameters = "items", {}
    wrong = (
        Wrong(parameters={"function": "dlt_of_the_tests:nothing"}, field="function"),
        Wrong(parameters={"function": "dlt_of_the_tests:plain"}, field="function"),
        Wrong(parameters={"function": "subprocess:run"}, field="function"),
        Wrong(parameters={"arguments": {"unknown": 1}}, field="arguments"),
    )

    def __init__(self) -> None:
        self.parameters = {"function": "dlt_of_the_tests:shop", "arguments": {"page": 1000}, "secret": "correct-horse"}
        self.rows: dict[int, dict[str, Any]] = {}
        self.is_cut = False
        module = types.ModuleType("dlt_of_the_tests")

        def shop(page: int = 10, api_key: str = "") -> Any:
            return self.items(page)

        module.shop, module.plain = dlt.source(shop), shop  # type: ignore[attr-defined]
        sys.modules["dlt_of_the_tests"] = module

    def items(self, page: int) -> Any:
        columns = {"id": {"data_type": "bigint"}, "name": {"data_type": "text"}, "at": {"data_type": "timestamp"}}

        @dlt.resource(columns=columns, primary_key="id")
        def items(at=dlt.sources.incremental("at", on_cursor_value_missing="include", row_order="asc")):  # noqa: B008 it is how dlt is told
            rows = sorted(self.rows.values(), key=lambda row: row["at"] or "")
            rows = [row for row in rows if row["at"] is None or not at.last_value or row["at"] >= at.last_value]
            for begin in range(0, len(rows), page):
                if self.is_cut:
                    raise ConnectionError("the shop is closed")
                yield [dict(row) for row in rows[begin : begin + page]]

        return items

    def put(self, items: Any) -> None:
        self.rows |= {item.id: told(item) for item in items}

    @contextlib.contextmanager
    def interrupted(self):
        self.is_cut = True
        yield
        self.is_cut = False


class TestDlt(ConnectorContract):
    __test__ = True
    connector = "dlt"
    dies_within_rows = 20_000
    reach = Reach(modules=("dlt_of_the_tests",))

    @pytest.fixture
    def origin(self):
        yield DltOrigin()
        del sys.modules["dlt_of_the_tests"]


def test_a_module_that_nobody_listed_is_refused():
    origin = DltOrigin()
    suite = TestDlt()
    limit_to(Reach())
    suite.reach = Reach(modules=("dlt_of",))  # type: ignore[misc]
    with pytest.raises(Forbidden, match="not among"), suite.opened(origin):
        pass
