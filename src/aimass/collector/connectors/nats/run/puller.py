"""Pulling messages of a consumer in the order of the stream, with nothing left out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson
from nats.aio.msg import Msg

from aimass.collector.connectors.nats.run.link import Link
from aimass.collector.connectors.portions import PART_BYTES
from aimass.kernel.errors import Unavailable

NANOS = 1_000_000_000
SHORT_REPLY = 9  # parts of "$JS.ACK.stream.consumer.delivered.sequence.nth.time.pending"; newer servers put two before
ENDED = ("404", "408")  # nothing there; the request ran out
ENOUGH = "MaxBytes"  # in what a 409 says when the next message would be more than the bytes that were asked for


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message and what the server says about it: its place in the stream and in the consumer."""

    message: Msg
    sequence: int
    nth: int
    time_ns: int
    pending: int

    @classmethod
    def of(cls, message: Msg) -> Delivery:
        """Read the reply address."""
        parts = message.reply.split(".")
        at = 5 if len(parts) == SHORT_REPLY else 7
        return cls(message, *map(int, parts[at : at + 4]))


class Disorder(Exception):
    """The consumer skipped a message or is gone: it has to be made again."""


class Puller:
    """Pulls from one consumer. The server counts deliveries (``nth``): a number left out is a message on its way to nowhere."""

    def __init__(self, link: Link, stream: str, consumer: str) -> None:
        self._link = link
        self._asked = link.api(f"CONSUMER.MSG.NEXT.{stream}.{consumer}")
        self._inbox = link.client.new_inbox()
        self._got: list[Msg] = []
        self._wanted = 0
        self._over = asyncio.Event()
        self._fault = ""
        self._nth = 0
        self._subscription: Any = link.wait(self._subscribe(), link.timeout_s)

    async def _subscribe(self) -> Any:
        return await self._link.client.subscribe(
            self._inbox, cb=self._received, pending_msgs_limit=-1, pending_bytes_limit=-1
        )

    async def _received(self, message: Msg) -> None:
        status = message.headers.get("Status") if message.headers and not message.data else None
        if status is None:
            self._got.append(message)
            if len(self._got) >= self._wanted:
                self._over.set()
            return
        told = (message.headers or {}).get("Description", "")
        if status not in ENDED and ENOUGH not in told:
            self._fault = f"{status} {told}"
        self._over.set()

    def pull(self, count: int, wait_s: float) -> list[Delivery]:
        """Return at most about ``count`` messages that come within a time, in the order of the consumer."""
        found = [Delivery.of(message) for message in self._link.wait(self._pull(count, wait_s), wait_s + 10)]
        for one in found:
            if one.nth != self._nth + 1:
                raise Disorder(f"delivery {self._nth + 1} never came, {one.nth} did")
            self._nth = one.nth
        if not found and not self._link.is_open:
            raise Unavailable("the connection to the NATS server was lost")
        if self._fault and not found:
            raise Disorder(self._fault)
        return found

    async def _pull(self, count: int, wait_s: float) -> list[Msg]:
        self._wanted = count
        if not self._got:
            self._over.clear()
            most = max(
                PART_BYTES, 2 * self._link.client.max_payload
            )  # the largest message fits by itself, with its headers
            body = orjson.dumps({"batch": count, "expires": int(wait_s * NANOS), "max_bytes": most})
            await self._link.client.publish(self._asked, body, reply=self._inbox)
            try:
                await asyncio.wait_for(self._over.wait(), wait_s + 2)
            except TimeoutError:
                self._fault = self._fault or "the server is silent"
        found, self._got = self._got, []
        return found

    def close(self) -> None:
        """Let go of the subscription."""
        if self._link.is_open:
            self._link.wait(self._subscription.unsubscribe(), self._link.timeout_s)
