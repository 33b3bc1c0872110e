"""Use cases of the room cluster: jobs, nodes and quotas."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from aimass.cluster.domain import (
    CancelJob,
    ChangeNode,
    GetJob,
    GetJobLog,
    GetQuota,
    Job,
    JobLog,
    ListJobs,
    LogEntry,
    Node,
    Progress,
    Quota,
    RetryJob,
    SetQuota,
    SubmitJob,
    WaitJob,
)
from aimass.cluster.errors import JobEnded
from aimass.cluster.events import ENDS, RETRIED, SUBMITTED, fact, tell
from aimass.cluster.settings import ClusterSettings
from aimass.cluster.store import (
    add_job,
    all_nodes,
    count_jobs,
    failed_jobs,
    find_job,
    find_node,
    job_by_key,
    jobs_in_state,
    jobs_matching,
    put_job,
    put_quota,
    quota_of,
    set_cordon,
    states_of_jobs,
)
from aimass.infra.blobs import Blobs
from aimass.infra.compute import Compute, JobEvent
from aimass.infra.database import Change, Database
from aimass.infra.live import LiveHub
from aimass.infra.tables import TablesGrant
from aimass.kernel.capability import JobKind, JobKinds
from aimass.kernel.errors import AimassError, Conflict, NotFound, Stale, TooMany
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug
from aimass.kernel.pages import Page, page_of
from aimass.kernel.principal import Principal
from aimass.kernel.tracing import current_trace
from aimass.kernel.usecase import SIGNED_IN, use_case

LOCAL = "local"
_OF_LATE = timedelta(days=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The ports that the room stands on."""

    database: Database
    compute: Compute
    kinds: JobKinds
    live: LiveHub
    settings: ClusterSettings
    blobs: Blobs | None = None
    tables: TablesGrant = field(default_factory=TablesGrant)


