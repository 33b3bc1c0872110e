"""Connections to those who answer in our place, and to control's Unix socket, kept for a short while between requests."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from aimass.gateway.plane.errors import BadReply
from aimass.gateway.plane.framing import BodyReader, body_reader
from aimass.gateway.plane.http import ReplyHead, parse_reply
from aimass.kernel.errors import AimassError

_END = b"\r\n\r\n"
_MAX_HEAD = 256 * 1024
_SWITCHED = 101
_FINAL = 200


class Listener(Protocol):
    """The one whose request is on the connection."""

    is_head: bool

    def head(self, reply: ReplyHead) -> None:
        """Take the head of the reply."""
        ...

    def part(self, data: bytes) -> None:
        """Take a part of the reply's body."""
        ...

    def complete(self) -> None:
        """Hear that the reply is complete."""
        ...

    def broken(self, reason: AimassError | None) -> None:
        """Hear that the connection is gone before the reply was complete."""
        ...

    def upstream_writable(self, *, is_open: bool) -> None:
        """Hear that control reads slowly, or reads again."""
        ...


class Turn(Protocol):
    """Who writes at the end of a turn of the loop."""

    def will_write(self, writer: Link) -> None:
        """Call ``written`` of this one at the end of this turn."""
        ...


class Link(asyncio.Protocol):
    """One connection to control or to a service; it carries one request at a time."""

    def __init__(self, whose: str = "control") -> None:
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.whose = whose
        self.listener: Listener | None = None
        self.idle_since = 0.0
        self.uses = 0
        self.is_lost = False
        self._out: list[bytes] = []
        self._buffer = b""
        self._body: BodyReader | None = None
        self._reply: ReplyHead | None = None
        self._is_raw = False

    def carry(self, listener: Listener) -> None:
        """Carry the request of this listener."""
        self.listener = listener
        self.uses += 1
        self._reply = None
        self._body = None

    def send(self, data: bytes, turn: Turn) -> None:
        """Send at the end of this turn of the loop: requests that leave together find the other side awake."""
        if not self._out:
            turn.will_write(self)
        self._out.append(data)

    def written(self) -> None:
        """Hand everything to the socket; called by the worker at the end of a turn."""
        out, self._out = self._out, []
        if not (self.is_lost or self.transport.is_closing()):
            self.transport.write(out[0] if len(out) == 1 else b"".join(out))

    @property
    def is_reusable(self) -> bool:
        """Tell whether another request may follow; asked when a reply is complete."""
        return not (self.is_lost or self._is_raw or self._buffer or self._out or self.transport.is_closing()) and bool(
            self._reply and self._reply.keep_alive
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Cut the reply out of the stream."""
        listener = self.listener
        if listener is None:
            self.transport.abort()
            return
        if self._is_raw:
            listener.part(data)
            return
        self._buffer += data
        try:
            while self._step(listener):
                pass
        except AimassError as reason:
            self._break(BadReply(f"the answer of {self.whose} is not valid HTTP: {reason.message}"))

    def _step(self, listener: Listener) -> bool:
        if self._reply is None:
            return self._read_head(listener)
        if self._body is None or self.listener is not listener:
            return False
        piece, self._buffer = self._body.feed(self._buffer)
        if piece:
            listener.part(piece)
        if self._body.done:
            self._end(listener)
        return False

    def _read_head(self, listener: Listener) -> bool:
        end = self._buffer.find(_END) + 4
        if end < len(_END):
            if len(self._buffer) > _MAX_HEAD:
                raise BadReply("the head is too large")
            return False
        head, self._buffer = self._buffer[:end], self._buffer[end:]
        reply = parse_reply(head, is_head=listener.is_head)
        if reply.status < _FINAL and reply.status != _SWITCHED:
            return True
        self._reply = reply
        if reply.status == _SWITCHED:
            self._is_raw = True
            listener.head(reply)
            rest, self._buffer = self._buffer, b""
            if rest:
                listener.part(rest)
            return False
        self._body = body_reader(reply.length, is_chunked=reply.is_chunked, is_endless=True)
        listener.head(reply)
        if self.listener is not listener:
            return False
        if self._body.done:
            self._end(listener)
            return False
        return bool(self._buffer)

    def _end(self, listener: Listener) -> None:
        self._body = None
        self.listener = None
        listener.complete()

    def _break(self, reason: AimassError | None) -> None:
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.broken(reason)
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the listener, unless the end of the connection is the end of the reply."""
        self.is_lost = True
        listener, self.listener = self.listener, None
        if listener is None:
            return
        reply = self._reply
        is_to_the_end = reply is not None and not self._is_raw and not reply.is_chunked and reply.length is None
        if is_to_the_end and exc is None:
            listener.complete()
        else:
            listener.broken(None)

    def pause_writing(self) -> None:
        """Control reads slowly."""
        if self.listener is not None:
            self.listener.upstream_writable(is_open=False)

    def resume_writing(self) -> None:
        """Control reads again."""
        if self.listener is not None:
            self.listener.upstream_writable(is_open=True)


class Control:
    """The way to control: its socket, and the connections that wait for the next request."""

    def __init__(self, path: str, idle_s: float) -> None:
        self.path = path
        self.in_use = 0
        self._idle_s = idle_s
        self._idle: list[Link] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def use(self, path: str) -> None:
        """Go to this socket from now on."""
        if path and path != self.path:
            self.path = path
            self.close()

    def waiting(self) -> Link | None:
        """Return a connection that waits, or None."""
        while self._idle:
            upstream = self._idle.pop()
            if not upstream.is_lost and not upstream.transport.is_closing():
                return upstream
        return None

    def connect(self, asker: Asker) -> None:
        """Open a connection for this asker."""
        task = asyncio.get_running_loop().create_task(self._connect(asker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, asker: Asker) -> None:
        try:
            _, upstream = await asyncio.get_running_loop().create_unix_connection(Link, self.path)
        except OSError as reason:
            asker.unreachable(reason)
        else:
            asker.reached(upstream)

    def give_back(self, upstream: Link, now: float) -> None:
        """Keep a connection for the next request."""
        upstream.idle_since = now
        self._idle.append(upstream)

    def sweep(self, now: float) -> None:
        """Close what waited long enough: control must never close one that we are about to use."""
        limit = now - self._idle_s
        for upstream in [u for u in self._idle if u.idle_since < limit]:
            self._idle.remove(upstream)
            upstream.transport.close()

    def close(self) -> None:
        """Close everything that waits."""
        idle, self._idle = self._idle, []
        for upstream in idle:
            upstream.transport.close()


class Asker(Protocol):
    """Who waits for a connection."""

    def reached(self, upstream: Link) -> None:
        """Take it."""
        ...

    def unreachable(self, reason: OSError) -> None:
        """Hear that there is none."""
        ...
