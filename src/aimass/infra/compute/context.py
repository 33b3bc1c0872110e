"""What a job's function gets: its payload, its folders, and the ways to report, save and stop."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aimass.infra.compute.directory import JobDirectory
from aimass.infra.compute.files import plain
from aimass.kernel.clock import Clock, SystemClock, instant

_QUIET_S = 0.05
_EVENTS_LIMIT_BYTES = 32 * 2**20


class Cancelled(BaseException):
    """The job was asked to stop. Not an ``Exception``, so that ``except Exception`` lets it through."""


class JobContext:
    """The job as its own function sees it.

    Attributes
    ----------
    params
        The JSON payload.
    out, work
        Folder for results, and for scratch.
    attempt
        1 for the first attempt.
    secrets
        What was confided to this attempt alone; it lies in no file, so keep it out of results, logs and errors.
    """

    def __init__(
        self,
        directory: JobDirectory,
        attempt: int,
        *,
        clock: Clock | None = None,
        secrets: Mapping[str, Any] | None = None,
    ) -> None:
        spec = directory.spec()
        self.id: str = directory.path.name
        self.params: dict[str, Any] = spec["params"]
        self.slots = int(spec.get("slots", 1))
        self.out: Path = directory.out
        self.work: Path = directory.work
        self.attempt = attempt
        self.secrets: Mapping[str, Any] = dict(secrets or {})
        self._directory = directory
        self._clock = clock or SystemClock()
        self._events = os.open(directory.events, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._seq = _mend(self._events)
        self._last = (-_QUIET_S, "")

    def report(self, fraction: float | None = None, stage: str = "", **metrics: float) -> None:
        """Tell how far the job is, and learn whether it shall go on.

        Reports without metrics may come as often as they like: those that follow the last one closely are not written.

        Raises
        ------
        Cancelled
            Somebody cancelled the job.
        """
        self.check()
        moment, last_stage = self._last
        now = time.monotonic()
        if not metrics and stage == last_stage and now - moment < _QUIET_S and (fraction is None or fraction < 1):
            return
        self._last = (now, stage)
        self._seq += 1
        event: dict[str, Any] = {"seq": self._seq, "attempt": self.attempt, "t": instant(self._clock.now())}
        if fraction is not None:
            event["fraction"] = plain(min(1.0, max(0.0, float(fraction))))
        if stage:
            event["stage"] = stage
        if metrics:
            event["metrics"] = {name: plain(float(value)) for name, value in metrics.items()}
        if os.fstat(self._events).st_size < _EVENTS_LIMIT_BYTES:
            os.write(self._events, (json.dumps(event, ensure_ascii=False) + "\n").encode(errors="replace"))

    def log(self, message: str, level: str = "info") -> None:
        """Write a line to the log."""
        text = message if level == "info" else f"{level.upper()}: {message}"
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def save(self, state: bytes, name: str = "state") -> None:
        """Commit a checkpoint: a later attempt gets it back from :meth:`restore`."""
        self.check()
        self._directory.save(self.attempt, name, state)

    def restore(self, name: str = "state") -> bytes | None:
        """Return the newest undamaged checkpoint, or None."""
        return self._directory.restore(name)

    def check(self) -> None:
        """Stop here when the job was cancelled or belongs to a later attempt."""
        self._directory.check(self.attempt)
        if self._directory.cancel.exists():
            raise Cancelled(self.id)


def _mend(descriptor: int) -> int:
    """Close a line that a killed attempt left torn, and return the last sequence number."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, 65536, max(0, size - 65536))
    if tail and not tail.endswith(b"\n"):
        os.write(descriptor, b"\n")
    for line in reversed(tail.splitlines()):
        try:
            return int(json.loads(line)["seq"])
        except (ValueError, KeyError, TypeError):
            continue
    return 0
