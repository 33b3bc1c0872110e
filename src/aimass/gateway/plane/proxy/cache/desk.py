"""The response cache of a worker: gives what is kept, fetches the rest once, and lets everything else pass."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Protocol

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.http import ReplyHead, RequestHead
from aimass.gateway.plane.proxy.cache.asked import Asked, asked_of, target_of, values_of
from aimass.gateway.plane.proxy.cache.capture import Capture, Past
from aimass.gateway.plane.proxy.cache.flights import MOST_WAITING, Flight, Outcome, Waiting
from aimass.gateway.plane.proxy.cache.freshness import instant
from aimass.gateway.plane.proxy.cache.store import Entry, Key, Store, Told
from aimass.gateway.plane.proxy.courses import Order
from aimass.gateway.plane.proxy.forward import Way
from aimass.gateway.plane.proxy.heads import reply_head
from aimass.gateway.plane.proxy.things import Route
from aimass.gateway.plane.sink import Sink
from aimass.gateway.plane.sinks import Collect, Quiet
from aimass.kernel.errors import AimassError

_LOG = logging.getLogger(__name__)
_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})
_PASS_S, _MOST_PASSES = 10.0, 10_000


class Door(Way, Protocol):
    """What the cache needs from the reverse proxy."""

    def give_up(self, connection: Connection, order: Order, error: AimassError) -> None:
        """Answer a request that has arrived whole with an error, or with what stands in for an answer."""
        ...


class Desk:
    """Decides what becomes of each request of a route that keeps answers.

    Attributes
    ----------
    store
        What is kept.
    """

    def __init__(self, door: Door, most_bytes: int) -> None:
        self._door = door
        self.store = Store(most_bytes)
        self._flights: dict[tuple[Key, Told], Flight] = {}
        self._passes: dict[Key, float] = {}

    def open(self, connection: Connection, order: Order) -> Sink:
        """Decide who answers a request; raises NoInstance where nobody can."""
        head = order.head
        asked = asked_of(head, order.route, order.caller)
        if asked is None or not self.store.most:
            return self._pass(connection, order, b"BYPASS")
        if head.has_body:
            return Collect(connection, head.length or 0, partial(self._whole, connection, order, asked))
        return self._look(connection, order, asked)

    def _whole(self, connection: Connection, order: Order, asked: Asked, body: bytes) -> None:
        """Go on with a request whose body has arrived."""
        told = asked.with_body(body)
        self._go_on(connection, order, body, lambda: self._look(connection, order, told))

    def _go_on(self, connection: Connection, order: Order, body: bytes, decide: Callable[[], Sink]) -> bool:
        """Let a request on its way that is here as a whole; tell whether somebody took it."""
        try:
            sink = decide()
        except AimassError as error:
            self._door.give_up(connection, order, error)
            return False
        connection.attend(sink)
        if body:
            sink.piece(body)
        sink.end()
        return True

    def _look(self, connection: Connection, order: Order, asked: Asked) -> Sink:
        head, now = order.head, self._door.loop.time()
        key = self.store.key(asked.digest, asked.target)
        entry = None if asked.is_reload else self.store.find(key, head)
        if entry is not None and now < entry.until and now - entry.born <= asked.most_age_s:
            _count(self._door, order.route, "hit")
            return Hit(self._door, connection, order, entry)
        word = b"MISS" if entry is None else b"EXPIRED"
        if head.method == b"HEAD" or self._is_passed(key, now):
            return self._pass(connection, order, word)
        return self._fetch(connection, order, asked, key, word)

    def _is_passed(self, key: Key, now: float) -> bool:
        """Tell whether the last answer could not be kept, so that nobody should wait for the next."""
        until = self._passes.get(key, 0.0)
        if until and until <= now:
            del self._passes[key]
        return until > now

    def _fetch(self, connection: Connection, order: Order, asked: Asked, key: Key, word: bytes) -> Sink:
        """Wait for the one who fetches the same, or fetch."""
        kind = self.store.kind(key, order.head)
        flight = None if asked.is_reload else self._flights.get((key, kind))
        if flight is not None:
            if len(flight.waiting) >= MOST_WAITING:
                return self._pass(connection, order, word)
            return Waiting(flight, connection, order, asked, self._late)
        flight = None if asked.is_reload else Flight(key, kind)
        capture = self._captured(connection, order, asked, key, word).lead(flight, word)
        if flight is not None:
            self._flights[key, kind] = flight
        return capture

    def _captured(self, connection: Connection, order: Order, asked: Asked, key: Key, word: bytes) -> Capture:
        made = Capture(self._door, connection, order, asked, self, key)
        _count(self._door, order.route, word.decode().lower())
        return made

    def _pass(self, connection: Connection, order: Order, word: bytes) -> Sink:
        head = order.head
        changed = None if head.method in _SAFE else partial(self.store.touch, target_of(head))
        made = Past(self._door, connection, order, word, changed if word == b"BYPASS" else None)
        _count(self._door, order.route, word.decode().lower())
        return made

    # -- those who wait

    @property
    def waiting(self) -> int:
        """How many requests wait for the answer that another one fetches."""
        return sum(len(flight.waiting) for flight in self._flights.values())

    def keep(self, key: Key, entry: Entry) -> None:
        """Keep an answer."""
        self._passes.pop(key, None)
        self.store.put(key, entry)

    def landed(self, flight: Flight, outcome: Outcome) -> None:
        """Let those go on who wait: all of them, or after a failure the next one alone, to fetch for the others."""
        if outcome is Outcome.FAILED:
            self._promote(flight)
            return
        self._flights.pop((flight.key, flight.kind), None)
        if outcome is Outcome.UNKEEPABLE:
            if len(self._passes) >= _MOST_PASSES:
                self._passes.clear()
            self._passes[flight.key] = self._door.loop.time() + _PASS_S
        waiting, flight.waiting = flight.waiting, {}
        for one in waiting:
            self._resume(one.called(), partial(self._look, one.connection, one.order, one.asked))

    def _promote(self, flight: Flight) -> None:
        while flight.waiting:
            one = next(iter(flight.waiting))
            del flight.waiting[one]
            if self._resume(one.called(), partial(self._lead, one, flight)):
                return
        self._flights.pop((flight.key, flight.kind), None)

    def _lead(self, one: Waiting, flight: Flight) -> Sink:
        capture = self._captured(one.connection, one.order, one.asked, flight.key, b"MISS")
        return capture.lead(flight, b"MISS")

    def _late(self, one: Waiting) -> None:
        """Let one ask himself who has waited as long as his route lets him wait."""
        self._resume(one, partial(self._pass, one.connection, one.order, b"MISS"))

    def _resume(self, one: Waiting, decide: Callable[[], Sink]) -> bool:
        try:
            return self._go_on(one.connection, one.order, one.body, decide)
        except Exception:  # noqa: BLE001 one request must never hold up those behind it; the log has the trace
            _LOG.exception("a request that waited for an answer of route %s failed", one.order.route.name)
            one.connection.abort()
            return False

    # -- housekeeping

    def follow(self, changes: Mapping[Route, Route | None]) -> None:
        """Hear which routes have become which, or are gone."""
        if changes and self.store.count:
            self.store.follow(changes)

    def sweep(self, now: float) -> None:
        """Forget what is too old."""
        if self.store.count:
            self.store.sweep(now)


class Hit(Quiet):
    """Answers with what is kept."""

    def __init__(self, way: Way, connection: Connection, order: Order, entry: Entry) -> None:
        self._way = way
        self._connection = connection
        self._order = order
        self._entry = entry
        self._began = perf_counter()

    def end(self) -> None:
        """Answer."""
        connection, order, entry = self._connection, self._order, self._entry
        is_known = _is_known(order.head, entry)
        reply = entry.unchanged if is_known else entry.reply
        head = reply_head(reply, order.head, order.route, entry.instance, keep=connection.keep)
        age = max(0, int(self._way.loop.time() - entry.born))
        connection.send(b"%bage: %d\r\nx-cache: HIT\r\n\r\n" % (head[:-2], age))
        if entry.body and not is_known and not connection.is_head:
            connection.send(entry.body)
        self._note(reply)
        connection.finish()

    def _note(self, reply: ReplyHead) -> None:
        order, route = self._order, self._order.route
        route.stats.requests += 1
        route.stats.latency.observe(perf_counter() - self._began)
        labels = (("code", str(reply.status)), ("consumer", order.caller.consumer or ""), ("route", route.name))
        self._way.metrics.count("gateway_route_requests", (*labels, ("workspace", route.workspace)))


def _is_known(head: RequestHead, entry: Entry) -> bool:
    """Tell whether the client says that he has this answer already (RFC 9110, section 13)."""
    tags = values_of(head.headers, b"if-none-match")
    if tags:
        tag = entry.reply.get(b"etag").removeprefix(b"W/")
        wanted = [one.strip().removeprefix(b"W/") for one in tags.split(b",")]
        return tags.strip() == b"*" or (bool(tag) and tag in wanted)
    since = head.get(b"if-modified-since")
    changed = entry.reply.get(b"last-modified")
    if not since or not changed:
        return False
    wanted_at, changed_at = instant(since), instant(changed)
    return wanted_at is not None and changed_at is not None and changed_at <= wanted_at


def _count(way: Way, route: Route, result: str) -> None:
    stats = route.stats
    stats.hits += result == "hit"
    stats.misses += result in ("miss", "expired")
    labels = (("result", result), ("route", route.name), ("workspace", route.workspace))
    way.metrics.count("gateway_cache_requests", labels)
