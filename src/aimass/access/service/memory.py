"""What was found out about a credential a moment ago; a request then costs no query."""

from __future__ import annotations

import time
from threading import Lock

from aimass.kernel.principal import Principal

_MOST = 10_000


class Memory:
    """Principals by fingerprint of their credential, for about a second.

    A change of this process forgets everything at once; a change of another process is seen after ``keep_s``.

    Examples
    --------
    >>> from aimass.kernel.principal import SYSTEM
    >>> memory = Memory(keep_s=60)
    >>> memory.keep("ab12", SYSTEM, memory.generation)
    >>> memory.get("ab12").name
    'system'
    >>> memory.forget()
    >>> memory.get("ab12") is None
    True
    """

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._known: dict[str, tuple[float, Principal]] = {}
        self._lock = Lock()
        self.generation = 0

    def get(self, fingerprint: str) -> Principal | None:
        """Return the principal, if it was found a moment ago."""
        found = self._known.get(fingerprint)
        return found[1] if found and found[0] > time.monotonic() else None

    def keep(self, fingerprint: str, who: Principal, generation: int) -> None:
        """Remember a principal, unless something changed since ``generation`` was read."""
        with self._lock:
            if len(self._known) >= _MOST:
                self._known = {}
            if generation == self.generation:
                self._known[fingerprint] = (time.monotonic() + self._keep_s, who)

    def forget(self) -> None:
        """Forget everybody."""
        with self._lock:
            self.generation += 1
            self._known = {}
