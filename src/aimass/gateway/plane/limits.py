"""What clients may take of a worker: sizes, seconds, a least speed, and the bytes that all of them hold together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limits:
    """What one client may take.

    Attributes
    ----------
    head_bytes, target_bytes, headers
        Size of a request head, of the address in it, and how many headers it may have.
    head_s, body_s, idle_s, write_s
        Seconds for a whole head, for a pause in a body, between two requests, and for a pause in reading an answer.
    bytes_per_s
        The least average speed of a body after the first ``body_s`` seconds, and of reading an answer.
    """

    head_bytes: int
    target_bytes: int
    headers: int
    head_s: float
    body_s: float
    idle_s: float
    write_s: float
    bytes_per_s: float


class Pace:
    """The deadline of a body that must not stand still, and not crawl either.

    Examples
    --------
    >>> limits = Limits(
    ...     head_bytes=1, target_bytes=1, headers=1, head_s=1, body_s=30, idle_s=1, write_s=1, bytes_per_s=100
    ... )
    >>> pace = Pace(limits, now=0.0)
    >>> pace.after(1_000_000, now=1.0), pace.after(0, now=10_020.0)
    (31.0, 10030.0)
    """

    __slots__ = ("_allowed", "_limits")

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._allowed = now + limits.body_s

    def after(self, count: int, now: float) -> float:
        """Return the deadline after so many more bytes."""
        limits = self._limits
        self._allowed += count / limits.bytes_per_s
        return min(now + limits.body_s, self._allowed)


class Budget:
    """The bytes that all clients of a worker hold together: parts of heads and bodies, and answers they do not read.

    Examples
    --------
    >>> budget = Budget(10)
    >>> budget.take(8), budget.take(3), budget.held
    (True, False, 11)
    """

    __slots__ = ("held", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    def take(self, count: int) -> bool:
        """Hold so many more bytes, or fewer when negative; say whether all fits."""
        self.held += count
        return self.held <= self.most
