"""Endpoints, deployments, their revisions and the traffic between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, doc

from aimass.serving.domain.placing import Calibration, Isolation, Options, Running

State = Literal["PENDING", "STARTING", "READY", "DEGRADED", "FAILED", "STOPPED"]
RevisionState = Literal["PENDING", "STARTING", "READY", "FAILED", "RETIRED"]
Placement = Literal["auto", "inline", "isolated"]
Unseen = Literal["model", "serve", "refuse"]
Cause = Literal["deploy", "alias", "rollback", "promote", "start"]
TrafficCause = Literal["deploy", "traffic", "promote", "rollback", "stop", "remove"]
Split = Literal["random", "consumer", "header", "parameter"]
Trouble = Literal["not_ready", "error", "timeout"]
TROUBLES: tuple[Trouble, ...] = ("not_ready", "error", "timeout")
WHOLE = 100
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPolicy:
    """What is kept of the requests of an endpoint.

    Attributes
    ----------
    sample
        Share of the requests that are recorded.
    payload
        Whether inputs and outputs are kept, or only the facts around them.
    retention_days, max_bytes
        Records older than this, or beyond this size, are deleted.
    """

    sample: Annotated[float, Ge(0), Le(1)] = 1.0
    payload: bool = True
    retention_days: Annotated[int, Ge(1), Le(3660)] = 90
    max_bytes: Annotated[int, Ge(MIB)] = 10 * 1024 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What the isolated worker of a deployment may use; inline deployments share the gateway's own."""

    memory_bytes: Annotated[
        int, Ge(64 * MIB), doc("memory of the worker; beyond it a request fails, or the worker starts again")
    ] = 2048 * MIB
    threads: Annotated[int, Ge(1), Le(64), doc("threads of one inference")] = 1
    cpus: Annotated[
        float | None, Ge(0.05), Le(1024), doc("cores of CPU time that the worker may use; all, when absent")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPolicy:
    """How the requests of an endpoint are shared among its deployments.

    Attributes
    ----------
    weights
        Deployment name to percent; they sum to 100 when there is any.
    split, split_by
        By what a request is assigned within the weights: by chance, or by a value that is always sent the same way: the
        consumer, a header or a request parameter (``split_by`` names it). Without the value the consumer decides.
    shadow, shadow_percent
        A deployment that gets a copy of so many percent of the requests; its answers are compared, recorded and thrown
        away.
    fallback
        A deployment that answers while the chosen one cannot.
    fallback_on, fallback_after_s
        The kinds of trouble that count, and a time after which the chosen one is given up, before the time limit.
    static
        Output to value: the answer when nobody else can give one.
    """

    weights: Mapping[str, int] = field(default_factory=dict[str, int])
    split: Split = "random"
    split_by: str = ""
    shadow: str | None = None
    shadow_percent: int = WHOLE
    fallback: str | None = None
    fallback_on: list[Trouble] = field(default_factory=lambda: list(TROUBLES))
    fallback_after_s: float | None = None
    static: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that is so, or not: ``Serving``, ``RolledOut``, ``FollowsAlias``, with the reason."""

    type: Literal["Serving", "RolledOut", "FollowsAlias"]
    status: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A model version on an endpoint.

    Attributes
    ----------
    alias, model_version
        What was asked for: an alias that is followed, or one version.
    revision, served_version
        Number of the revision that answers now, and its model version; None while nothing answers.
    target, target_version
        The newest revision; differs from ``revision`` while it starts, or when it could not start.
    running
        How the requests of the revision that answers are run.
    """

    id: str
    workspace: str
    endpoint: str
    name: str
    is_main: bool
    model: str
    alias: str | None
    model_version: int | None
    placement: Placement
    resources: Resources
    options: Options
    running: Running | None
    weight: int
    state: State
    reason: str
    conditions: list[Condition]
    revision: int | None
    served_version: int | None
    target: int
    target_version: int
    created_at: datetime
    changed_at: datetime
    version: int

    @property
    def is_held(self) -> bool:
        """Tell whether another version is kept than the one of its alias, as after a roll-back, until the alias moves."""
        return any(one.type == "FollowsAlias" and not one.status for one in self.conditions)


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
    unseen: Unseen
    traffic: TrafficPolicy
    main: str | None
    state: State
    deployments: list[Deployment]
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One change of what a deployment runs: what, by whom, when and why.

    Attributes
    ----------
    number
        Counts the revisions of the endpoint.
    cause, restores
        Why it was made; for a roll-back the number of the revision that it brings back.
    weights
        The traffic of the endpoint when it was made.
    ready_at, retired_at
        Between these moments it answered requests.
    running, calibration
        How its requests are run, and what was measured of its model before it served.
    """

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
    cause: Cause
    restores: int | None
    weights: Mapping[str, int]
    state: RevisionState
    error: str
    actor: str
    reason: str
    created_at: datetime
    ready_at: datetime | None
    retired_at: datetime | None
    running: Running | None
    calibration: Calibration | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One line of the history of an endpoint: a revision, or a change of its traffic.

    ``policy`` tells what a change of the traffic said besides the weights.
    """

    id: str
    time: datetime
    kind: Literal["revision", "traffic"]
    cause: str
    actor: str
    reason: str
    weights: Mapping[str, int]
    policy: Mapping[str, Any] = field(default_factory=dict[str, Any])
    deployment: str | None = None
    model: str | None = None
    model_version: int | None = None
    revision: int | None = None
    state: str | None = None
    ready_at: datetime | None = None
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOn:
    """On which device a graph runs; ``reason`` says why it is not the one that was asked for."""

    device: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a gateway worker has under way at the workers of a deployment.

    Attributes
    ----------
    workers
        Address of a worker to the requests that it has.
    waiting
        Requests that no worker has room for.
    asked, answered, seconds
        Requests so far, those that were answered, and how long all answers took together.
    """

    workers: Mapping[str, int]
    waiting: int
    asked: int
    answered: int
    seconds: float
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayReport:
    """What one gateway worker says of itself.

    Attributes
    ----------
    loaded
        Deployment id to the id of the revision that answers in this worker.
    errors
        Revision id to the reason why it could not be loaded.
    devices
        Deployment id to the device on which its graph runs in this worker; only while it is in memory.
    load
        Deployment id to what its own workers have under way.
    memory
        Deployment id to the bytes that its model takes in this worker; 0 while it is not in memory.
    model_bytes, max_model_bytes
        What all models take in this worker, and may take.
    """

    worker: str
    pid: int
    snapshot: int
    loaded: Mapping[str, str] = field(default_factory=dict[str, str])
    errors: Mapping[str, str] = field(default_factory=dict[str, str])
    load: Mapping[str, Load] = field(default_factory=dict[str, Load])
    memory: Mapping[str, int] = field(default_factory=dict[str, int])
    devices: Mapping[str, PlacedOn] = field(default_factory=dict[str, PlacedOn])
    model_bytes: int = 0
    max_model_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStatus:
    """An isolated worker of a deployment.

    Attributes
    ----------
    isolation, isolation_reason
        How it is kept, and why it has no sandbox; None before it starts.
    limits, limits_reason
        What bounds its memory and CPU, and why not a control group.
    device, device_reason
        On which device its graph runs, and why it is not the one that was asked for; empty for one that runs code.
    replica, in_flight
        Its number within the deployment, and the requests that it has under way.
    since
        Since when its present process answers; None while it does not.
    """

    deployment: str
    revision: int
    pid: int | None
    is_up: bool
    restarts: int
    memory_bytes: int
    reason: str
    isolation: Isolation | None
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
    """A model that gateway workers run themselves, and where it is in memory now.

    Attributes
    ----------
    loaded, gateways
        How many gateway workers have it in memory, of how many.
    device, device_reason
        On which device it runs, and why it is not the one that was asked for; empty while none has it.
    memory_bytes
        What it takes in one of them; 0 where none has it.
    """

    deployment: str
    pinned: bool
    loaded: int
    gateways: int
    memory_bytes: int
    device: str = ""
    device_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleStatus:
    """How many workers a deployment has of those that it may have.

    Attributes
    ----------
    wanted, up
        How many there shall be now, and how many answer.
    waiting
        Requests that no worker has room for.
    """

    deployment: str
    min: int
    max: int
    wanted: int
    up: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """How an endpoint does right now.

    Attributes
    ----------
    memory
        The models that gateway workers run themselves.
    scale
        The deployments with workers of their own.
    """

    endpoint: str
    state: State
    reason: str
    deployments: list[Deployment]
    replicas: list[ReplicaStatus]
    memory: list[InMemory]
    scale: list[ScaleStatus]
    gateways: int


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
class Published:
    """A revision as the gateway gets to see it.

    Attributes
    ----------
    sockets, on_demand
        The addresses of its own workers, and whether the first one starts when somebody asks.
    pinned
        Whether its model stays in memory.
    device
        On which device its graph shall run.
    proven
        Whether it has answered before, so that it need not be loaded to know that it can be.
    """

    id: str
    name: str
    revision: str
    weight: int
    model: str
    version: int
    runtime: str
    package: str
    socket: str | None
    unseen: str | None
    running: Running | None
    sockets: list[str] | None = None
    on_demand: bool = False
    pinned: bool = False
    device: str = "auto"
    proven: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedEndpoint:
    """An endpoint as the gateway gets to see it."""

    id: str
    name: str
    workspace: str
    timeout_s: float
    max_body_bytes: int
    sample: float
    payload: bool
    deployments: list[Published]
    shadow: Published | None
    fallback: Published | None
    traffic: Mapping[str, Any]
