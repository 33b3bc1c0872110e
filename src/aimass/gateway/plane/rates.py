"""Rates that several workers of one port keep together, in a file that all of them map into memory."""

from __future__ import annotations

import fcntl
import logging
import math
import mmap
import os
from hashlib import sha256
from io import BufferedRandom
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

    def __init__(self, path: Path | None = None) -> None:
        self._file = None if path is None else open_whole(path, _SLOTS * _BYTES)
        shared = memoryview(mmap.mmap(-1 if self._file is None else self._file.fileno(), _SLOTS * _BYTES))
        self._marks = shared.cast("Q")
        self._times = shared.cast("d")

    def bucket(self, mark: int, rate: float, burst: float = 0.0) -> SharedBucket:
        """Return the bucket of whoever has this mark; it holds as many tokens as ``burst`` says, else one second of the rate."""
        return SharedBucket(self._times, 2 * self._placed(mark) + 1, rate, burst)

    def holds(self, bucket: SharedBucket, mark: int) -> bool:
        """Tell whether a bucket is still that of a mark, and was not given to another one."""
        return self._marks[bucket.slot - 1] == mark

    def _placed(self, mark: int) -> int:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            slot = self._slot(mark)
            if self._marks[2 * slot] != mark:
                self._marks[2 * slot] = mark
                self._times[2 * slot + 1] = 0.0
        finally:
            if self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        return slot

    def _slot(self, mark: int) -> int:
        """Return the slot of a mark: its own, a free one near by, or the one of them that was used longest ago."""
        near = [(mark + step) % _SLOTS for step in range(_NEAR)]
        for slot in near:
            if self._marks[2 * slot] in (0, mark):
                return slot
        return min(near, key=lambda slot: self._times[2 * slot + 1])

    def close(self) -> None:
        """Let the file go; buckets that are still there keep what they see."""
        if self._file is not None:
            self._file.close()


def shared_rates(path: Path) -> Rates:
    """Return the rates that the workers of a port share; where their file cannot be made each keeps its own."""
    try:
        return Rates(path)
    except OSError as reason:
        _LOG.error("the workers cannot share the rates of keys, each counts for itself: %s", reason)
        return Rates()


def open_whole(path: Path, size: int) -> BufferedRandom:
    """Open a file that only this user may read, and that workers map into memory, with every block of it on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+b")
    try:
        path.chmod(0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        # every block now: a hole that finds no room on a full disk would end the worker at a later write (SIGBUS)
        os.posix_fallocate(file.fileno(), 0, size)
        fcntl.flock(file, fcntl.LOCK_UN)
    except OSError:
        file.close()
        raise
    return file


def mark_of(what: str) -> int:
    """Return the number by which something is known in the files that workers share."""
    return int.from_bytes(sha256(what.encode()).digest()[:8], "big") or 1


class SharedBucket:
    """A bucket of tokens, shared with other workers: as many as asked for, else one second of its rate (at least one).

    Examples
    --------
    >>> bucket = SharedBucket(memoryview(bytearray(8)).cast("d"), 0, 2.0)
    >>> [bucket.take(100.0) for _ in range(3)], bucket.take(100.5)
    ([0.0, 0.0, 0.5], 0.0)
    >>> bucket.reserve(100.5, most_s=1.0), bucket.reserve(100.5, most_s=1.0), bucket.reserve(100.5, most_s=1.0)
    (0.5, 1.0, -1.5)
    """

    __slots__ = ("_burst_s", "_interval", "_times", "burst", "rate", "slot")

    def __init__(self, times: memoryview[float], slot: int, rate: float, burst: float = 0.0) -> None:
        self.rate = rate
        self.burst = max(1.0, burst or rate)
        self.slot = slot
        self._times = times
        self._interval = 1.0 / rate
        self._burst_s = (self.burst - 1.0) * self._interval

    def take(self, now: float) -> float:
        """Take a token; return 0, or the seconds until there is one."""
        full = self._times[self.slot]
        wait = full - self._burst_s - now
        if wait > self._interval + 1.0:  # the clock was set back
            full, wait = now, 0.0
        if wait > 0.0:
            return wait
        self._times[self.slot] = max(full, now) + self._interval
        return 0.0

    def reserve(self, now: float, most_s: float, *, may_wait: bool = True) -> float:
        """Take a token that is there within some seconds; return how long to wait for it, below 0 where that is too long.

        Others may have taken tokens of so many seconds to come, also where this one may not wait.
        """
        full = self._times[self.slot]
        wait = full - self._burst_s - now
        if wait > self._interval + most_s + 1.0:  # the clock was set back
            full, wait = now, 0.0
        if wait > (most_s if may_wait else 0.0):
            return -wait
        self._times[self.slot] = max(full, now) + self._interval
        return max(wait, 0.0)

    def give_back(self) -> None:
        """Give a token back that was not used."""
        self._times[self.slot] -= self._interval

    def left(self, now: float) -> tuple[int, float]:
        """Return how many tokens there are, and the seconds until there is another one."""
        behind = max(0.0, self._times[self.slot] - now)
        tokens = self.burst - behind * self.rate
        whole = max(0, math.floor(tokens + 1e-9))
        return whole, 0.0 if behind == 0.0 else (whole + 1 - tokens) * self._interval
