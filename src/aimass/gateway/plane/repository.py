"""Load and unload models at a caller's wish, in all workers of the platform."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.errors import LoadFailed, NoEdit
from aimass.gateway.plane.holds import hold, release
from aimass.gateway.plane.runtimes.lazy import LazyRuntime
from aimass.gateway.plane.snapshot import Endpoint, Snapshot

_PATIENCE_S = 30.0
_PAUSE_S = 0.05


class Host(Protocol):
    """What the repository needs from the worker."""

    loop: asyncio.AbstractEventLoop
    snapshot: Snapshot
    look: Callable[[], Awaitable[None]]

    @property
    def gateway_folder(self) -> Path:
        """Where the files lie that all workers follow."""
        ...


class Repository:
    """Loads and unloads the models of endpoints."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def unload(self, key: Key, endpoint: Endpoint) -> None:
        """Unload an endpoint's models: their memory is given back, and requests get 503 until they are loaded again."""
        _need_edit(key, endpoint.name)
        revisions = [deployment.revision for deployment in endpoint.all()]
        if revisions:
            path, folder = _path(endpoint), self._host.gateway_folder
            await self._host.loop.run_in_executor(None, hold, folder, path, revisions, key.consumer)
        await self._host.look()

    async def load(self, key: Key, endpoint: Endpoint) -> None:
        """Load an endpoint's models again and wait until they answer; what is loaded already stays as it is.

        Raises
        ------
        LoadFailed
            A model cannot be loaded, or does not answer in time.
        """
        _need_edit(key, endpoint.name)
        await self._host.loop.run_in_executor(None, release, self._host.gateway_folder, _path(endpoint))
        for lazy in self._lazy(endpoint):
            lazy.retry()
        end = self._host.loop.time() + _PATIENCE_S
        while True:
            await self._host.look()
            waiting = self._waiting(endpoint)
            if not waiting:
                return
            if self._host.loop.time() > end:
                raise LoadFailed(f"endpoint {endpoint.name!r} is not ready: {waiting}", value=endpoint.name)
            await asyncio.sleep(_PAUSE_S)

    def _waiting(self, endpoint: Endpoint) -> str:
        """Say what an endpoint waits for; nothing when it is ready."""
        snapshot = self._host.snapshot
        found = snapshot.endpoints.get((endpoint.workspace, endpoint.name))
        if found is None:
            raise LoadFailed(f"endpoint {endpoint.name!r} is gone", value=endpoint.name)
        held = (endpoint.held or {}).get("deployments", [])
        lazy = self._lazy(endpoint)
        failed = [one.fault for one in lazy if one.fault]
        failed += [snapshot.errors[id_] for id_ in (*held, *(d.id for d in found.all())) if id_ in snapshot.errors]
        if failed:
            raise LoadFailed(f"endpoint {endpoint.name!r} cannot be loaded: {failed[0]}", value=endpoint.name)
        if not found.deployments:
            return "it has no deployment"
        if not all(d.is_ready for d in found.deployments):
            return "its worker has not started"
        for one in lazy:
            one.wake()
        return "" if all(one.is_loaded for one in lazy) else "it is still being loaded"

    def _lazy(self, endpoint: Endpoint) -> list[LazyRuntime]:
        """Return what an endpoint runs in this process."""
        found = self._host.snapshot.endpoints.get((endpoint.workspace, endpoint.name))
        every = found.all() if found is not None else []
        return [d.loaded.lazy for d in every if d.loaded.lazy is not None]


def _path(endpoint: Endpoint) -> str:
    return f"{endpoint.workspace}/{endpoint.name}"


def _need_edit(key: Key, name: str) -> None:
    if not key.may_edit(name):
        raise NoEdit(
            f"the key of {key.consumer!r} may not load or unload endpoint {name!r}",
            value=name,
            hint="ask for a key with the permission serving.edit on this endpoint",
        )
