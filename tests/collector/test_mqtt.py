"""MQTT against a real Mosquitto."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from aimass.collector.connectors.mqtt.manifest import CONNECTOR
from aimass.collector.connectors.mqtt.run import RUN
from aimass.collector.connectors.mqtt.run.topics import Topics
from aimass.kernel.errors import Conflict, Forbidden, Invalid, Unavailable
from tests.fixtures.brokers import Broker, mosquitto, needs_mosquitto
from tests.fixtures.draining import Committed, wish

pytestmark = needs_mosquitto
FILTER = "site/{site}/+/{device}/temp"


def publish(broker: Broker, messages: Iterable[tuple[str, bytes]], *, retain: bool = False) -> None:
    """Send as a device does: QoS 1, and gone when the broker has taken everything."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    sent = [client.publish(topic, payload, qos=1, retain=retain) for topic, payload in messages]
    for one in sent:
        one.wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


def readings(first: int, last: int, device: str = "d7") -> list[tuple[str, bytes]]:
    return [
        (f"site/berlin/device/{device}/temp", json.dumps({"n": n, "temp": 20.5}).encode()) for n in range(first, last)
    ]


@pytest.fixture
def broker(tmp_path):
    with mosquitto(tmp_path) as found:
        yield found


@pytest.fixture
def opened(broker):
    made = []

    def build(**more):
        made.append(RUN(CONNECTOR.check({"url": broker.url, **more})))
        return made[-1]

    yield build
    for one in made:
        one.close()


def subscribed(opened, topics: str = FILTER, **parameters) -> Committed:
    """The session begins with the first reading: what is published before it is nobody's."""
    connector = opened()
    begun = Committed().take(connector, wish(topics, parameters=parameters))
    connector.close()
    return begun


def test_check_reaches_the_broker(broker, opened):
    assert broker.url in opened().check()


def test_an_address_where_nobody_listens_is_named():
    with pytest.raises(Unavailable) as failure:
        RUN(CONNECTOR.check({"url": "mqtt://127.0.0.1:1", "timeout_s": 1})).check()
    assert failure.value.field == "url"


def test_a_wrong_password_is_told_without_it(tmp_path):
    with mosquitto(tmp_path, {"allow_anonymous": "false"}) as broker:
        with pytest.raises(Forbidden) as failure:
            RUN(CONNECTOR.check({"url": broker.url, "user": "ann", "password": "wrong-battery"})).check()
        assert failure.value.field == "password"
        assert "wrong-battery" not in str(failure.value.problem())


@pytest.mark.parametrize("text", ["", "a/#/b", "a+/b", "a/{x}/{x}", "a/{not a name}"])
def test_a_wrong_topic_filter_is_refused(text):
    with pytest.raises(Invalid) as failure:
        Topics.of(text)
    assert failure.value.field == "stream"


def test_topics_are_discovered_with_the_types_of_their_columns(broker, opened):
    publish(broker, readings(0, 1), retain=True)
    publish(broker, [("hall/humidity", b"41.5")], retain=True)
    found = {one.name: {c.name: c.type for c in one.columns} for one in opened(look_s=0.5).discover()}
    about = {"_topic": "string", "_received": "timestamp"}
    assert found == {
        "hall/humidity": {"value": "float", **about},
        "site/berlin/device/d7/temp": {"n": "integer", "temp": "float", **about},
    }


def test_named_levels_of_a_topic_are_columns(broker, opened):
    begun = subscribed(opened)
    publish(broker, readings(0, 2))
    publish(broker, readings(5, 6, "d8"))
    found = begun.take(opened(), wish(FILTER))
    assert [(r["n"], r["site"], r["device"], r["_topic"]) for r in found.rows] == [
        (0, "berlin", "d7", "site/berlin/device/d7/temp"),
        (1, "berlin", "d7", "site/berlin/device/d7/temp"),
        (5, "berlin", "d8", "site/berlin/device/d8/temp"),
    ]


def test_what_comes_while_nobody_reads_is_kept(broker, opened):
    begun = subscribed(opened)
    publish(broker, readings(0, 9_000))
    assert begun.take(opened(), wish(FILTER)).column("n") == list(range(9_000))


