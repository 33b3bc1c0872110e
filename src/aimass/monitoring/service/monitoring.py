"""The service of the room: its use cases, and the turns of its loops."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from aimass.kernel.errors import AimassError
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.usecase import use_case
from aimass.monitoring.domain.monitors import Drift, EvaluateNow, Evaluation, Quality
from aimass.monitoring.events import subject
from aimass.monitoring.service.alerting import Alerting, resolve
from aimass.monitoring.service.alerts import Alerts
from aimass.monitoring.service.collect import Collector
from aimass.monitoring.service.compute import Computing, Wish
from aimass.monitoring.service.erasing import Erasing
from aimass.monitoring.service.feedback import Truths
from aimass.monitoring.service.ground import Ground, Key
from aimass.monitoring.service.keep import Keeper
from aimass.monitoring.service.kept import Kept
from aimass.monitoring.service.metrics import Metrics
from aimass.monitoring.service.monitors import Monitors
from aimass.monitoring.service.records import Records, not_watched
from aimass.monitoring.service.shadows import Shadows
from aimass.monitoring.service.surveys import Surveys
from aimass.monitoring.service.watching import Served, watch
from aimass.monitoring.store import alerts, feedback, monitors, recorded

_LOG = structlog.get_logger("aimass.monitoring")


class Monitoring(Records, Truths, Erasing, Monitors, Metrics, Surveys, Shadows, Alerts):
    """Watches what is served: records, feedback, drift, quality, series and alerts."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._collector = Collector(ground)
        self._computing = Computing(ground)
        self._alerting = Alerting(ground)
        self._keeper = Keeper(ground)
        self.kept = Kept(ground)
        self._next: dict[Key, datetime] = {}
        self._until: dict[Key, datetime] = {}
        self._is_fresh = True

    @use_case(
        "POST /workspaces/{workspace}/endpoints/{endpoint}/evaluate",
        permission="monitoring.use",
        on="endpoint",
        cli="drift compute",
    )
    def evaluate_now(self, who: Principal, command: EvaluateNow) -> Evaluation:
        """Take over what the gateway has handed over, compute drift and quality of each deployment, and judge the rules."""
        self.collect()
        key = (command.workspace, command.endpoint)
        with self._ground.computing:
            self.settle(*key, now=True)
            rows = self._rows(key)
            if not rows:
                raise not_watched(command.endpoint)
            wish = Wish(rows=command.rows, since=command.since)
            drift = [found for row in rows if (found := self._computing.drift(row, wish)) is not None]
            quality = [found for row in rows if (found := self._computing.quality(row, wish)) is not None]
            open_ = self._alerting.evaluate(*key)
        with self._database.change(who, command.workspace) as change:
            change.audit("monitoring.evaluate", object_=subject(command.endpoint))
        with self._database.read() as conn:
            count, known = feedback.counts(conn, *key)
        notes = _notes(self._rows(key), drift, quality, count - known)
        return Evaluation(endpoint=command.endpoint, drift=drift, quality=quality, alerts=open_, notes=notes)

    def _rows(self, key: Key) -> list[Row[Any]]:
        with self._database.read() as conn:
            return [row for row in monitors.watching(conn, *key) if row.is_enabled]

    # -- the turns of the loops

    def collect(self) -> int:
        """Take over closed segments of records and series; return how many."""
        return self._collector.run_once()

    def collect_all(self) -> int:
        """Take over also what is still open and belongs to no living worker; return how many segments."""
        self._collector.close_left()
        return self.collect()

    def look(self, closed: Callable[[], Collection[str]] = tuple) -> int:
        """Look after the endpoints that have something new, or whose rules wait for time to pass; return how many.

        Nobody looks at those of workspaces that are ``closed``: no alert fires or is resolved there.
        """
        if self._is_fresh:
            self._start()
        touched = self._ground.pulse.take()
        if not touched and not self._next:
            return 0
        now = self._ground.now()
        for key in touched:
            self._until[key] = now + self._alerting.horizon(*key)
        due = touched | {key for key, moment in self._next.items() if moment <= now}
        self._next |= dict.fromkeys(
            due, now + timedelta(seconds=self._settings.evaluate_s)
        )  # also if one of them fails
        away = closed() if due else ()
        for key in sorted(due):
            if key[0] not in away:
                self._look_after(key, now)
        return len(due)

    def _start(self) -> None:
        """Begin with every endpoint: the last run may have ended in the middle of anything."""
        with self._database.read() as conn:
            for row in recorded.all_endpoints(conn):
                if not row.is_deleted:
                    self._ground.pulse.touch(row.workspace, row.endpoint)
        self._is_fresh = False

    def _look_after(self, key: Key, now: datetime) -> None:
        try:
            with self._ground.computing:
                self._compute_due(key, self.settle(*key), now)
                self._alerting.evaluate(*key)
        except AimassError as reason:
            _LOG.warning("endpoint not evaluated", workspace=key[0], endpoint=key[1], error=reason.message)
            return
        if now >= self._until.get(key, now):
            self._next.pop(key, None)
            self._until.pop(key, None)

    def _compute_due(self, key: Key, matched: int, now: datetime) -> None:
        with self._database.read() as conn:
            newest = feedback.newest_seq(conn).get(key, 0)
        for row in self._rows(key):
            if self._computing.is_due(row, now):
                self._computing.drift(row)
            elif row.reference["state"] == "PENDING":
                self._computing.prepare(row)
            if matched or newest > row.judged_seq:
                self._computing.quality(row)

    def keep(self) -> None:
        """Make series coarser, delete what is too old, and keep tables small."""
        self._keeper.run_once()

    # -- what serving tells

    def heard_of_endpoint(self, workspace: str, endpoint: str, record: Mapping[str, Any]) -> None:
        """Keep the record policy of an endpoint."""
        values = {name: record[name] for name in ("sample", "payload", "retention_days", "max_bytes") if name in record}
        with self._database.change(SYSTEM, workspace) as change:
            recorded.put_endpoint(change, workspace, endpoint, self._defaults(), **values, is_deleted=False)

    def heard_of_revision(self, served: Served) -> None:
        """Watch a deployment from its revision on."""
        with self._database.change(SYSTEM, served.workspace) as change:
            self._need_endpoint(change, served.workspace, served.endpoint)
            watch(change, served, self._settings)
        self._ground.pulse.touch(served.workspace, served.endpoint)

    def heard_of_end(self, workspace: str, endpoint: str, deployment: str | None = None) -> None:
        """Watch a deployment, or a whole endpoint, no more: its alerts are resolved."""
        with self._database.change(SYSTEM, workspace) as change:
            for row in monitors.watching(change.conn, workspace, endpoint):
                if deployment in (None, row.deployment):
                    monitors.note(change, row.id, is_retired=True)
            for alert in alerts.open_alerts(change.conn, workspace, endpoint):
                if deployment in (None, alert.target):
                    resolve(change, alert, "system", "it is served no more")
            if deployment is None:
                recorded.put_endpoint(change, workspace, endpoint, self._defaults(), is_deleted=True)

    # -- hooks

    def firing(self, who: Principal, workspace: str | None) -> list[dict[str, Any]]:
        """Return the alerts that nobody has acknowledged, of workspaces where the principal may read them."""
        with self._database.read() as conn:
            found = alerts.firing(conn, None if workspace is None else [workspace])
        return [
            {
                "kind": "alert",
                "title": alert.summary,
                "subject": subject(alert.endpoint),
                "workspace": alert.workspace,
                "since": alert.fired_at,
                "path": f"/{alert.workspace}/operate/alerts/{alert.id}",
            }
            for alert in found
            if who.allows("monitoring.read", alert.workspace)
        ]


def _notes(rows: list[Row[Any]], drift: list[Drift], quality: list[Quality], waiting: int) -> list[str]:
    """Say why something was not computed; ``waiting`` labels were acknowledged, and their records are still to come."""
    compared, measured = {found.deployment for found in drift}, {found.deployment for found in quality}
    notes: list[str] = []
    for row in rows:
        state = row.reference["state"]
        if state != "READY":
            why = {"NONE": "it has no reference", "FAILED": row.reference["reason"]}.get(
                state, "its reference is not ready"
            )
            notes.append(f"{row.deployment}: no drift, {why}")
        elif row.deployment not in compared:
            notes.append(f"{row.deployment}: no drift, there are no records of revision {row.revision}")
        if row.deployment not in measured:
            notes.append(f"{row.deployment}: no quality, there is no feedback on its records")
    landing = f"feedback still lands, ask again in some seconds; labels that wait for their record: {waiting}"
    return [landing, *notes] if waiting else notes
