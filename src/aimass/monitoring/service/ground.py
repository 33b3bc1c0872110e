"""What every part of the service stands on."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aimass.infra.compute import WarmChild
from aimass.infra.database import Change, Database
from aimass.infra.live import LiveHub
from aimass.kernel.clock import instant
from aimass.kernel.layout import DataDir
from aimass.monitoring.settings import MonitoringSettings
from aimass.monitoring.store import recorded

Key = tuple[str, str]


class Pulse:
    """Remembers which endpoints (workspace, slug) have something new, so that an idle platform does nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._touched: set[Key] = set()

    def touch(self, workspace: str, endpoint: str) -> None:
        """Note that an endpoint has something new."""
        with self._lock:
            self._touched.add((workspace, endpoint))

    def take(self) -> set[Key]:
        """Return the touched endpoints and forget them."""
        if not self._touched:
            return set()
        with self._lock:
            touched, self._touched = self._touched, set()
            return touched


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The tools of the room, made once by :func:`aimass.monitoring.capability.build`."""

    database: Database
    layout: DataDir
    child: WarmChild
    live: LiveHub
    settings: MonitoringSettings
    pulse: Pulse = field(default_factory=Pulse)
    computing: threading.RLock = field(default_factory=threading.RLock)
    patience: dict[Key, datetime] = field(default_factory=dict[Key, datetime])

    def now(self) -> datetime:
        """Return the present moment."""
        return self.database.clock.now()


class Part:
    """A part of the service; :class:`Monitoring` is made of all of them."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._database = ground.database
        self._settings = ground.settings

    def _folder(self, workspace: str, name: str) -> Path:
        return self._ground.layout.lake / workspace / name

    def _tables(self, workspace: str, endpoint: str) -> dict[str, Any]:
        """Return the tables of an endpoint, as children want them."""
        return {
            "records": str(self._folder(workspace, f"_records-{endpoint}")),
            "feedback": str(self._folder(workspace, f"_feedback-{endpoint}")),
        }

    def _call(self, function: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """Run a function of the room's children in the data child."""
        return self._ground.child.call(f"aimass.monitoring.children.{function}", args, timeout_s=self._settings.call_s)

    def _defaults(self) -> dict[str, Any]:
        return {"retention_days": self._settings.retention_days, "max_bytes": self._settings.max_bytes}

    def _need_endpoint(self, change: Change, workspace: str, endpoint: str) -> None:
        """Make the row of an endpoint when it is new."""
        recorded.put_endpoint(change, workspace, endpoint, self._defaults())


def text_of(moment: datetime | None) -> str | None:
    """Return a moment as children read it; one without a zone counts as UTC."""
    if moment is None:
        return None
    return instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def in_utc(moment: datetime) -> datetime:
    """Return a moment with its zone; one without counts as UTC."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def moment_of(seconds: float) -> datetime:
    """Return the moment of a record's time."""
    return datetime.fromtimestamp(seconds, UTC)
