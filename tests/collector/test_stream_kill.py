"""A device stream, a NATS stream, a live PostgreSQL table and a log that is rotated land exactly once, whoever is killed."""

from __future__ import annotations

import json
import random
import threading
import time
from typing import Any

import psycopg
import pytest

from aimass.collector import CollectStreams, StreamWish
from aimass.collector.commands import LoadedColumn
from tests.collector.test_nats import make_stream, publish
from tests.fixtures.brokers import mosquitto, nats_server, needs_mosquitto, needs_nats
from tests.fixtures.collecting import collect_and_kill
from tests.fixtures.data import ANN
from tests.fixtures.engines import needs_postgres
from tests.fixtures.postgres import postgres_server
from tests.fixtures.writers import writing

SEEDS = [pytest.param(1), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 6))]
COLUMNS = [
    LoadedColumn(name="n", type="integer"),
    LoadedColumn(name="v", type="integer"),
    LoadedColumn(name="device", type="string"),
]


@pytest.fixture
def platform(data, monkeypatch):
    monkeypatch.setenv("AIMASS_COLLECTOR_LOOPBACK", "true")
    return data


def follow(platform: Any, connection: Any, wish: StreamWish, **more: Any) -> Any:
    command = CollectStreams(workspace="demo", connection=connection.slug, streams=[wish], **more)
    return platform.collector.collect_streams(ANN, command)[0]


@needs_mosquitto
@pytest.mark.timeout(110)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_device_stream_lands_exactly_once_while_the_collector_is_killed(platform, tmp_path, seed):
    with mosquitto(tmp_path / "broker") as broker:
        connection = platform.connect("Broker", "mqtt", url=broker.url)
        wish = StreamWish(stream="site/{site}/{device}", name="readings", columns=COLUMNS)
        source = follow(platform, connection, wish, into="append")
        assert platform.load(source).state == "SUCCEEDED"  # from here on the broker keeps what comes
        with writing("device", broker.port, 3_000, 0, 0.004) as device:
            kills = collect_and_kill(platform, source, random.Random(seed), lambda: device.poll() is not None)
        assert platform.load(source).state == "SUCCEEDED"
        numbers = sorted(platform.rows("readings")["n"].to_list())
        assert kills >= 2
        assert numbers == list(range(3_000)), "no key, no merge: each message is one row"


@needs_mosquitto
@pytest.mark.timeout(110)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_device_stream_with_keys_lands_exactly_once_while_the_broker_is_killed_too(platform, tmp_path, seed):
    chance = random.Random(seed)
    with mosquitto(tmp_path / "broker") as broker:
        connection = platform.connect("Broker", "mqtt", url=broker.url)
        wish = StreamWish(stream="site/{site}/{device}", name="readings", columns=COLUMNS, keys=["device", "n"])
        source = follow(platform, connection, wish, into="merge")
        assert platform.load(source).state == "SUCCEEDED"
        time.sleep(1.5)  # the broker writes its sessions down once a second
        ended = threading.Event()

        def kill_the_broker() -> None:
            for _ in range(3):
                if not ended.wait(chance.uniform(2, 4)):
                    broker.restart()

        killer = threading.Thread(target=kill_the_broker)
        with writing("device", broker.port, 2_500, 600, 0.004) as device:
            killer.start()
            kills = collect_and_kill(platform, source, chance, lambda: device.poll() is not None)
            ended.set()
            killer.join()
        assert platform.load(source).state == "SUCCEEDED"
        rows = platform.rows("readings").sort("n")
        assert kills >= 2
        assert rows["n"].to_list() == list(range(2_500))
        assert rows["v"].to_list() == [n % 7 for n in range(2_500)]


@needs_nats
@pytest.mark.timeout(110)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_nats_stream_lands_exactly_once_while_collector_and_server_are_killed(platform, tmp_path, seed):
    chance = random.Random(seed)
    with nats_server(tmp_path / "broker") as broker:
        make_stream(broker)
        publish(broker, 0, 10)
        connection = platform.connect("Bus", "nats", url=broker.url)
        source = follow(
            platform, connection, StreamWish(stream="SENSORS", name="sensors", stream_parameters={"batch": 100})
        )
        done = threading.Event()

        def send() -> None:
            for first in range(10, 4_010, 200):
                publish(broker, first, first + 200)
                time.sleep(0.3)
                if chance.random() < 0.15:
                    broker.restart()
            done.set()

        sender = threading.Thread(target=send)
        sender.start()
        kills = collect_and_kill(platform, source, chance, done.is_set)
        sender.join()
        assert platform.load(source).state == "SUCCEEDED"
        rows = platform.rows("sensors").sort("_sequence")
        assert kills >= 2
        assert rows["_sequence"].to_list() == list(range(1, len(rows) + 1))
        assert rows["n"].to_list() == list(range(4_010))


