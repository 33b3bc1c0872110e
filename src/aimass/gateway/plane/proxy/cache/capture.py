"""A request on its way whose answer may be kept, and one that goes past the cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.http import ReplyHead
from aimass.gateway.plane.proxy.cache.asked import Asked
from aimass.gateway.plane.proxy.cache.flights import Flight, Outcome
from aimass.gateway.plane.proxy.cache.freshness import Terms, terms
from aimass.gateway.plane.proxy.cache.store import Entry, Key
from aimass.gateway.plane.proxy.courses import Order
from aimass.gateway.plane.proxy.forward import Forward, Way
from aimass.gateway.plane.proxy.things import Instance

_ERROR, _SERVER_ERROR = 400, 500
_CONDITIONS = frozenset({b"if-none-match", b"if-modified-since"})


class Keeper(Protocol):
    """Who keeps answers, and lets those go on who wait for them."""

    def keep(self, key: Key, entry: Entry) -> None:
        """Keep an answer."""
        ...

    def landed(self, flight: Flight, outcome: Outcome) -> None:
        """Let those go on who wait."""
        ...


class Past(Forward):
    """A request that the cache has no part in; one that changes something makes it forget what it had of the address."""

    def __init__(
        self, way: Way, connection: Connection, order: Order, word: bytes, changed: Callable[[], None] | None
    ) -> None:
        super().__init__(way, connection, order)
        self._said += b"x-cache: " + word + b"\r\n"
        self._changed = changed

    def head(self, reply: ReplyHead) -> None:
        """Send the head on, after what it changed was noted."""
        if self._changed is not None and reply.status < _ERROR:
            self._changed()
        super().head(reply)


class Capture(Forward):
    """A request whose answer is read into memory too, while it goes to the client who asked first.

    While others wait, the client who asked first may be slow, or gone, without harm to them.
    """

    def __init__(self, way: Way, connection: Connection, order: Order, asked: Asked, keeper: Keeper, key: Key) -> None:
        self._asked_for = asked
        self._keeping = asked.keeping
        self._keeper = keeper
        self._key = key
        self._flight: Flight | None = None
        self._kept_parts: list[bytes] = []
        self._held = 0
        self._is_capturing = True
        self._is_slow = False
        self._found: tuple[ReplyHead, Instance, Terms] | None = None
        super().__init__(way, connection, _unconditional(order))
        self._asked_at = way.loop.time()

    def lead(self, flight: Flight | None, word: bytes) -> Capture:
        """Fetch for all who wait."""
        self._said += b"x-cache: " + word + b"\r\n"
        self._flight = flight
        if flight is not None:
            flight.leader = self
        return self

    # -- what the service says

    def head(self, reply: ReplyHead) -> None:
        """Send the head on, and look whether the answer may be kept."""
        super().head(reply)
        instance = self._instance
        if self._is_done or instance is None or not self._connection.is_replying:
            return
        if reply.status >= _SERVER_ERROR:
            self._give_up(Outcome.FAILED)
            return
        found = None if self._fell else terms(reply, self._keeping.default_s)
        if found is None or not self._is_allowed(found) or (reply.length or 0) > self._keeping.most_bytes:
            self._give_up(Outcome.UNKEEPABLE)
        else:
            self._found = reply, instance, found

    def _is_allowed(self, found: Terms) -> bool:
        """Tell whether others, or the same caller, may have the answer again."""
        asked, is_shared = self._asked_for, self._keeping.is_shared
        if found.is_private and (is_shared or not asked.is_known):
            return False
        return not (is_shared and asked.is_signed) or found.is_for_all

    def part(self, data: bytes) -> None:
        """Send a part on, and keep it."""
        if self._is_capturing:
            self._held += len(data)
            has_room = self._connection.host.budget.take(len(data))
            if has_room and self._held <= self._keeping.most_bytes:
                self._kept_parts.append(data)
            else:
                self._give_up(Outcome.UNKEEPABLE)
        super().part(data)

    def complete(self) -> None:
        """Keep the answer, and end it for the client."""
        if self._is_capturing and self._found is not None:
            reply, instance, found = self._found
            entry = Entry(reply, b"".join(self._kept_parts), instance, self._route, self._head)
            self._keeper.keep(self._key, entry.live(found, self._asked_at))
            self._land(Outcome.KEPT)
        super().complete()

    def _done(self) -> None:
        super()._done()
        self._land(Outcome.FAILED)

    def _give_up(self, outcome: Outcome) -> None:
        """Keep nothing of this answer; a client who is slow holds the service back from now on, and one who is gone ends it."""
        self._land(outcome)
        if self._connection.is_lost:
            super().lost()
        elif self._is_slow:
            super().writable(is_open=False)

    def _land(self, outcome: Outcome) -> None:
        """Have done with capturing; those who wait go on when this turn's work is done."""
        if not self._is_capturing:
            return
        self._is_capturing = False
        self._kept_parts = []
        self._connection.host.budget.take(-self._held)
        flight, self._flight = self._flight, None
        if flight is not None:
            flight.leader = None
            self._way.loop.call_soon(self._keeper.landed, flight, outcome)

    # -- the client who asked first

    def lost(self) -> None:
        """Go on where others wait."""
        if self._flight is None or not self._flight.waiting:
            super().lost()

    def left(self) -> None:
        """Stop where nobody waits any more, not even the client."""
        if self._connection.is_lost:
            super().lost()

    def writable(self, *, is_open: bool) -> None:
        """Hold the service back only where nobody else waits for it: what is captured fits into memory."""
        self._is_slow = not is_open
        if not self._is_capturing:
            super().writable(is_open=is_open)


def _unconditional(order: Order) -> Order:
    """Return an order without the conditions under which its client takes an answer: what is kept has to be whole."""
    head = order.head
    if not any(name in _CONDITIONS for name, _ in head.headers):
        return order
    rest = [pair for pair in head.headers if pair[0] not in _CONDITIONS]
    return replace(order, head=replace(head, headers=rest))
