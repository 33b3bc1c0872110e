"""Requests that wait for the answer that another one fetches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.proxy.cache.asked import Asked
from aimass.gateway.plane.proxy.cache.store import Entry, Key, Told
from aimass.gateway.plane.proxy.courses import Order

MOST_WAITING = 10_000
"""So many wait at most for one answer; who comes after them asks the service himself."""


class Outcome(Enum):
    """What became of fetching an answer."""

    KEPT = "kept"
    UNKEEPABLE = "unkeepable"
    FAILED = "failed"


class Fetching(Protocol):
    """Who fetches."""

    def left(self) -> None:
        """Hear that nobody waits any more."""
        ...


class Flight:
    """An answer under way, and who waits for it.

    Attributes
    ----------
    key, kind
        What is asked for.
    entry, word
        What came of it, and what is said of it to those who wait.
    """

    __slots__ = ("entry", "key", "kind", "leader", "waiting", "word")

    def __init__(self, key: Key, kind: Told) -> None:
        self.key = key
        self.kind = kind
        self.leader: Fetching | None = None
        self.entry: Entry | None = None
        self.word = b"HIT"
        self.waiting: dict[Waiting, None] = {}

    def leave(self, one: Waiting) -> None:
        """Have one fewer who waits."""
        if one in self.waiting:
            del self.waiting[one]
            if not self.waiting and self.leader is not None:
                self.leader.left()


class Waiting:
    """The sink of a request that waits; when it has waited as long as its route lets it wait for the service, it asks itself."""

    ends_with_client = True

    def __init__(
        self, flight: Flight, connection: Connection, order: Order, asked: Asked, late: Callable[[Waiting], None]
    ) -> None:
        self.connection = connection
        self.order = order
        self.asked = asked
        self.body = b""
        self._flight = flight
        flight.waiting[self] = None
        self._timer = asyncio.get_running_loop().call_later(order.route.timeout_s, self._waited, late)

    def piece(self, data: bytes) -> None:
        """Keep the body, for the case that this request has to ask itself."""
        self.body += data

    def end(self) -> None:
        """Go on waiting: the request is complete."""

    def lost(self) -> None:
        """Leave: the client is gone."""
        self._timer.cancel()
        self._flight.leave(self)

    def writable(self, *, is_open: bool) -> None:
        """Nothing is written to a client who waits."""

    def called(self) -> Waiting:
        """Wait no longer."""
        self._timer.cancel()
        return self

    def _waited(self, late: Callable[[Waiting], None]) -> None:
        self._flight.leave(self)
        late(self)