@pytest.mark.postgres
@needs_postgres
@pytest.mark.timeout(110)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_live_table_lands_exactly_once_while_transactions_go_on_and_the_collector_is_killed(platform, seed):
    with postgres_server("wal_level=logical") as server:
        database = server.create().partition("@/")[2].partition("?")[0]
        con = psycopg.connect(host=str(server.folder), dbname=database, user="aimass", autocommit=True)
        con.execute("create table orders (id int primary key, name text, amount numeric(12,3))")
        con.execute("create table other (a int)")
        con.execute("insert into orders select g, 'old ' || g, g / 8.0 from generate_series(0, 1500) g")
        told = {"host": str(server.folder), "database": database, "user": "aimass"}
        connection = platform.connect("Shop", "postgres_changes", **told)
        source = follow(platform, connection, StreamWish(stream="public.orders", name="orders"))
        assert source.reading["into"] == "merge"
        with writing("shop", str(server.folder), database, seed, 14.0) as shop:
            kills = collect_and_kill(platform, source, random.Random(seed), lambda: shop.poll() is not None)
        found = platform.load(source)
        assert found.state == "SUCCEEDED", found.error
        there = con.execute("select id, name, amount from orders order by id").fetchall()
        con.close()
        rows = platform.rows("orders").sort("id").select("id", "name", "amount").rows()
        assert kills >= 2
        assert (len(rows), hash(tuple(rows))) == (len(there), hash(tuple(there)))
        assert rows == there


@pytest.mark.timeout(110)
@pytest.mark.parametrize("seed", SEEDS[:3])
def test_a_log_lands_exactly_once_while_it_is_rotated_and_the_collector_is_killed(
    platform, tmp_path, monkeypatch, seed
):
    logs = tmp_path / "logs"
    logs.mkdir()
    monkeypatch.setenv("AIMASS_COLLECTOR_FOLDERS", json.dumps([str(logs)]))
    (logs / "app.log").write_text("the first line\n")
    connection = platform.connect("Machine", "logs", folder=str(logs))
    source = follow(
        platform, connection, StreamWish(stream="app.log", name="lines", stream_parameters={"patience_s": 0.2})
    )
    assert platform.load(source).rows == 1
    with writing("logger", str(logs), 4_000, seed, 0.17) as logger:
        kills = collect_and_kill(platform, source, random.Random(seed), lambda: logger.poll() is not None)
    assert platform.load(source).state == "SUCCEEDED"
    lines = [line for line in platform.rows("lines")["line"] if line != "the first line"]
    assert kills >= 2
    assert sorted(lines, key=lambda line: int(line.split()[1])) == [f"line {n} of the writer" for n in range(4_000)]


@pytest.mark.timeout(110)
@pytest.mark.parametrize("seed", SEEDS[:3])
def test_files_that_arrive_land_exactly_once_while_the_collector_is_killed(platform, tmp_path, monkeypatch, seed):
    inbox, done, chance = tmp_path / "inbox", threading.Event(), random.Random(seed)
    inbox.mkdir()
    monkeypatch.setenv("AIMASS_COLLECTOR_FOLDERS", json.dumps([str(inbox)]))
    (inbox / "first.csv").write_text("n\n0\n")
    connection = platform.connect("Inbox", "files", folder=str(inbox))
    wish = StreamWish(stream="*.csv", name="arrived", stream_parameters={"min_age_s": 0.0})
    source = follow(platform, connection, wish, reading="stream")

    def send() -> None:
        number = 1
        while number < 40_000:
            more = chance.randrange(1, 2_000)
            text = "n\n" + "".join(f"{n}\n" for n in range(number, min(number + more, 40_000)))
            (inbox / ".part").write_text(text)
            (inbox / ".part").rename(inbox / f"{chance.randrange(10**9)}-{number}.csv")
            number += more
            time.sleep(0.3)
        done.set()

    sender = threading.Thread(target=send)
    sender.start()
    kills = collect_and_kill(platform, source, chance, done.is_set)
    sender.join()
    assert platform.load(source).state == "SUCCEEDED"
    assert kills >= 2
    assert sorted(platform.rows("arrived")["n"].to_list()) == list(range(40_000))
