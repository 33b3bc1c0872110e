"""The audit chain: each row is bound to all rows before it, and the head of the chain is signed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from aimass.kernel.clock import instant

START = "0" * 64


def canonical(row: Mapping[str, Any]) -> str:
    """Write a row in the one way that is hashed: sorted keys, no spaces.

    Examples
    --------
    >>> canonical({"seq": 1, "action": "a"})
    '{"action":"a","seq":1}'
    """
    return json.dumps(dict(row), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def link(before: str, text: str) -> str:
    """Return the hash of a row: SHA-256 of the hash before it and its canonical text.

    Examples
    --------
    >>> link(START, "{}")[:16]
    'fb1634c4e6cd4b1f'
    """
    return sha256(bytes.fromhex(before) + text.encode()).hexdigest()


def links(before: str, rows: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield sequence number and hash of each row."""
    for seq, text in rows:
        before = link(before, text)
        yield seq, before


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The signed state of the chain at one moment."""

    number: int
    seq: int
    rows: int
    hash: str
    time: datetime
    key: str = ""
    signature: str = ""

    def message(self) -> bytes:
        """Return the bytes that are signed."""
        facts = {"number": self.number, "seq": self.seq, "rows": self.rows, "hash": self.hash}
        return canonical({**facts, "time": instant(self.time)}).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What a verification found.

    Attributes
    ----------
    ok
        True when nothing was changed.
    rows, sealed
        Rows in the log, and how many of them the chain binds; the newest wait a moment for the sealer.
    broken_row
        Sequence number of the first row that is not as it was written.
    reason
        What is wrong with it.
    heads, head, head_time
        Signed heads found good, the newest one's hash and its time.
    """

    ok: bool
    rows: int
    sealed: int
    heads: int
    broken_row: int | None = None
    reason: str = ""
    head: str = START
    head_time: datetime | None = None
