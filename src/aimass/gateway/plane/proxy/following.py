"""Follows the file of services that control publishes, and tells what this worker sees of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from aimass.gateway.plane.moments import wall
from aimass.gateway.plane.proxy.door import Proxy
from aimass.gateway.plane.proxy.table import read_document
from aimass.gateway.plane.quotas import Quotas
from aimass.gateway.plane.rates import Rates
from aimass.gateway.settings import GatewaySettings
from aimass.kernel.errors import AimassError

_LOG = logging.getLogger(__name__)
_TELL_S = 1.0
SERVICES = "services.txt"
"""The file of services, beside the snapshot."""


class Following:
    """Keeps the table of a worker equal to the published one.

    Attributes
    ----------
    error
        Why the newest version cannot be used; the one before keeps serving.
    """

    def __init__(self, proxy: Proxy, settings: GatewaySettings, rates: Rates, counts: Callable[[], Quotas]) -> None:
        folder = settings.data_dir / "gateway"
        self._proxy = proxy
        self._path = folder / SERVICES
        self._traffic = folder / f"traffic-{settings.worker}.json"
        self._seen: tuple[int, int, int] | None = None
        self._told: dict[str, Any] = {}
        self._told_at = 0.0
        self.error: str | None = None
        proxy.table.shared = rates
        proxy.table.counts = counts

    @property
    def version(self) -> int:
        """The version that is served."""
        return self._proxy.table.document.version

    async def look(self) -> None:
        """Look once; apply what changed, and tell what was seen."""
        stamp = _stamp(self._path)
        if stamp is not None and stamp != self._seen:
            self._seen = stamp
            try:
                self._proxy.table.apply(await self._proxy.loop.run_in_executor(None, read_document, self._path))
                self._proxy.applied()
                self.error = None
            except (AimassError, OSError, KeyError, TypeError, ValueError) as reason:
                self.error = f"the list of services cannot be used: {reason!r}"
                _LOG.error("%s; the one before keeps serving", self.error)
        self._tell()

    def _tell(self) -> None:
        now = self._proxy.loop.time()
        if now - self._told_at < _TELL_S:
            return
        self._told_at = now
        told = self._proxy.table.traffic(now)
        if told == self._told:
            return
        draft = self._traffic.with_suffix(".tmp")
        try:
            draft.write_bytes(orjson.dumps({**told, "pid": os.getpid(), "at": wall()}))
            draft.rename(self._traffic)
            self._told = told
        except OSError as reason:
            _LOG.warning("cannot write %s: %s", self._traffic, reason)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