def test_a_preview_takes_nothing(broker, opened):
    begun = subscribed(opened)
    publish(broker, readings(0, 1), retain=True)
    publish(broker, readings(1, 3))
    parts = list(opened(look_s=0.5).read(wish(FILTER, limit=5), {}))
    assert [part.rows.num_rows for part in parts] == [1]
    assert begun.take(opened(), wish(FILTER)).column("n") == [0, 1, 2]


def test_a_crash_between_commit_and_acknowledgement_doubles_nothing(broker, opened):
    begun = subscribed(opened)
    publish(broker, readings(0, 30))
    first = opened()
    begun.take(first, wish(FILTER, parameters={"batch": 10}), 1, acknowledge=False)
    assert begun.column("n") == list(range(10))
    first._session._client._sock_close()  # the process is gone: nothing is said to the broker
    assert begun.take(opened(), wish(FILTER, parameters={"batch": 10})).column("n") == list(range(30))


def test_a_part_that_was_not_committed_comes_again(broker, opened):
    begun = subscribed(opened)
    publish(broker, readings(0, 30))
    first = opened()
    begun.take(first, wish(FILTER, parameters={"batch": 10}), 1)
    Committed(state=dict(begun.state)).take(first, wish(FILTER, parameters={"batch": 10}), 1, acknowledge=False)
    first._session._client._sock_close()
    assert begun.take(opened(), wish(FILTER)).column("n") == list(range(30))


def test_the_same_reading_twice_is_two_rows(broker, opened):
    begun = subscribed(opened, "value")
    publish(broker, [("value", b"21.5")] * 20)
    first = opened()
    begun.take(first, wish("value", parameters={"batch": 5}), 1, acknowledge=False)
    first._session._client._sock_close()
    assert begun.take(opened(), wish("value", parameters={"batch": 5})).column("value") == [21.5] * 20


def test_a_broker_that_restarts_is_told_and_nothing_is_lost_or_doubled(broker, opened):
    begun = subscribed(opened)
    publish(broker, readings(0, 50))
    reading = opened().read(wish(FILTER, parameters={"batch": 20}), begun.state)
    begun.commit(next(reading))
    broker.restart(15)
    with pytest.raises(Unavailable):
        while (part := next(reading)) is None or part:
            if part is not None:
                begun.commit(part)
    publish(broker, readings(50, 60))
    assert begun.take(opened(), wish(FILTER)).column("n") == list(range(60))


def test_a_session_that_another_client_takes_over_is_told(broker, opened):
    told = {"client_id": "collector-7"}
    reading = opened().read(wish(FILTER, parameters=told), {})
    assert next(reading) is None
    assert next(opened().read(wish(FILTER, parameters=told), {})) is None
    with pytest.raises((Conflict, Unavailable)) as failure:  # old brokers close without a word
        next(reading)
    assert "collector-7" in f"{failure.value.message} {failure.value.hint}"


def test_two_sources_of_one_filter_get_everything_each(broker, opened):
    for source in ("A", "B"):
        next(opened().read(wish(FILTER, source=source), {}))
    time.sleep(0.1)
    publish(broker, readings(0, 5))
    for source in ("A", "B"):
        assert Committed().take(opened(), wish(FILTER, source=source)).column("n") == [0, 1, 2, 3, 4]


def test_a_retained_message_comes_once(broker, opened):
    publish(broker, readings(3, 4), retain=True)
    begun = subscribed(opened)
    assert begun.column("n") == [3]
    assert begun.take(opened(), wish(FILTER)).column("n") == [3]


def test_bad_payloads_hold_nothing_up(broker, opened):
    begun = subscribed(opened, "hall/#")
    publish(broker, [("hall/a", b"{oops"), ("hall/b", b'{"n": 1}'), ("hall/a", b"\xff\xfe")])
    found = begun.take(opened(), wish("hall/#"))
    assert found.column("n") == [1]
    assert [one.raw for one in found.rejects] == ["{oops", "fffe"]
    assert found.rejects[0].place.startswith("topic hall/a, packet ")
