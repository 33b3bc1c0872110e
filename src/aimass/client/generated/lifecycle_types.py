"""Objects of lifecycle. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun:
    """One run of a pipeline, with its steps in order; ``trace`` is that of the request that set it in motion."""

    id: str
    workspace: str
    pipeline: str
    number: int
    state: Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
    cause: str
    parameters: dict[str, Any]
    started_at: datetime
    started_by: str
    ended_at: datetime | None
    attempt: int
    error: str
    steps: list[Step] = field(default_factory=list)
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a run: what it did, how long it took, what it found out."""

    name: str
    title: str
    state: Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED", "SKIPPED"] = "PENDING"
    fraction: float = 0.0
    note: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    output: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A named way from data to a service: a template, its parameters and its triggers."""

    id: str
    workspace: str
    slug: str
    name: str
    template: str
    parameters: dict[str, Any]
    triggers: list[Trigger]
    paused: bool
    created_at: datetime
    created_by: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What starts a pipeline by itself: an event of a type, about a subject when one is given."""

    event: str
    subject: str | None = None
    rest_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerRelease:
    """Where the snapshots of a learner go, and where its rows come from."""

    workspace: str
    learner: str
    endpoint: str
    model: str
    feeds: bool
    state: Literal["WAITING", "REVIEWING", "DEPLOYING", "RELEASED", "REFUSED", "ROLLING_BACK", "ROLLED_BACK", "FAILED"]
    snapshot: int
    model_version: int | None
    released: list[int]
    fed_rows: int
    verdict: str
    created_by: str
    created_by_name: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One rollout."""

    id: str
    workspace: str
    endpoint: str
    deployment: str
    model: str
    model_version: int
    state: Literal["DEPLOYING", "RUNNING", "PAUSED", "PROMOTED", "ROLLED_BACK", "FAILED"]
    steps: list[int]
    step: int
    weight: int
    step_since: datetime | None
    fraction: float
    verdict: str
    verdict_facts: dict[str, Any]
    bake_s: int
    requests: int
    patience_s: int
    limits: dict[str, float]
    promote_alias: str | None
    reason: str
    history: list[RolloutEvent]
    created_by: str
    created_at: datetime
    ended_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutEvent:
    """One thing that happened: when, what, by whom, why, at which share, and the figures behind it."""

    time: datetime
    what: Literal["started", "stepped", "paused", "resumed", "promoted", "rolled_back", "failed"]
    weight: int
    actor: str
    reason: str
    facts: dict[str, Any] = field(default_factory=dict)
