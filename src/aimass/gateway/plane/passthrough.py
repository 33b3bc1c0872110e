"""Pass one request through to control, and its reply back: head rebuilt, bodies streamed, both sides held back."""

from __future__ import annotations

import html
from typing import Protocol

from aimass.gateway.plane.connection import BY_UPSTREAM, Connection
from aimass.gateway.plane.errors import BadReply, ControlGone
from aimass.gateway.plane.framing import LAST_CHUNK, chunk
from aimass.gateway.plane.http import HOP_BY_HOP, ReplyHead, RequestHead, dump, reply, status_line, tokens_of
from aimass.gateway.plane.metrics import Metrics
from aimass.gateway.plane.tracing import request_lines
from aimass.gateway.plane.upstream import Control, Link
from aimass.kernel.errors import AimassError

_FROM_CLIENT = HOP_BY_HOP | {b"expect", b"forwarded", b"x-real-ip", b"traceparent", b"tracestate"}
_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"PUT"})
_HIGH_WATER = 256 * 1024
_SWITCHED = 101
_BODILESS = frozenset({204, 304})


class Way(Protocol):
    """What a relay needs from the worker."""

    control: Control
    metrics: Metrics
    now: float


class Relay:
    """One request on its way to control; the sink of the client's body and the listener of control's reply."""

    ends_with_client = True

    def __init__(self, way: Way, connection: Connection, head: RequestHead) -> None:
        self._way = way
        self._connection = connection
        self._head = head
        self.is_head = head.method == b"HEAD"
        self._upstream: Link | None = None
        self._waiting: list[bytes] = [
            request_head(head, connection.peer, connection.scheme)[:-2],
            request_lines(connection.traced(), connection.trace_state),
            b"\r\n",
        ]
        self._waiting_bytes = 0
        self._is_sent = False
        self._is_done = False
        self._is_raw = False
        self._is_chunking = False
        way.control.in_use += 1
        self._start()

    # -- towards control

    def _start(self) -> None:
        upstream = self._way.control.waiting()
        if upstream is None:
            self._way.control.connect(self)
        else:
            self.reached(upstream)

    def reached(self, upstream: Link) -> None:
        """Send what waited on a connection to control."""
        if self._is_done:
            self._way.control.give_back(upstream, self._way.now)
            return
        self._upstream = upstream
        upstream.carry(self)
        waiting, self._waiting_bytes = self._waiting, 0
        if self._head.has_body:
            self._waiting = []
        upstream.transport.write(b"".join(waiting))
        self._connection.release(BY_UPSTREAM)

    def unreachable(self, reason: OSError) -> None:
        """Say that control is gone."""
        self._fail(ControlGone(hint=f"the gateway goes on; control does not answer ({reason.strerror or 'no socket'})"))

    def piece(self, data: bytes) -> None:
        """Send a part of the client's body on."""
        if self._is_done:
            return
        self._write(chunk(data) if self._head.is_chunked else data)

    def end(self) -> None:
        """End the request."""
        self._is_sent = True
        if self._head.is_chunked and not self._is_done:
            self._write(LAST_CHUNK)

    def _write(self, data: bytes) -> None:
        if self._upstream is not None:
            self._upstream.transport.write(data)
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > _HIGH_WATER:
            self._connection.hold(BY_UPSTREAM)

    def lost(self) -> None:
        """Stop control's work for a client that is gone."""
        self._done()
        self._drop()

    def writable(self, *, is_open: bool) -> None:
        """Hold control back while the client reads slowly."""
        if self._upstream is not None and not self._upstream.is_lost:
            transport = self._upstream.transport
            if is_open:
                transport.resume_reading()
            else:
                transport.pause_reading()

    def upstream_writable(self, *, is_open: bool) -> None:
        """Hold the client back while control reads slowly."""
        if is_open:
            self._connection.release(BY_UPSTREAM)
        else:
            self._connection.hold(BY_UPSTREAM)

    # -- towards the client

    def head(self, reply: ReplyHead) -> None:
        """Send the head of control's reply."""
        connection = self._connection
        self._way.metrics.count("gateway_passthrough", (("code", str(reply.status)),))
        connection.is_replying = True
        connection.is_endless = reply.get(b"content-type").startswith(b"text/event-stream")
        if reply.status == _SWITCHED:
            self._switch(reply)
            return
        is_open_ended = reply.is_chunked or reply.length is None
        self._is_chunking = is_open_ended and not self._head.is_old
        if is_open_ended and self._head.is_old:
            connection.keep = False
        connection.send(reply_head(reply, self._head, keep=connection.keep))

    def _switch(self, reply: ReplyHead) -> None:
        if not self._head.websocket or self._upstream is None:
            raise BadReply("control changed the protocol, which nobody asked for")
        self._is_raw = True
        self._connection.send(reply_head(reply, self._head, keep=True))
        rest = self._connection.tunnel(self)
        if rest:
            self._upstream.transport.write(rest)

    def part(self, data: bytes) -> None:
        """Send a part of control's reply on."""
        self._connection.send(chunk(data) if self._is_chunking else data)

    def complete(self) -> None:
        """End the reply; the connection to control is kept when nothing is left on it."""
        self._done()
        upstream, self._upstream = self._upstream, None
        connection = self._connection
        if self._is_chunking:
            connection.send(LAST_CHUNK)
        if upstream is not None:
            upstream.transport.resume_reading()
            if self._is_sent and upstream.is_reusable:
                self._way.control.give_back(upstream, self._way.now)
            else:
                upstream.transport.abort()
        connection.release(BY_UPSTREAM)
        if not self._is_sent:
            connection.keep = False
        connection.finish()

    def broken(self, reason: AimassError | None) -> None:
        """Control closed in the middle: try once more where that is safe, else say so or cut the client off."""
        upstream, self._upstream = self._upstream, None
        connection = self._connection
        if self._is_raw:
            self._done()
            connection.keep = False
            connection.finish()
        elif connection.is_replying:
            self._done()
            connection.abort()
        elif upstream is not None and upstream.uses > 1 and self._may_repeat and reason is None:
            self._way.control.connect(self)
        else:
            self._fail(reason or ControlGone(hint="control ended while it had this request"))

    def _done(self) -> None:
        if not self._is_done:
            self._is_done = True
            self._way.control.in_use -= 1

    @property
    def _may_repeat(self) -> bool:
        return self._head.method in _SAFE and not self._head.has_body

    def _fail(self, error: AimassError) -> None:
        if self._is_done:
            return
        self._done()
        connection = self._connection
        self._way.metrics.count("gateway_passthrough", (("code", str(error.status)),))
        if not self._is_sent:
            connection.keep = False
        connection.reply(error_page(error, self._head.get(b"accept") or b"", keep=connection.keep))
        connection.release(BY_UPSTREAM)
        connection.finish()

    def _drop(self) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.listener = None
            if self._is_raw:
                upstream.transport.close()
            else:
                upstream.transport.abort()


