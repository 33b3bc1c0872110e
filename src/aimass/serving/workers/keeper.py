"""The supervisor's side: keeps the workers that control wishes for, and goes on while control is away."""

from __future__ import annotations

import json
import logging

from aimass.kernel.layout import DataDir
from aimass.serving.workers.pool import WorkerPool
from aimass.serving.workers.wishes import Wish

_LOG = logging.getLogger(__name__)


class Keeper:
    """Follows ``<data>/run/wishes.json``; its pool reports in ``workers.json`` beside it.

    Workers are children of the process that calls :meth:`tick`, always from the same thread, and end with it.
    """

    def __init__(self, layout: DataDir) -> None:
        self._wishes = layout.run / "wishes.json"
        self._pool = WorkerPool(layout)
        self._seen: tuple[int, int] | None = None

    def tick(self) -> None:
        """Bring about what is wished, and say how it is; what fails is tried again with the next tick."""
        try:
            self._read()
            self._pool.tick()
        except Exception:  # noqa: BLE001 one worker's fault is not everybody's end; the log has the trace
            _LOG.exception("the workers could not be looked after")

    def _read(self) -> None:
        try:
            stat = self._wishes.stat()
        except FileNotFoundError:
            return
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp == self._seen:
            return
        document = json.loads(self._wishes.read_bytes())
        self._pool.drain_s, self._pool.spares = float(document["drain_s"]), int(document["spares"])
        self._pool.want([Wish(**wish) for wish in document["wishes"]])
        self._seen = stamp

    def pause(self, seconds: float) -> None:
        """Wait so long, or until a worker ends."""
        self._pool.pause(seconds)

    def close(self) -> None:
        """End every worker."""
        self._pool.close()
