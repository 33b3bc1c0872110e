"""Active health checks: ask each instance of a service that is in use whether it is well."""

from __future__ import annotations

import asyncio

from aimass.gateway.plane.http import ReplyHead
from aimass.gateway.plane.proxy.heads import host_of
from aimass.gateway.plane.proxy.links import open_link
from aimass.gateway.plane.proxy.things import Instance, Upstream
from aimass.kernel.errors import AimassError

_ILL_AFTER = 2
_WELL, _NOT_WELL = 200, 400
_LONGEST_S = 5.0


class Probe:
    """Waits for the head of one answer."""

    is_head = False

    def __init__(self) -> None:
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def head(self, reply: ReplyHead) -> None:
        """Take the head of the reply."""
        self._tell(reply.status)

    def part(self, data: bytes) -> None:
        """Drop a part of the body."""

    def complete(self) -> None:
        """Hear that the reply is complete."""

    def broken(self, reason: AimassError | None) -> None:
        """Hear that there is no whole head."""
        del reason
        self._tell(0)

    def upstream_writable(self, *, is_open: bool) -> None:
        """Hear that the service reads slowly, or reads again."""

    def _tell(self, status: int) -> None:
        if not self.status.done():
            self.status.set_result(status)


class Health:
    """Looks after the instances of every service that has a path for it and is in use."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def sweep(self, upstream: Upstream, now: float) -> None:
        """Begin a round of checks where one is due."""
        if not upstream.health_path or now < upstream.next_check:
            return
        upstream.next_check = now + upstream.health_s
        for instance in upstream.instances:
            task = asyncio.get_running_loop().create_task(_check(upstream, instance))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _check(upstream: Upstream, instance: Instance) -> None:
    """Check one instance: two misses in a row make it ill, one answer makes it well."""
    is_well = await _answers(instance, upstream.health_path, min(upstream.health_s, _LONGEST_S))
    instance.misses = 0 if is_well else instance.misses + 1
    is_ill = instance.misses >= _ILL_AFTER
    if is_ill != instance.is_ill:
        upstream.judge(instance, is_ill=is_ill)


async def _answers(instance: Instance, path: bytes, within_s: float) -> bool:
    try:
        link = await open_link(instance, within_s)
    except OSError:
        return False
    probe = Probe()
    link.carry(probe)
    head = b"GET %b HTTP/1.1\r\nhost: %b\r\nuser-agent: aimass-health\r\nconnection: close\r\n\r\n"
    link.transport.write(head % (path, host_of(instance)))
    try:
        async with asyncio.timeout(within_s):
            status = await probe.status
    except TimeoutError:
        status = 0
    finally:
        link.listener = None
        link.transport.abort()
    return _WELL <= status < _NOT_WELL
