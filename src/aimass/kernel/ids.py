"""ULIDs: 48 bits of time and 80 random bits, sortable, 26 letters (the ULID specification, 2016).

Ids of one process sort as they were made, within a millisecond and over a clock that is set back too: what is listed
by its id is listed in its order.
"""

from __future__ import annotations

import os
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_STEP_BYTES = 4


class _Maker:
    """The numbers behind the ids: each larger than the one before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self, stamp: int) -> int:
        """Return a number for a time in milliseconds; a random step above the last one if that is not in the past."""
        fresh = (stamp << _RANDOM_BITS) | int.from_bytes(os.urandom(_RANDOM_BITS // 8))
        with self._lock:
            if stamp <= self._last >> _RANDOM_BITS:
                fresh = self._last + 1 + int.from_bytes(os.urandom(_STEP_BYTES))
            self._last = fresh
        return fresh


_maker = _Maker()


def new_id() -> str:
    """Return a new ULID; it sorts after every id that this process made before.

    Examples
    --------
    >>> first, second = new_id(), new_id()
    >>> len(first), first < second
    (26, True)
    """
    number = _maker.next(time.time_ns() // 1_000_000)  # noqa: TID251 an id is a stamp of the machine, never a fact
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))
