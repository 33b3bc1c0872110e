"""How much gRPC may have under way: calls, streams, and requests that still arrive."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.errors import Overloaded, TooSlow
from aimass.gateway.settings import GatewaySettings

_EACH = 2


class Places:
    """Counts what is under way.

    A request can be as large as ``max_rpc_bytes`` before anybody sees it, so only so many may arrive at a time as
    ``max_buffered_bytes`` has room for; one consumer gets at most half of them, so that he cannot lock out the others
    by sending slowly.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._calls = self._streams = 0
        room = max(_EACH, settings.max_buffered_bytes // settings.max_rpc_bytes)
        self._room = asyncio.Semaphore(room)
        self._of_consumer: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(room // _EACH))

    @contextmanager
    def call(self, *, is_stream: bool) -> Iterator[None]:
        """Hold a place for a call.

        Raises
        ------
        Overloaded
            There is none left.
        """
        settings = self._settings
        if self._calls >= settings.max_rpcs:
            raise Overloaded("too many calls of gRPC are under way", allowed=f"at most {settings.max_rpcs}")
        if is_stream and self._streams >= settings.max_rpc_streams:
            raise Overloaded("too many streams of gRPC are open", allowed=f"at most {settings.max_rpc_streams}")
        self._calls += 1
        self._streams += is_stream
        try:
            yield
        finally:
            self._calls -= 1
            self._streams -= is_stream

    @asynccontextmanager
    async def arrival(self, key: Key) -> AsyncIterator[None]:
        """Hold a place for a request that arrives.

        Raises
        ------
        TooSlow
            It did not arrive in time.
        """
        try:
            async with (
                asyncio.timeout(self._settings.body_timeout_s),
                self._of_consumer[f"{key.workspace}/{key.consumer}"],
                self._room,
            ):
                yield
        except TimeoutError as reason:
            raise TooSlow("the request did not arrive in time") from reason
