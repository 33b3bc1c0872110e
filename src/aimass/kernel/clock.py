"""Time as a port, so that tests own it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the present moment, always in UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present moment, always in UTC."""
        return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251 the one place that may ask


def instant(moment: datetime) -> str:
    """Write a moment the way every document of AI Mass does: UTC, milliseconds, ``Z``.

    Examples
    --------
    >>> instant(datetime(2026, 5, 1, 12, 0, 0, 120_000, tzinfo=UTC))
    '2026-05-01T12:00:00.120Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_instant(text: str) -> datetime:
    """Read what :func:`instant` wrote.

    Examples
    --------
    >>> parse_instant("2026-05-01T12:00:00.120Z").microsecond
    120000
    """
    return datetime.fromisoformat(text).astimezone(UTC)
