"""Queries on the tables of the room serving."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, and_, insert, select, update

from aimass.infra.database import Change, events_log
from aimass.kernel.pages import decode_cursor, decode_number
from aimass.serving.store.tables import deployments, endpoints, revisions, traffic

_MOST_LOOKED_AT = 20


def find_endpoint(conn: Connection, workspace: str, slug: str) -> Row[Any] | None:
    """Return a live endpoint."""
    query = select(endpoints).where(endpoints.c.workspace == workspace, endpoints.c.slug == slug)
    return conn.execute(query.where(endpoints.c.deleted_at.is_(None))).first()


def matching(conn: Connection, workspace: str, model: str | None, after: str | None, limit: int) -> Sequence[Row[Any]]:
    """Return one live endpoint more than the page wants, by slug."""
    query: Select[Any] = select(endpoints).where(endpoints.c.workspace == workspace, endpoints.c.deleted_at.is_(None))
    if model is not None:
        running = select(deployments.c.endpoint).where(deployments.c.model == model, deployments.c.deleted_at.is_(None))
        query = query.where(endpoints.c.id.in_(running))
    if after is not None:
        query = query.where(endpoints.c.slug > decode_cursor(after))
    return conn.execute(query.order_by(endpoints.c.slug).limit(limit + 1)).all()


def all_endpoints(conn: Connection) -> Sequence[Row[Any]]:
    """Return every live endpoint of every workspace."""
    query = select(endpoints).where(endpoints.c.deleted_at.is_(None))
    return conn.execute(query.order_by(endpoints.c.workspace, endpoints.c.slug)).all()


def live_deployments(conn: Connection, endpoint_ids: Iterable[str] | None = None) -> Sequence[Row[Any]]:
    """Return the deployments of some endpoints, or of all that live, the oldest first."""
    query = select(deployments).where(deployments.c.deleted_at.is_(None))
    if endpoint_ids is not None:
        query = query.where(deployments.c.endpoint.in_(list(endpoint_ids)))
    else:
        query = query.join(endpoints, endpoints.c.id == deployments.c.endpoint).where(endpoints.c.deleted_at.is_(None))
    return conn.execute(query.order_by(deployments.c.id)).all()


def following(conn: Connection, workspace: str, model: str) -> Sequence[Row[Any]]:
    """Return the live deployments that follow an alias of a model."""
    query = select(deployments).join(endpoints, endpoints.c.id == deployments.c.endpoint)
    query = query.where(deployments.c.workspace == workspace, deployments.c.model == model)
    query = query.where(deployments.c.alias.is_not(None))
    return conn.execute(query.where(deployments.c.deleted_at.is_(None), endpoints.c.deleted_at.is_(None))).all()


def revisions_by_id(conn: Connection, ids: Iterable[str | None]) -> dict[str, Row[Any]]:
    """Return revisions by id."""
    wanted = sorted({one for one in ids if one is not None})
    rows = conn.execute(select(revisions).where(revisions.c.id.in_(wanted)))
    return {row.id: row for row in rows}


def digests_of_live(conn: Connection) -> dict[str, bool]:
    """Return the packages of all revisions of live deployments, and whether one answers with it or is about to."""
    rows = live_deployments(conn)
    used = {id_ for row in rows for id_ in (row.target, row.serving)}
    query = select(revisions.c.id, revisions.c.digest).where(revisions.c.deployment.in_([row.id for row in rows]))
    found: dict[str, bool] = {}
    for row in conn.execute(query):
        found[row.digest] = found.get(row.digest, False) or row.id in used
    return found


def calibrated(conn: Connection, digest: str, conditions: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what was measured of a package under the same conditions, by any revision that served it."""
    query = select(revisions.c.calibration).where(revisions.c.digest == digest, revisions.c.ready_at.is_not(None))
    found = conn.execute(query.order_by(revisions.c.id.desc()).limit(_MOST_LOOKED_AT)).scalars()
    return next((one for one in found if one is not None and one.get("conditions") == conditions), None)


def find_revision(conn: Connection, endpoint_id: str, number: int) -> Row[Any] | None:
    """Return a revision of an endpoint by its number."""
    query = select(revisions).where(revisions.c.endpoint == endpoint_id, revisions.c.number == number)
    return conn.execute(query).first()


def before(conn: Connection, deployment_id: str, number: int, digest: str) -> Row[Any] | None:
    """Return the newest revision of a deployment before a number that ran another package and did answer."""
    query = select(revisions).where(revisions.c.deployment == deployment_id, revisions.c.number < number)
    query = query.where(revisions.c.digest != digest, revisions.c.ready_at.is_not(None))
    return conn.execute(query.order_by(revisions.c.number.desc()).limit(1)).first()


