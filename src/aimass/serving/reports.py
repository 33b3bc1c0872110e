"""What the gateway workers say of themselves, kept in memory: it is true again a moment after a restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from aimass.serving.domain.things import GatewayReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the gateway workers that are alive said last.

    Attributes
    ----------
    silent_s
        For how long no worker has said anything; 0 while one does.
    """

    reports: tuple[GatewayReport, ...] = ()
    silent_s: float = 0.0

    def is_loaded(self, deployment: str, revision: str) -> bool:
        """Tell whether every worker answers with this revision."""
        return bool(self.reports) and all(report.loaded.get(deployment) == revision for report in self.reports)

    def max_model_bytes(self) -> int | None:
        """Return how many bytes the models of a worker may take, where that is known."""
        return min((one.max_model_bytes for one in self.reports if one.max_model_bytes is not None), default=None)

    def error_of(self, revision: str) -> str | None:
        """Return why a worker could not load a revision; None when none complains."""
        return next((report.errors[revision] for report in self.reports if revision in report.errors), None)


@dataclass(slots=True, kw_only=True)
class Reports:
    """Holds the last reports; ``changes`` counts how often they differed."""

    monotonic: Callable[[], float] = time.monotonic
    changes: int = 0
    _reports: tuple[GatewayReport, ...] = ()
    _heard_at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, reports: Iterable[GatewayReport]) -> None:
        """Take the reports of all workers that are alive."""
        fresh = tuple(sorted(reports, key=lambda report: report.worker))
        with self._lock:
            if fresh:
                self._heard_at = self.monotonic()
            self.changes += _said(fresh) != _said(self._reports)
            self._reports = fresh

    def seen(self) -> Seen:
        """Return what is known now."""
        with self._lock:
            if self._heard_at is None:
                self._heard_at = self.monotonic()
            silent_s = 0.0 if self._reports else self.monotonic() - self._heard_at
            return Seen(reports=self._reports, silent_s=silent_s)


def _said(reports: Iterable[GatewayReport]) -> list[tuple[object, ...]]:
    """Return what deployments are judged by; what is in memory comes and goes."""
    return [(one.worker, one.pid, one.snapshot, one.loaded, one.errors) for one in reports]
