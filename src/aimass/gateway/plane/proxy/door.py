"""Who stands behind ``/s/<workspace>/...``, or behind a host of its own: find the route, apply its policies, send the request on its way."""

from __future__ import annotations

import asyncio
import math
import re
from typing import Protocol

from aimass.gateway.plane.auth import Key, find_key
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.errors import BadRequest, BodyTooLarge, RateLimited, UnknownPlace
from aimass.gateway.plane.http import RequestHead, dump, error_reply
from aimass.gateway.plane.metrics import Metrics
from aimass.gateway.plane.moments import wall
from aimass.gateway.plane.proxy.cache.desk import Desk
from aimass.gateway.plane.proxy.courses import Order, note_refusal
from aimass.gateway.plane.proxy.errors import LoopFound, NoCertificate, NoInstance, NoReach, RoutePaused, UnknownRoute
from aimass.gateway.plane.proxy.forward import Forward, note_fallback
from aimass.gateway.plane.proxy.heads import Caller, has_passed, preflight
from aimass.gateway.plane.proxy.health import Health
from aimass.gateway.plane.proxy.limits import Payer
from aimass.gateway.plane.proxy.links import Links
from aimass.gateway.plane.proxy.parked import Parked, let_go, turn_late_away
from aimass.gateway.plane.proxy.replies import error_answer
from aimass.gateway.plane.proxy.shaped import Shaped, let_shaped_go
from aimass.gateway.plane.proxy.table import Table
from aimass.gateway.plane.proxy.things import Route, RouteStats, Upstream
from aimass.gateway.plane.sink import Sink
from aimass.gateway.plane.sinks import Answer, Drop
from aimass.gateway.plane.slow import SERVER_ERROR, SlowLog
from aimass.gateway.plane.snapshot import Snapshot
from aimass.gateway.plane.upstream import Link
from aimass.gateway.settings import GatewaySettings
from aimass.kernel.errors import AimassError

SEGMENT = b"s"
_DOTS = re.compile(rb"(?:^|/)(?:\.|%2e){1,2}(?:/|$)|\\|%00|%2f|%5c", re.IGNORECASE)


class Host(Protocol):
    """What the reverse proxy needs from the worker."""

    settings: GatewaySettings
    metrics: Metrics
    slow: SlowLog
    loop: asyncio.AbstractEventLoop
    snapshot: Snapshot
    now: float
    is_draining: bool

    def forget_calls(self) -> None:
        """Understand every head anew."""
        ...

    def will_write(self, writer: Link) -> None:
        """Call ``written`` of this one at the end of this turn."""
        ...

    def write_now(self, connection: Connection) -> None:
        """Write what a client has to hear already in this turn, after the records."""
        ...


