"""Queries about automatic training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from aimass.infra.database import Change
from aimass.kernel.errors import Invalid
from aimass.kernel.pages import decode_cursor
from aimass.training.domain.autos import AutoRun, Constraints, ListAutos, Recommendation, StartAuto, limits_of
from aimass.training.domain.splits import Split
from aimass.training.recipes import recipes
from aimass.training.selecting import Past
from aimass.training.store import values_of
from aimass.training.tables import autos, runs, splits
from aimass.training.tasks import Task

MOST_PAST = 500


def kind_of(recipe: str, params: Mapping[str, Any]) -> str | None:
    """Return the variant of a recipe that parameters are; None for chosen ones, and for those of an older version."""
    try:
        return recipes()[recipe].kind_of(params)
    except Invalid:
        return None


def _auto(row: Row[Any]) -> AutoRun:
    values = values_of(row, "key", "deleted_at")
    return AutoRun(
        constraints=Constraints(**values.pop("constraints")),
        recommended=tuple(
            Recommendation(**{**one, "reasons": tuple(one["reasons"])}) for one in values.pop("recommended")
        ),
        runs=tuple(values.pop("runs")),
        notes=tuple(values.pop("notes")),
        **values,
    )


def find_auto(conn: Connection, workspace: str, id_: str) -> AutoRun | None:
    """Return an automatic training."""
    query = select(autos).where(autos.c.workspace == workspace, autos.c.id == id_, autos.c.deleted_at.is_(None))
    row = conn.execute(query).first()
    return None if row is None else _auto(row)


def auto_by_key(conn: Connection, workspace: str, key: str) -> AutoRun | None:
    """Return the automatic training that was started under a key."""
    query = select(autos).where(autos.c.workspace == workspace, autos.c.key == key, autos.c.deleted_at.is_(None))
    row = conn.execute(query).first()
    return None if row is None else _auto(row)


def autos_page(conn: Connection, command: ListAutos) -> Sequence[AutoRun]:
    """Return one more than the page wants, newest first."""
    query = select(autos).where(autos.c.workspace == command.workspace, autos.c.deleted_at.is_(None))
    if command.state is not None:
        query = query.where(autos.c.state == command.state)
    if command.cursor:
        query = query.where(autos.c.id < decode_cursor(command.cursor))
    return [_auto(row) for row in conn.execute(query.order_by(autos.c.id.desc()).limit(command.limit + 1))]


def open_autos(conn: Connection) -> list[AutoRun]:
    """Return those of every workspace that have not ended."""
    query = select(autos).where(autos.c.state == "RUNNING", autos.c.deleted_at.is_(None)).order_by(autos.c.id)
    return [_auto(row) for row in conn.execute(query)]


def add_auto(change: Change, id_: str, command: StartAuto, split: Split, *, name: str, experiment: str) -> None:
    """Write a new one."""
    values = {
        "id": id_,
        "workspace": command.workspace,
        "key": command.key or id_,
        "name": name,
        "experiment": experiment,
        "dataset": split.dataset,
        "target": split.target,
        "split": split.id,
        "constraints": asdict(limits_of(command)),
        "most": command.most,
        "is_blended": command.blend,
        "seed": command.seed,
        "folds": command.folds,
        "state": "RUNNING",
        "recommended": [],
        "runs": [],
        "notes": [],
        "created_by": change.who.id,
        "created_by_name": change.who.name,
        "created_at": change.now,
        "deadline": change.now + timedelta(seconds=command.budget_s),
        "version": 1,
    }
    change.execute(insert(autos).values(**values))


def put_auto(change: Change, id_: str, **values: Any) -> None:
    """Change one."""
    change.execute(update(autos).where(autos.c.id == id_).values(version=autos.c.version + 1, **values))


def past_runs(conn: Connection, workspace: str, task: Task) -> list[Past]:
    """Return the newest finished runs of a workspace that have the objective of a task."""
    query = select(runs.c.recipe, runs.c.params, runs.c.split, runs.c.metrics, runs.c.package, splits.c.counts)
    query = query.join(splits, splits.c.id == runs.c.split)
    query = query.where(runs.c.workspace == workspace, runs.c.state == "FINISHED", runs.c.deleted_at.is_(None))
    query = query.where(runs.c.recipe.in_(list(recipes()))).order_by(runs.c.id.desc()).limit(MOST_PAST)
    return [
        Past(
            recipe=row.recipe,
            variant=variant,
            split=row.split,
            score=row.metrics[task.objective],
            seconds=row.metrics.get("training_s"),
            rows=row.counts.get("train"),
            row_us=row.metrics.get("row_us"),
            size=(row.package or {}).get("size"),
        )
        for row in conn.execute(query)
        if task.objective in row.metrics and (variant := kind_of(row.recipe, row.params)) is not None
    ]
