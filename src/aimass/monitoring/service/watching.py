"""Which deployments are watched: made from events and from records, retired with their deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection

from aimass.infra.database import Change
from aimass.kernel.ids import new_id
from aimass.monitoring.domain.alerts import DEFAULT_RULES, AlertRule, CreateRule
from aimass.monitoring.domain.monitors import Reference
from aimass.monitoring.settings import MonitoringSettings
from aimass.monitoring.store import alerts, monitors


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a deployment of an endpoint serves."""

    workspace: str
    endpoint: str
    deployment: str
    revision: str
    model: str
    model_version: str


def watch(change: Change, served: Served, settings: MonitoringSettings) -> None:
    """Watch a deployment: with its first revision a monitor and the endpoint's default rules are made.

    A revision of another model version starts anew, with the reference of that version if one is known.
    """
    known = monitors.of_deployment(change.conn, served.workspace, served.endpoint, served.deployment)
    same = known is not None and known.revision == served.revision and not known.is_retired
    if same:
        return
    values = {"revision": served.revision, "model": served.model, "model_version": served.model_version}
    values |= {"is_retired": False, "computed_at": None, "computed_rows": 0, "judged_seq": 0}
    if known is None:
        _add(change, served, values, settings)
        return
    if (known.model, known.model_version) != (served.model, served.model_version):
        values |= _reference(change.conn, served)
    monitors.put(change, known.id, **values)


def meet(change: Change, served: Served, settings: MonitoringSettings) -> None:
    """Watch a deployment that a record speaks of, if nothing was heard of it before."""
    if monitors.of_deployment(change.conn, served.workspace, served.endpoint, served.deployment) is None:
        watch(change, served, settings)


def _add(change: Change, served: Served, values: Mapping[str, Any], settings: MonitoringSettings) -> None:
    key = {"workspace": served.workspace, "endpoint": served.endpoint, "deployment": served.deployment}
    sizes = {"window_rows": settings.window_rows, "min_rows": settings.min_rows, "is_enabled": True}
    made = {"id": new_id(), "created_at": change.now, "version": 1}
    monitors.add(change, {**key, **values, **sizes, **made, **_reference(change.conn, served)})
    if not alerts.rules_of(change.conn, served.workspace, served.endpoint):
        for rule in DEFAULT_RULES:
            add_rule(change, CreateRule(workspace=served.workspace, endpoint=served.endpoint, **rule), is_default=True)


def _reference(conn: Connection, served: Served) -> dict[str, Any]:
    known = monitors.reference_of(conn, served.workspace, served.model, served.model_version)
    if known is None:
        return {"reference": asdict(Reference()), "baseline": {}, "classes": [], "positive": None}
    reference = asdict(Reference(state="PENDING", source=known.source))
    return {"reference": reference, "baseline": known.baseline, "classes": known.classes, "positive": known.positive}


def add_rule(change: Change, command: CreateRule, *, is_default: bool = False) -> AlertRule:
    """Write a new rule."""
    rule = AlertRule(
        id=new_id(),
        workspace=command.workspace,
        endpoint=command.endpoint,
        name=command.name or f"{command.metric} {command.operator} {command.threshold:g}",
        kind=command.kind,
        metric=command.metric,
        feature=command.feature,
        operator=command.operator,
        threshold=command.threshold,
        window_s=command.window_s,
        for_s=command.for_s,
        resolve_s=command.resolve_s,
        min_count=command.min_count,
        severity=command.severity,
        is_enabled=True,
        is_default=is_default,
        version=1,
    )
    alerts.add_rule(change, rule)
    return rule
