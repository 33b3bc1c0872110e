"""argon2id, with a queue in front: one hash wants 64 MiB, so only a few run at once."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore

from pwdlib.hashers.argon2 import Argon2Hasher

from aimass.access.domain.passwords import normal
from aimass.kernel.errors import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class HashCost:
    """How much work one hash is, how many run at once, and how long one waits for its turn."""

    memory_kib: int = 65536
    rounds: int = 3
    lanes: int = 4
    at_once: int = 2
    wait_s: float = 20.0


class Passwords:
    """argon2id; never more hashes at once than the memory is meant for.

    Examples
    --------
    >>> passwords = Passwords(HashCost(memory_kib=1024, rounds=1, lanes=1))
    >>> kept = passwords.hash("four small brown bears")
    >>> passwords.verify("four small brown bears", kept), passwords.verify("five", kept), passwords.verify("five", None)
    (True, False, False)
    """

    def __init__(self, cost: HashCost) -> None:
        self._cost = cost
        self._hasher = Argon2Hasher(time_cost=cost.rounds, memory_cost=cost.memory_kib, parallelism=cost.lanes)
        self._turn = BoundedSemaphore(cost.at_once)
        self._nobody = self._made_up()

    def hash(self, password: str) -> str:
        """Return what is stored."""
        with self._in_turn():
            return self._hasher.hash(normal(password))

    def verify(self, password: str, stored: str | None) -> bool:
        """Tell whether this is the password; without a stored one the same work is done, and the answer is no."""
        with self._in_turn():
            matches = self._hasher.verify(normal(password), stored or self._nobody)
        return matches and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Tell whether the stored hash was made with another cost."""
        return self._hasher.check_needs_rehash(stored)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=self._cost.wait_s):
            raise Unavailable("too many people sign in at this moment", hint="try again in a few seconds")
        try:
            yield
        finally:
            self._turn.release()

    def _made_up(self) -> str:
        salt, digest = (b64encode(os.urandom(size)).decode().rstrip("=") for size in (16, 32))
        return f"$argon2id$v=19$m={self._cost.memory_kib},t={self._cost.rounds},p={self._cost.lanes}${salt}${digest}"
