"""Streams of NATS JetStream: discovered, previewed and read from a sequence on."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import polars as pl

from aimass.collector.connectors.messages import Reading, batch_of, proposed
from aimass.collector.connectors.nats.manifest import NatsParameters, NatsStream
from aimass.collector.connectors.nats.run.link import Link
from aimass.collector.connectors.nats.run.puller import Delivery, Disorder, Puller
from aimass.collector.connectors.port import Part, StreamColumn, StreamInfo, Wish
from aimass.kernel.errors import Invalid, NotFound, Unavailable

SAMPLE, SUBJECTS, STREAMS = 20, 20, 200
NAME = re.compile(r"^[^\s.*>/\\]+$")
ACK = b"+ACK"
ACK_WAIT_S = 600
GONE_AFTER_S = 24 * 3600
DISORDERS = 10
US = 1_000


class NatsConnection:
    """A connection to a NATS server.

    The position is the sequence of the stream and stands in the state, beside the moment when the stream was created: a stream that
    was made anew begins anew. The consumer on the server is a convenience that shows operators the lag and lets work queues
    drop what is committed; it is made again from the committed position whenever the reading begins or a delivery is missing.
    """

    def __init__(self, parameters: NatsParameters) -> None:
        self._link = Link(parameters)
        self._replies: dict[int, str] = {}
        self._settled = 0
        self._one_for_all = True

    def check(self) -> str:
        """Reach the server and count its streams."""
        info = self._link.ask("INFO")
        version = self._link.client.connected_server_version
        return f"NATS {version.major}.{version.minor}.{version.patch} answers, JetStream has {info.get('streams', 0)} streams"

    def discover(self) -> list[StreamInfo]:
        """List streams, and the subjects of each that holds several."""
        found: list[StreamInfo] = []
        for one in self._streams():
            name = one["config"]["name"]
            found.append(self._described(name, one["state"], NatsStream()))
            subjects = self._link.ask(f"STREAM.INFO.{name}", {"subjects_filter": ">"})["state"].get("subjects") or {}
            if len(subjects) > 1:
                for subject, count in sorted(subjects.items())[:SUBJECTS]:
                    state = {"messages": count, "bytes": None}
                    found.append(self._described(f"{name}/{subject}", state, NatsStream()))
        return sorted(found, key=lambda info: info.name)

    def _streams(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while len(found) < STREAMS:
            answer = self._link.ask("STREAM.LIST", {"offset": len(found)})
            found += answer.get("streams") or []
            if not answer.get("streams") or len(found) >= answer["total"]:
                break
        return found

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Look at the oldest messages of a stream, or of some of its subjects."""
        name, _, subject = stream.partition("/")
        if not NAME.match(name):
            raise NotFound(f"there is no stream {name!r}", field="stream", value=name)
        state = self._link.ask(f"STREAM.INFO.{name}")["state"]
        known = {"messages": None, "bytes": None} if subject else state
        return self._described(stream, known, NatsStream.model_validate(dict(parameters)))

    def _described(self, name: str, state: Mapping[str, Any], told: NatsStream) -> StreamInfo:
        part = self._peek(name, told, (), SAMPLE)
        return StreamInfo(
            name=name,
            columns=proposed(part.rows if part else None),
            keys=("_sequence",) if told.envelope else (),
            rows=state["messages"],
            size_bytes=state["bytes"],
            modes=("stream",),
        )

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part | None]:
        """Yield the messages after the position of the state."""
        told = NatsStream.model_validate(dict(wish.parameters))
        if wish.limit is not None:
            part = self._peek(wish.stream, told, wish.columns, wish.limit)
            yield from [part] if part else []
            return
        name, _, subject = wish.stream.partition("/")
        info = self._link.ask(f"STREAM.INFO.{name}")
        position = _Position.of(info, state, wish.source)
        self._settled = position.sequence
        self._one_for_all = info["config"].get("retention") != "workqueue"
        reading, disorders = Reading.of(told.format, wish.columns), 0
        while True:
            puller = Puller(self._link, name, self._consumer(name, subject, info, position))
            try:
                for deliveries in self._pulled(puller, told.batch, position):
                    disorders = 0 if deliveries else disorders
                    yield self._part(deliveries, told, reading, position) if deliveries else None
            except Disorder as reason:
                disorders += 1
                if disorders > DISORDERS:
                    raise Unavailable(f"stream {name!r} cannot be read in order: {reason}") from reason
            finally:
                puller.close()

    def _pulled(self, puller: Puller, batch: int, position: _Position) -> Iterator[list[Delivery]]:
        while True:
            got = puller.pull(batch, 1.0)
            fresh = [one for one in got if one.sequence > position.sequence]
            known = [one for one in got if one.sequence <= self._settled]
            if known:  # committed before; the acknowledgement was lost
                self._send([one.message.reply for one in known])
            for one in got:
                if one.sequence > self._settled:
                    self._replies[one.sequence] = one.message.reply
            yield fresh

    def _part(self, found: list[Delivery], told: NatsStream, reading: Reading, position: _Position) -> Part:
        payloads = [one.message.data for one in found]
        subjects = [one.message.subject for one in found]
        sequences = [one.sequence for one in found]
        parsed = reading.rows(payloads, lambda index: f"subject {subjects[index]}, sequence {sequences[index]}")
        beside: dict[str, Any] = {}
        if told.envelope:
            moments = pl.Series([one.time_ns // US for one in found]).cast(pl.Datetime("us", "UTC")).to_list()
            beside = {"_subject": subjects, "_sequence": sequences, "_time": moments}
        position.sequence = sequences[-1]
        return Part(
            rows=batch_of(parsed, beside),
            state={**position.state(), "pending": found[-1].pending},
            rejects=tuple(parsed.rejects),
            size_bytes=sum(map(len, payloads)),
        )

    def _consumer(self, stream: str, subject: str, info: Mapping[str, Any], position: _Position) -> str:
        """Make the consumer again, to begin right after the committed position."""
        is_queue = info["config"].get("retention") == "workqueue"
        config: dict[str, Any] = {
            "durable_name": position.consumer,
            "description": "AI Mass collects this stream",
            "ack_policy": "explicit" if is_queue else "all",
            "ack_wait": ACK_WAIT_S * 1_000_000_000,
            "max_ack_pending": -1,
            "inactive_threshold": GONE_AFTER_S * 1_000_000_000,
            "replay_policy": "instant",
            "deliver_policy": "all",
        }
        if position.sequence and not is_queue:  # a work queue always starts with what nobody acknowledged
            config |= {"deliver_policy": "by_start_sequence", "opt_start_seq": position.sequence + 1}
        if subject:
            config["filter_subject"] = subject
        try:
            self._link.ask(f"CONSUMER.DELETE.{stream}.{position.consumer}")
        except NotFound:  # the first time, or the server let it go
            self._replies.clear()
        self._link.ask(
            f"CONSUMER.DURABLE.CREATE.{stream}.{position.consumer}", {"stream_name": stream, "config": config}
        )
        return position.consumer

    def _peek(self, name: str, told: NatsStream, columns: tuple[StreamColumn, ...], count: int) -> Part | None:
        """Look at the oldest messages without a consumer: nothing is taken from anybody."""
        stream, _, subject = name.partition("/")
        found: list[dict[str, Any]] = []
        sequence = 1
        while len(found) < count:
            try:
                asked = {"seq": sequence, "next_by_subj": subject or ">"}
                found.append(self._link.ask(f"STREAM.MSG.GET.{stream}", asked)["message"])
            except NotFound:
                break
            sequence = found[-1]["seq"] + 1
        if not found:
            return None
        payloads = [base64.b64decode(one.get("data") or "") for one in found]
        parsed = Reading.of(told.format, columns).rows(payloads, lambda index: f"sequence {found[index]['seq']}")
        beside = {
            "_subject": [one["subject"] for one in found],
            "_sequence": [one["seq"] for one in found],
            "_time": [_moment(one["time"]) for one in found],
        }
        rows = batch_of(parsed, beside if told.envelope else {})
        return Part(rows=rows, state={}, rejects=tuple(parsed.rejects), size_bytes=sum(map(len, payloads)))

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Acknowledge everything up to the position."""
        position = int(state.get("sequence", 0))
        self._settled = max(self._settled, position)
        done = [sequence for sequence in self._replies if sequence <= position]
        if not done:
            return
        wanted = [max(done)] if self._one_for_all else done
        self._send([self._replies[sequence] for sequence in wanted])
        for sequence in done:
            del self._replies[sequence]

    def _send(self, replies: list[str]) -> None:
        async def send() -> None:
            for reply in replies:
                await self._link.client.publish(reply, ACK)
            await self._link.client.flush(max(1, round(self._link.timeout_s)))

        self._link.wait(send(), self._link.timeout_s + 5)

    def close(self) -> None:
        """Close the connection; the consumer stays, so that the lag can be seen."""
        self._link.close()


class _Position:
    """Where the reading stands: the last sequence that was handed over."""

    def __init__(self, created: str, sequence: int, consumer: str) -> None:
        self.created = created
        self.sequence = sequence
        self.consumer = consumer

    @classmethod
    def of(cls, info: Mapping[str, Any], state: Mapping[str, Any], source: str) -> _Position:
        created = str(info["created"])
        consumer = str(state.get("consumer") or f"aimass-{source or uuid4().hex[:12]}")
        known = int(state.get("sequence", 0)) if state.get("created") == created else 0
        if known > int(info["state"]["last_seq"]):
            raise Invalid(
                f"the position {known} lies behind the last sequence {info['state']['last_seq']} of the stream",
                field="state",
                value=known,
                hint="the server was restored from an older copy: create a new source for what comes now",
            )
        return cls(created, known, consumer)

    def state(self) -> dict[str, Any]:
        return {"created": self.created, "sequence": self.sequence, "consumer": self.consumer}


def _moment(text: str) -> datetime:
    """Read a moment with nanoseconds; Python keeps microseconds."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{(rest or '0')[:6].ljust(6, '0')}").replace(tzinfo=UTC)
