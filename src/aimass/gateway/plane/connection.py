"""One client connection: cuts requests out of the stream, one after the other, and keeps the order of the replies."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol, cast

from aimass.gateway.plane.access_log import AccessLog, Entry
from aimass.gateway.plane.errors import BadRequest, HeadTooLarge, Overloaded, TooSlow
from aimass.gateway.plane.framing import BodyReader, body_reader
from aimass.gateway.plane.http import RequestHead, error_reply, parse_request
from aimass.gateway.plane.limits import Budget, Limits, Pace
from aimass.gateway.plane.sink import Sink
from aimass.gateway.plane.sockets import unsent_bytes, write_in_pieces
from aimass.gateway.plane.tls import shown_by
from aimass.gateway.plane.tracing import cut_trace, new_trace, with_answer
from aimass.kernel.errors import AimassError

_END = b"\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_HIGH_WATER = 64 * 1024
BY_BUFFER, BY_WRITING, BY_UPSTREAM, BY_TURN = 1, 2, 4, 8
_BY_OTHERS = BY_UPSTREAM | BY_TURN


class Known(Protocol):
    """A request head that was understood before, and how long the body after it is."""

    length: int

    def note(self, entry: Entry) -> None:
        """Say in the access log who asks for what."""
        ...


class Host(Protocol):
    """What a connection needs from the worker it belongs to."""

    limits: Limits
    budget: Budget
    now: float
    is_draining: bool
    access: AccessLog | None

    @property
    def calls(self) -> Mapping[bytes, Known]:
        """The heads that were understood before."""
        ...

    def admit(self, connection: Connection) -> AimassError | None:
        """Take a new connection; return why not when there are too many."""
        ...

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        ...

    def will_write(self, writer: Connection) -> None:
        """Write what the connection has to say at the end of this turn, after the records."""
        ...

    def open(self, connection: Connection, head: RequestHead, raw: bytes) -> Sink:
        """Decide who answers a request."""
        ...

    def infer(self, connection: Connection, call: Any, body: bytes) -> None:
        """Answer an inference request whose head is known."""
        ...


class Connection(asyncio.Protocol):
    """The protocol of one client.

    Requests of one connection are answered one at a time: while one is under way, later ones wait in the buffer, and
    the client is not read any further when the buffer is full. Nothing is written to the client before the turn of the
    loop ends; the worker writes the records of the turn first.
    """

    __slots__ = (
        "_body", "_buffer", "_counted", "_held", "_is_advancing", "_is_busy", "_is_closing", "_is_ended", "_is_told", "_pace", "_sends_trace",
        "_sink", "_started", "_tunnel", "_unread", "_unsent", "address", "born", "certificate", "deadline", "direct", "entry", "host", "is_endless", "is_head", "is_lost", "is_replying", "is_tls", "keep", "limits", "out", "peer", "scheme", "trace", "trace_state", "transport",
    )  # fmt: skip

    def __init__(self, host: Host) -> None:
        self.host = host
        self.limits = host.limits
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.out: list[bytes] = []
        self.peer = self.direct = self.address = ""
        self.scheme, self.certificate = b"http", b""
        self.deadline = 0.0
        self.born = host.now
        self.keep = True
        self.is_lost = self.is_head = self.is_tls = False
        self.is_replying = False
        self.is_endless = False
        self.trace = self.trace_state = b""
        self._sends_trace = False
        self.entry: Entry | None = None
        self._is_told = False
        self._buffer = b""
        self._body: BodyReader | None = None
        self._sink: Sink | None = None
        self._tunnel: Sink | None = None
        self._is_busy = False
        self._is_closing = False
        self._is_ended = False
        self._is_advancing = False
        self._held = 0
        self._started = False
        self._pace: Pace | None = None
        self._counted = 0
        self._unread = 0
        self._unsent = 0

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet a client, or refuse it when there are too many."""
        self.transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.peer = self.direct = peer[0] if isinstance(peer, tuple) else "unix"
        shaken = transport.get_extra_info("ssl_object")
        if shaken is not None:
            self.is_tls, self.scheme, self.certificate = True, b"https", shown_by(shaken)
        self.deadline = self.host.now + self.limits.idle_s
        reason = self.host.admit(self)
        if reason is not None:
            self.refuse(reason)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a request that arrives whole, with a head seen before, takes the short way."""
        if not self._buffer and not self._is_busy and self._body is None and not self._held and not self._is_closing:
            end = data.find(_END) + 4
            head = self._without_trace(data[:end]) if self._sends_trace else data[:end]
            call = self.host.calls.get(head)
            if call is not None and len(data) == end + call.length:
                self.keep = True
                self.is_head = False
                self.deadline = 0.0
                self._is_busy = True
                if self.host.access is not None:
                    self.entry = Entry(*head.split(b" ", 2)[:2])
                    call.note(self.entry)
                self.host.infer(self, call, data[end:])
                return
        if self._tunnel is not None:
            self._tunnel.piece(data)
            return
        self._buffer = self._buffer + data if self._buffer else data
        self._advance()

    def eof_received(self) -> bool:
        """Close, but deliver what was answered in this turn or is being worked out, and answer what waits."""
        if self.is_tls:
            return False  # TLS ends in both directions at once
        sink = self._sink
        is_waiting = self._is_busy and self._body is None and (sink is None or not sink.ends_with_client)
        if not self.out and not is_waiting:
            return False
        self._is_ended = True
        self._is_closing = not self._is_busy
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever works for this client."""
        self.is_lost = True
        self.host.leave(self)
        sink, self._sink = self._tunnel or self._sink, None
        self._tunnel = None
        self._log()
        self._buffer = b""
        self.host.budget.take(-self._counted - self._unread)
        self._counted = self._unread = 0
        if sink is not None:
            sink.lost()

    def pause_writing(self) -> None:
        """Stop taking requests while the client reads slowly, and tell the source."""
        self.deadline = self.host.now + self.limits.write_s
        self.hold(BY_WRITING)
        self._tell(is_open=False)
        self._unsent = unsent_bytes(self.transport)
        if not self._count_unread():
            self.abort()

    def resume_writing(self) -> None:
        """Go on when the client reads again."""
        self._count_unread()
        self.deadline = 0.0 if self._is_busy else self.host.now + self.limits.idle_s
        self._tell(is_open=True)
        self.release(BY_WRITING)

    def _count_unread(self) -> bool:
        """Count what the client has not read yet; say whether there is room for it."""
        unread = self.transport.get_write_buffer_size()
        more, self._unread = unread - self._unread, unread
        return self.host.budget.take(more)

    def _tell(self, *, is_open: bool) -> None:
        sink = self._tunnel or self._sink
        if sink is not None:
            sink.writable(is_open=is_open)

    # -- for those who answer

    def send(self, data: bytes) -> None:
        """Write to the client at the end of this turn."""
        if not self.is_lost:
            if not self.out:
                self.host.will_write(self)
            if self.trace and not self._is_told:
                self._is_told = True
                data = with_answer(data, self.trace)
            if self.entry is not None:
                self.entry.note(data)
            self.out.append(data)

    def reply(self, data: bytes) -> None:
        """Send a whole reply; one to a HEAD request loses its body."""
        self.send(data[: data.find(_END) + 4] if self.is_head else data)

    def traced(self) -> bytes:
        """Return the trace that the request belongs to, for those who pass it on: one is begun when the client sent none."""
        if not self.trace:
            self.trace = new_trace()
        return self.trace

    def attend(self, sink: Sink) -> None:
        """Tell this one from now on that the client is slow or gone."""
        if self.is_lost:
            sink.lost()
        else:
            self._sink = sink

    def finish(self) -> None:
        """Go on with the next request after a complete reply, or close."""
        self._is_busy = False
        if self.entry is not None:
            self._log()
        self.is_replying = self.is_endless = False
        if self.trace:
            self._is_told = False
            self.trace = self.trace_state = b""
        if self._body is None:
            self._sink = None
        self._started = False
        self.deadline = self.host.now + self.limits.idle_s
        if not self.keep or self.host.is_draining:
            self.close()
        elif self._buffer:
            self._advance()
        elif self._is_ended:
            self.close()

    def _log(self) -> None:
        """Tell the access log that the request has come to its end."""
        entry, self.entry = self.entry, None
        if entry is not None and self.host.access is not None:
            self.host.access.end(entry, self.trace)

    def close(self) -> None:
        """Close after everything was written; a body under way is read to its end first, within a short time."""
        self._is_closing = True
        self._buffer = b"" if self._body is None else self._buffer
        if self._body is not None:
            self.keep = False
            self.deadline = self.host.now + self.limits.body_s / 10
            return
        self.host.will_write(self)

    def written(self) -> None:
        """Hand everything to the socket; called by the worker at the end of a turn."""
        out, self.out = self.out, []
        if self.is_lost:
            return
        if out:
            data = out[0] if len(out) == 1 else b"".join(out)
            write_in_pieces(self.transport, data) if self.is_tls else self.transport.write(data)
        if self._is_closing and not self._is_busy and self._body is None:
            self.transport.close()

    def refuse(self, error: AimassError) -> None:
        """Answer with an error and close: the stream cannot be understood any further."""
        self.keep = False
        self._body = None
        self._is_busy = False
        self._sink = None
        if self.entry is None and self.host.access is not None:
            self.entry = Entry(b"", b"")
        self.send(error_reply(error, keep=False))
        self._log()
        self.close()

    def abort(self) -> None:
        """Cut the connection."""
        if not self.is_lost:
            self.transport.abort()

    def tunnel(self, sink: Sink) -> bytes:
        """Pass raw bytes to a sink from now on; return the bytes that are here already."""
        self._tunnel = sink
        self.deadline = 0.0
        rest, self._buffer = self._buffer, b""
        self._count_buffer()
        return rest

    def hold(self, reason: int) -> None:
        """Stop reading for this reason."""
        if not self._held and not self.is_lost:
            self.transport.pause_reading()
        self._held |= reason
        if reason & _BY_OTHERS:
            self.deadline = 0.0

    def release(self, reason: int) -> None:
        """Read again when this was the last reason."""
        if self._held & reason:
            self._held &= ~reason
            if reason & _BY_OTHERS and self._body is not None:
                self._pace = Pace(self.limits, self.host.now)
                self.deadline = self._pace.after(0, self.host.now)
            if not self._held and not self.is_lost:
                self.transport.resume_reading()
            if not self._held & ~BY_BUFFER and not self.is_lost:
                self._advance()

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing is under way."""
        return not (self._is_busy or self._body or self._buffer or self.out)

    def idle_for(self, now: float) -> float:
        """Return the seconds since the last answer, for a connection that is idle."""
        return now - self.deadline + self.limits.idle_s

    @property
    def is_waiting(self) -> bool:
        """Tell whether no request waits for an answer, so that nobody loses one when the connection ends."""
        return not (self._is_busy or self._is_closing or self.out)

    @property
    def is_tunnel(self) -> bool:
        """Tell whether this connection carries raw bytes."""
        return self._tunnel is not None

    def timed_out(self) -> None:
        """Say why, where the client can still understand it, and close; one that reads slowly, but reads, goes on."""
        if self._held & BY_WRITING:
            before, self._unsent = self._unsent, unsent_bytes(self.transport)
            if before - self._unsent < self.limits.bytes_per_s * self.limits.write_s:
                self.abort()
            self.deadline = self.host.now + self.limits.write_s
        elif self._is_closing:
            self.abort()
        elif self.is_idle:
            self.close()
        else:
            self._fail(TooSlow("the request did not arrive in time"))

    def _fail(self, error: AimassError) -> None:
        """End a stream that cannot be understood any further; the client hears why when no reply has begun."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.lost()
        if self.is_replying:
            self.abort()
        elif self._body is not None and not self._is_busy:
            self._body = None
            self.close()
        else:
            self.refuse(error)

    # -- the stream

    def _advance(self) -> None:
        if self._is_advancing:
            return
        self._is_advancing = True
        try:
            while self._buffer and not self.is_lost and self._step():
                pass
        except AimassError as error:
            self._fail(error)
        finally:
            self._is_advancing = False
        if self._buffer or self._counted:
            self._count_buffer()
        if self._is_ended and not (self._is_busy or self._is_closing or (self._buffer and self._held & BY_WRITING)):
            self.close()
        elif len(self._buffer) > _HIGH_WATER:
            self.hold(BY_BUFFER)
        else:
            self.release(BY_BUFFER)

    def _count_buffer(self) -> None:
        """Count the bytes that wait here; the client that brings too many for the worker has to go."""
        more, self._counted = len(self._buffer) - self._counted, len(self._buffer)
        if not self.host.budget.take(more) and more > 0:
            if self._is_busy:
                self.abort()
            else:
                self._fail(Overloaded("the gateway holds as many bytes as it may"))

    def _step(self) -> bool:
        """Do one thing with the buffer; say whether there may be more to do."""
        if self._body is not None:
            return self._read_body(self._body)
        if self._tunnel is not None:
            data, self._buffer = self._buffer, b""
            self._tunnel.piece(data)
            return False
        if self._is_busy or self._is_closing or self._held & BY_WRITING:
            return False
        return self._read_head()

    def _read_head(self) -> bool:
        data = self._buffer.lstrip(b"\r\n") if self._buffer[:1] in b"\r\n" else self._buffer
        end = data.find(_END) + 4
        self._buffer = data
        if end < len(_END):
            if data and not data[:1].isalpha():
                raise BadRequest("this is not HTTP")
            if len(data) > self.limits.head_bytes:
                raise HeadTooLarge(allowed=f"at most {self.limits.head_bytes} bytes")
            if data and not self._started:
                self._started = True
                self.deadline = self.host.now + self.limits.head_s
            return False
        if end > self.limits.head_bytes:
            raise HeadTooLarge(allowed=f"at most {self.limits.head_bytes} bytes")
        raw, self._buffer = data[:end], data[end:]
        raw = self._without_trace(raw)
        self._open(parse_request(raw, self.limits), raw)
        return True

    def _without_trace(self, raw: bytes) -> bytes:
        """Note what a head says of its trace; return it without that, so that it can be one that was seen before."""
        told = cut_trace(raw)
        if told is None:
            return raw
        self._sends_trace = True
        raw, self.trace, self.trace_state = told
        return raw

    def _open(self, head: RequestHead, raw: bytes) -> None:
        self.keep = head.keep_alive and not self.host.is_draining
        self.is_head = head.method == b"HEAD"
        self._is_busy = True
        if self.host.access is not None:
            self.entry = Entry(head.method, head.path)
        self._started = True
        self.deadline = 0.0
        if head.has_body:
            self._body = body_reader(head.length, is_chunked=head.is_chunked)
            self._pace = Pace(self.limits, self.host.now)
            self.deadline = self._pace.after(0, self.host.now)
        sink = self._sink = self.host.open(self, head, raw)
        if not head.has_body:
            sink.end()
        elif head.expects and not self._buffer and self._is_busy:
            self._say_continue()

    def _say_continue(self) -> None:
        """Ask for the body; this is no answer yet."""
        self._is_told, is_told = True, self._is_told
        self.send(_CONTINUE)
        self._is_told = is_told

    def _read_body(self, body: BodyReader) -> bool:
        if self._held & _BY_OTHERS:
            return False
        piece, self._buffer = body.feed(self._buffer)
        sink = self._sink
        if piece:
            if self._pace is not None and not self._is_closing:
                self.deadline = self._pace.after(len(piece), self.host.now)
            if sink is not None:
                sink.piece(piece)
        if body.done:
            self._body = None
            self._body_ended(sink)
        return True

    def _body_ended(self, sink: Sink | None) -> None:
        self.deadline = 0.0
        if self._is_busy:
            if sink is not None:
                sink.end()
            return
        self._sink = None
        self.deadline = self.host.now + self.limits.idle_s
        if self._is_closing:
            self.close()
