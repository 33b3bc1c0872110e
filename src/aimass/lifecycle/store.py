"""Tables of pipelines, runs and steps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)

from aimass.infra.database import Instant, Json, metadata
from aimass.lifecycle.domain import Pipeline, PipelineRun, Step, Trigger

pipelines = Table(
    "lifecycle_pipelines",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("slug", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("template", String(63), nullable=False),
    Column("parameters", Json, nullable=False),
    Column("triggers", Json, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("deleted_at", Instant, nullable=True),
    Column("version", Integer, nullable=False),
    Index("ix_lifecycle_pipelines_workspace_slug", "workspace", "slug"),
)

runs = Table(
    "lifecycle_runs",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("pipeline", String(63), nullable=False),
    Column("number", Integer, nullable=False),
    Column("key", String(200), nullable=True),
    Column("state", String(16), nullable=False),
    Column("cause", Text, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("started_by", String(120), nullable=False),
    Column("ended_at", Instant, nullable=True),
    Column("attempt", Integer, nullable=False),
    Column("error", Text, nullable=False),
    UniqueConstraint("workspace", "pipeline", "key"),
    Index("ix_lifecycle_runs_workspace_id", "workspace", "id"),
)

steps = Table(
    "lifecycle_steps",
    metadata,
    Column("run", String(26), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", String(63), nullable=False),
    Column("title", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("fraction", Float, nullable=False),
    Column("note", Text, nullable=False),
    Column("started_at", Instant, nullable=True),
    Column("ended_at", Instant, nullable=True),
    Column("output", Json, nullable=False),
    Column("error", Text, nullable=False),
    Column("hint", Text, nullable=False),
)


def pipeline_of(row: Row[Any]) -> Pipeline:
    """Build a pipeline from its row."""
    values = {name: getattr(row, name) for name in Pipeline.__slots__ if name != "triggers"}
    return Pipeline(**values, triggers=[Trigger(**trigger) for trigger in row.triggers])


def find_pipeline(conn: Connection, workspace: str, slug: str) -> Pipeline | None:
    """Return a pipeline that was not deleted."""
    query = select(pipelines).where(
        pipelines.c.workspace == workspace, pipelines.c.slug == slug, pipelines.c.deleted_at.is_(None)
    )
    row = conn.execute(query).first()
    return None if row is None else pipeline_of(row)


def list_pipelines(conn: Connection, workspace: str | None, after: str, limit: int) -> list[Pipeline]:
    """Return pipelines by slug; of every workspace when none is named."""
    query = select(pipelines).where(pipelines.c.deleted_at.is_(None), pipelines.c.slug > after)
    if workspace is not None:
        query = query.where(pipelines.c.workspace == workspace)
    return [pipeline_of(row) for row in conn.execute(query.order_by(pipelines.c.slug).limit(limit))]


def run_of(row: Row[Any], run_steps: list[Step]) -> PipelineRun:
    """Build a run from its row and steps."""
    values = {name: getattr(row, name) for name in PipelineRun.__slots__ if name != "steps"}
    return PipelineRun(**values, steps=run_steps)


def steps_of(conn: Connection, ids: list[str]) -> dict[str, list[Step]]:
    """Return the steps of several runs, in order."""
    found: dict[str, list[Step]] = {run: [] for run in ids}
    for row in conn.execute(select(steps).where(steps.c.run.in_(ids)).order_by(steps.c.run, steps.c.number)):
        found[row.run].append(Step(**{name: getattr(row, name) for name in Step.__slots__}))
    return found


def find_run(conn: Connection, workspace: str | None, run_id: str) -> PipelineRun | None:
    """Return a run with its steps."""
    query = select(runs).where(runs.c.id == run_id)
    if workspace is not None:
        query = query.where(runs.c.workspace == workspace)
    row = conn.execute(query).first()
    return None if row is None else run_of(row, steps_of(conn, [run_id])[run_id])


def find_run_by_key(conn: Connection, workspace: str, pipeline: str, key: str) -> PipelineRun | None:
    """Return the run that a key started."""
    query = select(runs.c.id).where(runs.c.workspace == workspace, runs.c.pipeline == pipeline, runs.c.key == key)
    found = conn.execute(query).scalar()
    return None if found is None else find_run(conn, workspace, found)


def failed_runs(conn: Connection, workspace: str | None, limit: int = 100) -> list[PipelineRun]:
    """Return the newest run of each pipeline that is there, where it failed; without steps."""
    newest = select(func.max(runs.c.id)).join(
        pipelines, (pipelines.c.workspace == runs.c.workspace) & (pipelines.c.slug == runs.c.pipeline)
    )
    newest = newest.where(pipelines.c.deleted_at.is_(None)).group_by(runs.c.workspace, runs.c.pipeline)
    query = select(runs).where(runs.c.id.in_(newest), runs.c.state == "FAILED")
    if workspace is not None:
        query = query.where(runs.c.workspace == workspace)
    return [run_of(row, []) for row in conn.execute(query.order_by(runs.c.id.desc()).limit(limit))]


def next_number(conn: Connection, workspace: str, pipeline: str) -> int:
    """Return the number of the next run of a pipeline, counted from 1."""
    query = select(func.max(runs.c.number)).where(runs.c.workspace == workspace, runs.c.pipeline == pipeline)
    return (conn.execute(query).scalar() or 0) + 1


def change_step(conn: Connection, run_id: str, name: str, **values: Any) -> None:
    """Change columns of one step."""
    conn.execute(update(steps).where(steps.c.run == run_id, steps.c.name == name).values(**values))


def end_run(conn: Connection, run_id: str, state: str, at: datetime, error: str = "") -> bool:
    """Close a run that is still running; tell whether it was."""
    query = update(runs).where(runs.c.id == run_id, runs.c.state == "RUNNING")
    return conn.execute(query.values(state=state, ended_at=at, error=error)).rowcount == 1


def insert_steps(conn: Connection, run_id: str, plans: list[tuple[str, str]]) -> None:
    """Write the steps of a new run, all pending."""
    empty = {"state": "PENDING", "fraction": 0.0, "note": "", "output": {}, "error": "", "hint": ""}
    rows = [
        {"run": run_id, "number": n, "name": name, "title": title, **empty} for n, (name, title) in enumerate(plans, 1)
    ]
    conn.execute(insert(steps), rows)
