"""ULIDs: 48 bits of time and 80 random bits, sortable, 26 letters (the ULID specification, 2016)."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id() -> str:
    """Return a new ULID; ids made later sort after ids made earlier (to the millisecond).

    Examples
    --------
    >>> len(new_id())
    26
    """
    stamp = time.time_ns() // 1_000_000  # noqa: TID251 an id is a stamp of the machine, never a fact
    number = (stamp << 80) | int.from_bytes(os.urandom(10))
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))