class Jobs:
    """Jobs of the rooms: submitted by name, run in child processes, seen by everybody who may."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._database = ground.database
        self._compute = ground.compute

    def submit(self, who: Principal, command: SubmitJob) -> Job:
        """Queue a job on behalf of somebody whose right was checked by the room that submits.

        A second submission with the same key returns the first job.

        Raises
        ------
        Invalid
            No room provides the kind.
        TooMany
            The workspace has as many waiting jobs as its quota allows.
        Conflict
            The key was used for another payload.
        """
        with self._database.change(who, command.workspace) as change:
            job = self.enqueue(change, command)
        tell(self._ground.live, job)
        return job

    def enqueue(self, change: Change, command: SubmitJob) -> Job:
        """Queue a job inside the caller's own change, so that both happen or neither; see :meth:`submit`."""
        self._ground.kinds.kind(command.kind)
        known = job_by_key(change.conn, command.workspace, command.key) if command.key else None
        if known is not None:
            return _same(known, command)
        quota = quota_of(change.conn, command.workspace)
        if quota.queued is not None and count_jobs(change.conn, command.workspace, "QUEUED") >= quota.queued:
            hint = "wait until some have begun, or ask for a larger quota"
            raise TooMany(
                f"{command.workspace!r} has {quota.queued} waiting jobs already", value=quota.queued, hint=hint
            )
        job = new_id()
        add_job(change, _row(job, command, change))
        change.audit(
            "cluster.job.submit", object_=f"job:{job}", detail={"kind": command.kind, "subject": command.subject}
        )
        queued = self._found(change, command.workspace, job)
        change.event(SUBMITTED, subject=f"job:{job}", data=fact(queued))
        return queued

    def kind(self, name: str) -> JobKind:
        """Return a kind of job, or say that nobody provides it."""
        return self._ground.kinds.kind(name)

    def note_refused(self, who: Principal, command: SubmitJob, reason: AimassError) -> Job:
        """Keep a job that could not even begin as a failed one, so that somebody sees it; once for each key."""
        with self._database.change(who, command.workspace) as change:
            known = job_by_key(change.conn, command.workspace, command.key) if command.key else None
            if known is not None:
                return known
            job = new_id()
            ended = {"state": "FAILED", "error": reason.problem(), "ended_at": change.now}
            add_job(change, {**_row(job, command, change), **ended})
            failed = self._found(change, command.workspace, job)
            change.event(ENDS["FAILED"], subject=f"job:{job}", data=fact(failed))
        tell(self._ground.live, failed)
        return failed

    @use_case("GET /workspaces/{workspace}/jobs", permission="cluster.read", cli="jobs list")
    def list_jobs(self, who: Principal, command: ListJobs) -> Page[Job]:
        """List jobs, newest first."""
        del who
        with self._database.read() as conn:
            found = page_of(jobs_matching(conn, command), command.limit, lambda job: job.id)
        return replace(found, items=[self._shown(job) for job in found.items])

    @use_case("GET /workspaces/{workspace}/jobs/{job}", permission="cluster.read", cli="jobs show")
    def get_job(self, who: Principal, command: GetJob) -> Job:
        """Show a job with its progress, result or error."""
        del who
        return self._shown(self.job(command.workspace, command.job))

    def _shown(self, job: Job) -> Job:
        """Leave out what tells of the data that a job worked on."""
        private = kind.private if (kind := self._ground.kinds.get(job.kind)) else ()
        payload = {name: value for name, value in job.payload.items() if name not in private}
        result = (
            {name: value for name, value in job.result.items() if name not in private} if job.result else job.result
        )
        return replace(job, payload=payload, result=result)

    @use_case("GET /workspaces/{workspace}/jobs/{job}/wait", permission="cluster.read", cli="jobs wait")
    def wait_job(self, who: Principal, command: WaitJob) -> Job:
        """Wait until a job has ended, at most as long as asked."""
        del who
        end = time.monotonic() + command.timeout_s
        seen = self._database.commits
        while not (job := self.job(command.workspace, command.job)).has_ended and time.monotonic() < end:
            seen = self._database.wait(seen, min(1.0, end - time.monotonic()))
        return self._shown(job)

    @use_case("POST /workspaces/{workspace}/jobs/{job}/cancel", permission="cluster.edit", cli="jobs cancel")
    def cancel_job(self, who: Principal, command: CancelJob) -> Job:
        """Cancel a job: ask it to stop, and kill it when it does not within the grace."""
        with self._database.change(who, command.workspace) as change:
            job = self._found(change, command.workspace, command.job)
            if job.has_ended:
                raise JobEnded(f"job {job.id!r} is {job.state} already", value=job.state, allowed=["QUEUED", "RUNNING"])
            if not job.cancel_requested:
                put_job(change, job.id, cancel_requested=True)
                change.audit("cluster.job.cancel", object_=f"job:{job.id}")
            return self._shown(self._found(change, command.workspace, command.job))

    def cancel_all(self, who: Principal, workspace: str) -> int:
        """Cancel every job of a workspace that has not ended; return how many those were."""
        with self._database.change(who, workspace) as change:
            found = [job for state in ("QUEUED", "RUNNING") for job in jobs_in_state(change.conn, state)]
            mine = [job for job in found if job.workspace == workspace and not job.cancel_requested]
            for job in mine:
                put_job(change, job.id, cancel_requested=True)
                change.audit("cluster.job.cancel", object_=f"job:{job.id}")
        return len(mine)

    @use_case("POST /workspaces/{workspace}/jobs/{job}/retry", permission="cluster.edit", cli="jobs retry")
    def retry_job(self, who: Principal, command: RetryJob) -> Job:
        """Begin a failed or cancelled job again, from its last checkpoint."""
        with self._database.change(who, command.workspace) as change:
            job = self._found(change, command.workspace, command.job)
            if job.state not in ("FAILED", "CANCELLED"):
                raise Conflict(f"job {job.id!r} is {job.state}", value=job.state, allowed=["FAILED", "CANCELLED"])
            self._ground.kinds.kind(job.kind)
            fresh = {
                "kills": 0,
                "error": None,
                "reason": "",
                "cancel_requested": False,
                "ended_at": None,
                "not_before": None,
            }
            put_job(change, job.id, state="QUEUED", queued_at=change.now, **fresh)
            change.audit("cluster.job.retry", object_=f"job:{job.id}")
            change.event(RETRIED, subject=f"job:{job.id}", data=fact(job))
            queued = self._found(change, command.workspace, command.job)
        tell(self._ground.live, queued)
        return queued

    @use_case("GET /workspaces/{workspace}/jobs/{job}/log", permission="cluster.read", cli="jobs log")
    def get_job_log(self, who: Principal, command: GetJobLog) -> JobLog:
        """Read the log of a job, line by line."""
        del who
        job = self.job(command.workspace, command.job)
        try:
            lines = self._compute.logs(job.id, command.after, command.limit)
        except NotFound:
            lines = []
        entries = [LogEntry(number=line.number, time=line.time, text=line.text) for line in lines]
        after = entries[-1].number if entries else command.after
        return JobLog(lines=entries, next=after, is_complete=job.has_ended and len(lines) < command.limit)

    def job(self, workspace: str, job: str) -> Job:
        """Return a job, for rooms that checked the right themselves."""
        with self._database.read() as conn:
            found = find_job(conn, workspace, job)
        if found is None:
            raise _no_job(job)
        return found

    def reports(self, job: Job, after: int = 0) -> tuple[list[JobEvent], int]:
        """Return what a job reported behind a position, and the position to go on from; for rooms that follow their jobs.

        A job that has not begun, or whose files are gone, has reported nothing.
        """
        try:
            return self._compute.events(job.id, after)
        except NotFound:
            return [], after

    def submitted(self, workspace: str, key: str) -> Job | None:
        """Return the job that was submitted under a key, if there is one."""
        with self._database.read() as conn:
            return job_by_key(conn, workspace, key)

    def states(self, workspace: str) -> dict[str, int]:
        """Return how many jobs are in each state, for pages and rooms that checked the right themselves."""
        with self._database.read() as conn:
            return states_of_jobs(conn, workspace)

    def failures(self, workspace: str | None = None) -> list[Job]:
        """Return the jobs that failed of late, newest first; of every workspace when none is named."""
        since = self._database.clock.now() - _OF_LATE
        with self._database.read() as conn:
            return failed_jobs(conn, workspace, since)

    def outputs(self, job: Job) -> Path:
        """Return the folder with what a job left in ``ctx.out``; it goes some time after the job has ended."""
        return self._compute.outputs(job.id)

    def _found(self, change: Change, workspace: str, job: str) -> Job:
        found = find_job(change.conn, workspace, job)
        if found is None:
            raise _no_job(job)
        return found

    @use_case("GET /nodes", permission=SIGNED_IN, cli="nodes list")
    def list_nodes(self, who: Principal) -> list[Node]:
        """List the machines that run jobs, with what they have and what is taken."""
        del who
        with self._database.read() as conn:
            used = sum(job.slots for job in jobs_in_state(conn, "RUNNING"))
            return [_node(row, used) for row in all_nodes(conn)]

    @use_case("POST /nodes/{node}/cordon", permission="cluster.manage", cli="nodes cordon")
    def cordon_node(self, who: Principal, command: ChangeNode) -> Node:
        """Let a node take no new jobs; those that run go on."""
        return self._cordon(who, command, is_cordoned=True)

    @use_case("POST /nodes/{node}/uncordon", permission="cluster.manage", cli="nodes uncordon")
    def uncordon_node(self, who: Principal, command: ChangeNode) -> Node:
        """Let a node take new jobs again."""
        return self._cordon(who, command, is_cordoned=False)

    def _cordon(self, who: Principal, command: ChangeNode, *, is_cordoned: bool) -> Node:
        with self._database.change(who, "*") as change:
            row = find_node(change.conn, command.node)
            if row is None:
                raise NotFound(f"there is no node {command.node!r}", field="node", value=command.node)
            _fresh(row.version, command.expected_version)
            if row.is_cordoned != is_cordoned:
                set_cordon(change, command.node, is_cordoned=is_cordoned)
                action = "cordon" if is_cordoned else "uncordon"
                change.audit(f"cluster.node.{action}", object_=f"node:{command.node}")
        return next(node for node in self.list_nodes(who) if node.id == command.node)

    @use_case("GET /workspaces/{workspace}/quota", permission="cluster.read", cli="quota show")
    def get_quota(self, who: Principal, command: GetQuota) -> Quota:
        """Show how much a workspace may use at once."""
        del who
        with self._database.read() as conn:
            return quota_of(conn, command.workspace)

    @use_case("PUT /quotas/{tenant}", permission="cluster.manage", cli="quota set")
    def set_quota(self, who: Principal, command: SetQuota) -> Quota:
        """Limit how much a workspace may use at once; without a number there is no limit."""
        tenant = check_slug(command.tenant, field="tenant")
        with self._database.change(who, tenant) as change:
            before = quota_of(change.conn, tenant)
            _fresh(before.version, command.expected_version)
            quota = replace(before, slots=command.slots, queued=command.queued, version=before.version + 1)
            put_quota(change, quota)
            detail = {"slots": quota.slots, "queued": quota.queued}
            change.audit("cluster.quota.set", object_=f"quota:{tenant}", detail=detail)
            return quota