def list_revisions(
    conn: Connection, endpoint_id: str, *, name: str | None, after: str | None, limit: int
) -> Sequence[Row[Any]]:
    """Return one revision more than wanted, the newest first."""
    query = select(revisions).where(revisions.c.endpoint == endpoint_id)
    if name is not None:
        query = query.where(revisions.c.name == name)
    if after is not None:
        query = query.where(revisions.c.id < decode_cursor(after))
    return conn.execute(query.order_by(revisions.c.id.desc()).limit(limit + 1)).all()


def list_traffic(conn: Connection, endpoint_id: str, *, after: str | None, limit: int) -> Sequence[Row[Any]]:
    """Return one change of traffic more than wanted, the newest first."""
    query = select(traffic).where(traffic.c.endpoint == endpoint_id)
    if after is not None:
        query = query.where(traffic.c.id < decode_cursor(after))
    return conn.execute(query.order_by(traffic.c.id.desc()).limit(limit + 1)).all()


def list_events(
    conn: Connection, workspace: str, subject: str, type_: str, after: str | None, limit: int
) -> Sequence[Row[Any]]:
    """Return one event more than wanted of one kind about one thing, the newest first."""
    query = select(events_log).where(events_log.c.workspace == workspace, events_log.c.type == type_)
    query = query.where(events_log.c.subject == subject)
    if after is not None:
        query = query.where(events_log.c.seq < decode_number(after))
    return conn.execute(query.order_by(events_log.c.seq.desc()).limit(limit + 1)).all()


def add(change: Change, table: Table, values: Mapping[str, Any]) -> None:
    """Write a new row."""
    change.execute(insert(table).values(**values))


def put_endpoint(change: Change, id_: str, **values: Any) -> None:
    """Change an endpoint."""
    change.execute(update(endpoints).where(endpoints.c.id == id_).values(version=endpoints.c.version + 1, **values))


def put_deployment(change: Change, id_: str, **values: Any) -> None:
    """Change what is wanted of a deployment."""
    values = {"version": deployments.c.version + 1, "changed_at": change.now, **values}
    change.execute(update(deployments).where(deployments.c.id == id_).values(**values))


def put_state(change: Change, id_: str, target: str, **values: Any) -> bool:
    """Note how a deployment does; False when its target is another one by now."""
    query = update(deployments).where(deployments.c.id == id_, deployments.c.target == target)
    return change.execute(query.where(deployments.c.deleted_at.is_(None)).values(**values)).rowcount == 1


def put_weights(change: Change, endpoint_id: str, weights: Mapping[str, int]) -> None:
    """Write the weights of an endpoint's deployments."""
    for name, weight in weights.items():
        where = and_(
            deployments.c.endpoint == endpoint_id, deployments.c.name == name, deployments.c.deleted_at.is_(None)
        )
        change.execute(
            update(deployments)
            .where(where, deployments.c.weight != weight)
            .values(weight=weight, version=deployments.c.version + 1, changed_at=change.now)
        )


def digests(conn: Connection) -> list[str]:
    """Return every package that a revision ran."""
    return list(conn.execute(select(revisions.c.digest).distinct().order_by(revisions.c.digest)).scalars())


def put_digest(change: Change, old: str, new: str) -> int:
    """Let revisions name the package that took the place of another, beside which it lies; return how many of them did."""
    rows = change.execute(select(revisions.c.id, revisions.c.package).where(revisions.c.digest == old)).all()
    for row in rows:
        place = str(Path(row.package).with_name(new)) if row.package else ""
        change.execute(update(revisions).where(revisions.c.id == row.id).values(digest=new, package=place))
    return len(rows)


def put_revision(change: Change, id_: str, **values: Any) -> None:
    """Change a revision."""
    change.execute(update(revisions).where(revisions.c.id == id_).values(**values))


def retire_unready(change: Change, deployment_id: str) -> None:
    """Give up the revisions of a deployment that have not begun to answer; a newer one takes their place."""
    query = update(revisions).where(revisions.c.deployment == deployment_id)
    query = query.where(revisions.c.state.in_(("PENDING", "STARTING")))
    change.execute(query.values(state="RETIRED", retired_at=change.now))


def next_number(change: Change, endpoint_id: str) -> int:
    """Count one more revision of an endpoint and return its number."""
    change.execute(update(endpoints).where(endpoints.c.id == endpoint_id).values(revisions=endpoints.c.revisions + 1))
    return change.execute(select(endpoints.c.revisions).where(endpoints.c.id == endpoint_id)).scalar_one()


def troubled(conn: Connection) -> Sequence[Row[Any]]:
    """Return the live deployments that failed or do badly, with the slug of their endpoint."""
    query = select(deployments, endpoints.c.slug).join(endpoints, endpoints.c.id == deployments.c.endpoint)
    query = query.where(deployments.c.deleted_at.is_(None), endpoints.c.deleted_at.is_(None))
    bad = deployments.c.state.in_(("FAILED", "DEGRADED"))
    return conn.execute(query.where(bad).order_by(endpoints.c.workspace, endpoints.c.slug)).all()
