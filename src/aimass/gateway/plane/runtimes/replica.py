"""One worker process as the gateway sees it: a connection, what is under way on it, and who died with it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from aimass.gateway.plane.errors import WorkerGone
from aimass.gateway.plane.runtimes.streaming import Stream
from aimass.infra.frames import FrameReader, Message, Packed, Row, encode_frame, encode_row
from aimass.infra.suspects import open_left, running_ids
from aimass.kernel.errors import AimassError

_LOG = logging.getLogger(__name__)
_MOST_JOURNAL = 1024 * 1024
_GREETING_S = 1.0
_QUICK_S, _QUICK_FOR_S = 0.02, 3.0


@dataclass(slots=True, eq=False, kw_only=True)
class Pending:
    """A request that is not answered yet; ``done`` is None when nobody waits for it any more.

    Attributes
    ----------
    content
        Columns, or a row as the bytes that the worker takes.
    is_alone
        Whether it runs in no batch: it was in one when a worker died.
    sends
        How often it was sent.
    """

    id: int
    content: Packed | bytes
    rows: int
    size: int
    deadline: float
    done: Callable[[Any, AimassError | None], None] | None
    is_alone: bool = False
    sends: int = 0

    def frame(self, now: float) -> bytes:
        """Return the request as it is sent."""
        content = self.content
        if isinstance(content, bytes):
            return encode_row(self.id, content, self.deadline - now, is_alone=self.is_alone)
        head: dict[str, Any] = {"id": self.id, "timeout_s": round(self.deadline - now, 3)}
        if self.is_alone:
            head["alone"] = True
        return encode_frame(head, content)


@dataclass(frozen=True, slots=True)
class Fallen:
    """What a connection had under way when it was lost.

    Attributes
    ----------
    batches
        The ids that the worker was running, batch by batch; None when the worker kept no journal.
    """

    pending: list[Pending]
    batches: list[list[int]] | None


class Owner(Protocol):
    """Whoever sends requests through a replica."""

    def reached(self, replica: Replica) -> None:
        """Hear that it can take requests."""
        ...

    def answered(self, pending: Pending, message: Message | Row) -> None:
        """Hear an answer."""
        ...

    def lost(self, replica: Replica, fallen: Fallen) -> None:
        """Hear that the connection is gone."""
        ...


class Replica(asyncio.Protocol):
    """The gateway's end of the connection to one worker, made again and again while it is wanted."""

    def __init__(self, path: str, owner: Owner, now: Callable[[], float], signature: list[dict[str, Any]]) -> None:
        self.path = path
        self.signature = signature
        self.facts: dict[str, Any] = {}
        self.rows = 0
        self.window = 1
        self._owner = owner
        self._now = now
        self._reader = FrameReader()
        self._sent: dict[int, Pending] = {}
        self.streams: dict[int, Stream] = {}
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._journal: int | None = None
        self._greeting = asyncio.Event()
        self._is_greeted = False
        self._is_wanted = True
        self._is_reaching = False
        self._lost_at = float("-inf")
        self._reaches: set[asyncio.Task[None]] = set()

    # -- the connection

    @property
    def is_ready(self) -> bool:
        """Tell whether the worker is there and takes requests."""
        return self._is_greeted and self._is_wanted

    @property
    def sent(self) -> dict[int, Pending]:
        """What is under way, by id."""
        return self._sent

    async def connect(self) -> None:
        """Try to reach the worker once, when it is not reached yet, and wait a moment for it to introduce itself."""
        if self._transport is not None or not self._is_wanted or self._is_reaching:
            return
        self._is_reaching = True
        try:
            self._greeting = asyncio.Event()
            await asyncio.get_running_loop().create_unix_connection(lambda: self, self.path)
            await asyncio.wait_for(self._greeting.wait(), _GREETING_S)
        except (OSError, TimeoutError) as reason:
            _LOG.debug("the model worker at %s is not there: %s", self.path, reason)
        finally:
            self._is_reaching = False

    def _reach_soon(self) -> None:
        """After a loss: a successor appears within a moment, so look often for a while."""
        loop = asyncio.get_running_loop()
        if self._transport is not None or not self._is_wanted or self._now() - self._lost_at > _QUICK_FOR_S:
            return
        task = loop.create_task(self.connect())
        self._reaches.add(task)
        task.add_done_callback(self._reaches.discard)
        loop.call_later(_QUICK_S, self._reach_soon)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection; requests flow when the worker has introduced itself."""
        self._transport = cast("asyncio.Transport", transport)
        self._reader = FrameReader()
        self._journal = None
        with suppress(OSError):
            self._journal = open_left(Path(self.path).with_name("running"))
        if not self._is_wanted:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Hand answers to those who wait."""
        try:
            for message in self._reader.feed(data):
                if isinstance(message, Row):
                    self._answered(message.id, message)
                else:
                    self._heard(message)
        except (AimassError, ValueError, KeyError, TypeError) as reason:
            _LOG.warning("the model worker at %s sent what is no frame: %s", self.path, reason)
            if self._transport is not None:
                self._transport.abort()

    def _heard(self, message: Message) -> None:
        if "worker" in message.head:
            self.facts = message.head["worker"]
            lanes, most = int(self.facts.get("lanes", 1)), int(self.facts.get("max_rows", 1))
            self.window = most * (max(1, lanes) + 1)
            self._is_greeted = True
            self._greeting.set()
            self._owner.reached(self)
            return
        number = message.head["id"]
        if number in self.streams:
            if self.streams[number].heard(message):
                del self.streams[number]
                self._owner.reached(self)
                self._leave_if_done()
            return
        self._answered(number, message)

    def _answered(self, number: int, message: Message | Row) -> None:
        pending = self._sent.pop(number, None)
        if pending is not None:
            self.rows -= pending.rows
            self._owner.answered(pending, message)
        if not self._is_wanted:
            self._leave_if_done()

    def _leave_if_done(self) -> None:
        if not self._is_wanted and not self._sent and not self.streams and self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say what was under way, and which of it the worker was running."""
        batches = None
        if self._journal is not None:
            with suppress(OSError):
                batches = running_ids(os.pread(self._journal, _MOST_JOURNAL, 0))
            os.close(self._journal)
        fallen = Fallen(list(self._sent.values()), batches)
        streams, self.streams = list(self.streams.values()), {}
        self._sent, self._out, self.rows = {}, [], 0
        self._transport, self._journal, self._is_greeted = None, None, False
        self._greeting.set()
        self._lost_at = self._now()
        for stream in streams:
            stream.end(WorkerGone("the worker of this model ended in the middle of its answer"))
        self._owner.lost(self, fallen)
        self._reach_soon()

    # -- requests

    def has_room(self) -> bool:
        """Tell whether another request keeps the worker busy rather than waiting in its queue."""
        return self.is_ready and (self.rows < self.window or not self._sent)

    def streams_left(self) -> int:
        """Return how many further streams the worker takes."""
        return int(self.facts.get("streams", 0)) - len(self.streams) if self.is_ready else 0

    def stream(self, stream: Stream) -> None:
        """Begin a stream."""
        self.streams[stream.id] = stream
        stream.begin(self._say, self.signature)

    def send(self, pending: Pending) -> None:
        """Send a request at the end of this turn."""
        pending.sends += 1
        self._sent[pending.id] = pending
        self.rows += pending.rows
        self._say(pending.frame(self._now()))

    def _say(self, frame: bytes) -> None:
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(frame)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None and out:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    def leave(self) -> None:
        """Send nothing more, and let the connection go when everything under way is answered."""
        self._is_wanted = False
        self._leave_if_done()
