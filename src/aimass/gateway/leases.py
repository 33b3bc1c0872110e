"""Leases of instances: renewed in memory, so that a heartbeat costs no write."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock


@dataclass(slots=True)
class Held:
    """A lease: whose it is, for how long, and until when by a clock that nobody sets."""

    workspace: str
    upstream: str
    lease_s: float
    until: float


@dataclass(slots=True)
class Leases:
    """Every lease that runs.

    After a restart of control each begins anew: an instance that is gone leaves one lease later than it would have.

    Examples
    --------
    >>> now = [0.0]
    >>> leases = Leases(monotonic=lambda: now[0])
    >>> leases.hold("a", "demo", "geo", 30.0)
    >>> now[0] = 29.0
    >>> leases.renew("a").until, leases.expired()
    (59.0, [])
    >>> now[0] = 60.0
    >>> leases.expired()
    ['a']
    """

    monotonic: Callable[[], float] = time.monotonic
    _held: dict[str, Held] = field(default_factory=dict[str, Held])
    _lock: Lock = field(default_factory=Lock)

    def hold(self, instance: str, workspace: str, upstream: str, lease_s: float) -> None:
        """Begin a lease, or begin it anew."""
        with self._lock:
            self._held[instance] = Held(workspace, upstream, lease_s, self.monotonic() + lease_s)

    def renew(self, instance: str) -> Held | None:
        """Renew a lease; None when there is none."""
        with self._lock:
            held = self._held.get(instance)
            if held is not None:
                held.until = self.monotonic() + held.lease_s
            return held

    def of(self, instance: str) -> Held | None:
        """Return a lease; None when there is none."""
        return self._held.get(instance)

    def left_s(self, held: Held) -> float:
        """Return how long a lease still runs."""
        return max(0.0, held.until - self.monotonic())

    def end(self, instance: str) -> None:
        """End a lease."""
        with self._lock:
            self._held.pop(instance, None)

    def expired(self) -> list[str]:
        """Return the instances whose lease is over."""
        now = self.monotonic()
        with self._lock:
            return [instance for instance, held in self._held.items() if held.until <= now]

    def is_over(self, instance: str) -> bool:
        """Tell whether a lease is over, also after somebody renewed it in the last moment."""
        held = self._held.get(instance)
        return held is not None and held.until <= self.monotonic()
