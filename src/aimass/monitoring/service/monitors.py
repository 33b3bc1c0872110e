"""Monitors: their reference, drift and live quality, computed in the data child and kept with their history."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from aimass.kernel.errors import AimassError, NotFound, Stale
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.usecase import use_case
from aimass.monitoring.domain.monitors import (
    ChangeMonitor,
    Drift,
    GetDrift,
    GetMonitor,
    GetQuality,
    ListMonitors,
    Monitor,
    Quality,
    Reference,
    SetReference,
    UseReference,
)
from aimass.monitoring.errors import NotWatched
from aimass.monitoring.events import subject
from aimass.monitoring.service.findings import drift_of, quality_of
from aimass.monitoring.service.ground import Part
from aimass.monitoring.service.records import not_watched
from aimass.monitoring.store import monitors, recorded

_SOURCE = ("path", "delta_version", "split", "package", "target", "features")
_PARTS = ("window_rows", "min_rows", "is_enabled", "positive")


class Monitors(Part):
    """Use cases of monitors."""

    @use_case("GET /workspaces/{workspace}/monitors", permission="monitoring.read", cli="monitors list")
    def list_monitors(self, who: Principal, command: ListMonitors) -> Page[Monitor]:
        """List monitors, one for each deployment."""
        del who
        with self._database.read() as conn:
            return page_of(monitors.matching(conn, command), command.limit, lambda monitor: monitor.id)

    @use_case("GET /workspaces/{workspace}/monitors/{monitor}", permission="monitoring.read", cli="monitors show")
    def get_monitor(self, who: Principal, command: GetMonitor) -> Monitor:
        """Show a monitor."""
        del who
        return self._monitor(command.workspace, command.monitor)

    @use_case("PATCH /workspaces/{workspace}/monitors/{monitor}", permission="monitoring.edit", cli="monitors change")
    def change_monitor(self, who: Principal, command: ChangeMonitor) -> Monitor:
        """Change the window of a monitor, or switch it off."""
        with self._database.change(who, command.workspace) as change:
            known = _need(change.conn, command.workspace, command.monitor)
            if command.expected_version not in (None, known.version):
                raise Stale(f"monitor {known.id!r} has version {known.version}", value=command.expected_version)
            given = {name: getattr(command, name) for name in _PARTS if getattr(command, name) is not None}
            if given:
                monitors.put(change, known.id, **given, computed_at=None, judged_seq=0)
                change.audit("monitoring.monitor.change", object_=subject(known.endpoint), detail=given)
        self._ground.pulse.touch(command.workspace, known.endpoint)
        return self._monitor(command.workspace, command.monitor)

    @use_case(
        "PUT /workspaces/{workspace}/endpoints/{endpoint}/reference",
        permission="monitoring.edit",
        on="endpoint",
        cli="monitors reference",
    )
    def set_reference(self, who: Principal, command: SetReference) -> list[Monitor]:
        """Compare an endpoint's traffic with a dataset of the workspace, or with a sample of rows."""
        source: dict[str, Any] = {"target": command.target, "features": command.features}
        if command.dataset is not None:
            slug = check_slug(command.dataset, field="dataset")
            who.need("lake.read", command.workspace, f"dataset:{slug}")
            source |= {"path": str(self._folder(command.workspace, slug)), "delta_version": command.delta_version}
        else:
            source["rows"] = command.rows
        facts = {"baseline": command.baseline, "classes": None, "positive": command.positive}
        return self._refer(who, command, source, facts)

    def use_reference(self, who: Principal, command: UseReference) -> list[Monitor]:
        """Compare with the training part of a model version; kept for every deployment of that version to come."""
        who.need("monitoring.edit", command.workspace, subject(command.endpoint))
        source = {name: getattr(command, name) for name in _SOURCE}
        source["split"] = dict(command.split) if command.split else None
        facts = {"baseline": command.baseline, "classes": command.classes, "positive": command.positive}
        if command.model and command.model_version:
            kept = {"source": source, "baseline": dict(command.baseline or {}), "classes": command.classes or []}
            with self._database.change(who, command.workspace) as change:
                kept["positive"] = command.positive
                monitors.put_reference(change, command.model, str(command.model_version), kept)
        return self._refer(who, command, source, facts)

    def _refer(
        self, who: Principal, command: SetReference | UseReference, source: dict[str, Any], facts: dict[str, Any]
    ) -> list[Monitor]:
        given = {name: value for name, value in facts.items() if value is not None}
        with self._database.change(who, command.workspace) as change:
            rows = [
                row
                for row in monitors.watching(change.conn, command.workspace, command.endpoint)
                if _is_meant(row, command)
            ]
            if not rows and isinstance(command, SetReference):
                raise not_watched(command.endpoint)
            for row in rows:
                reference = asdict(Reference(state="PENDING", source=source))
                monitors.put(change, row.id, reference=reference, computed_at=None, computed_rows=0, **given)
            if rows:
                detail = {"deployments": [row.deployment for row in rows]}
                change.audit("monitoring.reference.set", object_=subject(command.endpoint), detail=detail)
        self._ground.pulse.touch(command.workspace, command.endpoint)
        return [self._monitor(command.workspace, row.id) for row in rows]

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/drift",
        permission="monitoring.read",
        on="endpoint",
        cli="drift show",
    )
    def get_drift(self, who: Principal, command: GetDrift) -> Drift:
        """Show how far each input and the predictions have moved from the reference, with the history."""
        del who
        with self._database.read() as conn:
            for row in self._candidates(conn, command):
                found = monitors.newest_drift(conn, row.id, row.revision)
                if found is not None:
                    return drift_of(row, found, monitors.drift_history(conn, row.id, command.limit))
            raise self._nothing(conn, command, "drift", "give it a reference and some traffic, or compute it now")

    @use_case(
        "GET /workspaces/{workspace}/endpoints/{endpoint}/quality",
        permission="monitoring.read",
        on="endpoint",
        cli="quality show",
    )
    def get_quality(self, who: Principal, command: GetQuality) -> Quality:
        """Show how good the predictions were where the truth came back, with the history."""
        del who
        with self._database.read() as conn:
            for row in self._candidates(conn, command):
                found = monitors.newest_quality(conn, row.id, command.revision or row.revision)
                if found is not None:
                    return quality_of(row, found, monitors.quality_history(conn, row.id, command.limit))
            raise self._nothing(conn, command, "quality", "send feedback by request id")

    def _candidates(self, conn: Connection, command: GetDrift | GetQuality) -> list[Row[Any]]:
        """Return the monitors that are meant, the one with the most traffic first."""
        rows = monitors.watching(conn, command.workspace, command.endpoint)
        if command.deployment is not None:
            return [row for row in rows if row.deployment == command.deployment]
        traffic = {
            (t.deployment, t.revision): t.rows for t in recorded.traffic_of(conn, command.workspace, command.endpoint)
        }
        return sorted(rows, key=lambda row: -traffic.get((row.deployment, row.revision), 0))

    def _nothing(self, conn: Connection, command: GetDrift | GetQuality, what: str, hint: str) -> AimassError:
        if not monitors.watching(conn, command.workspace, command.endpoint):
            return not_watched(command.endpoint)
        return NotWatched(
            f"there is no {what} of {command.endpoint!r} yet", field="endpoint", value=command.endpoint, hint=hint
        )

    def _monitor(self, workspace: str, id_: str) -> Monitor:
        with self._database.read() as conn:
            return _need(conn, workspace, id_)


def _need(conn: Connection, workspace: str, id_: str) -> Monitor:
    found = monitors.find(conn, workspace, id_)
    if found is None:
        raise NotFound(f"there is no monitor {id_!r} in workspace {workspace!r}", field="monitor", value=id_)
    return found


def _is_meant(row: Row[Any], command: SetReference | UseReference) -> bool:
    """Tell whether a reference is for this monitor."""
    names = ("deployment", "revision", "model", "model_version")
    wishes = {name: getattr(command, name, None) for name in names}
    return all(wish is None or str(wish) == getattr(row, name) for name, wish in wishes.items())


def new_finding(row: Row[Any], at: datetime) -> dict[str, Any]:
    """Return what every kept finding of a monitor carries."""
    facts = {name: getattr(row, name) for name in ("revision", "model", "model_version")}
    return {"id": new_id(), "monitor": row.id, "at": at, **facts}
