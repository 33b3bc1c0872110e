"""Objects of cluster. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job."""

    id: str
    workspace: str
    kind: str
    title: str
    subject: str
    state: Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
    queue: str
    priority: int
    slots: int
    payload: dict[str, Any]
    progress: Progress
    reason: str
    result: dict[str, Any] | None
    error: dict[str, Any] | None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is: a share of the whole where it is known, the stage, and its last metrics."""

    fraction: float | None = None
    stage: str = ""
    metrics: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one attempt may use."""

    timeout_s: float | None = None
    stall_s: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A machine that runs jobs. CORDONED takes no new jobs; DRAINING also still has some to finish."""

    id: str
    name: str
    pool: str
    state: Literal["READY", "CORDONED", "DRAINING", "LOST"]
    slots: int
    used_slots: int
    cores: int
    memory_bytes: int
    load: float
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLog:
    """Some lines of a log, the number to go on from, and whether more can come."""

    lines: list[LogEntry]
    next: int
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One line of a log."""

    number: int
    time: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a workspace may use at once; None means no limit of its own."""

    workspace: str
    slots: int | None = None
    queued: int | None = None
    version: int = 0
