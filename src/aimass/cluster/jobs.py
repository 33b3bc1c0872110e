"""The runner: starts what may start, follows what runs, settles what has ended; one thread in control."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import structlog

from aimass.access import closed_workspaces
from aimass.cluster.domain import Job, Progress, Room, SubmitJob, later
from aimass.cluster.events import ENDS, fact, tell
from aimass.cluster.service import LOCAL, Ground, Jobs
from aimass.cluster.store import (
    find_job,
    find_node,
    jobs_in_state,
    put_job,
    put_node,
    put_progress,
    slot_quotas,
)
from aimass.infra.blobs import with_inputs
from aimass.infra.compute import JobEvent, JobHandle, JobSpec, JobState
from aimass.kernel.capability import load
from aimass.kernel.errors import AimassError, Failed, NotFound, Unavailable
from aimass.kernel.events import Event
from aimass.kernel.principal import ANYWHERE, SYSTEM, Principal, policy
from aimass.kernel.registry import Registry
from aimass.kernel.tracing import tracing

_LOOK_S = 0.5
_WRITE_S = 1.0
_MAX_TRIES = 4
_START_PAUSE_S = 5
_FAULT_PAUSE_S = 1.0
_log = structlog.get_logger("aimass.cluster")


@dataclass(slots=True)
class _Active:
    """A job that this runner has in hand."""

    job: Job
    handle: JobHandle
    is_left: bool = False
    position: int = 0
    progress: Progress = field(default_factory=Progress)
    is_unwritten: bool = False
    is_asked_to_stop: bool = False
    end: JobState | None = None
    tries: int = 0
    not_before: float = 0.0


class Runner:
    """Moves jobs from QUEUED over RUNNING to their end.

    ``step`` never waits for a job. What a room does with a result (``done``, ``failed`` of its kind) runs here too, so
    it has to be quick, and idempotent: after a crash between it and the end of the job it is called again.
    """

    def __init__(self, registry: Registry, ground: Ground) -> None:
        self._registry = registry
        self._ground = ground
        self._database = ground.database
        self._compute = ground.compute
        self._slots = ground.settings.slots or ground.compute.capabilities().cores
        self._active: dict[str, _Active] = {}
        self._is_recovered = False
        self._commits = -1
        self._looked = 0.0
        self._wrote = 0.0

    def step(self) -> None:
        """Do what can be done now."""
        if not self._is_recovered:
            self._recover()
        for active in list(self._active.values()):
            if time.monotonic() >= active.not_before:
                self._care_for(active)
        self._write_progress()
        if self._database.commits != self._commits or time.monotonic() - self._looked > _LOOK_S:
            self._look()

    def _care_for(self, active: _Active) -> None:
        """Follow one job; its fault is logged and tried again, and holds no other job up."""
        try:
            self._follow(active)
            self._collect(active)
        except Exception as fault:  # noqa: BLE001 a runner outlives the fault of one job
            _log.error("a job could not be followed", job=active.job.id, exc_info=fault)
            active.not_before = time.monotonic() + _FAULT_PAUSE_S

    def _recover(self) -> None:
        """Take over the jobs that ran when the platform stopped; what has no result begins again."""
        offer = self._compute.capabilities()
        values = {"name": socket.gethostname(), "pool": "default", "slots": self._slots}
        with self._database.change(SYSTEM, "*") as change:
            put_node(change, LOCAL, {**values, "cores": offer.cores, "memory_bytes": offer.memory_bytes})
        open_ = {handle.job for handle in self._compute.recover()}
        with self._database.read() as conn:
            running = jobs_in_state(conn, "RUNNING")
        for job in running:
            handle = JobHandle(job=job.id, attempt=job.attempts)
            self._active[job.id] = _Active(job=job, handle=handle, is_left=job.id in open_, progress=job.progress)
        self._is_recovered = True

    def _follow(self, active: _Active) -> None:
        """Read the reports of a job and show them."""
        try:
            news, active.position = self._compute.events(active.job.id, active.position)
        except NotFound:
            return
        if not news:
            return
        for event in news:
            active.progress = _after(active.progress, event)
        active.is_unwritten = True
        tell(self._ground.live, replace(active.job, progress=active.progress))

    def _write_progress(self) -> None:
        """Write the progress of all jobs at most once a second, in one transaction."""
        unwritten = [active for active in self._active.values() if active.is_unwritten]
        if not unwritten or time.monotonic() - self._wrote < _WRITE_S:
            return
        self._wrote = time.monotonic()
        with self._database.change(SYSTEM, "*") as change:
            for active in unwritten:
                put_progress(change, active.job.id, active.progress)
                active.is_unwritten = False

    def _collect(self, active: _Active) -> None:
        if active.end is None:
            active.end = self._poll(active)
            if active.end is None:
                return
            self._follow(active)
        with tracing(active.job.trace):
            self._settle(active, active.end)

    def _poll(self, active: _Active) -> JobState | None:
        try:
            state = self._compute.poll(active.handle)
        except NotFound:
            return JobState(
                state="killed", attempt=active.handle.attempt, error={"detail": "the files of the job are gone"}
            )
        return None if state.state == "running" else state

    def _settle(self, active: _Active, end: JobState) -> None:
        """Decide what the end of an attempt means for its job."""
        with self._database.read() as conn:
            job = find_job(conn, active.job.workspace, active.job.id)
        if job is None or job.has_ended:
            del self._active[active.job.id]
            return
        job = replace(job, progress=active.progress)
        if end.state == "succeeded":
            self._finish(active, replace(job, state="SUCCEEDED", result=end.result))
        elif job.cancel_requested:
            self._finish(active, replace(job, state="CANCELLED", error=end.error))
        elif end.state in ("killed", "cancelled") and (active.is_left or job.kills < job.max_kills):
            self._again(active, job, end)
        else:
            self._finish(active, replace(job, state="FAILED", error=end.error))

    def _again(self, active: _Active, job: Job, end: JobState) -> None:
        """Queue a job again whose processes were killed, not by its own fault."""
        kills = job.kills + (not active.is_left)
        detail = (end.error or {}).get("detail", "")
        reason = (
            "begun again after a restart" if active.is_left else f"begun again ({kills} of {job.max_kills}): {detail}"
        )
        with self._database.change(SYSTEM, job.workspace) as change:
            not_before = None if active.is_left else later(change.now, kills)
            put_job(change, job.id, state="QUEUED", kills=kills, reason=reason, not_before=not_before)
        _log.warning("job is begun again", job=job.id, kind=job.kind, reason=reason)
        del self._active[job.id]
        tell(self._ground.live, replace(job, state="QUEUED", reason=reason))

    def _finish(self, active: _Active, job: Job) -> None:
        """Let the room take over the result, then write the end; a room that fails is asked again a few times."""
        job = replace(job, ended_at=self._database.clock.now(), reason="")
        try:
            self._hand_over(job)
        except Exception as reason:  # noqa: BLE001 the fault of a room is kept as the job's error, never the runner's end
            active.tries += 1
            _log.error(
                "a room could not take over a job", job=job.id, kind=job.kind, tries=active.tries, exc_info=reason
            )
            if active.tries < _MAX_TRIES:
                pause = later(self._database.clock.now(), active.tries) - self._database.clock.now()
                active.not_before = time.monotonic() + pause.total_seconds()
                return
            if job.state == "SUCCEEDED":
                active.tries = 0
                active.end = JobState(state="failed", attempt=job.attempts, error=_problem(reason))
                return
        self._active.pop(job.id, None)
        self._write_end(job)

    def _hand_over(self, job: Job) -> None:
        kind = self._ground.kinds.get(job.kind)
        face = None if kind is None else (kind.done if job.state == "SUCCEEDED" else kind.failed)
        if face is not None:
            load(face)(self._registry, job)

    def _write_end(self, job: Job) -> None:
        values: dict[str, Any] = {"state": job.state, "ended_at": job.ended_at, "reason": job.reason}
        values |= {"result": job.result, "error": job.error, "not_before": None, "stage": job.progress.stage}
        fraction = 1.0 if job.state == "SUCCEEDED" else job.progress.fraction
        values |= {"metrics": dict(job.progress.metrics), "fraction": fraction}
        with self._database.change(SYSTEM, job.workspace) as change:
            put_job(change, job.id, **values)
            change.event(ENDS[job.state], subject=f"job:{job.id}", data=fact(job))
        tell(self._ground.live, replace(job, progress=replace(job.progress, fraction=fraction)))

    def _look(self) -> None:
        """Read the queue: cancel what is to be cancelled, start what may start, say why the rest waits."""
        self._commits, self._looked = self._database.commits, time.monotonic()
        with self._database.read() as conn:
            queued, running = jobs_in_state(conn, "QUEUED"), jobs_in_state(conn, "RUNNING")
            room = self._room(slot_quotas(conn), is_open=not find_node(conn, LOCAL).is_cordoned)  # pyright: ignore[reportOptionalMemberAccess]
        closed = closed_workspaces(self._registry) if queued else ()
        for job in running:
            self._stop(job)
        for active in self._active.values():
            room.take(active.job)
        waiting: list[tuple[Job, str]] = []
        for job in queued:
            if job.cancel_requested or job.workspace in closed:
                self._drop(job)
            elif job.id not in self._active and (reason := self._begin(room, job)) != job.reason:
                waiting.append((job, reason))
        self._say_why(waiting)

    def _room(self, quotas: dict[str, int], *, is_open: bool) -> Room:
        settings = self._ground.settings
        limits = {"queues": settings.queues, "quotas": quotas, "default_quota": settings.workspace_slots}
        return Room(slots=self._slots, is_open=is_open, **limits)

    def _stop(self, job: Job) -> None:
        active = self._active.get(job.id)
        if active is not None and job.cancel_requested and not active.is_asked_to_stop:
            active.is_asked_to_stop = True
            self._compute.cancel(active.handle, self._ground.settings.grace_s)

    def _drop(self, job: Job) -> None:
        """Cancel a job that never ran, or waits to run again."""
        error = {"code": "job_cancelled", "detail": "the job was cancelled while it waited", "status": 500}
        handle = JobHandle(job=job.id, attempt=job.attempts)
        end = JobState(state="cancelled", attempt=job.attempts, error=error)
        self._active[job.id] = _Active(job=job, handle=handle, end=end, progress=job.progress)

    def _begin(self, room: Room, job: Job) -> str:
        """Start a job when there is room; return why it still waits."""
        why = room.why_not(job, self._database.clock.now())
        if why:
            return why
        try:
            kind = self._ground.kinds.kind(job.kind)
            if kind.ready:
                load(kind.ready)(self._registry, job)
            secrets = dict(load(kind.secrets)(self._registry, job)) if kind.secrets else {}
            if kind.on_tables:
                secrets |= self._ground.tables.told
            laid = replace(job, payload=self._laid(job))
            handle = self._compute.submit(_spec(laid, kind.run, room.take(job)), secrets)
        except Unavailable as reason:
            with self._database.change(SYSTEM, job.workspace) as change:
                put_job(change, job.id, not_before=change.now + timedelta(seconds=_START_PAUSE_S))
            return reason.message
        except AimassError as reason:
            end = JobState(state="failed", attempt=job.attempts, error=_problem(reason))
            self._active[job.id] = _Active(job=job, handle=JobHandle(job=job.id, attempt=job.attempts), end=end)
            return job.reason
        self._note_start(job, handle)
        return job.reason

    def _laid(self, job: Job) -> Mapping[str, Any]:
        blobs = self._ground.blobs
        return job.payload if blobs is None else with_inputs(dict(job.payload), blobs)

    def _note_start(self, job: Job, handle: JobHandle) -> None:
        with self._database.change(SYSTEM, job.workspace) as change:
            values: dict[str, Any] = {
                "state": "RUNNING",
                "attempts": handle.attempt,
                "has_files": True,
                "not_before": None,
            }
            values |= {"started_at": job.started_at or change.now, "reason": job.reason if job.kills else ""}
            put_job(change, job.id, **values)
            started = replace(job, state="RUNNING", attempts=handle.attempt, reason=values["reason"])
        self._active[job.id] = _Active(job=started, handle=handle)
        tell(self._ground.live, started)

    def _say_why(self, waiting: list[tuple[Job, str]]) -> None:
        if not waiting:
            return
        with self._database.change(SYSTEM, "*") as change:
            for job, reason in waiting:
                put_job(change, job.id, reason=reason)
        for job, reason in waiting:
            tell(self._ground.live, replace(job, reason=reason))


def _after(progress: Progress, event: JobEvent) -> Progress:
    return Progress(
        fraction=progress.fraction if event.fraction is None else event.fraction,
        stage=event.stage or progress.stage,
        metrics={**progress.metrics, **event.metrics},
    )


def _problem(reason: Exception) -> dict[str, Any]:
    return (reason if isinstance(reason, AimassError) else Failed(f"{type(reason).__name__}: {reason}")).problem()


def _spec(job: Job, run: str, slots: int) -> JobSpec:
    return JobSpec(
        id=job.id,
        run=run,
        params=job.payload,
        code=job.code,
        slots=slots,
        memory_bytes=job.limits.memory_bytes,
        timeout_s=job.limits.timeout_s,
        stall_s=job.limits.stall_s,
        trace=job.trace,
    )


def run_once(registry: Registry) -> None:
    """Let the runner do what can be done now."""
    registry.get(Runner).step()


def start_scheduled(registry: Registry, event: Event) -> None:
    """Submit the job of a schedule that fired; hearing of it twice is one job."""
    wish = event.data.get("job")
    if wish is None:
        return
    payload = {**wish["payload"], "workspace": event.workspace, "schedule": event.data["schedule"]}
    command = SubmitJob(
        workspace=event.workspace,
        kind=wish["kind"],
        title=wish["title"],
        payload={**payload, "due": event.data["due"]},
        key=event.data["key"],
        subject=event.subject,
    )
    jobs, who = registry.get(Jobs), policy(event.subject)
    order = jobs.kind(command.kind).order
    if order is None:
        jobs.submit(who, command)
        return
    try:
        load(order)(registry, who, command.workspace, dict(wish["payload"]), command.key)
    except Unavailable:
        raise
    except AimassError as reason:
        jobs.note_refused(who, command, reason)


def on_workspace_deleted(registry: Registry, event: Event) -> None:
    """Cancel the jobs of a workspace that was deleted, and is so still."""
    if event.workspace in closed_workspaces(registry):
        registry.get(Jobs).cancel_all(SYSTEM, event.workspace)


def attention(registry: Registry, who: Principal, workspace: str = ANYWHERE) -> list[dict[str, Any]]:
    """Return the jobs that failed of late, of every workspace where this principal may see them."""
    failures = registry.get(Jobs).failures(None if workspace == ANYWHERE else workspace)
    return [
        {
            "kind": "job",
            "title": f"{job.title} failed: {(job.error or {}).get('detail', 'no cause is known')}"[:300],
            "subject": f"job:{job.id}",
            "workspace": job.workspace,
            "since": job.ended_at,
            "path": f"/{job.workspace}/work/jobs/{job.id}",
        }
        for job in failures
        if who.allows("cluster.read", job.workspace)
    ]
