"""NATS JetStream against a real server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import nats
import pytest

from aimass.collector.connectors.nats.manifest import CONNECTOR
from aimass.collector.connectors.nats.run import RUN
from aimass.kernel.errors import AimassError, Forbidden, Invalid, Unavailable
from tests.fixtures.brokers import Broker, nats_server, needs_nats
from tests.fixtures.draining import Committed, wish

pytestmark = needs_nats


def on_server(url: str, work: Any, **options: Any) -> Any:
    async def run() -> Any:
        client = await nats.connect(url, **options)
        try:
            return await work(client.jetstream())
        finally:
            await client.close()

    return asyncio.run(run())


def make_stream(broker: Broker, name: str = "SENSORS", **config: Any) -> None:
    on_server(broker.url, lambda js: js.add_stream(name=name, subjects=[f"{name.lower()}.>"], **config))


def publish(broker: Broker, first: int, last: int, subject: str = "sensors.hall") -> None:
    async def send(js: Any) -> None:
        for number in range(first, last):
            await js.publish(subject, json.dumps({"n": number, "temp": 20 + number / 10}).encode())

    on_server(broker.url, send)


@pytest.fixture
def broker(tmp_path):
    with nats_server(tmp_path) as found:
        yield found


@pytest.fixture
def opened(broker):
    made = []

    def build(**more: Any):
        made.append(RUN(CONNECTOR.check({"url": broker.url, **more})))
        return made[-1]

    yield build
    for one in made:
        one.close()


def test_check_tells_version_and_streams(broker, opened):
    make_stream(broker)
    told = opened().check()
    assert "NATS 2" in told
    assert "1 streams" in told


def test_an_address_where_nobody_listens_is_named():
    with pytest.raises(Unavailable) as failure:
        RUN(CONNECTOR.check({"url": "nats://127.0.0.1:1", "timeout_s": 1}))
    assert failure.value.field == "url"


def test_a_wrong_password_is_told_without_it(tmp_path):
    with nats_server(tmp_path, "--user", "ann", "--pass", "correct-horse") as broker:
        with pytest.raises(Forbidden) as failure:
            RUN(CONNECTOR.check({"url": broker.url, "user": "ann", "password": "wrong-battery"}))
        assert failure.value.field == "password"
        assert "wrong-battery" not in str(failure.value.problem())
        good = RUN(CONNECTOR.check({"url": broker.url, "user": "ann", "password": "correct-horse"}))
        good.close()


def test_an_address_with_a_password_is_refused():
    with pytest.raises(Invalid, match="url"):
        CONNECTOR.check({"url": "nats://ann:secret@127.0.0.1:4222"})


def test_streams_and_subjects_are_discovered_with_types(broker, opened):
    make_stream(broker)
    publish(broker, 0, 3)
    publish(broker, 3, 5, "sensors.roof")
    found = {one.name: one for one in opened().discover()}
    assert sorted(found) == ["SENSORS", "SENSORS/sensors.hall", "SENSORS/sensors.roof"]
    assert {c.name: c.type for c in found["SENSORS"].columns} == {
        "n": "integer",
        "temp": "float",
        "_subject": "string",
        "_sequence": "integer",
        "_time": "timestamp",
    }
    assert (found["SENSORS"].rows, found["SENSORS/sensors.roof"].rows) == (5, 2)


def test_a_preview_takes_nothing(broker, opened):
    make_stream(broker)
    publish(broker, 0, 9)
    parts = list(opened().read(wish("SENSORS", limit=4), {}))
    assert [part.rows.num_rows for part in parts] == [4]
    assert Committed().take(opened(), wish("SENSORS")).column("n") == list(range(9))


def test_each_state_is_a_place_to_go_on_from(broker, opened):
    make_stream(broker)
    publish(broker, 0, 25)
    small = {"batch": 10}
    whole = Committed().take(opened(), wish("SENSORS", parameters=small))
    for parts in (1, 2):
        begun = Committed().take(opened(), wish("SENSORS", parameters=small), parts)
        assert begun.take(opened(), wish("SENSORS", parameters=small)).column("n") == list(range(25))
    assert whole.column("_sequence") == list(range(1, 26))


def test_an_acknowledgement_that_is_lost_after_the_commit_doubles_nothing(broker, opened):
    make_stream(broker)
    publish(broker, 0, 25)
    begun = Committed().take(opened(), wish("SENSORS", parameters={"batch": 10}), 2, acknowledge=False)
    assert len(begun.rows) == 20
    assert begun.take(opened(), wish("SENSORS")).column("n") == list(range(25))


def test_a_part_that_was_read_and_not_committed_comes_again(broker, opened):
    make_stream(broker)
    publish(broker, 0, 25)
    lost = Committed().take(opened(), wish("SENSORS", parameters={"batch": 10}), 1, acknowledge=False)
    kept = Committed(state={**lost.state, "sequence": 0})
    assert kept.take(opened(), wish("SENSORS")).column("n") == list(range(25))


@pytest.mark.parametrize("is_acknowledged", [True, False])
def test_a_work_queue_gives_each_message_once(broker, opened, is_acknowledged):
    make_stream(broker, retention="workqueue")
    publish(broker, 0, 25)
    begun = Committed().take(opened(), wish("SENSORS", parameters={"batch": 10}), 2, acknowledge=is_acknowledged)
    ended = begun.take(opened(), wish("SENSORS"), idle=2)
    assert ended.column("n") == list(range(25))
    left = on_server(broker.url, lambda js: js.stream_info("SENSORS")).state.messages
    assert left == 0


def test_a_server_that_dies_is_told_and_reading_goes_on_after(broker, opened):
    make_stream(broker)
    publish(broker, 0, 15)
    begun = Committed()
    reading = opened().read(wish("SENSORS", parameters={"batch": 10}), {})
    begun.commit(next(reading))
    broker.kill()
    with pytest.raises(Unavailable):
        for part in reading:
            if part is not None:
                begun.commit(part)
    broker.start()
    publish(broker, 15, 20)
    assert begun.take(opened(), wish("SENSORS")).column("n") == list(range(20))


def test_a_consumer_that_somebody_deletes_is_made_again(broker, opened):
    make_stream(broker)
    publish(broker, 0, 10)
    begun, reading = Committed(), opened().read(wish("SENSORS"), {})
    begun.commit(next(reading))
    on_server(broker.url, lambda js: js.delete_consumer("SENSORS", begun.state["consumer"]))
    publish(broker, 10, 20)
    while len(begun.rows) < 20:
        part = next(reading)
        if part is not None:
            begun.commit(part)
    reading.close()
    assert begun.column("n") == list(range(20))


def test_a_stream_that_was_made_anew_is_read_from_its_start(broker, opened):
    make_stream(broker)
    publish(broker, 0, 10)
    begun = Committed().take(opened(), wish("SENSORS"))
    on_server(broker.url, lambda js: js.delete_stream("SENSORS"))
    make_stream(broker)
    publish(broker, 100, 103)
    assert begun.take(opened(), wish("SENSORS")).column("n")[10:] == [100, 101, 102]


def test_bad_payloads_are_rejected_with_their_place_and_hold_nothing_up(broker, opened):
    make_stream(broker)
    publish(broker, 0, 2)
    on_server(broker.url, lambda js: js.publish("sensors.hall", b'{"n": oops}'))
    on_server(broker.url, lambda js: js.publish("sensors.hall", b'[{"n": 7}, {"n": 8, "new": [1]}]'))
    on_server(broker.url, lambda js: js.publish("sensors.hall", b"21.5"))
    found = Committed().take(opened(), wish("SENSORS"))
    assert found.column("n") == [0, 1, 7, 8, None]
    assert found.column("new") == [None, None, None, "[1]", None]
    assert found.column("value") == [None, None, None, None, 21.5]
    assert found.column("_sequence") == [1, 2, 4, 4, 5]
    assert [(one.raw, one.place) for one in found.rejects] == [('{"n": oops}', "subject sensors.hall, sequence 3")]


def test_texts_are_one_column(broker, opened):
    make_stream(broker)
    on_server(broker.url, lambda js: js.publish("sensors.hall", "23 °C".encode()))
    told = {"format": "text", "envelope": False}
    assert Committed().take(opened(), wish("SENSORS", parameters=told)).rows == [{"value": "23 °C"}]


def test_a_stream_that_is_not_there_is_said(opened):
    with pytest.raises(AimassError, match="stream not found"):
        next(opened().read(wish("NOTHING"), {}))
