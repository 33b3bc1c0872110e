"""Objects of serving. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """One scoring."""

    id: str
    workspace: str
    title: str
    state: Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
    fraction: float
    stage: str
    rows: int
    total: int
    rows_per_s: float | None
    dataset: str
    dataset_version: int
    to: str
    to_version: int | None
    endpoint: str | None
    deployment: str | None
    revision: str | None
    model: str
    model_version: int
    columns: dict[str, str]
    keep: list[str]
    mode: Literal["overwrite", "append"]
    job: str
    error: dict[str, Any] | None
    created_by: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A stable name that clients call, and what answers behind it."""

    id: str
    workspace: str
    slug: str
    description: str
    timeout_s: float
    max_body_bytes: int
    record: RecordPolicy
    unseen: Literal["model", "serve", "refuse"]
    traffic: TrafficPolicy
    main: str | None
    state: Literal["PENDING", "STARTING", "READY", "DEGRADED", "FAILED", "STOPPED"]
    deployments: list[Deployment]
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPolicy:
    """What is kept of the requests of an endpoint."""

    sample: float = 1.0
    payload: bool = True
    retention_days: int = 90
    max_bytes: int = 10737418240


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPolicy:
    """How the requests of an endpoint are shared among its deployments."""

    weights: dict[str, int] = field(default_factory=dict)
    split: Literal["random", "consumer", "header", "parameter"] = "random"
    split_by: str = ""
    shadow: str | None = None
    shadow_percent: int = 100
    fallback: str | None = None
    fallback_on: list[Literal["not_ready", "error", "timeout"]] = field(default_factory=list)
    fallback_after_s: float | None = None
    static: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A model version on an endpoint."""

    id: str
    workspace: str
    endpoint: str
    name: str
    is_main: bool
    model: str
    alias: str | None
    model_version: int | None
    placement: Literal["auto", "inline", "isolated"]
    resources: Resources
    options: Options
    running: Running | None
    weight: int
    state: Literal["PENDING", "STARTING", "READY", "DEGRADED", "FAILED", "STOPPED"]
    reason: str
    conditions: list[Condition]
    revision: int | None
    served_version: int | None
    target: int
    target_version: int
    created_at: datetime
    changed_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What the isolated worker of a deployment may use; inline deployments share the gateway's own."""

    memory_bytes: int = 2147483648
    threads: int = 1
    cpus: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a deployment wishes beyond its resources."""

    execution: Literal["auto", "inline", "threads", "batched"] = "auto"
    max_rows: int | None = None
    isolation: Literal["auto", "sandbox", "process"] = "auto"
    network: bool = False
    pinned: bool = False
    device: Literal["auto", "cpu", "cuda", "tensorrt", "rocm", "migraphx", "openvino", "directml", "coreml", "qnn"] = (
        "auto"
    )
    replicas: Replicas = field(default_factory=lambda: Replicas())  # noqa: PLW0108


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """How many workers of its own a deployment may have, and when it gets more."""

    min: int = 1
    max: int = 1
    target: float = 4.0
    latency_ms: float | None = None
    idle_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How the requests of a revision are run."""

    execution: Literal["inline", "threads", "batched"]
    threads: int
    max_rows: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that is so, or not: ``Serving``, ``RolledOut``, ``FollowsAlias``, with the reason."""

    type: Literal["Serving", "RolledOut", "FollowsAlias"]
    status: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowExplanation:
    """What each input contributed."""

    shares: dict[str, float]
    errors: dict[str, float]
    base: float
    value: float
    target: str | None
    output: str
    classes: list[str]
    request_id: str
    latency_ms: float
    deployment: str
    revision: str
    number: int
    model: str
    model_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSignature:
    """What the main deployment of an endpoint takes and answers; ``samples`` rows of the model can be tried."""

    endpoint: str
    model: str
    model_version: int
    inputs: list[Input]
    classes: list[str]
    samples: int
    streams: bool = False
    explains: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input: its type, what it may be, and a value of a sample row."""

    name: str
    type: str
    nullable: bool
    categories: list[str] | None
    unseen: str
    example: Any
    shape: list[int] | None = None
    datatype: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """Programs that call an endpoint, ready to copy; ``{key}`` stands for the API key."""

    url: str
    curl: str
    python: str
    tritonclient: str
    grpc: str
    mlflow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """How an endpoint does right now."""

    endpoint: str
    state: Literal["PENDING", "STARTING", "READY", "DEGRADED", "FAILED", "STOPPED"]
    reason: str
    deployments: list[Deployment]
    replicas: list[ReplicaStatus]
    memory: list[InMemory]
    scale: list[ScaleStatus]
    gateways: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStatus:
    """An isolated worker of a deployment."""

    deployment: str
    revision: int
    pid: int | None
    is_up: bool
    restarts: int
    memory_bytes: int
    reason: str
    isolation: Literal["sandbox", "process"] | None
    isolation_reason: str
    limits: str
    limits_reason: str
    replica: int
    in_flight: int
    device: str = ""
    device_reason: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InMemory:
    """A model that gateway workers run themselves, and where it is in memory now."""

    deployment: str
    pinned: bool
    loaded: int
    gateways: int
    memory_bytes: int
    device: str = ""
    device_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleStatus:
    """How many workers a deployment has of those that it may have."""

    deployment: str
    min: int
    max: int
    wanted: int
    up: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One line of the history of an endpoint: a revision, or a change of its traffic."""

    id: str
    time: datetime
    kind: Literal["revision", "traffic"]
    cause: str
    actor: str
    reason: str
    weights: dict[str, int]
    policy: dict[str, Any] = field(default_factory=dict)
    deployment: str | None = None
    model: str | None = None
    model_version: int | None = None
    revision: int | None = None
    state: str | None = None
    ready_at: datetime | None = None
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One change of what a deployment runs: what, by whom, when and why."""

    id: str
    workspace: str
    endpoint: str
    deployment: str
    number: int
    model: str
    model_version: int
    digest: str
    runtime: str
    alias: str | None
    cause: Literal["deploy", "alias", "rollback", "promote", "start"]
    restores: int | None
    weights: dict[str, int]
    state: Literal["PENDING", "STARTING", "READY", "FAILED", "RETIRED"]
    error: str
    actor: str
    reason: str
    created_at: datetime
    ready_at: datetime | None
    retired_at: datetime | None
    running: Running | None
    calibration: Calibration | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was measured of a model on this machine before it served."""

    calls: list[CallTime] = field(default_factory=list)
    threads: list[ThreadRate] = field(default_factory=list)
    machine: str = ""
    measured_at: datetime | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTime:
    """The time of a call with so many rows, and what of it falls to one."""

    rows: int
    call_us: float
    row_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRate:
    """How many rows so many threads answered in a second, one row at a time."""

    threads: int
    rows_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """One decision about the number of workers of a deployment."""

    deployment: str
    time: datetime
    before: int
    after: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringPlan:
    """What a scoring would do: the version that scores, the rows, the columns, and what is wrong with it."""

    dataset: str
    dataset_version: int
    rows: int
    model: str
    model_version: int
    endpoint: str | None
    inputs: list[MappedInput]
    keep: list[str]
    predictions: list[str]
    problems: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedInput:
    """An input with the column that feeds it."""

    input: str
    type: str
    nullable: bool
    column: str | None
    column_type: str | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What the endpoint answered."""

    request_id: str
    label: Any
    probabilities: dict[str, float] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    latency_ms: float
    deployment: str
    revision: str
    number: int
    model: str
    model_version: int
