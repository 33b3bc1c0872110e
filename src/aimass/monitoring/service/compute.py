"""Compute what a monitor watches: the reference once, drift and quality whenever enough is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import structlog
from sqlalchemy import Row

from aimass.kernel.errors import AimassError, Unavailable
from aimass.kernel.principal import SYSTEM
from aimass.monitoring.domain.monitors import Drift, Quality, Reference
from aimass.monitoring.events import DRIFT_COMPUTED, QUALITY_COMPUTED, subject
from aimass.monitoring.service.findings import drift_of, quality_of
from aimass.monitoring.service.ground import Part, text_of
from aimass.monitoring.service.monitors import new_finding
from aimass.monitoring.store import feedback, monitors, recorded

_LOG = structlog.get_logger("aimass.monitoring")
DRIFTED = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a computation differs from what the monitor does by itself."""

    rows: int | None = None
    since: datetime | None = None


class Computing(Part):
    """Runs the computations of monitors in the data child."""

    def prepare(self, row: Row[Any]) -> Reference:
        """Return the reference of a monitor, built now if it was not; a failure is kept with its reason."""
        reference = Reference(**row.reference)
        if reference.state != "PENDING":
            return reference
        source = {name: value for name, value in reference.source.items() if value is not None}
        text = sha256(repr(sorted(source.items())).encode()).hexdigest()[:12]
        out = self._folder(row.workspace, "_references") / f"{row.id}-{text}.parquet"
        args = {**source, "version": source.get("delta_version"), "out": str(out)}
        values: dict[str, Any] = {}
        try:
            told = self._call("reference:build_reference", args)
        except Unavailable:
            raise
        except AimassError as reason:
            reference = replace(reference, state="FAILED", reason=f"{reason.message} {reason.hint}".strip())
            _LOG.warning("no reference", endpoint=row.endpoint, deployment=row.deployment, error=reason.message)
        else:
            kept = {name: value for name, value in reference.source.items() if name != "rows"}
            reason = told.get("note", "")
            reference = Reference(
                state="READY",
                source=kept,
                file=told["path"],
                rows=told["rows"],
                features=told["features"],
                reason=reason,
            )
            values = {"classes": told["classes"]} if told["classes"] and not row.classes else {}
        with self._database.change(SYSTEM, row.workspace) as change:
            monitors.note(change, row.id, reference=asdict(reference), **values)
        return reference

    def drift(self, row: Row[Any], wish: Wish = Wish()) -> Drift | None:
        """Compare the live window with the reference and keep the result; None without reference or rows."""
        reference = self.prepare(row)
        if reference.state != "READY":
            return None
        with self._database.read() as conn:
            total = recorded.rows_of(conn, row.workspace, row.endpoint, row.deployment, row.revision)
        args = self._window(row, wish) | {"reference": reference.file}
        told = self._call("drift:drift", args)
        with self._database.change(SYSTEM, row.workspace) as change:
            monitors.note(change, row.id, computed_at=change.now, computed_rows=total)
            if not told["rows"]:
                return None
            values = new_finding(row, change.now) | _summary(told)
            monitors.add_drift(change, values)
            change.event(DRIFT_COMPUTED, subject=subject(row.endpoint), data=_drift_fact(row, told, values))
        with self._database.read() as conn:
            found = monitors.newest_drift(conn, row.id, row.revision)
        return None if found is None else drift_of(row, found)

    def quality(self, row: Row[Any], wish: Wish = Wish()) -> Quality | None:
        """Measure predictions where the truth came back and keep the result; None without any."""
        with self._database.read() as conn:
            newest = feedback.newest_seq(conn).get((row.workspace, row.endpoint), 0)
        known = {"classes": row.classes or None, "positive": row.positive, "baseline": dict(row.baseline)}
        told = self._call("quality:quality", self._window(row, wish) | known)
        with self._database.change(SYSTEM, row.workspace) as change:
            monitors.note(change, row.id, judged_seq=newest)
            if not told["rows"]:
                return None
            monitors.add_quality(change, new_finding(row, change.now) | {"rows": told["rows"], "found": told})
            data = (
                _names(row) | {"rows": told["rows"]} | {name: value["value"] for name, value in told["metrics"].items()}
            )
            change.event(QUALITY_COMPUTED, subject=subject(row.endpoint), data=data)
        with self._database.read() as conn:
            found = monitors.newest_quality(conn, row.id, row.revision)
        return None if found is None else quality_of(row, found)

    def _window(self, row: Row[Any], wish: Wish) -> dict[str, Any]:
        place = {"deployment": row.deployment, "revision": row.revision}
        size = {"rows": wish.rows or row.window_rows, "since": text_of(wish.since)}
        return self._tables(row.workspace, row.endpoint) | place | size

    def is_due(self, row: Row[Any], now: datetime) -> bool:
        """Tell whether a monitor has enough new rows, and its last computation is long enough ago."""
        if not row.is_enabled or row.reference["state"] not in ("PENDING", "READY"):
            return False
        with self._database.read() as conn:
            total = recorded.rows_of(conn, row.workspace, row.endpoint, row.deployment, row.revision)
        new = total - row.computed_rows
        if total < row.min_rows or new <= 0:
            return False
        if row.computed_at is None:
            return True
        age = now - row.computed_at
        enough = new >= self._settings.new_rows
        return age >= timedelta(
            seconds=self._settings.every_s if enough else max(self._settings.settle_s, self._settings.every_s)
        )


def _names(row: Row[Any]) -> dict[str, Any]:
    return {
        "endpoint": row.endpoint,
        "deployment": row.deployment,
        "revision": row.revision,
        "model": row.model,
        "version": row.model_version,
    }


def _summary(told: Mapping[str, Any]) -> dict[str, Any]:
    worst = max(told["features"], key=lambda feature: feature["psi"], default=None)
    prediction = told["prediction"]
    return {
        "rows": told["rows"],
        "max_psi": worst["psi"] if worst else 0.0,
        "feature": worst["name"][:255] if worst else "",
        "prediction_psi": prediction["psi"] if prediction else None,
        "found": dict(told),
    }


def _drift_fact(row: Row[Any], told: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    drifted = [feature["name"] for feature in told["features"] if feature["psi"] > DRIFTED]
    summary = {name: values[name] for name in ("rows", "max_psi", "feature", "prediction_psi")}
    return _names(row) | summary | {"drifted": drifted}
