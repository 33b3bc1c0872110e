"""Rates that several workers of one port keep together, in a file that all of them map into memory."""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
from pathlib import Path

_LOG = logging.getLogger(__name__)

_SLOTS = 1 << 16
_NEAR = 64
_BYTES = 16


class Rates:
    """For each key one number: when its bucket is full again. Taking a token is a read and a write, without a lock.

    Two workers that take a token of one key at the same instant may take the same one: a key can be over its rate by as
    much as that, and never under it. A client with one connection gets the whole rate, whichever worker serves it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        path.chmod(0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        # every block now: a hole that finds no room on a full disk would end the worker at a later write (SIGBUS)
        os.posix_fallocate(self._file.fileno(), 0, _SLOTS * _BYTES)
        fcntl.flock(self._file, fcntl.LOCK_UN)
        self._map = mmap.mmap(self._file.fileno(), _SLOTS * _BYTES)
        self._marks = memoryview(self._map).cast("Q")
        self._times = memoryview(self._map).cast("d")

    def bucket(self, digest: str, rate: float) -> SharedBucket:
        """Return the bucket of a key, by the SHA-256 of its text."""
        mark = int(digest[:16], 16) or 1
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            slot = self._slot(mark)
            if self._marks[2 * slot] != mark:
                self._marks[2 * slot] = mark
                self._times[2 * slot + 1] = 0.0
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        return SharedBucket(self._times, 2 * slot + 1, rate)

    def _slot(self, mark: int) -> int:
        """Return the slot of a mark: its own, a free one near by, or the one of them that was used longest ago."""
        near = [(mark + step) % _SLOTS for step in range(_NEAR)]
        for slot in near:
            if self._marks[2 * slot] in (0, mark):
                return slot
        return min(near, key=lambda slot: self._times[2 * slot + 1])

    def close(self) -> None:
        """Let the file go; buckets that are still there keep what they see."""
        self._file.close()


def shared_rates(path: Path) -> Rates | None:
    """Return the rates that the workers of a port share; None where their file cannot be made, and each keeps its own."""
    try:
        return Rates(path)
    except OSError as reason:
        _LOG.error("the workers cannot share the rates of keys, each counts for itself: %s", reason)
        return None


class SharedBucket:
    """A bucket that holds one second of its rate (at least one token), shared with other workers.

    Examples
    --------
    >>> bucket = SharedBucket(memoryview(bytearray(8)).cast("d"), 0, 2.0)
    >>> [bucket.take(100.0) for _ in range(3)], bucket.take(100.5)
    ([0.0, 0.0, 0.5], 0.0)
    """

    __slots__ = ("_burst_s", "_interval", "_slot", "_times", "rate")

    def __init__(self, times: memoryview[float], slot: int, rate: float) -> None:
        self.rate = rate
        self._times = times
        self._slot = slot
        self._interval = 1.0 / rate
        self._burst_s = (max(1.0, rate) - 1.0) * self._interval

    def take(self, now: float) -> float:
        """Take a token; return 0, or the seconds until there is one."""
        full = self._times[self._slot]
        wait = full - self._burst_s - now
        if wait > self._interval + 1.0:  # the clock was set back
            full, wait = now, 0.0
        if wait > 0.0:
            return wait
        self._times[self._slot] = max(full, now) + self._interval
        return 0.0
