"""The response cache of a worker: gives what is kept, fetches the rest once, and lets everything else pass."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.proxy.cache.asked import Asked, asked_of, target_of
from aimass.gateway.plane.proxy.cache.capture import Capture, Past, Wish
from aimass.gateway.plane.proxy.cache.flights import MOST_WAITING, Flight, Outcome, Waiting
from aimass.gateway.plane.proxy.cache.given import Hit, count
from aimass.gateway.plane.proxy.cache.store import Entry, Key, Store, Told
from aimass.gateway.plane.proxy.courses import Order
from aimass.gateway.plane.proxy.errors import NoInstance
from aimass.gateway.plane.proxy.forward import Way
from aimass.gateway.plane.proxy.things import Route
from aimass.gateway.plane.sink import Sink
from aimass.gateway.plane.sinks import Collect
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
        entry = self.store.find(key, head)
        if entry is not None and (asked.is_reload or now - entry.born > asked.most_age_s):
            entry = None
        if entry is not None and now < entry.until:
            return Hit(self._door, connection, order, entry)
        wish = Wish(asked, key, entry, b"MISS" if entry is None else b"EXPIRED")
        if head.method == b"HEAD" or self._is_passed(key, now):
            return self._pass(connection, order, wish.word)
        try:
            return self._fetch(connection, order, wish)
        except NoInstance:
            if entry is None or entry.error_until <= now:
                raise
            return Hit(self._door, connection, order, entry, b"STALE")

    def _is_passed(self, key: Key, now: float) -> bool:
        """Tell whether the last answer could not be kept, so that nobody should wait for the next."""
        until = self._passes.get(key, 0.0)
        if until and until <= now:
            del self._passes[key]
        return until > now

    def _fetch(self, connection: Connection, order: Order, wish: Wish) -> Sink:
        """Wait for the one who fetches the same, or fetch."""
        if wish.asked.is_reload:
            return self._captured(connection, order, wish)
        kind = self.store.kind(wish.key, order.head)
        flight = self._flights.get((wish.key, kind))
        if flight is None:
            flight = Flight(wish.key, kind)
            capture = self._captured(connection, order, wish).lead(flight)
            self._flights[wish.key, kind] = flight
            return capture
        if wish.old is not None and wish.old.renewal_until > self._door.loop.time():
            return Hit(self._door, connection, order, wish.old, b"STALE")
        if len(flight.waiting) >= MOST_WAITING:
            return self._pass(connection, order, wish.word)
        return Waiting(flight, connection, order, wish.asked, self._late)

    def _captured(self, connection: Connection, order: Order, wish: Wish) -> Capture:
        made = Capture(self._door, connection, order, wish, self)
        count(self._door, order.route, wish.word)
        return made

    def _pass(self, connection: Connection, order: Order, word: bytes) -> Sink:
        head = order.head
        changed = None if head.method in _SAFE else partial(self.store.touch, target_of(head))
        made = Past(self._door, connection, order, word, changed if word == b"BYPASS" else None)
        count(self._door, order.route, word)
        return made

    # -- those who wait

    @property
    def waiting(self) -> int:
        """How many requests wait for the answer that another one fetches."""
        return sum(len(flight.waiting) for flight in self._flights.values())

    def keep(self, key: Key, entry: Entry) -> bool:
        """Keep an answer; tell whether it has room."""
        self._passes.pop(key, None)
        return self.store.put(key, entry)

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
            self.store.drop(flight.key)  # what the service says now is not to be kept, so what it said before is over
        waiting, flight.waiting = flight.waiting, {}
        for one in waiting:
            self._resume(one.called(), partial(self._share, one, flight))

    def _share(self, one: Waiting, flight: Flight) -> Sink:
        """Give what came to one who waited for it, however short its time is."""
        if flight.entry is not None and flight.entry.suits(one.order.head):
            return Hit(self._door, one.connection, one.order, flight.entry, flight.word)
        return self._look(one.connection, one.order, one.asked)

    def _promote(self, flight: Flight) -> None:
        while flight.waiting:
            one = next(iter(flight.waiting))
            del flight.waiting[one]
            if self._resume(one.called(), partial(self._lead, one, flight)):
                return
        self._flights.pop((flight.key, flight.kind), None)

    def _lead(self, one: Waiting, flight: Flight) -> Sink:
        old = self.store.find(flight.key, one.order.head)
        return self._captured(one.connection, one.order, Wish(one.asked, flight.key, old, b"MISS")).lead(flight)

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
