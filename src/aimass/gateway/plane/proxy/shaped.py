"""Requests over their rate that wait until it has room for them, instead of being refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.http import RequestHead
from aimass.gateway.plane.proxy.parked import Door, Waiting
from aimass.gateway.plane.proxy.things import Route, RouteStats


class Shaped(Waiting):
    """The sink of a request that goes on at a time that is known: its token is taken already."""

    def __init__(
        self,
        door: Door,
        connection: Connection,
        head: RequestHead,
        route: Route,
        turn: tuple[asyncio.AbstractEventLoop, float],
    ) -> None:
        self._loop, wait_s = turn
        super().__init__(door, connection, head, route, self._loop.time())
        route.stats.shaped.add(self)
        self._timer = self._loop.call_later(wait_s, self.due)

    def due(self) -> None:
        """Go on."""
        self._timer.cancel()
        self.route.stats.shaped.discard(self)
        self.go(self._loop.time())

    def lost(self) -> None:
        """Wait no longer: the client is gone."""
        self._timer.cancel()
        self.route.stats.shaped.discard(self)


def let_shaped_go(every: Iterable[RouteStats]) -> None:
    """Let those go on at once who wait for their turn: a worker that stops keeps nobody."""
    for stats in every:
        for one in list(stats.shaped):
            one.due()