class Proxy:
    """The reverse proxy of one worker.

    Attributes
    ----------
    table
        Every route and service that control has published.
    cache
        Answers that are kept.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.metrics, self.slow = host.metrics, host.slow
        self.loop = host.loop
        self.links = Links()
        self.table = Table(host.metrics, host.slow)
        self.cache = Desk(self, host.settings.max_cache_bytes)
        self._health = Health()

    @property
    def now(self) -> float:
        """When the worker looked at the clock last."""
        return self._host.now

    def open(self, connection: Connection, head: RequestHead, raw: bytes) -> Sink:
        """Decide what becomes of a request below ``/s/``, or at a host of a route."""
        del raw
        return self._opened(connection, head)

    def _opened(self, connection: Connection, head: RequestHead, waited_s: float = 0.0) -> Sink:
        if _DOTS.search(head.path):
            raise BadRequest("the path has parts that two readers could understand in two ways", field="path")
        route = self.table.route_of(head)
        if route is None:
            raise UnknownRoute(
                "no service stands behind this address", field="path", value=head.path[:200].decode("latin-1")
            )
        if connection.entry is not None:
            connection.entry.about = ("route", route.workspace, route.name)
        try:
            return self._let_in(connection, head, route, waited_s)
        except AimassError as error:
            return self._refuse(connection, head, route, error)

    def again(self, connection: Connection, head: RequestHead, waited_s: float) -> Sink:
        """Let a request in that waited, by the routes and keys of now."""
        try:
            return self._opened(connection, head, waited_s)
        except AimassError as error:
            connection.reply(error_reply(error, body=self.refuse(error), keep=connection.keep))
            connection.finish()
            return Drop()

    def turn_away(self, connection: Connection, head: RequestHead, route: Route, error: AimassError) -> None:
        """Answer a request that waited with an error."""
        sink = self._refuse(connection, head, route, error)
        connection.attend(sink)
        if not head.has_body:
            sink.end()

    def applied(self) -> None:
        """Let those go on who wait for routes that are open now, and forget answers that count no more."""
        self.cache.follow(self.table.changes())
        if self.table.has_hosts:
            self._host.forget_calls()  # inference that was remembered by its head may lead to a route now
        let_go(self._counted(), self._may_go, self.loop.time())

    def _counted(self) -> list[RouteStats]:
        return [stats for _, stats in self.table.stats()]

    def _may_go(self, one: Parked) -> bool:
        route = self.table.route_of(one.head)
        return route is None or not route.is_paused

    def _let_in(self, connection: Connection, head: RequestHead, route: Route, waited_s: float) -> Sink:
        """Let a request on its way; one that has waited has paid its rates already."""
        _admit(connection, route)
        answer = preflight(head, route)
        if answer is not None:
            return Answer(connection, answer)
        has_waited = waited_s > 0
        key = self._key(head, route, has_paid=has_waited)
        if key is not None and connection.entry is not None:
            connection.entry.consumer = key.consumer
        if has_passed(head, self.table.document.id.encode()):
            raise LoopFound(f"route {route.name!r} leads back to this gateway", value=route.name)
        if head.length is not None and head.length > route.max_request_bytes:
            raise BodyTooLarge(value=head.length, allowed=f"at most {route.max_request_bytes} bytes")
        if route.is_paused and (len(route.stats.parked) >= route.max_parked or self._host.is_draining):
            raise RoutePaused(f"route {route.name!r} is paused", retry_after_s=route.retry_after_s)
        lines, payer = b"", None
        if route.rate is not None or route.limits is not None:
            payer = None if route.limits is None else route.limits.caller(key, connection.peer)
            wait_s = 0.0 if has_waited else self._pay(route, payer)
            if wait_s:
                return Shaped(self, connection, head, route, (self.loop, wait_s))
            lines = b"" if payer is None else payer.lines(wall())
        if route.is_paused:
            return Parked(self, connection, head, route, self.loop.time())
        return self._sent(connection, head, (route, key, lines), waited_s)

    def _sent(
        self, connection: Connection, head: RequestHead, allowed: tuple[Route, Key | None, bytes], waited_s: float
    ) -> Sink:
        """Send a request that was let in on its way."""
        route, key, lines = allowed
        consumer, own = None if key is None else key.consumer, self.table.document.id.encode()
        try:
            upstream = self._upstream(route.upstream)
            caller = Caller(connection.peer, consumer, own, connection.scheme, connection.certificate)
            order = Order(
                head=head, route=route, upstream=upstream, key=key, caller=caller,
                affinity=_affinity(connection, head, upstream, key), waited_s=waited_s, lines=lines,
            )  # fmt: skip
            return Forward(self, connection, order) if route.cache is None else self.cache.open(connection, order)
        except NoInstance:
            if route.fallback_answer is None:
                raise
            return self._static(connection, head, route, route.fallback_answer)

    def _upstream(self, key: bytes) -> Upstream:
        found = self.table.upstream(key)
        if found is None:
            raise NoInstance("the service of this route is gone", value=key.decode())
        return found

    def _static(self, connection: Connection, head: RequestHead, route: Route, answer: bytes) -> Sink:
        """Answer in place of a service that has nobody to ask."""
        note_fallback(self.metrics, route, "static")
        connection.keep = connection.keep and (not head.has_body or self._is_short(head)) and not head.expects
        if not head.has_body:
            return Answer(connection, answer)
        connection.reply(answer)
        connection.finish()
        return Drop()

    def _is_short(self, head: RequestHead) -> bool:
        """Tell whether a body that nobody wants is worth reading to its end."""
        return head.length is not None and head.length <= self._host.settings.max_refused_bytes

    def _key(self, head: RequestHead, route: Route, *, has_paid: bool) -> Key | None:
        """Return the caller's key where the route asks for one; a key of another workspace learns nothing."""
        if not route.is_key_needed:
            return None
        snapshot, place = self._host.snapshot, route.workspace.encode()
        try:
            key = find_key(head.headers, snapshot.keys.get, lambda text, _: snapshot.tokens.key(text, place))
        except UnknownPlace as reason:
            raise UnknownRoute("no service stands behind this address", field="path") from reason
        if key.workspace != route.workspace:
            raise UnknownRoute("no service stands behind this address", field="path")
        if not key.may_reach(route.name):
            raise NoReach(
                f"the key of {key.consumer!r} may not use route {route.name!r}",
                value=route.name,
                hint="ask for a key with gateway.use on this route",
            )
        (key.check if has_paid else key.admit)(wall())
        return key

    def _pay(self, route: Route, payer: Payer | None) -> float:
        """Take what a request costs; return the seconds until it may go on, where the route lets requests wait."""
        now, most_s = wall(), route.max_shaped_s
        may_wait = len(route.stats.shaped) < route.max_shaped and not self._host.is_draining
        wait = 0.0 if payer is None else payer.pay_rate(now, most_s, may_wait=may_wait)
        if route.rate is not None:
            more = route.rate.reserve(now, most_s, may_wait=may_wait)
            if more < 0:
                if payer is not None:
                    payer.give_back()
                raise RateLimited(
                    f"route {route.name!r} is over its rate",
                    retry_after_s=-more - most_s,
                    reason="route_rate",
                    allowed=f"{route.rate.rate:g} requests a second",
                )
            wait = max(wait, more)
        if payer is not None:
            payer.pay_quota(now)
        return wait

    def _refuse(self, connection: Connection, head: RequestHead, route: Route, error: AimassError) -> Sink:
        """Answer with an error; the body is read and dropped, and a long one ends the connection."""
        connection.keep = connection.keep and not head.expects and (not head.has_body or self._is_short(head))
        answer = self._refusal(connection, head, route, error)
        if not head.has_body:
            return Answer(connection, answer)
        connection.reply(answer)
        connection.finish()
        return Drop()

    def _refusal(self, connection: Connection, head: RequestHead, route: Route, error: AimassError) -> bytes:
        """Count a refusal; return the answer."""
        route.stats.refused += 1
        if error.status >= SERVER_ERROR:
            note_refusal(self.slow, connection, head, route, error)
        labels = (("code", str(error.status)), ("consumer", ""), ("route", route.name))
        self.metrics.count("gateway_route_requests", (*labels, ("workspace", route.workspace)))
        if isinstance(error, RateLimited):
            self.metrics.count_limited(error.reason, ("route", route.name), route.workspace)
        return error_answer(error, head, route, keep=connection.keep)

    def give_up(self, connection: Connection, order: Order, error: AimassError) -> None:
        """Answer a request that has arrived whole with an error, or with what stands in for an answer."""
        route = order.route
        if route.fallback_answer is not None and isinstance(error, NoInstance):
            note_fallback(self.metrics, route, "static")
            connection.reply(route.fallback_answer)
        else:
            connection.reply(self._refusal(connection, order.head, route, error))
        connection.finish()

    def refuse(self, error: AimassError) -> bytes:
        """Return the body of an error about an address without a route."""
        return dump(error.problem())

    def will_write(self, writer: Link) -> None:
        """Let a connection to an instance write at the end of this turn."""
        self._host.will_write(writer)

    def write_now(self, connection: Connection) -> None:
        """Let a client who gets a large answer hear its beginning in this turn."""
        self._host.write_now(connection)

    def sweep(self, now: float) -> None:
        """Close connections to instances that waited long enough, and begin health checks that are due."""
        turn_late_away(self._counted(), math.inf if self._host.is_draining else now)
        if self._host.is_draining:
            let_shaped_go(self._counted())
        self.cache.sweep(now)
        for upstream in self.table.used():
            self._health.sweep(upstream, now)
            for instance in upstream.instances:
                if instance.idle:
                    self.links.sweep(instance, now)

    def close(self) -> None:
        """Close every connection that waits."""
        for upstream in self.table.used():
            for instance in upstream.instances:
                instance.close()


def _admit(connection: Connection, route: Route) -> None:
    """Refuse who comes from elsewhere, or shows no certificate that the route asks for."""
    if not route.admits(connection.peer):
        raise UnknownRoute("no service stands behind this address for who comes from there")
    if route.certificates and not route.trusts(connection.certificate):
        raise NoCertificate(
            f"route {route.name!r} asks for a certificate of the caller",
            value=route.name,
            hint="connect to the gateway by TLS with a certificate that the route names",
        )


def _affinity(connection: Connection, head: RequestHead, upstream: Upstream, key: Key | None) -> bytes:
    """Return by what a consistent hash assigns a request: a header, or else who asks."""
    if upstream.hash_by:
        return head.get(upstream.hash_by) or b""
    return key.id.encode() if key is not None else connection.peer.encode()
