"""One request on its way to a service: streamed both ways, held back both ways, and repeated elsewhere where that is safe."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import perf_counter
from typing import Protocol

from aimass.gateway.plane.connection import BY_UPSTREAM, Connection
from aimass.gateway.plane.errors import BadReply, BodyTooLarge
from aimass.gateway.plane.framing import LAST_CHUNK, chunk
from aimass.gateway.plane.http import ReplyHead
from aimass.gateway.plane.metrics import Metrics
from aimass.gateway.plane.proxy.courses import Course, Order, note_end
from aimass.gateway.plane.proxy.errors import NoInstance, ReplyTooLarge, ServiceGone, ServiceSlow
from aimass.gateway.plane.proxy.heads import reply_head, request_head
from aimass.gateway.plane.proxy.links import Links
from aimass.gateway.plane.proxy.replies import error_answer, status_of
from aimass.gateway.plane.proxy.table import Table
from aimass.gateway.plane.proxy.things import Instance, Route
from aimass.gateway.plane.slow import SERVER_ERROR, SlowLog
from aimass.gateway.plane.tracing import request_lines
from aimass.gateway.plane.upstream import Link
from aimass.kernel.errors import AimassError

_IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"})
_HIGH_WATER, _KEPT, _BURST = 256 * 1024, 64 * 1024, 512 * 1024
_SWITCHED = 101
SICK = frozenset({502, 503, 504})
_MOST_CONNECTS = 5
REPLACED = (NoInstance, ServiceGone, ServiceSlow, BadReply)


class Way(Protocol):
    """What a request on its way needs from the worker."""

    links: Links
    metrics: Metrics
    slow: SlowLog
    loop: asyncio.AbstractEventLoop
    table: Table

    @property
    def now(self) -> float:
        """When the worker looked at the clock last."""
        ...

    def will_write(self, writer: Link) -> None:
        """Call ``written`` of this one at the end of this turn."""
        ...

    def write_now(self, connection: Connection) -> None:
        """Write what a client has to hear already in this turn, after the records."""
        ...


class Forward:
    """The sink of the client's body, and the listener of the service's reply."""

    ends_with_client = True
    _status, _error, _answered = 0, "", 0.0

    def __init__(self, way: Way, connection: Connection, order: Order) -> None:
        self._way = way
        self._connection = connection
        self._order = order
        self._head = order.head
        self._route = order.route
        self._caller = order.route.stats.callers.of(order.caller.consumer or "")
        self.is_head = order.head.method == b"HEAD"
        self._began = perf_counter()
        self._asked = self._began
        self._tried: list[Instance] = []
        self._repeats = 0
        self._instance: Instance | None = None
        self._link: Link | None = None
        self._kept: list[bytes] | None = []
        self._body_bytes = self._reply_bytes = self._burst = 0
        self._is_sent = self._is_done = self._is_raw = self._is_chunking = False
        self._is_client_slow = self._is_service_slow = False
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._fell, self._said = b"", order.lines
        try:
            self._choose()
        except NoInstance:
            if not self._turn_to_fallback():
                raise
        order.route.stats.in_flight += 1
        self._caller.in_flight += 1
        self._wait()

    # -- towards the service

    def _choose(self) -> None:
        """Find somebody to ask, and ask."""
        upstream = self._order.upstream
        instance = upstream.choose(self._way.loop.time(), self._tried, self._order.affinity)
        if instance is None:
            raise NoInstance(f"service {upstream.name!r} has no instance that can be asked now", value=upstream.name)
        self._instance = instance
        self._tried.append(instance)
        instance.in_flight += 1
        instance.requests += 1
        self._asked = perf_counter()
        link = instance.waiting()
        if link is None:
            self._way.links.connect(instance, self, upstream.connect_s)
        else:
            self.reached(link)

    def reached(self, upstream: Link) -> None:
        """Send what is here already."""
        instance = self._instance
        if self._is_done or instance is None:
            upstream.transport.close()
            return
        self._link = upstream
        upstream.carry(self)
        order = self._order
        head = request_head(order.head, order.route, instance, order.caller)
        trace = request_lines(self._connection.traced(), self._connection.trace_state)
        pieces = [head[:-2], trace, b"\r\n", *(self._kept or ())]
        if self._body_bytes > _KEPT:
            self._kept = None
        upstream.send(b"".join(pieces), self._way)
        self._connection.release(BY_UPSTREAM)

    def unreachable(self, reason: OSError) -> None:
        """Ask another instance: this one has heard nothing of the request."""
        if self._is_done:
            return
        self._failed()
        if len(self._tried) < _MOST_CONNECTS and self._again():
            return
        if self._turn_to_fallback():
            return
        text = reason.strerror or ("no connection in time" if isinstance(reason, TimeoutError) else str(reason))
        self._refuse(ServiceGone(f"service {self._order.upstream.name!r} cannot be reached: {text}"))

    def _failed(self) -> None:
        """Note that an instance failed, and leave it."""
        instance, self._instance = self._instance, None
        if instance is not None:
            instance.in_flight -= 1
            self._order.upstream.failed(instance, self._way.loop.time())

    def _again(self) -> bool:
        """Ask another instance; tell whether there was one."""
        try:
            self._choose()
        except NoInstance:
            return False
        self._wait()
        return True

    def _is_repeatable(self) -> bool:
        """Tell whether somebody else can be sent the same request, after somebody has heard of it."""
        is_safe = self._head.method in _IDEMPOTENT or self._route.repeats_unsafe
        return is_safe and self._kept is not None and self._is_sent

    def _turn_to_fallback(self) -> bool:
        """Ask the service that stands in for the one of the route; tell whether there is somebody."""
        name = self._route.fallback
        upstream = self._way.table.upstream(name) if name and not self._fell else None
        if upstream is None:
            return False
        self._fell = name.rpartition(b"/")[2]
        self._said += b"x-aimass-fallback: " + self._fell + b"\r\n"
        self._order = replace(self._order, upstream=upstream)
        self._tried = []
        if not self._again():
            return False
        note_fallback(self._way.metrics, self._route, "upstream")
        return True

    def _may_repeat(self) -> bool:
        """Tell whether the request may go out once more, after somebody has heard of it."""
        if not self._is_repeatable() or self._repeats >= self._route.repeats:
            return False
        self._repeats += 1
        return self._order.upstream.may_repeat(self._way.loop.time(), self._tried)

    def piece(self, data: bytes) -> None:
        """Send a part of the client's body on."""
        if self._is_done:
            return
        self._body_bytes += len(data)
        if self._body_bytes > self._route.max_request_bytes and not self._is_raw:
            limit = f"at most {self._route.max_request_bytes} bytes"
            self._drop()
            self._refuse(BodyTooLarge(value=self._body_bytes, allowed=limit))
            return
        self._write(chunk(data) if self._head.is_chunked else data)
        self._wait()

    def end(self) -> None:
        """End the request."""
        self._is_sent = True
        if not self._is_done:
            if self._head.is_chunked:
                self._write(LAST_CHUNK)
            self._wait()

    def _write(self, data: bytes) -> None:
        if self._kept is not None:
            self._kept.append(data)
        if self._link is None:
            if self._body_bytes > _HIGH_WATER:
                self._connection.hold(BY_UPSTREAM)
            return
        if self._body_bytes > _KEPT:
            self._kept = None
        self._link.send(data, self._way)

    def lost(self) -> None:
        """Stop the service's work for a client that is gone."""
        self._error = "client_gone"
        self._done()
        self._leave()
        self._drop()

    def writable(self, *, is_open: bool) -> None:
        """Hold the service back while the client reads slowly."""
        self._is_client_slow = not is_open
        if self._link is not None and not self._link.is_lost:
            if is_open:
                self._link.transport.resume_reading()
                self._wait()
            else:
                self._link.transport.pause_reading()

    def upstream_writable(self, *, is_open: bool) -> None:
        """Hold the client back while the service reads slowly."""
        self._is_service_slow = not is_open
        self._wait()
        if is_open:
            self._connection.release(BY_UPSTREAM)
        else:
            self._connection.hold(BY_UPSTREAM)

    # -- time

    def _wait(self) -> None:
        """Begin to wait for the service anew."""
        self._deadline = self._way.loop.time() + self._route.timeout_s
        if self._timer is None and not self._is_done:
            self._timer = self._way.loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._is_done or self._is_raw:
            return
        is_clients_turn = self._is_client_slow or not (self._is_sent or self._is_service_slow)
        if is_clients_turn:
            self._wait()
        elif self._way.loop.time() < self._deadline:
            self._timer = self._way.loop.call_at(self._deadline, self._look)
        else:
            self._late()

    def _late(self) -> None:
        self._failed()
        self._drop()
        if self._connection.is_replying:
            self._cut()
        else:
            name, limit = self._order.upstream.name, self._route.timeout_s
            if self._is_repeatable() and self._turn_to_fallback():
                return
            self._refuse(ServiceSlow(f"service {name!r} did not answer within {limit:g} s"))

    # -- towards the client

    def head(self, reply: ReplyHead) -> None:
        """Send the head of the service's reply, or ask somebody else."""
        instance, connection = self._instance, self._connection
        if instance is None:
            return
        if reply.status in SICK and self._is_passed_on():
            return
        if reply.status == _SWITCHED and not self._head.websocket:
            raise BadReply("the protocol was changed, which nobody asked for")
        if reply.length is not None and reply.length > self._route.max_reply_bytes:
            self._drop()
            self._refuse(ReplyTooLarge(value=reply.length, allowed=f"at most {self._route.max_reply_bytes} bytes"))
            return
        self._note(instance, reply.status)
        self._wait()
        self._count(reply.status)
        connection.is_replying = True
        connection.is_endless = reply.get(b"content-type").startswith(b"text/event-stream")
        if reply.status == _SWITCHED:
            self._switch(reply, instance)
            return
        is_open_ended = reply.is_chunked or reply.length is None
        self._is_chunking = is_open_ended and not self._head.is_old
        if is_open_ended and self._head.is_old:
            connection.keep = False
        head = reply_head(reply, self._head, self._route, instance, keep=connection.keep)
        connection.send(head[:-2] + self._said + b"\r\n" if self._said else head)

    def _is_passed_on(self) -> bool:
        """Ask somebody else after an answer that says that an instance is ill; tell whether there is somebody, or a stand-in."""
        if self._may_repeat():
            self._failed()
            self._drop()
            if not (self._again() or self._turn_to_fallback()):
                self._refuse(NoInstance(f"service {self._order.upstream.name!r} has nobody else to ask"))
            return True
        stands_in = self._route.fallback and not self._fell and self._is_repeatable()
        if not stands_in and self._route.fallback_answer is None:
            return False
        self._failed()
        self._drop()
        if not (stands_in and self._turn_to_fallback()):
            self._refuse(NoInstance(f"service {self._order.upstream.name!r} has nobody else to ask"))
        return True

    def _note(self, instance: Instance, status: int) -> None:
        """Tell the upstream how it went."""
        if status in SICK:
            self._order.upstream.failed(instance, self._way.loop.time())
        else:
            self._order.upstream.succeeded(instance, perf_counter() - self._asked)

    def _switch(self, reply: ReplyHead, instance: Instance) -> None:
        self._is_raw = True
        self._connection.send(reply_head(reply, self._head, self._route, instance, keep=True))
        rest = self._connection.tunnel(self)
        if rest and self._link is not None:
            self._link.send(rest, self._way)

    def part(self, data: bytes) -> None:
        """Send a part of the service's reply on."""
        self._wait()
        self._reply_bytes += len(data)
        if self._reply_bytes > self._route.max_reply_bytes and not self._is_raw:
            self._drop()
            self._leave()
            self._cut()
            return
        self._connection.send(chunk(data) if self._is_chunking else data)
        self._burst += len(data)
        if self._burst > _BURST:  # the socket says that it is full only to who writes to it
            self._burst = 0
            self._way.write_now(self._connection)

    def complete(self) -> None:
        """End the reply; the connection to the instance is kept when nothing is left on it."""
        self._done()
        link, self._link = self._link, None
        instance, connection = self._instance, self._connection
        self._leave()
        if self._is_chunking:
            connection.send(LAST_CHUNK)
        if link is not None:
            link.transport.resume_reading()
            if self._is_sent and link.is_reusable and instance is not None and not instance.is_gone:
                link.idle_since = self._way.now
                instance.idle.append(link)
            else:
                link.transport.abort()
        connection.release(BY_UPSTREAM)
        if not self._is_sent:
            connection.keep = False
        connection.finish()

    def broken(self, reason: AimassError | None) -> None:
        """Ask once more where that is safe after a service ended in the middle, else say so or cut the client off."""
        link, self._link = self._link, None
        connection, instance = self._connection, self._instance
        if self._is_done:
            return
        if self._is_raw:
            self._done()
            self._leave()
            connection.keep = False
            connection.finish()
        elif connection.is_replying:
            self._failed()
            self._cut()
        elif self._was_stale(link, reason) and instance is not None:
            self._way.links.connect(instance, self, self._order.upstream.connect_s)
        else:
            self._failed()
            is_repeatable = self._is_repeatable()
            if not (self._may_repeat() and self._again()) and not (is_repeatable and self._turn_to_fallback()):
                name = self._order.upstream.name
                self._refuse(reason or ServiceGone(f"service {name!r} ended while it had this request"))

    def _was_stale(self, link: Link | None, reason: AimassError | None) -> bool:
        """Tell whether the service closed a connection that waited, at the moment when it was used again."""
        is_safe = self._head.method in _IDEMPOTENT and self._kept is not None
        return reason is None and link is not None and link.uses > 1 and is_safe

    def _cut(self) -> None:
        """End a reply that cannot be ended well, so that the client sees that it is not whole."""
        self._error = "cut"
        self._done()
        self._route.stats.errors += 1
        labels = (("route", self._route.name), ("workspace", self._route.workspace))
        self._way.metrics.count("gateway_route_cut", labels)
        self._connection.abort()

    def _refuse(self, error: AimassError) -> None:
        if self._is_done:
            return
        connection, route = self._connection, self._route
        static = route.fallback_answer if isinstance(error, REPLACED) else None
        self._status, self._error = (error.status if static is None else status_of(static)), error.code
        self._done()
        self._leave()
        if not self._is_sent:
            connection.keep = False
        self._count(self._status)
        if static is not None:
            note_fallback(self._way.metrics, route, "static")
            connection.reply(static)
        else:
            connection.reply(error_answer(error, self._head, route, keep=connection.keep))
        connection.release(BY_UPSTREAM)
        connection.finish()

    def _count(self, status: int) -> None:
        stats = self._route.stats
        stats.requests += 1
        stats.errors += status >= SERVER_ERROR
        self._status, self._answered = status, perf_counter()
        seconds = self._answered - self._began
        stats.latency.observe(seconds)
        self._caller.count(status, seconds)

    def _done(self) -> None:
        if not self._is_done:
            self._is_done = True
            seconds = perf_counter() - self._began + self._order.waited_s
            if seconds >= self._route.slow_s or self._status >= SERVER_ERROR:
                self._keep(seconds)
            self._route.stats.in_flight -= 1
            self._caller.in_flight -= 1
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _keep(self, seconds: float) -> None:
        """Hand a request that was slow, or failed, to the log of those."""
        order, instance = self._order, self._tried[-1] if self._tried else None
        course = Course(
            instance=instance,
            breaker="" if instance is None else order.upstream.state_of(instance, self._way.loop.time()),
            status=self._status,
            error=self._error,
            seconds=seconds,
            first_s=self._answered - self._asked if self._answered else None,
            is_stream=self._is_raw or self._connection.is_endless,
            bytes_in=self._body_bytes,
            bytes_out=self._reply_bytes,
            retries=max(0, len(self._tried) - 1),
        )
        note_end(self._way.slow, self._connection, order, course)

    def _leave(self) -> None:
        """Have nothing under way with the instance any more."""
        instance, self._instance = self._instance, None
        if instance is not None:
            instance.in_flight -= 1
            instance.is_on_trial = False

    def _drop(self) -> None:
        """Let go of the connection to the instance."""
        link, self._link = self._link, None
        if link is not None:
            link.listener = None
            if self._is_raw:
                link.transport.close()
            else:
                link.transport.abort()


def note_fallback(metrics: Metrics, route: Route, to: str) -> None:
    """Count an answer that somebody, or something, gave in place of the service of a route."""
    route.stats.fallbacks += 1
    metrics.count("gateway_route_fallbacks", (("route", route.name), ("to", to), ("workspace", route.workspace)))
