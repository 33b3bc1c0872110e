"""What the overview shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Interval, Len, doc


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """Search everything that the caller may see."""

    q: Annotated[str, Len(1, 200), doc("words; the last one counts as a beginning")]
    kind: Annotated[str | None, doc("only this kind, for example dataset")] = None
    limit: Annotated[int, Interval(ge=1, le=50)] = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding: what it is, and where its page is."""

    kind: str
    key: str
    workspace: str
    title: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InWorkspace:
    """Name one workspace."""

    workspace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesNow:
    """How many endpoints answer well, badly, not at all, or not yet; ``empty`` ones have no deployment."""

    healthy: int
    degraded: int
    down: int
    starting: int
    empty: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """Requests of one minute, and the latency that 95 of 100 stayed below."""

    t: datetime
    requests: float
    p95_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceNow:
    """One endpoint with its traffic of the last five minutes."""

    endpoint: str
    state: str
    model: str
    version: int | None
    weights: dict[str, int]
    per_minute: float
    p95_ms: float | None
    error_rate: float | None
    max_psi: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficNow:
    """Requests of all endpoints in the last five minutes, and minute by minute in the last hour.

    ``p95_ms`` is that of the slowest endpoint, which ``slowest`` names.
    """

    per_minute: float
    p95_ms: float | None
    slowest: str
    error_rate: float | None
    minutes: list[Minute]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsNow:
    """Jobs that run and wait, and those that failed in the last day."""

    running: int
    queued: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftNow:
    """Inputs of all endpoints that moved beyond the limit, and the one that moved most."""

    watched: int
    features: int
    worst: float | None
    feature: str
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A job or a pipeline that runs; ``fraction`` is None where nobody knows how long it takes."""

    kind: Literal["job", "pipeline"]
    id: str
    title: str
    stage: str
    fraction: float | None
    since: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStep:
    """One step of the first day: whether it is done, and the object that shows it."""

    name: Literal["data", "train", "deploy", "watch"]
    is_done: bool
    subject: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """How a workspace does right now; what the caller may not see is None."""

    workspace: str
    services: ServicesNow | None
    endpoints: list[ServiceNow]
    traffic: TrafficNow | None
    jobs: JobsNow | None
    drift: DriftNow | None
    running: list[Work]
    first_day: list[FirstStep]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that waits for somebody, with the page where it is settled."""

    kind: str
    title: str
    subject: str
    workspace: str
    since: datetime
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListActivity:
    """What happened lately."""

    workspace: str
    trace: Annotated[str | None, doc("only facts of this trace: 32 hexadecimal digits")] = None
    limit: Annotated[int, Interval(ge=1, le=200)] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One fact of the event log."""

    seq: int
    time: datetime
    type: str
    subject: str
    actor: str
    data: dict[str, Any]
    trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLineage:
    """Follow the lineage of one object."""

    workspace: str
    kind: Annotated[str, doc("for example dataset_version, run, model_version, revision")]
    id: Annotated[str, doc("id of the object")]
    hops: Annotated[int, Interval(ge=1, le=20), doc("how far to follow, each way")] = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageNode:
    """An object in the lineage; ``level`` is 0 for the one asked about, negative for what it came from."""

    kind: str
    id: str
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageEdge:
    """An edge from where something came to what came of it."""

    source: str
    target: str
    via: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The part of the lineage around one object."""

    nodes: list[LineageNode]
    edges: list[LineageEdge]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplySpecs:
    """Bring a workspace to the state that specs describe."""

    workspace: str
    documents: Annotated[list[dict[str, Any]], doc("objects with kind, name and spec")]
    dry_run: Annotated[bool, doc("only tell what would change")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecChange:
    """What applying one document does: create, change or none, and the fields that differ with both their values."""

    kind: str
    name: str
    action: str
    fields: list[str] = field(default_factory=list[str])
    before: dict[str, Any] = field(default_factory=dict[str, Any])
    after: dict[str, Any] = field(default_factory=dict[str, Any])
