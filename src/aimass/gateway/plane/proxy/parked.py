"""Requests that wait while their route is paused, and go on in the order in which they came."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from aimass.gateway.plane.connection import BY_TURN, Connection, Sink
from aimass.gateway.plane.http import RequestHead
from aimass.gateway.plane.proxy.errors import RoutePaused
from aimass.gateway.plane.proxy.things import Route, RouteStats
from aimass.kernel.errors import AimassError

_LOG = logging.getLogger(__name__)
_A_MOMENT_S = 1e-6


class Door(Protocol):
    """Who decides what becomes of a request once it may go on."""

    def again(self, connection: Connection, head: RequestHead, waited_s: float) -> Sink:
        """Let a request in as if it came now; tell how long it waited, which is more than nothing."""
        ...

    def turn_away(self, connection: Connection, head: RequestHead, route: Route, error: AimassError) -> None:
        """Answer a request of a route with an error, and have done with it."""
        ...


class Waiting:
    """The sink of a request that waits; its body waits with the client."""

    ends_with_client = True

    def __init__(self, door: Door, connection: Connection, head: RequestHead, route: Route, now: float) -> None:
        self._door = door
        self._connection = connection
        self.head = head
        self.route = route
        self.began = now
        if head.has_body:
            connection.hold(BY_TURN)

    def piece(self, data: bytes) -> None:
        """No part of the body comes while it is held back."""
        raise AssertionError(f"{len(data)} bytes of a body that is held back")

    def end(self) -> None:
        """Go on waiting: a request without a body is complete at once."""

    def writable(self, *, is_open: bool) -> None:
        """Nothing is written to a client who waits."""

    def go(self, now: float) -> None:
        """Go on, as if the request came now."""
        connection = self._connection
        try:
            sink = self._door.again(connection, self.head, max(now - self.began, _A_MOMENT_S))
            connection.attend(sink)
            if not self.head.has_body:
                sink.end()
            connection.release(BY_TURN)
        except Exception:  # noqa: BLE001 one request must never hold up those behind it; the log has the trace
            _LOG.exception("a request that waited for route %s failed", self.route.name)
            connection.abort()


class Parked(Waiting):
    """A request that waits until its route is open again, at most until a deadline."""

    def __init__(self, door: Door, connection: Connection, head: RequestHead, route: Route, now: float) -> None:
        super().__init__(door, connection, head, route, now)
        self.deadline = now + route.max_parked_s
        route.stats.parked.append(self)

    def lost(self) -> None:
        """Leave the queue: the client is gone."""
        if self in self.route.stats.parked:
            self.route.stats.parked.remove(self)

    def turn_away(self) -> None:
        """Answer that it took too long."""
        route = self.route
        error = RoutePaused(f"route {route.name!r} is still paused", retry_after_s=route.retry_after_s)
        self._door.turn_away(self._connection, self.head, route, error)
        self._connection.release(BY_TURN)


def let_go(every: Iterable[RouteStats], may_go: Callable[[Parked], bool], now: float) -> None:
    """Let those go on that may, of each route in the order in which they came."""
    for stats in every:
        for _ in range(len(stats.parked)):
            one: Parked = stats.parked.popleft()
            if may_go(one):
                one.go(now)
            else:
                stats.parked.append(one)


def turn_late_away(every: Iterable[RouteStats], now: float) -> None:
    """Turn those away who waited as long as their route lets them."""
    for stats in every:
        while stats.parked and stats.parked[0].deadline <= now:
            stats.parked.popleft().turn_away()
