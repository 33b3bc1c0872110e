"""Topics of an MQTT broker, each message once."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from paho.mqtt.client import MQTTMessage

from aimass.collector.connectors.messages import Reading, batch_of, proposed
from aimass.collector.connectors.mqtt.manifest import MqttParameters, MqttStream
from aimass.collector.connectors.mqtt.run.session import Session
from aimass.collector.connectors.mqtt.run.topics import Topics
from aimass.collector.connectors.port import Part, StreamColumn, StreamInfo, Wish
from aimass.kernel.clock import Clock, SystemClock
from aimass.kernel.errors import NotFound

TOPICS, SEEN = 200, 2_000
MARK = struct.Struct(">H3s")
GATHER_S = 0.25
IDLE_S = 0.5


class MqttConnection:
    """A connection to a broker.

    MQTT has no positions. What is handed over and not acknowledged yet stands in the state, by packet number and a mark of the
    content: when the process dies between commit and acknowledgement, the broker sends those packets again with the same
    numbers and the flag "duplicate", and they are dropped. The broker's session is what makes that exact; where the broker
    itself loses its session, only keys in the payload (mode merge) can tell a repetition.
    """

    def __init__(self, parameters: MqttParameters, clock: Clock | None = None) -> None:
        self._parameters = parameters
        self._clock: Clock = clock or SystemClock()
        self._session: Session | None = None
        self._open: dict[int, bytes] = {}
        self._parts: dict[int, list[int]] = {}

    def check(self) -> str:
        """Reach the broker with the given rights."""
        self._passing().close()
        return f"the MQTT broker at {self._parameters.url} answers"

    def discover(self) -> list[StreamInfo]:
        """Listen for a moment, and list the topics on which something came."""
        by_topic: dict[str, list[MQTTMessage]] = {}
        for message in self._listen(self._parameters.look_at, SEEN):
            by_topic.setdefault(message.topic, []).append(message)
        return [self._described(topic, found) for topic, found in sorted(by_topic.items())[:TOPICS]]

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Listen to a topic filter for a moment."""
        told, topics = MqttStream.model_validate(dict(parameters)), Topics.of(stream)
        found = self._listen(topics.filter, SEEN)
        if not found:
            raise NotFound(
                f"nothing came on {stream!r} within {self._parameters.look_s:g} s",
                field="stream",
                value=stream,
                hint="let a device send, keep the last value at the broker (retain), raise look_s, or name the columns",
            )
        part = self._part(found, topics, told, ())
        return StreamInfo(name=stream, columns=proposed(part.rows), modes=("stream",))

    def _described(self, topic: str, found: list[MQTTMessage]) -> StreamInfo:
        part = self._part(found, Topics(topic, ()), MqttStream(), ())
        return StreamInfo(name=topic, columns=proposed(part.rows), modes=("stream",))

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part | None]:
        """Yield what the broker holds for this source, then what comes."""
        told = MqttStream.model_validate(dict(wish.parameters))
        topics = Topics.of(wish.stream)
        if wish.limit is not None:
            found = self._listen(topics.filter, wish.limit)
            yield from [self._part(found, topics, told, wish.columns)] if found else []
            return
        if self._session is not None:
            self._session.close()
        session = self._session = self._kept(wish, told)
        self._open, self._parts = {}, {}
        before = _unpacked(state.get("open", "")) if session.is_known else {}
        number = int(state.get("part", 0))
        session.subscribe(topics.filter)
        while True:
            messages = session.receive(told.batch, IDLE_S, GATHER_S)
            fresh, known = _told_apart(messages, before)
            if known:
                session.acknowledge(known)
            if not messages:
                yield None
            if not fresh:
                continue
            number += 1
            self._parts[number] = [one.mid for one in fresh if one.qos]
            self._open |= {one.mid: _mark(one) for one in fresh if one.qos}
            part = self._part(fresh, topics, told, wish.columns)
            kept = {"client_id": session.client_id, "part": number, "open": _packed({**before, **self._open})}
            yield Part(rows=part.rows, state=kept, rejects=part.rejects, size_bytes=part.size_bytes)

    def _kept(self, wish: Wish, told: MqttStream) -> Session:
        name = f"{self._parameters.url} {self._parameters.user} {wish.stream}"
        fallback = f"aimass-{wish.source or hashlib.sha256(name.encode()).hexdigest()[:16]}"
        return Session(self._parameters, told.client_id or fallback, expiry_s=told.keep_session_s, window=told.batch)

    def _passing(self) -> Session:
        return Session(self._parameters, f"aimass-look-{uuid4().hex[:12]}")

    def _listen(self, topic_filter: str, count: int) -> list[MQTTMessage]:
        session, found = self._passing(), list[MQTTMessage]()
        try:
            session.subscribe(topic_filter)
            found = session.receive(count, self._parameters.look_s, self._parameters.look_s)
        finally:
            session.close()
        return found

    def _part(
        self, found: list[MQTTMessage], topics: Topics, told: MqttStream, columns: tuple[StreamColumn, ...]
    ) -> Part:
        payloads = [bytes(one.payload) for one in found]
        names = [one.topic for one in found]
        parsed = Reading.of(told.format, columns).rows(
            payloads, lambda index: f"topic {names[index]}, packet {found[index].mid}"
        )
        parts = [topics.parts(name) for name in names]
        beside: dict[str, Any] = {name: [one[name] for one in parts] for _, name in topics.names}
        if told.envelope:
            beside |= {"_topic": names, "_received": [self._now()] * len(found)}
        rows = batch_of(parsed, beside)
        return Part(rows=rows, state={}, rejects=tuple(parsed.rejects), size_bytes=sum(map(len, payloads)))

    def _now(self) -> datetime:
        return self._clock.now().astimezone(UTC)

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Acknowledge the messages of every part up to the one of the state."""
        done = [number for number in self._parts if number <= int(state.get("part", 0))]
        if self._session is None or not done:
            return
        mids = [mid for number in done for mid in self._parts.pop(number)]
        self._session.acknowledge(mids)
        for mid in mids:
            self._open.pop(mid, None)

    def close(self) -> None:
        """Leave the broker; it goes on keeping what comes."""
        if self._session is not None:
            self._session.close()


def _told_apart(messages: list[MQTTMessage], before: dict[int, bytes]) -> tuple[list[MQTTMessage], list[int]]:
    """Return the new messages, and the packets that were committed before the last process ended."""
    fresh: list[MQTTMessage] = []
    known: list[int] = []
    for one in messages:
        if one.qos and before and before.pop(one.mid, None) == _mark(one) and one.dup:
            known.append(one.mid)
        else:
            fresh.append(one)
    return fresh, known


def _mark(message: MQTTMessage) -> bytes:
    return hashlib.blake2b(message.topic.encode() + b"\0" + bytes(message.payload), digest_size=3).digest()


def _packed(open_: Mapping[int, bytes]) -> str:
    return base64.b85encode(b"".join(MARK.pack(mid, mark) for mid, mark in open_.items())).decode()


def _unpacked(text: str) -> dict[int, bytes]:
    return dict(MARK.iter_unpack(base64.b85decode(text)))
