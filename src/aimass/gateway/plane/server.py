"""Start and stop one gateway worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator

import uvloop

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.watcher import Watcher
from aimass.gateway.plane.worker import Worker
from aimass.gateway.settings import GatewaySettings
from aimass.kernel.errors import Conflict

_LOG = logging.getLogger(__name__)
_BACKLOG = 2048


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
    worker = Worker(settings, loop)
    watcher = Watcher(worker)
    listener = _listen(settings)
    await watcher.look()
    server = await loop.create_server(lambda: Connection(worker), sock=listener, backlog=_BACKLOG)
    port = watcher.port = listener.getsockname()[1]
    tasks = [loop.create_task(job()) for job in (watcher.run, worker.sweep, worker.sync, worker.flush_series)]
    _LOG.info("gateway worker %d serves on http://%s:%d", settings.worker, settings.host, port)
    try:
        yield worker, port
    finally:
        server.close()
        await worker.drain()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        worker.close()


def _listen(settings: GatewaySettings) -> socket.socket:
    """Open the public port; only several workers of one platform share it."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if settings.workers > 1:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as reason:
        listener.close()
        raise Conflict(
            f"port {settings.port} on {settings.host} cannot be used: {reason.strerror}",
            field="port",
            value=settings.port,
            hint="stop the other program, or choose another port",
        ) from reason
    listener.setblocking(False)
    return listener
