"""What was recorded: endpoints, segments, traffic by revision, damage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from aimass.infra.database import Change
from aimass.monitoring.domain.records import Damage
from aimass.monitoring.store.tables import damage, endpoints, monitors, segments, traffic

_KEPT_DAMAGE = 1000


def endpoint(conn: Connection, workspace: str, slug: str) -> Row[Any] | None:
    """Return the row of an endpoint."""
    return conn.execute(
        select(endpoints).where(endpoints.c.workspace == workspace, endpoints.c.endpoint == slug)
    ).first()


def all_endpoints(conn: Connection, workspace: str | None = None) -> Sequence[Row[Any]]:
    """Return the rows of every endpoint."""
    query = select(endpoints).order_by(endpoints.c.workspace, endpoints.c.endpoint)
    return conn.execute(query if workspace is None else query.where(endpoints.c.workspace == workspace)).all()


def policies(conn: Connection) -> dict[str, dict[str, Any]]:
    """Return what a commit has to know of each endpoint that keeps no payload."""
    found = conn.execute(select(endpoints.c.workspace, endpoints.c.endpoint).where(~endpoints.c.payload))
    return {f"{row.workspace}/{row.endpoint}": {"payload": False} for row in found}


def put_endpoint(change: Change, workspace: str, slug: str, defaults: Mapping[str, Any], **values: Any) -> None:
    """Write something of an endpoint, which is made when it is new."""
    where = (endpoints.c.workspace == workspace, endpoints.c.endpoint == slug)
    if endpoint(change.conn, workspace, slug) is None:
        start = {"requests": 0, "rows": 0, "repeated": 0, "commits": 0, "size_bytes": 0, "last_record_at": None}
        start |= {"pushed_seq": 0, "is_deleted": False, "created_at": change.now, "sample": 1.0, "payload": True}
        change.execute(insert(endpoints).values(workspace=workspace, endpoint=slug, **{**start, **defaults, **values}))
    elif values:
        change.execute(update(endpoints).where(*where).values(**values))


def count_commit(change: Change, told: Mapping[str, Any], last: datetime | None) -> None:
    """Add a commit to the counters of its endpoint."""
    where = (endpoints.c.workspace == told["workspace"], endpoints.c.endpoint == told["endpoint"])
    values: dict[str, Any] = {name: endpoints.c[name] + told[name] for name in ("requests", "rows", "repeated")}
    values["commits"] = endpoints.c.commits + 1
    if last is not None:
        values["last_record_at"] = last
    change.execute(update(endpoints).where(*where).values(**values))


def count_traffic(
    change: Change, told: Mapping[str, Any], line: Mapping[str, Any], times: tuple[datetime, datetime]
) -> None:
    """Add a commit to the counters of a deployment revision."""
    key = {
        "workspace": told["workspace"],
        "endpoint": told["endpoint"],
        "deployment": line["deployment"],
        "revision": line["revision"],
    }
    where = [traffic.c[name] == value for name, value in key.items()]
    known = change.execute(select(traffic).where(*where)).first()
    counts = {name: line[name] for name in ("requests", "rows", "errors")}
    if known is None:
        facts = {"model": line["model"], "model_version": line["version"], "first_at": times[0], "last_at": times[1]}
        change.execute(insert(traffic).values(**key, **counts, **facts))
        return
    sums: dict[str, Any] = {name: traffic.c[name] + value for name, value in counts.items()}
    change.execute(update(traffic).where(*where).values(**sums, last_at=max(known.last_at, times[1])))


def traffic_of(conn: Connection, workspace: str, slug: str) -> Sequence[Row[Any]]:
    """Return what is known of each revision of an endpoint, newest first."""
    query = select(traffic).where(traffic.c.workspace == workspace, traffic.c.endpoint == slug)
    return conn.execute(query.order_by(traffic.c.last_at.desc())).all()


def served_by(conn: Connection, workspace: str) -> dict[str, str]:
    """Return the model and version behind each revision of a workspace that ever answered or is watched."""
    found: dict[str, str] = {}
    for table in (traffic, monitors):
        columns = (table.c.revision, table.c.model, table.c.model_version)
        for row in conn.execute(select(*columns).where(table.c.workspace == workspace)):
            found[row.revision] = f"{row.model} v{row.model_version}"
    return found


def rows_of(conn: Connection, workspace: str, slug: str, deployment: str, revision: str) -> int:
    """Return the rows that a deployment revision has answered."""
    query = select(traffic.c.rows).where(
        traffic.c.workspace == workspace,
        traffic.c.endpoint == slug,
        traffic.c.deployment == deployment,
        traffic.c.revision == revision,
    )
    return conn.execute(query).scalar() or 0


def last_segment(conn: Connection, kind: str, worker: str) -> int:
    """Return the highest number of a worker's segments that was accounted for; 0 for none."""
    query = select(segments.c.number).where(segments.c.kind == kind, segments.c.worker == worker)
    return conn.execute(query).scalar() or 0


def note_segment(change: Change, kind: str, worker: str, number: int, counts: Mapping[str, int]) -> None:
    """Note that a segment was accounted for."""
    where = (segments.c.kind == kind, segments.c.worker == worker)
    known = change.execute(select(segments).where(*where)).first()
    if known is None:
        change.execute(insert(segments).values(kind=kind, worker=worker, number=number, at=change.now, **counts))
        return
    values: dict[str, Any] = {name: segments.c[name] + value for name, value in counts.items()}
    change.execute(update(segments).where(*where).values(number=max(known.number, number), at=change.now, **values))


def note_damage(change: Change, kind: str, worker: str, number: int, places: Sequence[Mapping[str, Any]]) -> None:
    """Note the places that could not be read; the newest thousand are kept."""
    if not places:
        return
    rows = [
        {
            "kind": kind,
            "worker": worker,
            "segment": number,
            "offset": p["offset"],
            "reason": p["reason"],
            "found_at": change.now,
        }
        for p in places
    ]
    change.execute(insert(damage), rows[:_KEPT_DAMAGE])
    newest = change.execute(select(func.max(damage.c.id))).scalar_one()
    change.execute(delete(damage).where(damage.c.id <= newest - _KEPT_DAMAGE))


def damaged(conn: Connection) -> int:
    """Return how many places could not be read so far."""
    return int(conn.execute(select(func.coalesce(func.sum(segments.c.damaged), 0))).scalar_one())


def newest_damage(conn: Connection, limit: int) -> list[Damage]:
    """Return the newest places that could not be read."""
    found = conn.execute(select(damage).order_by(damage.c.id.desc()).limit(limit))
    return [
        Damage(
            worker=f"{row.kind}/{row.worker}",
            segment=row.segment,
            offset=row.offset,
            reason=row.reason,
            found_at=row.found_at,
        )
        for row in found
    ]


def forget_traffic(change: Change, before: datetime) -> None:
    """Forget revisions that have had no record for long."""
    change.execute(delete(traffic).where(traffic.c.last_at < before))
