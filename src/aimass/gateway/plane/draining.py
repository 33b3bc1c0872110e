"""The end of a worker: nobody who asked goes without an answer."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.crowd import Crowd
from aimass.gateway.settings import GatewaySettings
from aimass.infra.listening import turn_away

_LOG = logging.getLogger(__name__)
_LOOK_S = 0.02


class Host(Protocol):
    """What draining needs from the worker."""

    settings: GatewaySettings
    connections: Crowd
    is_draining: bool
    loop: asyncio.AbstractEventLoop

    def forget_calls(self) -> None:
        """Understand every head anew from now on."""
        ...


class Port:
    """The public port of a worker.

    Parameters
    ----------
    is_ours
        Nobody else holds the port open: once this worker closes it, it is closed.
    secure
        How the port speaks TLS; empty where it does not.
    """

    def __init__(
        self,
        listener: socket.socket,
        server: asyncio.Server,
        greet: Callable[[], Connection],
        *,
        is_ours: bool,
        secure: Mapping[str, Any],
    ) -> None:
        self._listener = listener
        self._server = server
        self._greet = greet
        self._is_ours = is_ours
        self._secure = secure

    async def close(self) -> None:
        """Close the port, but take in everybody who has come already."""
        if self._is_ours:
            turn_away(self._listener)
        loop = asyncio.get_running_loop()
        come = list(iter(partial(_accepted, self._listener), None))
        taken = (loop.connect_accepted_socket(self._greet, client, **self._secure) for client in come)
        for failed in await asyncio.gather(*taken, return_exceptions=True):
            if isinstance(failed, Exception):
                _LOG.debug("who came last did not finish the handshake: %r", failed)
        self._server.close()


def _accepted(listener: socket.socket) -> socket.socket | None:
    try:
        client, _ = listener.accept()
    except OSError:
        return None
    client.setblocking(False)
    return client


async def drain(host: Host, port: Port) -> None:
    """Let everybody go, in this order.

    Each answer says that the connection ends. For a moment new clients are still welcome, and those that asked a moment
    ago may ask once more: a connection that is closed between two requests can cost a request that is on its way. Then
    the port closes; those that have just come may ask, too, and what is under way is finished, as long as that does not
    take too long.
    """
    settings, connections = host.settings, host.connections
    host.is_draining = True
    host.forget_calls()
    now = host.loop.time()
    for connection in list(connections):
        connection.keep = False
        if connection.is_tunnel or connection.is_endless:
            connection.abort()
        elif connection.is_idle and connection.idle_for(now) > settings.linger_s:
            _let_go(connection)
    await _until_empty(host, settings.linger_s)
    await port.close()
    last_s = host.loop.time()
    _let_idle_go([c for c in connections if c.born < last_s - settings.linger_s])
    await _until_empty(host, settings.linger_s)
    _let_idle_go(connections)
    await _until_empty(host, settings.drain_timeout_s)
    for connection in list(connections):
        connection.abort()


def _let_idle_go(connections: Iterable[Connection]) -> None:
    for connection in list(connections):
        if connection.is_idle:
            _let_go(connection)


def _let_go(connection: Connection) -> None:
    connection.close()
    connection.written()


async def _until_empty(host: Host, seconds: float) -> None:
    end = host.loop.time() + seconds
    while host.connections and host.loop.time() < end:  # noqa: ASYNC110 a few looks at the end of a life
        await asyncio.sleep(_LOOK_S)