def request_head(head: RequestHead, peer: str, scheme: bytes) -> bytes:
    """Rebuild a request head for control from its parsed values."""
    dropped = _FROM_CLIENT | tokens_of(head.headers, b"connection")
    lines = [b"%b %b HTTP/1.1" % (head.method, head.target)]
    lines += [
        b"%b: %b" % (name, value)
        for name, value in head.headers
        if name not in dropped and not name.startswith(b"x-forwarded-")
    ]
    lines.append(b"x-forwarded-for: " + peer.encode())
    lines.append(b"x-forwarded-proto: " + scheme)
    lines.append(b"x-forwarded-host: " + (head.get(b"host") or b""))
    if head.is_chunked:
        lines.append(b"transfer-encoding: chunked")
    elif head.length is not None:
        lines.append(b"content-length: %d" % head.length)
    if head.websocket:
        lines += [b"connection: Upgrade", b"upgrade: websocket"]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def reply_head(reply: ReplyHead, request: RequestHead, *, keep: bool) -> bytes:
    """Rebuild a reply head for the client."""
    dropped = HOP_BY_HOP | tokens_of(reply.headers, b"connection")
    if request.method == b"HEAD":
        dropped -= {b"content-length"}
    lines = [status_line(reply.status)[:-2]]
    lines += [b"%b: %b" % (name, value) for name, value in reply.headers if name not in dropped]
    if reply.status == _SWITCHED:
        lines += [b"connection: Upgrade", b"upgrade: websocket"]
    elif request.method != b"HEAD" and reply.status not in _BODILESS:
        if not reply.is_chunked and reply.length is not None:
            lines.append(b"content-length: %d" % reply.length)
        elif not request.is_old:
            lines.append(b"transfer-encoding: chunked")
    if not keep:
        lines.append(b"connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<title>{title}</title><body style="font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem">
<h1 style="font-size:1.4rem">{title}</h1><p>{detail}</p><p>{hint}</p><p>This page tries again every 3 seconds.</p></body></html>
"""


def error_page(error: AimassError, accept: bytes, *, keep: bool) -> bytes:
    """Return an error as a page for browsers, or as a problem document for programs."""
    if b"text/html" in accept:
        title = "AI Mass is not ready" if error.code == "control_gone" else "Something went wrong"
        page = _PAGE.format(title=title, detail=html.escape(error.message), hint=html.escape(error.hint))
        return reply(
            error.status, page.encode(), kind=b"text/html; charset=utf-8", extra=b"Retry-After: 3\r\n", keep=keep
        )
    body = dump(error.problem())
    return reply(error.status, body, kind=b"application/problem+json", extra=b"Retry-After: 3\r\n", keep=keep)
