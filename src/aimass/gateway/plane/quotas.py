"""What callers have used of a day, counted together by all workers, in a file that outlives them."""

from __future__ import annotations

import fcntl
import logging
import math
import mmap
from collections.abc import Sequence
from pathlib import Path

from aimass.gateway.plane.rates import mark_of, open_whole

_LOG = logging.getLogger(__name__)

DAY_S = 86_400
QUOTAS = "quotas-1"
"""The file, beside the snapshot; another layout is another number."""

_SLOTS, _NEAR = 1 << 16, 32
_CELLS = 15  # with the mark a slot is two lines of a processor's cache
_WORDS = 1 + _CELLS
_BYTES = _SLOTS * _WORDS * 8
_COUNT = (1 << 32) - 1


def of_key(id_: str) -> int:
    """Return the mark of an API key."""
    return mark_of(f"key:{id_}")


def of_caller(workspace: str, route: str, by: str, who: str) -> int:
    """Return the mark of a caller of a route."""
    return mark_of(f"caller:{workspace}/{route}:{by}:{who}")


class Quotas:
    """For each mark how many requests there were in the day that is counted now.

    Each worker adds to a cell of its own, which holds the day beside the count in one word: nobody waits for anybody, no
    count is lost, and two workers that take the last request of a quota at the same instant may both get it. So a quota
    can be exceeded by as many requests as there are other workers, and by no more.

    Counts are in the memory of the system as soon as they are made: a worker that is killed, and a gateway that starts
    again, go on with them. A power cut loses what the system had not brought to the disk yet, usually half a minute.

    Parameters
    ----------
    path
        The file; None counts in this process alone.
    worker
        Number of the worker that counts.
    """

    def __init__(self, path: Path | None, worker: int = 0) -> None:
        self._file = None if path is None else open_whole(path, _BYTES)
        self._words = memoryview(mmap.mmap(-1 if self._file is None else self._file.fileno(), _BYTES)).cast("Q")
        self._own = 1 + worker % _CELLS

    def take(self, mark: int, quota: int, now: float) -> bool:
        """Count a request, unless the quota is used up; tell whether it was counted.

        A clock that is set back does not give a second quota, and one that was far ahead keeps nobody out for longer than
        a day: what was counted in a day that has not come yet counts for the present one.
        """
        at = self._place(mark, now)
        self._mend(at, int(now // DAY_S))
        day, used = _read(self._words, at, now)
        if used >= quota:
            return False
        own = self._words[at + self._own]
        self._words[at + self._own] = day << 32 | ((own & _COUNT) + 1 if own >> 32 >= day else 1)
        return True

    def used(self, mark: int, now: float) -> int:
        """Return how many requests were counted of the day."""
        at = _find(self._words, mark)
        return 0 if at is None else _read(self._words, at, now)[1]

    def left_s(self, mark: int, now: float) -> float:
        """Return the seconds until the day that is counted is over."""
        at = _find(self._words, mark)
        day = int(now // DAY_S) if at is None else _read(self._words, at, now)[0]
        return (day + 1) * DAY_S - now

    def _mend(self, at: int, today: int) -> None:
        """Take what was counted far ahead of today, by a clock that was wrong, for what was counted today."""
        for cell in range(at + 1, at + _WORDS):
            if self._words[cell] >> 32 > today + 1:
                self._words[cell] = today << 32 | (self._words[cell] & _COUNT)

    def _place(self, mark: int, now: float) -> int:
        """Return where a mark is counted: its own place, a free one near by, or that of whoever asked least."""
        at = _find(self._words, mark)
        if at is not None:
            return at
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            at = _find(self._words, mark)
            if at is None:
                near = [(mark + step) % _SLOTS * _WORDS for step in range(_NEAR)]
                at = min(near, key=lambda place: _read(self._words, place, now)[1] if self._words[place] else -1)
                self._words[at + 1 : at + _WORDS] = memoryview(bytes(_CELLS * 8)).cast("Q")
                self._words[at] = mark
        finally:
            if self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        return at

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()


class DailyQuota:
    """How many requests of one caller a day has room for."""

    __slots__ = ("_counts", "limit", "mark")

    def __init__(self, counts: Quotas, mark: int, limit: int) -> None:
        self._counts = counts
        self.mark = mark
        self.limit = limit

    def take(self, now: float) -> bool:
        """Count a request; tell whether there was room for it."""
        return self._counts.take(self.mark, self.limit, now)

    def left(self, now: float) -> tuple[int, int]:
        """Return how many requests there is room for, and the seconds until the day is over."""
        left_s = math.ceil(self._counts.left_s(self.mark, now))
        return max(0, self.limit - self._counts.used(self.mark, now)), max(1, left_s)


def used_of(path: Path, marks: Sequence[int], now: float) -> list[int]:
    """Return what is used of the day by each of these, for those who only look."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), _BYTES, access=mmap.ACCESS_READ) as seen:
            words = memoryview(seen).cast("Q")
            places = [_find(words, mark) for mark in marks]
            found = [0 if at is None else _read(words, at, now)[1] for at in places]
            words.release()
            return found
    except (OSError, ValueError):  # nobody has counted anything yet
        return [0] * len(marks)


def _find(words: memoryview[int], mark: int) -> int | None:
    for step in range(_NEAR):
        at = (mark + step) % _SLOTS * _WORDS
        if words[at] == mark:
            return at
    return None


def _read(words: memoryview[int], at: int, now: float) -> tuple[int, int]:
    """Return the day that is counted, and the count: the newest day, but at most tomorrow, as a clock set back leaves it."""
    today = int(now // DAY_S)
    cells = [word for word in words[at + 1 : at + _WORDS].tolist() if word >> 32 >= today]
    day = max((word >> 32 for word in cells if word >> 32 <= today + 1), default=today)
    return day, sum(word & _COUNT for word in cells if word >> 32 >= day)


def shared_quotas(path: Path, worker: int = 0) -> Quotas:
    """Return the counts that the workers of a gateway share; where their file cannot be made each counts for itself."""
    try:
        return Quotas(path, worker)
    except OSError as reason:
        _LOG.error("daily quotas are counted by each worker for itself, and anew at its start: %s", reason)
        return Quotas(None, worker)
