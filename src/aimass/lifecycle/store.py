"""Tables of pipelines, runs and steps."""

from __future__ import annotations

from collections.abc import Sequence
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
    text,
    update,
)

from aimass.infra.database import Change, Instant, Json, metadata
from aimass.kernel.clock import parse_instant
from aimass.kernel.pages import decode_cursor
from aimass.lifecycle.domain import Pipeline, PipelineRun, Step, Trigger
from aimass.lifecycle.releases import LearnerRelease
from aimass.lifecycle.rollouts import OPEN, ListRollouts, Rollout, RolloutEvent

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
    Column("trace", String(32), nullable=False, server_default=text("''")),
    UniqueConstraint("workspace", "pipeline", "key"),
    Index(None, "trace"),
    Index("ix_lifecycle_runs_workspace_id", "workspace", "id"),
)

steps = Table(
    "lifecycle_steps",
    metadata,
    Column("run", String(26), primary_key=True, info={"of": "lifecycle_runs.id"}),
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


rollouts = Table(
    "lifecycle_rollouts",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("key", String(200), nullable=False),
    Column("endpoint", String(63), nullable=False),
    Column("deployment", String(63), nullable=False),
    Column("model", String(63), nullable=False),
    Column("model_version", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("steps", Json, nullable=False),
    Column("step", Integer, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("step_since", Instant, nullable=True),
    Column("fraction", Float, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("verdict_facts", Json, nullable=False),
    Column("bake_s", Integer, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("patience_s", Integer, nullable=False),
    Column("limits", Json, nullable=False),
    Column("promote_alias", String(63), nullable=True),
    Column("reason", Text, nullable=False),
    Column("history", Json, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=True),
    Column("version", Integer, nullable=False),
    UniqueConstraint("workspace", "key"),
    Index(None, "workspace", "endpoint"),
    Index(None, "state"),
)


releases = Table(
    "lifecycle_learner_releases",
    metadata,
    Column("workspace", String(63), primary_key=True),
    Column("learner", String(63), primary_key=True),
    Column("endpoint", String(63), nullable=False),
    Column("model", String(63), nullable=False),
    Column("feeds", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("snapshot", Integer, nullable=False),
    Column("model_version", Integer, nullable=True),
    Column("released", Json, nullable=False),
    Column("fed_rows", Integer, nullable=False),
    Column("fed_mark", Text, nullable=False),
    Column("fed_since", Instant, nullable=True),
    Column("job", String(26), nullable=True),
    Column("verdict", Text, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_by_name", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
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


def rollout_of(row: Row[Any]) -> Rollout:
    """Build a rollout from its row."""
    values = {name: getattr(row, name) for name in Rollout.__slots__ if name != "history"}
    history = [RolloutEvent(**{**one, "time": parse_instant(one["time"])}) for one in row.history]
    return Rollout(**values, history=history)


def find_rollout(conn: Connection, workspace: str, id_: str) -> Rollout | None:
    """Return a rollout."""
    row = conn.execute(select(rollouts).where(rollouts.c.workspace == workspace, rollouts.c.id == id_)).first()
    return None if row is None else rollout_of(row)


def rollout_by_key(conn: Connection, workspace: str, key: str) -> Rollout | None:
    """Return the rollout that was asked for under a key."""
    row = conn.execute(select(rollouts).where(rollouts.c.workspace == workspace, rollouts.c.key == key)).first()
    return None if row is None else rollout_of(row)


def open_rollout(conn: Connection, workspace: str, endpoint: str) -> Rollout | None:
    """Return the rollout that is open on an endpoint."""
    query = select(rollouts).where(rollouts.c.workspace == workspace, rollouts.c.endpoint == endpoint)
    row = conn.execute(query.where(rollouts.c.state.in_(OPEN))).first()
    return None if row is None else rollout_of(row)


def list_rollouts(conn: Connection, command: ListRollouts | None) -> list[Rollout]:
    """Return one rollout more than the page wants, the newest first; without a command every open one, of all workspaces."""
    query = select(rollouts).order_by(rollouts.c.id.desc())
    if command is None:
        query = query.where(rollouts.c.state.in_(OPEN))
    else:
        query = query.where(rollouts.c.workspace == command.workspace).limit(command.limit + 1)
        for name in ("endpoint", "state"):
            if getattr(command, name) is not None:
                query = query.where(rollouts.c[name] == getattr(command, name))
        if command.cursor:
            query = query.where(rollouts.c.id < decode_cursor(command.cursor))
    return [rollout_of(row) for row in conn.execute(query)]


def put_rollout(change: Change, id_: str, version: int, **values: Any) -> bool:
    """Change a rollout that was read in this version; tell whether it still had it."""
    query = update(rollouts).where(rollouts.c.id == id_, rollouts.c.version == version)
    return change.execute(query.values(version=version + 1, **values)).rowcount == 1


def release_of(row: Row[Any]) -> LearnerRelease:
    """Build what people see of a release."""
    values = {name: getattr(row, name) for name in LearnerRelease.__slots__ if name != "released"}
    return LearnerRelease(released=tuple(row.released), **values)


def find_release(conn: Connection, workspace: str, learner: str) -> Row[Any] | None:
    """Return the release of a learner."""
    query = select(releases).where(releases.c.workspace == workspace, releases.c.learner == learner)
    return conn.execute(query).first()


def every_release(conn: Connection) -> Sequence[Row[Any]]:
    """Return the releases of all workspaces."""
    return conn.execute(select(releases).order_by(releases.c.workspace, releases.c.learner)).all()


def put_release(change: Change, row: Row[Any], **values: Any) -> bool:
    """Change a release that was read in this version; tell whether it still had it."""
    query = update(releases).where(releases.c.workspace == row.workspace, releases.c.learner == row.learner)
    query = query.where(releases.c.version == row.version)
    return change.execute(query.values(version=row.version + 1, **values)).rowcount == 1
