"""What is kept of training: files that are needed, and deleted runs that wait for their end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Table, delete, select

from aimass.infra.database import Change
from aimass.kernel.keeping import KEEP_DELETED_DAYS, Going
from aimass.kernel.principal import SYSTEM
from aimass.training.events import AUTO_PURGED, EXPERIMENT_PURGED, LEARNER_PURGED, RUN_PURGED, STUDY_PURGED
from aimass.training.service.ground import Part
from aimass.training.tables import (
    artifacts,
    autos,
    evaluations,
    experiments,
    facts,
    learner_points,
    learners,
    points,
    runs,
    scores,
    snapshots,
    splits,
    studies,
    trials,
)

_RULE = f"what was deleted here is kept for {KEEP_DELETED_DAYS} days"


_MARKS = (("sampler", "study"), ("detector", "learner"), ("recommended", "automatic training"), ("recipe", "run"))


class Kept(Part):
    """What goes for good, and what is still needed."""

    def artifact_blobs(self) -> list[str]:
        """Return the hashes of the files that runs and evaluations left."""
        with self._database.read() as conn:
            return list(conn.execute(select(artifacts.c.sha256).distinct()).scalars())

    def split_blobs(self) -> list[str]:
        """Return the hashes of the files of splits."""
        with self._database.read() as conn:
            return list(conn.execute(select(splits.c.sha256).where(splits.c.sha256.is_not(None)).distinct()).scalars())

    def study_blobs(self) -> list[str]:
        """Return the hashes of the recipe files that studies search."""
        with self._database.read() as conn:
            wanted = select(studies.c.source).where(studies.c.source.is_not(None)).distinct()
            return list(conn.execute(wanted).scalars())

    def going(self) -> list[Going]:
        """Return the deleted runs, experiments and studies with the day on which they go for good."""
        return [_going(row) for row in self._deleted()]

    def purge(self) -> list[Going]:
        """Remove for good what was deleted long enough ago."""
        now = self._database.clock.now()
        due = [row for row in self._deleted() if _going(row).goes_at <= now]
        for row in due:
            with self._database.change(SYSTEM, row.workspace) as change:
                _purge(change, row)
        return [_going(row) for row in due]

    def _deleted(self) -> list[Row[Any]]:
        with self._database.read() as conn:
            return [row for table in (runs, studies, experiments, autos, learners) for row in _rows(conn, table)]


def _rows(conn: Any, table: Table) -> Sequence[Row[Any]]:
    return conn.execute(select(table).where(table.c.deleted_at.is_not(None)).order_by(table.c.id)).all()


def _going(row: Row[Any]) -> Going:
    return Going(
        kind=_kind(row),
        name=row.name,
        workspace=row.workspace,
        since=row.deleted_at,
        goes_at=row.deleted_at + timedelta(days=KEEP_DELETED_DAYS),
        rule=_RULE,
    )


def _kind(row: Row[Any]) -> str:
    fields = set(row._fields)
    return next((kind for mark, kind in _MARKS if mark in fields), "experiment")


def _purge(change: Change, row: Row[Any]) -> None:
    if _kind(row) == "study":
        change.execute(delete(trials).where(trials.c.study == row.id))
        change.execute(delete(studies).where(studies.c.id == row.id))
        subject, fact = f"study:{row.id}", STUDY_PURGED
    elif _kind(row) == "run":
        judged = list(change.execute(select(evaluations.c.id).where(evaluations.c.run == row.id)).scalars())
        change.execute(delete(artifacts).where(artifacts.c.run.in_([row.id, *judged])))
        for table in (evaluations, scores, facts, points):
            change.execute(delete(table).where(table.c.run == row.id))
        change.execute(delete(runs).where(runs.c.id == row.id))
        subject, fact = f"run:{row.id}", RUN_PURGED
    elif _kind(row) == "learner":
        for table in (learner_points, snapshots):
            change.execute(delete(table).where(table.c.learner == row.id))
        change.execute(delete(learners).where(learners.c.id == row.id))
        subject, fact = f"learner:{row.id}", LEARNER_PURGED
    elif _kind(row) == "automatic training":
        change.execute(delete(autos).where(autos.c.id == row.id))
        subject, fact = f"auto:{row.id}", AUTO_PURGED
    else:
        change.execute(delete(experiments).where(experiments.c.id == row.id))
        subject, fact = f"experiment:{row.id}", EXPERIMENT_PURGED
    change.event(fact, subject=subject)
    change.audit(fact, object_=subject)
