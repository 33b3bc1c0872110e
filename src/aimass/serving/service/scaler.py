"""Gives deployments more or fewer workers of their own, by what the gateway says of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from aimass.kernel.principal import SYSTEM
from aimass.serving.domain.placing import options_of
from aimass.serving.domain.scaling import Now, Pace, Replicas, Seen, decide, remember
from aimass.serving.domain.things import Load
from aimass.serving.events import DEPLOYMENT_SCALED, subject_of
from aimass.serving.service.ground import Ground

_EVERY_S = 0.5


@dataclass(slots=True, kw_only=True)
class _Scaled:
    """A deployment with workers of its own, and what was seen of it lately."""

    workspace: str
    endpoint: str
    name: str
    revision: str
    wish: Replicas
    workers: int
    changed_at: float
    asked_at: float
    asked: int = 0
    answered: int = 0
    seconds: float = 0.0
    looked_at: float = float("-inf")
    seen: deque[Seen] = field(default_factory=deque[Seen])

    def take(self, loads: list[Load], now: float, keep_s: float) -> None:
        """Note what all gateway workers say together."""
        in_flight = sum(sum(one.workers.values()) + one.waiting for one in loads)
        asked, answered = sum(one.asked for one in loads), sum(one.answered for one in loads)
        seconds = sum(one.seconds for one in loads)
        count, spent = answered - self.answered, seconds - self.seconds
        if in_flight or asked != self.asked:
            self.asked_at = now
        self.asked, self.answered, self.seconds, self.looked_at = asked, answered, seconds, now
        remember(self.seen, Seen(now, in_flight, spent / count if count > 0 and spent > 0 else None), keep_s)


class Scaler:
    """Decides how many workers deployments have; each decision is an event with its reason.

    Attributes
    ----------
    changes
        A number that differs when some deployment gets another number of workers.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        settings = ground.settings
        self._pace = Pace(up_s=settings.scale_up_s, down_s=settings.scale_down_s)
        self._scaled: dict[str, _Scaled] = {}
        self.changes = 0

    def workers(self, row: Row[Any], revision: Row[Any]) -> int:
        """Return how many workers a revision of a deployment shall have."""
        wish = options_of(row.options).replicas
        known = self._scaled.get(row.id)
        if revision.ready_at is None:
            return max(1, wish.min, known.workers if known is not None else 0)
        return known.workers if known is not None else self._present(revision.id, wish)

    def _present(self, revision: str, wish: Replicas) -> int:
        """Return how many workers run already, as after a restart of control."""
        facts = self._ground.workers.facts().values()
        running = sum(one.revision == revision and one.replica >= 0 for one in facts)
        return running or wish.min

    def follow(self, rows: Iterable[tuple[Row[Any], Row[Any]]], endpoints: Mapping[str, Row[Any]]) -> None:
        """Take note of the deployments that answer with workers of their own."""
        before, self._scaled = self._scaled, {}
        now = time.monotonic()
        for row, revision in rows:
            known, wish = before.get(row.id), options_of(row.options).replicas
            if known is None:
                present = self._present(revision.id, wish)
                endpoint = endpoints[row.endpoint]
                known = _Scaled(
                    workspace=row.workspace,
                    endpoint=endpoint.slug,
                    name=row.name,
                    revision=revision.id,
                    wish=wish,
                    workers=present,
                    changed_at=now,
                    asked_at=now,
                )
            known.wish, known.revision = wish, revision.id
            self._scaled[row.id] = known

    def look(self) -> None:
        """Look at the load, now and then and at once when somebody waits where nothing runs, and decide."""
        reports = self._ground.reports.seen().reports
        now = time.monotonic()
        for id_, scaled in self._scaled.items():
            loads = [report.load[id_] for report in reports if id_ in report.load]
            waits = not scaled.workers and any(one.waiting for one in loads)
            if waits or now - scaled.looked_at >= _EVERY_S:
                scaled.take(loads, now, self._pace.down_s)
                self._decide(scaled, now)

    def _decide(self, scaled: _Scaled, now: float) -> None:
        state = Now(scaled.workers, scaled.changed_at, scaled.asked_at)
        workers, reason = decide(scaled.wish, state, scaled.seen, self._pace)
        if workers == scaled.workers:
            return
        before, scaled.workers, scaled.changed_at = scaled.workers, workers, now
        self.changes += 1
        fact = {"endpoint": scaled.endpoint, "deployment": scaled.name, "before": before, "after": workers}
        with self._ground.database.change(SYSTEM, scaled.workspace) as change:
            change.event(DEPLOYMENT_SCALED, subject=subject_of(scaled.endpoint), data={**fact, "reason": reason})

    def load(self, deployment: str) -> list[Load]:
        """Return what each gateway worker has under way at the workers of a deployment."""
        reports = self._ground.reports.seen().reports
        return [report.load[deployment] for report in reports if deployment in report.load]

    def wanted(self, deployment: str) -> int | None:
        """Return how many workers a deployment shall have; None for one without workers of its own."""
        known = self._scaled.get(deployment)
        return known.workers if known is not None else None
