"""Monitors and what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from aimass.infra.database import Change
from aimass.kernel.pages import decode_cursor
from aimass.monitoring.domain.monitors import ListMonitors, Monitor, Reference
from aimass.monitoring.store.tables import drifts, monitors, qualities, references

_WHOLE = 10
_PART = 500
_HIDDEN = ("is_retired", "judged_seq")


def monitor_of(row: Row[Any]) -> Monitor:
    """Read a monitor."""
    values = {name: value for name, value in row._mapping.items() if name not in _HIDDEN}  # noqa: SLF001 the public mapping view of a row
    source = {name: value for name, value in row.reference["source"].items() if name != "rows"}  # values of people
    values["reference"] = Reference(**{**row.reference, "source": source})
    return Monitor(**values)


def find(conn: Connection, workspace: str, monitor: str) -> Monitor | None:
    """Return a monitor of a workspace."""
    row = conn.execute(select(monitors).where(monitors.c.workspace == workspace, monitors.c.id == monitor)).first()
    return None if row is None else monitor_of(row)


def of_deployment(conn: Connection, workspace: str, endpoint: str, deployment: str) -> Row[Any] | None:
    """Return the monitor's row of a deployment, also a retired one."""
    where = (monitors.c.workspace == workspace, monitors.c.endpoint == endpoint, monitors.c.deployment == deployment)
    return conn.execute(select(monitors).where(*where)).first()


def watching(conn: Connection, workspace: str | None = None, endpoint: str | None = None) -> list[Row[Any]]:
    """Return the rows of monitors whose deployment is there, oldest first."""
    query = select(monitors).where(~monitors.c.is_retired).order_by(monitors.c.id)
    if workspace is not None:
        query = query.where(monitors.c.workspace == workspace)
    if endpoint is not None:
        query = query.where(monitors.c.endpoint == endpoint)
    return list(conn.execute(query))


def matching(conn: Connection, command: ListMonitors) -> list[Monitor]:
    """Return one monitor more than the page wants."""
    query = select(monitors).where(monitors.c.workspace == command.workspace, ~monitors.c.is_retired)
    if command.endpoint is not None:
        query = query.where(monitors.c.endpoint == command.endpoint)
    if command.cursor:
        query = query.where(monitors.c.id > decode_cursor(command.cursor))
    return [monitor_of(row) for row in conn.execute(query.order_by(monitors.c.id).limit(command.limit + 1))]


def add(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new monitor."""
    change.execute(insert(monitors).values(**values))


def put(change: Change, id_: str, **values: Any) -> None:
    """Change a monitor."""
    change.execute(update(monitors).where(monitors.c.id == id_).values(version=monitors.c.version + 1, **values))


def note(change: Change, id_: str, **values: Any) -> None:
    """Write what was computed; the monitor itself stays the same."""
    change.execute(update(monitors).where(monitors.c.id == id_).values(**values))


def reference_of(conn: Connection, workspace: str, model: str, model_version: str) -> Row[Any] | None:
    """Return what is known of the training data of a model version."""
    where = (
        references.c.workspace == workspace,
        references.c.model == model,
        references.c.model_version == model_version,
    )
    return conn.execute(select(references).where(*where)).first()


def put_reference(change: Change, model: str, model_version: str, values: Mapping[str, Any]) -> None:
    """Keep the training data of a model version, for every deployment of it to come."""
    key = {"workspace": change.workspace, "model": model, "model_version": model_version}
    change.execute(delete(references).where(*[references.c[name] == value for name, value in key.items()]))
    change.execute(insert(references).values(**key, **values, at=change.now))


def add_drift(change: Change, values: Mapping[str, Any]) -> None:
    """Keep a comparison; of all but the newest ten only the numbers stay, not the histograms."""
    change.execute(insert(drifts).values(**values))
    newest = (
        select(drifts.c.id)
        .where(drifts.c.monitor == values["monitor"])
        .order_by(drifts.c.at.desc(), drifts.c.id.desc())
    )
    kept = list(change.execute(newest.limit(_WHOLE + 1)).scalars())
    if len(kept) > _WHOLE:
        change.execute(update(drifts).where(drifts.c.id == kept[-1]).values(found={}))


def add_quality(change: Change, values: Mapping[str, Any]) -> None:
    """Keep a measurement of quality."""
    change.execute(insert(qualities).values(**values))


def newest_drift(conn: Connection, monitor: str, revision: str | None = None) -> Row[Any] | None:
    """Return the newest comparison."""
    query = select(drifts).where(drifts.c.monitor == monitor)
    if revision is not None:
        query = query.where(drifts.c.revision == revision)
    return conn.execute(query.order_by(drifts.c.at.desc(), drifts.c.id.desc()).limit(1)).first()


def drift_history(conn: Connection, monitor: str, limit: int) -> Sequence[Any]:
    """Return the numbers of the newest comparisons, oldest first."""
    columns = (drifts.c.at, drifts.c.rows, drifts.c.max_psi, drifts.c.feature, drifts.c.prediction_psi)
    query = (
        select(*columns)
        .where(drifts.c.monitor == monitor)
        .order_by(drifts.c.at.desc(), drifts.c.id.desc())
        .limit(limit)
    )
    return list(reversed(conn.execute(query).all()))


def newest_quality(conn: Connection, monitor: str, revision: str | None = None) -> Row[Any] | None:
    """Return the newest measurement of quality."""
    query = select(qualities).where(qualities.c.monitor == monitor)
    if revision is not None:
        query = query.where(qualities.c.revision == revision)
    return conn.execute(query.order_by(qualities.c.at.desc(), qualities.c.id.desc()).limit(1)).first()


def quality_history(conn: Connection, monitor: str, limit: int) -> Sequence[Row[Any]]:
    """Return the newest measurements, oldest first."""
    query = select(qualities).where(qualities.c.monitor == monitor)
    found = conn.execute(query.order_by(qualities.c.at.desc(), qualities.c.id.desc()).limit(limit)).all()
    return list(reversed(found))


def thin(change: Change, before: datetime) -> int:
    """Keep the last finding of each hour of what is older; return how many were deleted."""
    gone = 0
    for table in (drifts, qualities):
        found = change.execute(
            select(table.c.id, table.c.monitor, table.c.at)
            .where(table.c.at < before)
            .order_by(table.c.at.desc(), table.c.id.desc())
        ).all()
        seen: set[tuple[str, datetime]] = set()
        extra: list[str] = []
        for row in found:
            hour = (row.monitor, row.at.replace(minute=0, second=0, microsecond=0))
            if hour in seen:
                extra.append(row.id)
            seen.add(hour)
        for start in range(0, len(extra), _PART):
            change.execute(delete(table).where(table.c.id.in_(extra[start : start + _PART])))
        gone += len(extra)
    return gone


def forget(change: Change, before: datetime) -> None:
    """Delete what was found long ago."""
    change.execute(delete(drifts).where(drifts.c.at < before))
    change.execute(delete(qualities).where(qualities.c.at < before))
