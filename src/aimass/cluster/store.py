"""Tables of the room cluster and the queries on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from aimass.cluster.domain import ENDED, Job, Limits, ListJobs, Progress, Quota
from aimass.infra.database import Change, Instant, Json, PlacedJson, metadata
from aimass.kernel.pages import decode_cursor

jobs = Table(
    "cluster_jobs",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("kind", String(120), nullable=False),
    Column("title", String(300), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("state", String(16), nullable=False),
    Column("queue", String(63), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("payload", PlacedJson, nullable=False),
    Column("fraction", Float, nullable=True),
    Column("stage", String(300), nullable=False),
    Column("metrics", Json, nullable=False),
    Column("reason", Text, nullable=False),
    Column("result", PlacedJson, nullable=True),
    Column("error", Json, nullable=True),
    Column("attempts", Integer, nullable=False),
    Column("kills", Integer, nullable=False),
    Column("max_kills", Integer, nullable=False),
    Column("limits", Json, nullable=False),
    Column("key", String(200), nullable=True),
    Column("code", String(200), nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("queued_at", Instant, nullable=False),
    Column("not_before", Instant, nullable=True),
    Column("started_at", Instant, nullable=True),
    Column("ended_at", Instant, nullable=True),
    Column("has_files", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("trace", String(32), nullable=False, server_default=text("''")),
    UniqueConstraint("workspace", "key"),
    Index(None, "workspace", "state", "id"),
    Index(None, "workspace", "subject"),
    Index(None, "state", "priority", "queued_at"),
    Index(None, "trace"),
)

nodes = Table(
    "cluster_nodes",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("pool", String(63), nullable=False),
    Column("is_cordoned", Boolean, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("cores", Integer, nullable=False),
    Column("memory_bytes", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
)

quotas = Table(
    "cluster_quotas",
    metadata,
    Column("workspace", String(63), primary_key=True),
    Column("slots", Integer, nullable=True),
    Column("queued", Integer, nullable=True),
    Column("version", Integer, nullable=False),
)


def job_of(row: Row[Any]) -> Job:
    """Read a job."""
    values = dict(row._mapping)  # noqa: SLF001 the public name of the mapping view of a row
    values.pop("has_files")
    progress = Progress(fraction=values.pop("fraction"), stage=values.pop("stage"), metrics=values.pop("metrics"))
    values["limits"] = Limits(**values["limits"])
    return Job(progress=progress, **values)


def find_job(conn: Connection, workspace: str, job: str) -> Job | None:
    """Return a job of a workspace."""
    row = conn.execute(select(jobs).where(jobs.c.id == job, jobs.c.workspace == workspace)).first()
    return None if row is None else job_of(row)


def job_by_key(conn: Connection, workspace: str, key: str) -> Job | None:
    """Return the job that was submitted under a key."""
    row = conn.execute(select(jobs).where(jobs.c.key == key, jobs.c.workspace == workspace)).first()
    return None if row is None else job_of(row)


def jobs_matching(conn: Connection, command: ListJobs) -> Sequence[Job]:
    """Return one job more than the page wants, newest first."""
    query: Select[Any] = select(jobs).where(jobs.c.workspace == command.workspace)
    for column, value in (
        (jobs.c.state, command.state),
        (jobs.c.kind, command.kind),
        (jobs.c.subject, command.subject),
        (jobs.c.trace, command.trace),
    ):
        if value is not None:
            query = query.where(column == value)
    if command.text:
        query = query.where(func.lower(jobs.c.title).contains(command.text.lower(), autoescape=True))
    if command.cursor:
        query = query.where(jobs.c.id < decode_cursor(command.cursor))
    return [job_of(row) for row in conn.execute(query.order_by(jobs.c.id.desc()).limit(command.limit + 1))]


def jobs_in_state(conn: Connection, state: str, limit: int = 500) -> list[Job]:
    """Return jobs in the order in which they may start: priority, then age."""
    order = (jobs.c.priority.desc(), jobs.c.queued_at, jobs.c.id)
    return [
        job_of(row) for row in conn.execute(select(jobs).where(jobs.c.state == state).order_by(*order).limit(limit))
    ]


def count_jobs(conn: Connection, workspace: str, state: str) -> int:
    """Return how many jobs of a workspace are in a state."""
    query = select(func.count()).select_from(jobs).where(jobs.c.workspace == workspace, jobs.c.state == state)
    return conn.execute(query).scalar_one()


def states_of_jobs(conn: Connection, workspace: str) -> dict[str, int]:
    """Return how many jobs of a workspace are in each state."""
    query = select(jobs.c.state, func.count().label("count")).where(jobs.c.workspace == workspace)
    return {state: count for state, count in conn.execute(query.group_by(jobs.c.state))}  # noqa: C416 a row is no pair to the checker


def failed_jobs(conn: Connection, workspace: str | None, since: datetime, limit: int = 100) -> list[Job]:
    """Return the jobs that failed since a moment, newest first; of every workspace when none is named."""
    query = select(jobs).where(jobs.c.state == "FAILED", jobs.c.ended_at >= since)
    if workspace is not None:
        query = query.where(jobs.c.workspace == workspace)
    return [job_of(row) for row in conn.execute(query.order_by(jobs.c.id.desc()).limit(limit))]


def add_job(change: Change, values: Mapping[str, Any]) -> None:
    """Write a new job."""
    change.execute(insert(jobs).values(**values))


def put_job(change: Change, job: str, **values: Any) -> None:
    """Change a job."""
    change.execute(update(jobs).where(jobs.c.id == job).values(version=jobs.c.version + 1, **values))


def put_progress(change: Change, job: str, progress: Progress) -> None:
    """Write how far a running job is; this is no new version."""
    values = {"fraction": progress.fraction, "stage": progress.stage, "metrics": dict(progress.metrics)}
    change.execute(update(jobs).where(jobs.c.id == job, jobs.c.state == "RUNNING").values(**values))


def jobs_with_files(conn: Connection) -> Sequence[Any]:
    """Return id, state and end of each ended job that has files, the oldest first."""
    query = select(jobs.c.id, jobs.c.workspace, jobs.c.state, jobs.c.ended_at)
    return conn.execute(query.where(jobs.c.has_files, jobs.c.state.in_(ENDED)).order_by(jobs.c.ended_at)).all()


def payloads_of_open_jobs(conn: Connection) -> list[Any]:
    """Return what the jobs were given that wait, run, or failed and may be tried again while their files are there."""
    may_go_on = jobs.c.state.in_(("FAILED", "CANCELLED")) & jobs.c.has_files
    query = select(jobs.c.payload).where(jobs.c.state.not_in(ENDED) | may_go_on)
    return list(conn.execute(query).scalars())


def known_jobs(conn: Connection, ids: Sequence[str]) -> set[str]:
    """Return which of some ids are jobs."""
    parts = (ids[start : start + 500] for start in range(0, len(ids), 500))
    return {id_ for part in parts for id_ in conn.execute(select(jobs.c.id).where(jobs.c.id.in_(part))).scalars()}


def forget_files(change: Change, ids: Sequence[str]) -> None:
    """Note that the files of jobs are gone."""
    change.execute(update(jobs).where(jobs.c.id.in_(ids)).values(has_files=False))


def forget_jobs(change: Change, ended_before: datetime) -> int:
    """Delete jobs that ended long ago and have no files."""
    old = delete(jobs).where(jobs.c.state.in_(ENDED), jobs.c.ended_at < ended_before, ~jobs.c.has_files)
    return change.execute(old).rowcount


def quota_of(conn: Connection, workspace: str) -> Quota:
    """Return the quota of a workspace; an empty one when none was set."""
    row = conn.execute(select(quotas).where(quotas.c.workspace == workspace)).first()
    return Quota(workspace=workspace) if row is None else Quota(**row._mapping)  # noqa: SLF001


def slot_quotas(conn: Connection) -> dict[str, int]:
    """Return the most slots of each workspace that has a quota for them."""
    return {row.workspace: row.slots for row in conn.execute(select(quotas)) if row.slots is not None}


def put_quota(change: Change, quota: Quota) -> None:
    """Write a quota."""
    change.execute(delete(quotas).where(quotas.c.workspace == quota.workspace))
    values = {"slots": quota.slots, "queued": quota.queued, "version": quota.version}
    change.execute(insert(quotas).values(workspace=quota.workspace, **values))


def find_node(conn: Connection, id_: str) -> Row[Any] | None:
    """Return a node's row."""
    return conn.execute(select(nodes).where(nodes.c.id == id_)).first()


def all_nodes(conn: Connection) -> list[Row[Any]]:
    """Return every node's row."""
    return list(conn.execute(select(nodes).order_by(nodes.c.name)))


def put_node(change: Change, id_: str, values: Mapping[str, Any]) -> None:
    """Write what a node has; a new one takes jobs."""
    known = find_node(change.conn, id_)
    if known is None:
        change.execute(insert(nodes).values(id=id_, is_cordoned=False, version=1, **values))
    elif any(getattr(known, name) != value for name, value in values.items()):
        change.execute(update(nodes).where(nodes.c.id == id_).values(version=known.version + 1, **values))


def set_cordon(change: Change, id_: str, *, is_cordoned: bool) -> None:
    """Let a node take no new jobs, or take them again."""
    values = {"is_cordoned": is_cordoned, "version": nodes.c.version + 1}
    change.execute(update(nodes).where(nodes.c.id == id_).values(**values))
