"""Jobs, nodes and quotas, and the rules by which a queued job may start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.kernel.errors import Invalid
from aimass.kernel.pages import MAX_LIMIT

JobStatus = Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
NodeStatus = Literal["READY", "CORDONED", "DRAINING", "LOST"]
ENDED: tuple[JobStatus, ...] = ("SUCCEEDED", "FAILED", "CANCELLED")
_MAX_PRIORITY = 1000
_LATER_S = (0, 2, 5, 15, 30, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is: a share of the whole where it is known, the stage, and its last metrics."""

    fraction: float | None = None
    stage: str = ""
    metrics: Mapping[str, float | None] = field(default_factory=dict[str, float | None])


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one attempt may use."""

    timeout_s: float | None = None
    stall_s: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job.

    Attributes
    ----------
    subject
        What the job works for, ``<kind>:<id>``, for example ``run:01H...``.
    reason
        Why it waits, or how often it was begun again; empty when there is nothing to say.
    attempts, kills, max_kills
        Attempts so far; how many of them were killed while the platform ran, and how many may be.
    error
        Problem document of a job that failed.
    trace
        Id of the trace of the request that set the job in motion; empty without one.
    """

    id: str
    workspace: str
    kind: str
    title: str
    subject: str
    state: JobStatus
    queue: str
    priority: int
    slots: int
    payload: Mapping[str, Any]
    progress: Progress
    reason: str
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    attempts: int
    kills: int
    max_kills: int
    limits: Limits
    key: str | None
    code: str
    cancel_requested: bool
    created_by: str
    created_at: datetime
    queued_at: datetime
    not_before: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    version: int
    trace: str = ""

    @property
    def has_ended(self) -> bool:
        """Tell whether the job has come to its end."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitJob:
    """Wish for a job; rooms submit them, people never do.

    Two submissions with one ``key`` in a workspace are one job. ``payload`` carries no secrets: it is shown.
    """

    workspace: str
    kind: str
    title: str
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    key: str | None = None
    subject: str = ""
    slots: int = 1
    queue: str = "default"
    priority: int = 0
    max_kills: int = 3
    limits: Limits = field(default_factory=Limits)
    code: str = ""

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise Invalid(f"a job takes {self.slots} slots", field="slots", value=self.slots, allowed="1 or more")
        if abs(self.priority) > _MAX_PRIORITY:
            raise Invalid(
                f"priority {self.priority} is out of range",
                field="priority",
                value=self.priority,
                allowed="-1000 to 1000",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListJobs:
    """Which jobs are wanted, newest first."""

    workspace: str
    state: Annotated[JobStatus | None, doc("only jobs in this state")] = None
    kind: Annotated[str | None, doc("only jobs of this kind, for example training.fit")] = None
    subject: Annotated[str | None, doc("only jobs for this object, for example run:01H...")] = None
    text: Annotated[str | None, MaxLen(200), doc("words in the title")] = None
    trace: Annotated[str | None, doc("only jobs of this trace: 32 hexadecimal digits")] = None
    limit: Annotated[int, Ge(1), Le(MAX_LIMIT), doc("jobs wanted")] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetJob:
    """Which job is wanted."""

    workspace: str
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitJob:
    """Wait for the end of a job; what comes back may still run when the time is over."""

    workspace: str
    job: str
    timeout_s: Annotated[float, Ge(0), Le(60), doc("longest time to wait")] = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelJob:
    """Which job is to be cancelled."""

    workspace: str
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryJob:
    """Which failed or cancelled job is to be begun again, from its last checkpoint."""

    workspace: str
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetJobLog:
    """Which part of a job's log is wanted."""

    workspace: str
    job: str
    after: Annotated[int, Ge(0), Le(2**53), doc("number of the last line that is known")] = 0
    limit: Annotated[int, Ge(1), Le(5000), doc("lines wanted")] = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One line of a log."""

    number: int
    time: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLog:
    """Some lines of a log, the number to go on from, and whether more can come."""

    lines: list[LogEntry]
    next: int
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A machine that runs jobs. CORDONED takes no new jobs; DRAINING also still has some to finish."""

    id: str
    name: str
    pool: str
    state: NodeStatus
    slots: int
    used_slots: int
    cores: int
    memory_bytes: int
    load: float
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeNode:
    """Which node is to be changed."""

    node: str
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a workspace may use at once; None means no limit of its own."""

    workspace: str
    slots: int | None = None
    queued: int | None = None
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GetQuota:
    """Whose quota is wanted."""

    workspace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetQuota:
    """Limit a workspace; only those who manage the whole platform may."""

    tenant: Annotated[str, doc("slug of the workspace")]
    slots: Annotated[int | None, Ge(0), doc("most slots at once")] = None
    queued: Annotated[int | None, Ge(0), doc("most jobs that wait at once")] = None
    expected_version: int | None = None


@dataclass(slots=True, kw_only=True)
class Room:
    """The room there is for jobs right now; :meth:`take` and :meth:`why_not` decide who starts.

    Jobs are asked in order of priority, then age. One that finds too few free slots keeps the later ones back, so that
    small jobs never starve a large one; one that only its queue or quota holds back does not.
    """

    slots: int
    is_open: bool = True
    queues: Mapping[str, int] = field(default_factory=dict[str, int])
    quotas: Mapping[str, int] = field(default_factory=dict[str, int])
    default_quota: int = 0
    used: int = 0
    used_by_queue: dict[str, int] = field(default_factory=dict[str, int])
    used_by_workspace: dict[str, int] = field(default_factory=dict[str, int])
    is_held: bool = False

    def grant(self, job: Job) -> int:
        """Return how many slots a job gets: what it wants, or the most it may ever have."""
        most = (self.slots, self._quota(job), self.queues.get(job.queue))
        return max(1, min([job.slots, *(limit for limit in most if limit is not None)]))

    def _quota(self, job: Job) -> int | None:
        return self.quotas.get(job.workspace, self.default_quota or None)

    def take(self, job: Job) -> int:
        """Count the slots of a job that runs, and return how many it gets."""
        slots = self.grant(job)
        self.used += slots
        self.used_by_queue[job.queue] = self.used_by_queue.get(job.queue, 0) + slots
        self.used_by_workspace[job.workspace] = self.used_by_workspace.get(job.workspace, 0) + slots
        return slots

    def why_not(self, job: Job, now: datetime) -> str:
        """Return why a queued job cannot start now; an empty text when it can."""
        slots, quota, queue = self.grant(job), self._quota(job), self.queues.get(job.queue)
        if job.not_before is not None and now < job.not_before:
            return job.reason
        if not self.is_open:
            return "the node takes no new jobs"
        if quota is not None and self.used_by_workspace.get(job.workspace, 0) + slots > quota:
            return f"the quota of the workspace is {quota} slots at once"
        if queue is not None and self.used_by_queue.get(job.queue, 0) + slots > queue:
            return f"the queue {job.queue!r} takes {queue} slots at once"
        if self.is_held or self.used + slots > self.slots:
            self.is_held = True
            return f"waits for {slots} of {self.slots} slots"
        return ""


def later(now: datetime, tries: int) -> datetime:
    """Return when something that failed ``tries`` times is tried again.

    Examples
    --------
    >>> from datetime import UTC
    >>> noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    >>> [(later(noon, tries) - noon).seconds for tries in (1, 2, 9)]
    [0, 2, 60]
    """
    return now + timedelta(seconds=_LATER_S[min(max(tries, 1), len(_LATER_S)) - 1])
