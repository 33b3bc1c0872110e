"""Queries about learners, their measures and their snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from aimass.infra.database import Change
from aimass.kernel.errors import NotFound
from aimass.kernel.pages import decode_cursor
from aimass.training.domain.learners import Learner, LearnerPoint, ListLearners, Snapshot
from aimass.training.online import MODELS
from aimass.training.store import values_of
from aimass.training.tables import learner_points, learners, snapshots

MOST_POINTS = 2000
_INNER = ("job", "cursor", "sha256", "snapshot_rows", "snapshot_drift", "wanted", "deleted_at")
_ALIVE = learners.c.deleted_at.is_(None)


def learner_of(row: Row[Any]) -> Learner:
    """Return what people see of a row."""
    values = values_of(row, *_INNER)
    lists = {name: tuple(values.pop(name)) for name in ("classes", "drifts", "notes")}
    number = row.cursor["number"]
    task = MODELS[row.model].task
    return Learner(task=task, is_at_work=row.job is not None, done_version=number, **lists, **values)


def learner_row(conn: Connection, workspace: str, slug: str, *, field: str = "learner") -> Row[Any]:
    """Return the row of a learner, or say that there is none."""
    query = select(learners).where(learners.c.workspace == workspace, learners.c.slug == slug, _ALIVE)
    row = conn.execute(query).first()
    if row is None:
        raise NotFound(f"there is no learner {slug!r} in workspace {workspace!r}", field=field, value=slug)
    return row


def learner_by_id(conn: Connection, id_: str) -> Row[Any] | None:
    """Return the row of a learner that a job belongs to; None when it was deleted meanwhile."""
    return conn.execute(select(learners).where(learners.c.id == id_, _ALIVE)).first()


def is_slug_taken(conn: Connection, workspace: str, slug: str) -> bool:
    """Tell whether there is a learner of that slug."""
    query = select(learners.c.id).where(learners.c.workspace == workspace, learners.c.slug == slug)
    return conn.execute(query).first() is not None


def learners_page(conn: Connection, command: ListLearners) -> list[Learner]:
    """Return one more than the page wants, newest first."""
    query = select(learners).where(learners.c.workspace == command.workspace, _ALIVE)
    if command.state is not None:
        query = query.where(learners.c.state == command.state)
    if command.cursor:
        query = query.where(learners.c.id < decode_cursor(command.cursor))
    return [learner_of(row) for row in conn.execute(query.order_by(learners.c.id.desc()).limit(command.limit + 1))]


def idle_learners(conn: Connection) -> Sequence[Row[Any]]:
    """Return those of every workspace that may begin a job."""
    query = select(learners).where(learners.c.job.is_(None), _ALIVE)
    query = query.where(or_(learners.c.state == "ACTIVE", learners.c.wanted.is_not(None)))
    return conn.execute(query.order_by(learners.c.id)).all()


def put_learner(change: Change, id_: str, **values: Any) -> None:
    """Change one."""
    change.execute(update(learners).where(learners.c.id == id_).values(version=learners.c.version + 1, **values))


def put_points(change: Change, id_: str, found: Iterable[tuple[int, Mapping[str, float]]]) -> None:
    """Add measures; when there are too many, every second one of the past goes."""
    rows = {int(rows): dict(metrics) for rows, metrics in found}
    if not rows:
        return
    where = (learner_points.c.learner == id_, learner_points.c.rows.in_(list(rows)))
    change.execute(delete(learner_points).where(*where))
    change.execute(insert(learner_points), [{"learner": id_, "rows": n, "metrics": m} for n, m in rows.items()])
    mine = select(learner_points.c.rows).where(learner_points.c.learner == id_).order_by(learner_points.c.rows)
    known = list(change.execute(mine).scalars())
    if len(known) > MOST_POINTS:
        gone = known[: len(known) // 2 * 2 : 2][: MOST_POINTS // 2]
        change.execute(delete(learner_points).where(where[0], learner_points.c.rows.in_(gone)))


def drop_points(change: Change, id_: str, *, after: int) -> None:
    """Forget the measures after some rows."""
    change.execute(delete(learner_points).where(learner_points.c.learner == id_, learner_points.c.rows > after))


def points_of_learner(conn: Connection, id_: str) -> list[LearnerPoint]:
    """Return the measures, oldest first."""
    query = select(learner_points).where(learner_points.c.learner == id_).order_by(learner_points.c.rows)
    return [LearnerPoint(rows=row.rows, metrics=row.metrics) for row in conn.execute(query)]


def snapshot_rows(conn: Connection, id_: str) -> Sequence[Row[Any]]:
    """Return the snapshots of a learner, newest first."""
    query = select(snapshots).where(snapshots.c.learner == id_).order_by(snapshots.c.number.desc())
    return conn.execute(query).all()


def snapshot_of(row: Row[Any]) -> Snapshot:
    """Return what people see of a row."""
    return Snapshot(is_kept=row.sha256 is not None, **values_of(row, "learner", "sha256"))


def add_snapshot(change: Change, values: Mapping[str, Any], *, most: int) -> None:
    """Write a snapshot; what was known at the oldest ones is let go."""
    change.execute(insert(snapshots).values(**values))
    where = (snapshots.c.learner == values["learner"], snapshots.c.number <= values["number"] - most)
    change.execute(update(snapshots).where(*where).values(sha256=None))


def state_hashes(conn: Connection) -> list[str]:
    """Return the hashes of what learners and their snapshots know."""
    found: set[str] = set()
    for table in (learners, snapshots):
        found |= set(conn.execute(select(table.c.sha256).where(table.c.sha256.is_not(None))).scalars())
    return sorted(found)


def number_of_learners(conn: Connection, state: str) -> int:
    """Return how many there are in a state."""
    return conn.execute(select(func.count()).where(learners.c.state == state, _ALIVE)).scalar_one()
