"""What is under way at the models: so many requests of one endpoint, and no more bytes than the worker may hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from aimass.gateway.plane.calls import Work
from aimass.gateway.plane.errors import Overloaded
from aimass.gateway.plane.limits import Budget
from aimass.gateway.plane.parts import Parts
from aimass.gateway.plane.runtimes.port import Done
from aimass.gateway.plane.snapshot import Endpoint
from aimass.kernel.errors import AimassError


class UnderWay:
    """Counts what models have been asked and have not answered yet.

    Parameters
    ----------
    most
        How many requests of one endpoint there may be.
    """

    def __init__(self, most: int, budget: Budget) -> None:
        self._most = most
        self._budget = budget
        self._counts: Counter[str] = Counter()

    def start(self, endpoint: Endpoint, size: int, start: Callable[[Done], None], done: Done) -> None:
        """Start a request of so many bytes, or say to ``done`` that there are too many."""
        leave = self.enter(endpoint, size)
        if leave is None:
            done(None, self.refused(endpoint))
            return

        def ended(outputs: dict[str, Any] | None, error: AimassError | None) -> None:
            leave()
            done(outputs, error)

        start(ended)

    def enter(self, endpoint: Endpoint, size: int) -> Callable[[], None] | None:
        """Count a request of so many bytes; return what is to be called when it is answered, or None for too many."""
        counts, budget = self._counts, self._budget
        if counts[endpoint.id] >= self._most or budget.held + size > budget.most:
            return None
        counts[endpoint.id] += 1
        budget.take(size)

        def leave() -> None:
            counts[endpoint.id] -= 1
            budget.take(-size)

        return leave

    def in_parts(self, work: Work, timeout_s: float, done: Done) -> None:
        """Run many rows a part at a time; they count as one request."""
        leave = self.enter(work.call.endpoint, work.asked.size)
        if leave is None:
            done(None, self.refused(work.call.endpoint))
        else:
            Parts(work, timeout_s, leave, done).run()

    def refused(self, endpoint: Endpoint) -> Overloaded:
        """Say that there are too many."""
        return Overloaded(
            f"endpoint {endpoint.name!r} has too much under way", allowed=f"at most {self._most} requests"
        )
