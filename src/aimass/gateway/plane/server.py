"""Start and stop one gateway worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import uvloop

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.draining import Port, drain
from aimass.gateway.plane.siblings import place_of
from aimass.gateway.plane.tls import Certificates
from aimass.gateway.plane.watcher import Watcher
from aimass.gateway.plane.worker import Worker
from aimass.gateway.settings import GatewaySettings
from aimass.infra.listening import open_listener
from aimass.kernel.capability import load
from aimass.kernel.errors import AimassError, Conflict, MissingExtra

_LOG = logging.getLogger(__name__)
_BACKLOG = 2048
_RPC = "aimass.gateway.plane.rpc.server:RpcServer"


class Rpc(Protocol):
    """A server of gRPC."""

    port: int

    async def start(self) -> None:
        """Begin to serve."""
        ...

    async def stop(self) -> None:
        """Finish what is under way."""
        ...


def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way and return."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))


async def _serve(settings: GatewaySettings) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings):
        await stop.wait()


@contextlib.asynccontextmanager
async def running(settings: GatewaySettings) -> AsyncIterator[tuple[Worker, int]]:
    """Run a worker in this loop; yields (worker, port); leaving drains it."""
    loop = asyncio.get_running_loop()
    certificates = Certificates(settings) if settings.is_tls else None
    worker = Worker(settings, loop)
    watcher = Watcher(worker)
    listener = _listener(settings)
    await watcher.look()

    def greet() -> Connection:
        return Connection(worker)

    secure = _secure(certificates, settings)
    server = await loop.create_server(greet, sock=listener, backlog=_BACKLOG, **secure)
    door = Port(listener, server, greet, is_ours=settings.listen_fd < 0, secure=secure)
    inside = await _inside(settings, greet) if settings.workers > 1 or certificates is not None else None
    port = watcher.port = listener.getsockname()[1]
    rpc = await _rpc_of(worker)
    watcher.grpc_port = rpc.port if rpc is not None else 0
    watched = [] if certificates is None else [certificates.watch]
    jobs = (watcher.run, worker.sweep, worker.sync, worker.flush_series, *watched)
    tasks = [loop.create_task(job()) for job in jobs]
    scheme = "https" if secure else "http"
    _LOG.info("gateway worker %d serves on %s://%s:%d", settings.worker, scheme, settings.host, port)
    try:
        yield worker, port
    finally:
        await asyncio.gather(drain(worker, door), *([] if rpc is None else [rpc.stop()]))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if inside is not None:
            inside.close()
        worker.close()


def _secure(certificates: Certificates | None, settings: GatewaySettings) -> dict[str, Any]:
    """Return how connections are secured; a client has as long for its handshake as for the head of a request."""
    if certificates is None:
        return {}
    return {"ssl": certificates.context, "ssl_handshake_timeout": settings.head_timeout_s}


async def _inside(settings: GatewaySettings, greet: Callable[[], Connection]) -> asyncio.Server:
    """Serve the other workers of the port, and the platform itself, on a socket that only this user may open."""
    place = place_of(settings, settings.worker)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    server = await asyncio.get_running_loop().create_unix_server(greet, str(place))
    place.chmod(0o600)
    return server


async def _rpc_of(worker: Worker) -> Rpc | None:
    """Begin to serve gRPC, where that is wanted and possible; without it HTTP goes on."""
    if worker.settings.grpc_port < 0:
        return None
    try:
        server: Rpc = load(_RPC)(worker, worker.entrance, worker.metrics, worker.settings, worker.budget)
        await server.start()
    except ImportError:
        reason: AimassError = MissingExtra("grpc")
    except Conflict as error:
        reason = error
    else:
        _LOG.info("gRPC is served on port %d", server.port)
        return server
    _LOG.warning("gRPC is off: %s; %s", reason.message, reason.hint)
    return None


def _listener(settings: GatewaySettings) -> socket.socket:
    """Return the public port: the one that was handed over, or a new one."""
    if settings.listen_fd >= 0:
        listener = socket.socket(fileno=settings.listen_fd)
        listener.setblocking(False)
        return listener
    return open_listener(settings.host, settings.port, is_shared=settings.workers > 1)
