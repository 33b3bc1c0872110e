"""The port: what every executor of jobs does, whatever machine the job runs on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from aimass.kernel.erasing import Person

State = Literal["running", "succeeded", "failed", "cancelled", "killed", "timed_out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What is to be run.

    ``run``, ``params`` and ``code`` are frozen by the first attempt: a later one with others is refused. The limits may
    change from attempt to attempt.

    Attributes
    ----------
    id
        Name of the job; it becomes a folder.
    run
        ``module:function`` called with a :class:`~aimass.infra.compute.JobContext`; returns a JSON object.
    params
        JSON payload.
    code
        What else decides the result, for example the version of the code and the hash of its environment.
    slots
        Threads that numeric libraries may use.
    memory_bytes
        Resident memory of the whole process tree above which the job is killed.
    timeout_s
        Longest time of one attempt.
    stall_s
        Longest time without a report.
    trace
        Id of the trace that the job belongs to; its processes find it as ``TRACEPARENT``, and its log begins with it.
    """

    id: str
    run: str
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    code: str = ""
    slots: int = 1
    memory_bytes: int | None = None
    timeout_s: float | None = None
    stall_s: float | None = None
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHandle:
    """One attempt at a job; a later attempt has a higher number and shuts the earlier ones out."""

    job: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """How an attempt stands.

    Attributes
    ----------
    error
        Problem document (see :meth:`aimass.kernel.errors.AimassError.problem`) with the last lines of the log as
        ``tail``; None while running and after success.
    usage
        ``cpu_s`` and ``max_rss_bytes`` where known.
    """

    state: State
    attempt: int
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    usage: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One report of a job: how far it is, in which stage, with which metrics."""

    seq: int
    attempt: int
    time: str
    fraction: float | None = None
    stage: str = ""
    metrics: Mapping[str, float | None] = field(default_factory=dict[str, float | None])


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a job's log; numbers begin at 1 and go on over attempts."""

    number: int
    time: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an executor offers."""

    name: str
    cores: int
    memory_bytes: int
    gpus: int = 0
    memory_limit: bool = True
    survives_restart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFiles:
    """The files of a job on this machine: how much they take, and when something was last written there."""

    job: str
    size_bytes: int
    used_at: datetime


class Compute(Protocol):
    """Runs jobs.

    Every method may be called from any thread. ``submit`` of a job that exists starts the next attempt, after whatever
    is left of the earlier ones was killed.
    """

    def submit(self, spec: JobSpec, secrets: Mapping[str, Any] | None = None) -> JobHandle:
        """Start the next attempt at a job; refuse another frozen part than the first attempt had (Conflict).

        ``secrets`` are handed to the function in memory (``ctx.secrets``): they are no part of the job's files, and stand
        in nobody's environment or command line. They may have 32 KiB as JSON, and are given again to each attempt.
        """
        ...

    def poll(self, handle: JobHandle) -> JobState:
        """Tell how an attempt stands; never blocks. A job that nobody knows is NotFound."""
        ...

    def cancel(self, handle: JobHandle, grace_s: float = 5.0) -> None:
        """Raise the cancel flag, ask the processes to end, kill them after the grace; may be repeated."""
        ...

    def logs(self, job: str, after: int = 0, limit: int = 500) -> list[LogLine]:
        """Return the log lines that follow line number ``after``."""
        ...

    def events(self, job: str, after: int = 0) -> tuple[list[JobEvent], int]:
        """Return the reports behind position ``after``, and the position to go on from."""
        ...

    def outputs(self, job: str) -> Path:
        """Return the folder that holds what a job left in ``ctx.out``."""
        ...

    def recover(self) -> list[JobHandle]:
        """Kill what earlier platforms left behind and return the attempts that have no end; call once at start."""
        ...

    def kept(self) -> Iterator[KeptFiles]:
        """Yield the jobs whose files are here."""
        ...

    def scrub(self, job: str, person: Person) -> int:
        """Take what names a person out of the files of a job that has ended; return how many texts named him.

        Text is overwritten in its place. A file whose bytes tell nothing (a table, a checkpoint) is scratch: it goes.
        """
        ...

    def remove(self, job: str) -> None:
        """Delete everything of a job that does not run."""
        ...

    def capabilities(self) -> Capabilities:
        """Tell what this executor offers."""
        ...

    def close(self) -> None:
        """Kill everything that runs and let go of it."""
        ...