def _no_job(job: str) -> NotFound:
    return NotFound(f"there is no job {job!r}", field="job", value=job)


def _same(known: Job, command: SubmitJob) -> Job:
    if known.kind != command.kind or dict(known.payload) != dict(command.payload):
        hint = "use another key for another job"
        raise Conflict(
            f"the key {command.key!r} belongs to job {known.id!r}", field="key", value=command.key, hint=hint
        )
    return known


def _fresh(version: int, expected: int | None) -> None:
    if expected is not None and expected != version:
        raise Stale(f"version {expected} was changed to {version} meanwhile", value=expected, hint="read it again")


def _row(job: str, command: SubmitJob, change: Change) -> Mapping[str, Any]:
    wishes = asdict(command)
    progress = Progress()
    return {
        **wishes,
        "id": job,
        "title": command.title[:300],
        "state": "QUEUED",
        "fraction": progress.fraction,
        "stage": progress.stage,
        "metrics": {},
        "reason": "",
        "attempts": 0,
        "kills": 0,
        "cancel_requested": False,
        "created_by": change.who.id,
        "created_at": change.now,
        "queued_at": change.now,
        "has_files": False,
        "version": 1,
        "trace": current_trace(),
    }


def _node(row: Row[Any], used: int) -> Node:
    state = ("DRAINING" if used else "CORDONED") if row.is_cordoned else "READY"
    return Node(
        id=row.id,
        name=row.name,
        pool=row.pool,
        state=state,
        slots=row.slots,
        used_slots=min(used, row.slots),
        cores=row.cores,
        memory_bytes=row.memory_bytes,
        load=round(os.getloadavg()[0], 2),
        version=row.version,
    )
