"""Sources that collect by themselves: each collection is followed by the next, after a failure with growing pauses."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from aimass.collector.domain import PUSHED, Collection, Source, StartCollection
from aimass.collector.service.collections import Collections
from aimass.collector.service.ground import Ground
from aimass.collector.store import latest_of, linked_sources
from aimass.kernel.errors import AimassError
from aimass.kernel.principal import SYSTEM

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 600.0
SHORTEST_S = 1.0
REFUSED_S = 60.0
_LOOKED_AT = 12
_log = logging.getLogger(__name__)


class Following(Collections):
    """What the loop ``collector.follow`` does."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._refused: dict[str, float] = {}

    def follow(self, closed: Callable[[], frozenset[str]]) -> int:
        """Begin the collections that are due; return how many those are.

        Parameters
        ----------
        closed
            Tells the workspaces in which nothing is to begin.
        """
        resting, now = closed(), self._database.clock.now()
        with self._database.read() as conn:
            known = [source for source in linked_sources(conn) if source.reading.get("every_s") is not None]
            due = [
                one
                for one in known
                if one.workspace not in resting and _is_due(one, latest_of(conn, one.id, _LOOKED_AT), now)
            ]
        return sum(self._begin(source) for source in due if self._has_work(source))

    def _has_work(self, source: Source) -> bool:
        """Tell whether a collection would find anything: of what is pushed the platform knows it."""
        return source.kind != PUSHED or self._ground.inboxes.has_waiting(source)

    def _begin(self, source: Source) -> bool:
        if self._refused.get(source.id, 0.0) > time.monotonic():
            return False
        try:
            self.start_collection(SYSTEM, StartCollection(workspace=source.workspace, source=source.slug))
        except AimassError as reason:  # its connection is gone, the workspace has enough to do ...: the others go on
            _log.warning("source %s of %s cannot collect: %s", source.slug, source.workspace, reason.message)
            self._refused[source.id] = time.monotonic() + REFUSED_S
            return False
        self._refused.pop(source.id, None)
        return True


def _is_due(source: Source, past: Sequence[Collection], now: datetime) -> bool:
    if not past:
        return True
    last = past[0]
    if last.ended_at is None:
        return False
    return now >= last.ended_at + timedelta(
        seconds=pause_s(float(source.reading["every_s"]), [one.state for one in past])
    )


def pause_s(every_s: float, states: Sequence[str]) -> float:
    """Return how long a source rests after its last collection.

    Parameters
    ----------
    every_s
        The pause that is wanted, in seconds.
    states
        How the last collections ended, newest first.

    Examples
    --------
    >>> pause_s(0, ["SUCCEEDED"]), pause_s(60, ["FAILED"]), pause_s(0, ["FAILED", "FAILED", "FAILED", "SUCCEEDED"])
    (1.0, 60, 20.0)
    >>> pause_s(0, ["FAILED"] * 12), pause_s(1, ["CANCELLED"])
    (600.0, 60.0)
    """
    if states[0] == "CANCELLED":
        return max(every_s, REFUSED_S)
    failures = next((n for n, state in enumerate(states) if state != "FAILED"), len(states))
    if not failures:
        return max(every_s, SHORTEST_S)
    return max(every_s, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (failures - 1)))
