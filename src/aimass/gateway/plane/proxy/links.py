"""Connections to instances: made with a time limit, kept between requests."""

from __future__ import annotations

import asyncio
import ssl
from functools import cache, partial

from aimass.gateway.plane.proxy.things import Instance
from aimass.gateway.plane.upstream import Asker, Link

IDLE_S = 4.0


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class Links:
    """Makes connections to instances, and closes those that waited long enough."""

    def __init__(self) -> None:
        self.count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def connect(self, instance: Instance, asker: Asker, within_s: float) -> None:
        """Open a connection for this asker."""
        task = asyncio.get_running_loop().create_task(self._connect(instance, asker, within_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, instance: Instance, asker: Asker, within_s: float) -> None:
        try:
            link = await open_link(instance, within_s)
        except OSError as reason:
            asker.unreachable(reason)
        else:
            asker.reached(link)

    def sweep(self, instance: Instance, now: float) -> None:
        """Close what waited long enough: a service must never close a connection that we are about to use."""
        limit = now - IDLE_S
        stale = [link for link in instance.idle if link.idle_since < limit or link.is_lost]
        for link in stale:
            instance.idle.remove(link)
            link.transport.close()


async def open_link(instance: Instance, within_s: float) -> Link:
    """Connect to the address that was checked when the instance was registered; its name is for TLS alone.

    Raises
    ------
    OSError
        Nobody answers there in time, or it is not whom it should be.
    """
    tls = {"ssl": _tls(), "server_hostname": instance.host} if instance.is_tls else {}
    make = partial(Link, f"instance {instance.id}")
    async with asyncio.timeout(within_s):
        _, link = await asyncio.get_running_loop().create_connection(make, instance.address, instance.port, **tls)
    return link
