"""Objects of monitoring. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rule that is broken, or was."""

    id: str
    workspace: str
    endpoint: str
    target: str
    revision: str
    model: str
    model_version: str
    rule: str
    name: str
    metric: str
    severity: Literal["info", "warning", "critical"]
    state: Literal["FIRING", "ACKED", "RESOLVED"]
    summary: str
    value: float
    last_value: float
    threshold: float
    count: int
    detail: dict[str, Any]
    fired_at: datetime
    acked_at: datetime | None
    acked_by: str
    resolved_at: datetime | None
    resolved_by: str
    note: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """Watches one deployment of an endpoint."""

    id: str
    workspace: str
    endpoint: str
    deployment: str
    revision: str
    model: str
    model_version: str
    reference: Reference
    baseline: dict[str, float]
    classes: list[str]
    positive: str | None
    window_rows: int
    min_rows: int
    is_enabled: bool
    computed_at: datetime | None
    computed_rows: int
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What the live traffic is compared with; ``source`` says where its rows come from."""

    state: Literal["NONE", "PENDING", "READY", "FAILED"] = "NONE"
    source: dict[str, Any] = field(default_factory=dict)
    file: str = ""
    rows: int = 0
    features: list[dict[str, str]] = field(default_factory=list)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """When an alert fires."""

    id: str
    workspace: str
    endpoint: str
    name: str
    kind: Literal["threshold", "absence", "rate"]
    metric: str
    feature: str | None
    operator: Literal[">", ">=", "<", "<="]
    threshold: float
    window_s: int
    for_s: float
    resolve_s: float
    min_count: int
    severity: Literal["info", "warning", "critical"]
    is_enabled: bool
    is_default: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a computation found: one drift and one quality per deployment that has them, and the open alerts."""

    endpoint: str
    drift: list[Drift]
    quality: list[Quality]
    alerts: list[str]
    notes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The newest comparison of a deployment's traffic with its reference, features that moved most first."""

    monitor: str
    endpoint: str
    deployment: str
    revision: str
    model: str
    model_version: str
    computed_at: datetime
    rows: int
    reference_rows: int
    since: datetime | None
    until: datetime | None
    max_psi: float
    features: list[FeatureDrift]
    prediction: FeatureDrift | None
    misfits: int
    unwatched: list[str] = field(default_factory=list)
    history: list[DriftPoint] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """How far one column has moved; texts that hardly ever come back, ``text``, are compared by how many letters they have."""

    name: str
    kind: Literal["numeric", "categorical", "text"]
    psi: float
    test: str | None
    statistic: float | None
    p_value: float | None
    missing: dict[str, float]
    unseen: float
    histogram: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftPoint:
    """One computation in the history."""

    at: datetime
    rows: int
    max_psi: float
    feature: str
    prediction_psi: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How good the predictions were where the truth came back; ``baseline`` is the test set's."""

    monitor: str
    endpoint: str
    deployment: str
    revision: str
    model: str
    model_version: str
    computed_at: datetime
    rows: int
    since: datetime | None
    until: datetime | None
    classes: list[str]
    positive: str | None
    labels: dict[str, int]
    confusion: list[dict[str, Any]]
    metrics: dict[str, Measured]
    baseline: dict[str, float]
    rewards: dict[str, Measured] = field(default_factory=dict)
    history: list[QualityPoint] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A metric with its 95 % interval and the rows behind it."""

    value: float
    low: float
    high: float
    count: int
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPoint:
    """One computation in the history."""

    at: datetime
    rows: int
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of the traffic has its truth: ``share`` = known feedback over recorded rows."""

    workspace: str
    endpoint: str
    rows: int
    feedback: int
    known: int
    unknown: int
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointMetrics:
    """The traffic of an endpoint in a window, in all and by revision."""

    endpoint: str
    since: datetime
    until: datetime
    total: Traffic
    revisions: list[Traffic]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Requests of one revision (or of all) in a window."""

    revision: str = ""
    deployment: str = ""
    model: str = ""
    model_version: str = ""
    requests: int = 0
    rps: float = 0.0
    errors: int = 0
    error_rate: float | None = None
    refused: int = 0
    rescued: int = 0
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is kept of an endpoint's requests, and what has been kept so far."""

    workspace: str
    endpoint: str
    sample: float
    payload: bool
    retention_days: int
    max_bytes: int
    requests: int
    rows: int
    repeated: int
    size_bytes: int
    last_record_at: datetime | None
    damaged: int = 0
    damage: list[Damage] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A place in a segment that could not be read, or a whole segment that was set aside."""

    worker: str
    segment: int
    offset: int
    reason: str
    found_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """The shadows of an endpoint in a window."""

    endpoint: str
    since: datetime
    until: datetime
    shadows: list[Shadow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """One revision that answered, and its shadow, on the same rows."""

    revision: str
    shadow: str
    deployment: str = ""
    shadow_deployment: str = ""
    rows: int = 0
    differing: int = 0
    share: float | None = None
    share_low: float | None = None
    share_high: float | None = None
    failed: int = 0
    strange: int = 0
    mean_difference: float | None = None
    p95_difference: float | None = None
    max_difference: float | None = None
    given_ms: float | None = None
    shadow_ms: float | None = None
    given_p95_ms: float | None = None
    shadow_p95_ms: float | None = None
    latency_difference_ms: float | None = None
    histogram: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """The truth about one request; ``is_known`` tells that its record has arrived."""

    request_id: str
    row: int
    label: str
    key: str | None
    is_known: bool
    at: datetime
    by: str
    before: list[Said] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A label that was given before another one replaced it."""

    label: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRecord:
    """One predicted row of a request."""

    id: str
    row: int
    t: datetime
    deployment: str
    revision: str
    model: str
    version: str
    consumer: str
    status: int
    latency_us: int | None
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    origin: Literal["live", "batch"]
    fallback: str
    trace: str
    label: str | None
    probabilities: list[float] | None
    unseen: list[str]
    feedback: str | None
    is_masked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesName:
    """A name under which something is counted: how many series it has, and the values of their labels."""

    name: str
    series: int
    labels: dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesAnswer:
    """The lines of a query."""

    name: str
    since: datetime
    until: datetime
    step_s: int
    lines: list[Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series: its labels and its points, oldest first; a step without observations has no point."""

    labels: dict[str, str]
    points: list[Point]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One step of a line; quantiles only where there is a histogram."""

    t: datetime
    count: float
    rate: float
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackReceipt:
    """What became of a batch: ``added`` are new, ``changed`` have another label than before, ``repeated`` were known."""

    received: int
    added: int
    changed: int
    repeated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The truth about one request; ``row`` counts within a request of several rows."""

    request_id: str
    label: str | int | float | bool | list[str] | list[float | None] | list[dict[str, Any]]
    row: int = 0
    key: str | None = None
