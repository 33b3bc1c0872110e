"""The supervisor's side: keeps the workers that control wishes for, and goes on while control is away."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aimass.kernel.layout import DataDir
from aimass.serving.workers.pool import WorkerPool
from aimass.serving.workers.wishes import Wish

_LOG = logging.getLogger(__name__)


class Keeper:
    """Follows ``<data>/run/wishes.json`` and reports in ``workers.json`` beside it.

    Workers are children of the process that calls :meth:`tick`, always from the same thread, and end with it.
    """

    def __init__(self, layout: DataDir) -> None:
        self._wishes = layout.run / "wishes.json"
        self._report = layout.run / "workers.json"
        self._report.unlink(missing_ok=True)
        self._pool = WorkerPool(layout)
        self._seen: tuple[int, int] | None = None
        self._said: dict[str, Any] = {}

    def tick(self) -> None:
        """Bring about what is wished, and say how it is; what fails is tried again with the next tick."""
        try:
            self._read()
            self._pool.tick()
            self._write()
        except (OSError, ValueError, TypeError, KeyError):
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

    def _write(self) -> None:
        facts = {key: asdict(one) for key, one in self._pool.facts().items()}
        if facts != self._said:
            write_json(self._report, {"pid": os.getpid(), "changes": self._pool.changes, "workers": facts})
            self._said = facts

    def pause(self, seconds: float) -> None:
        """Wait so long, or until a worker ends."""
        self._pool.pause(seconds)

    def close(self) -> None:
        """End every worker."""
        self._pool.close()


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a file whole, for readers in other processes; it need not survive a power cut."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(json.dumps(document, separators=(",", ":")))
    draft.replace(path)
