"""Keep what is kept within its limits: retention and size of records, coarser series, old findings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from aimass.kernel.clock import instant
from aimass.kernel.errors import AimassError
from aimass.kernel.principal import SYSTEM
from aimass.monitoring.domain.series import STEPS
from aimass.monitoring.service.ground import Ground, Key, Part
from aimass.monitoring.store import alerts, feedback, monitors, recorded, series

_LOG = structlog.get_logger("aimass.monitoring")
_LABELLED_S = 86_400
_IN_FULL = timedelta(days=7)
_AGAIN_AFTER = timedelta(hours=6)


class Keeper(Part):
    """Runs now and then; leaves tables alone that have not changed since."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._seen: dict[Key, tuple[int, Any]] = {}

    def run_once(self) -> None:
        """Do all of it; an endpoint that fails does not stop the others."""
        self._series()
        self._findings()
        with self._database.read() as conn:
            rows = recorded.all_endpoints(conn)
        for row in rows:
            try:
                self._records(row)
            except AimassError as reason:
                _LOG.warning("records not tidied", workspace=row.workspace, endpoint=row.endpoint, error=reason.message)
        self._files()

    def _series(self) -> None:
        now = self._ground.now().timestamp()
        ages = (self._settings.series_10s_h * 3600, self._settings.series_1m_days * 86_400)
        for step, into, age in zip(STEPS, STEPS[1:], ages, strict=False):
            taken = 1
            while taken:
                with self._database.change(SYSTEM, "*") as change:
                    taken = series.coarsen(change, step, into, series.finest(now - age))
        with self._database.change(SYSTEM, "*") as change:
            series.forget(change, int(now - self._settings.series_1h_days * 86_400))

    def _findings(self) -> None:
        before = self._ground.now() - timedelta(days=self._settings.history_days)
        with self._database.change(SYSTEM, "*") as change:
            monitors.thin(change, self._ground.now() - _IN_FULL)
            monitors.forget(change, before)
            alerts.forget(change, before)
            recorded.forget_traffic(change, before)

    def _records(self, row: Row[Any]) -> None:
        """Tidy the tables of an endpoint when there was a commit, or some hours have gone by."""
        key, now = (row.workspace, row.endpoint), self._ground.now()
        seen = self._seen.get(key)
        if not row.commits or (seen is not None and seen[0] == row.commits and now - seen[1] < _AGAIN_AFTER):
            return
        before = now - timedelta(days=row.retention_days)
        tables = self._tables(*key)
        limits = {"before": instant(before), "compact_files": self._settings.compact_files}
        with self._ground.computing:
            told = self._call("records:upkeep", {"path": tables["records"], "max_bytes": row.max_bytes, **limits})
            self._call("records:upkeep", {"path": tables["feedback"], **limits})
        with self._database.change(SYSTEM, row.workspace) as change:
            recorded.put_endpoint(change, *key, self._defaults(), size_bytes=told["bytes"])
            feedback.forget(change, row.endpoint, before=before)
        self._seen[key] = (row.commits, now)

    def _files(self) -> None:
        """Delete files that were made for one training and are a day old."""
        limit = self._ground.now().timestamp() - _LABELLED_S
        for path in self._ground.layout.lake.glob("*/_labelled/*.parquet"):
            if path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)
