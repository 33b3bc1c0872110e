"""Monitors: a deployment's live traffic against its reference, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.kernel.errors import Invalid
from aimass.kernel.pages import MAX_LIMIT
from aimass.monitoring.domain.samples import check_sample

ReferenceState = Literal["NONE", "PENDING", "READY", "FAILED"]
_MAX_SAMPLE = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What the live traffic is compared with; ``source`` says where its rows come from."""

    state: ReferenceState = "NONE"
    source: Mapping[str, Any] = field(default_factory=dict[str, Any])
    file: str = ""
    rows: int = 0
    features: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """Watches one deployment of an endpoint.

    Attributes
    ----------
    revision, model, model_version
        What the deployment serves now; with a new revision the windows start anew.
    baseline
        What the model reached on its test set, by metric (``auc``, ``accuracy``, ``f1``, ``brier``; ``rmse``, ``mae``,
        ``median_ae``, ``r2``, ``mape`` of numbers; ``mase`` of forecasts; ``rouge_l``, ``rouge_1``, ``rouge_2`` of summaries).
    classes, positive
        Order of the probabilities, and the class that counts as positive.
    window_rows, min_rows
        Size of the live window, and the fewest rows for a computation by itself.
    """

    id: str
    workspace: str
    endpoint: str
    deployment: str
    revision: str
    model: str
    model_version: str
    reference: Reference
    baseline: Mapping[str, float]
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
class ListMonitors:
    """Which monitors are wanted."""

    workspace: str
    endpoint: Annotated[str | None, doc("only those of this endpoint")] = None
    limit: Annotated[int, Ge(1), Le(MAX_LIMIT)] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetMonitor:
    """Which monitor is wanted."""

    workspace: str
    monitor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeMonitor:
    """What of a monitor is to be different; what is left out stays."""

    workspace: str
    monitor: str
    window_rows: Annotated[int | None, Ge(50), Le(100_000), doc("rows in the live window")] = None
    min_rows: Annotated[int | None, Ge(20), doc("fewest rows for a computation")] = None
    is_enabled: Annotated[bool | None, doc("false: compute nothing")] = None
    positive: Annotated[str | None, doc("class that counts as positive")] = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReference:
    """Compare an endpoint's traffic with a dataset, or with a sample of rows.

    Attributes
    ----------
    deployment
        Only this deployment; otherwise all that the endpoint has now.
    dataset, delta_version
        A dataset of the workspace, at one of its Delta versions (the newest when left out).
    rows
        Or a sample: JSON objects.
    """

    workspace: str
    endpoint: str
    deployment: Annotated[str | None, doc("only this deployment")] = None
    dataset: Annotated[str | None, doc("slug of a dataset")] = None
    delta_version: Annotated[int | None, Ge(0), doc("its Delta version; the newest when left out")] = None
    rows: Annotated[list[dict[str, Any]] | None, MaxLen(_MAX_SAMPLE), doc("or a sample of rows as JSON")] = None
    target: Annotated[str | None, doc("column with the true label")] = None
    features: Annotated[list[str] | None, doc("inputs to compare; all others when left out")] = None
    baseline: Annotated[dict[str, float] | None, doc("quality on the test set, by metric")] = None
    positive: Annotated[str | None, doc("class that counts as positive")] = None

    def __post_init__(self) -> None:
        if (self.dataset is None) == (self.rows is None):
            raise Invalid("say what to compare with", field="dataset", allowed="either a dataset or rows")
        check_sample(self.rows or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class UseReference:
    """What :meth:`Monitoring.use_reference` is told by the rooms above, which know files.

    Attributes
    ----------
    revision, model, model_version
        For which of an endpoint's deployments; what is left out does not narrow.
    path, delta_version
        Delta table or Parquet file.
    split
        ``file``, ``part`` and ``key`` as training wrote them.
    package
        Folder of the model: it answers the reference too, so that predictions can be compared.
    """

    workspace: str
    endpoint: str
    deployment: str | None = None
    revision: str | None = None
    model: str | None = None
    model_version: str | None = None
    path: str
    delta_version: int | None = None
    split: Mapping[str, Any] | None = None
    package: str | None = None
    target: str | None = None
    features: list[str] | None = None
    baseline: Mapping[str, float] | None = None
    classes: list[str] | None = None
    positive: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """How far one column has moved; texts that hardly ever come back, ``text``, are compared by how many letters they have.

    Attributes
    ----------
    psi
        Population stability index over shared bins; below 0.1 is stable by common practice, above 0.2 is drift.
    test, statistic, p_value
        ``ks`` for numbers, ``chi2`` for categories; how often chance alone would move it as far.
    missing
        Share of missing values in ``reference`` and ``live``.
    unseen
        Share of live values that the reference never had (numbers: outside its range; texts: without one of its words).
    histogram
        ``labels`` of the bins, and their shares in ``reference`` and ``live``.
    """

    name: str
    kind: Literal["numeric", "categorical", "text"]
    psi: float
    test: str | None
    statistic: float | None
    p_value: float | None
    missing: Mapping[str, float]
    unseen: float
    histogram: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftPoint:
    """One computation in the history."""

    at: datetime
    rows: int
    max_psi: float
    feature: str
    prediction_psi: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The newest comparison of a deployment's traffic with its reference, features that moved most first.

    Attributes
    ----------
    misfits
        Rows with a value of a wrong type.
    unwatched
        Inputs that are not compared: records keep no list of more than 256 numbers.
    """

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
    unwatched: list[str] = field(default_factory=list[str])
    history: list[DriftPoint] = field(default_factory=list[DriftPoint])


@dataclass(frozen=True, slots=True, kw_only=True)
class GetDrift:
    """Whose drift is wanted, of the present revision; the deployment with the most traffic when none is named."""

    workspace: str
    endpoint: str
    deployment: Annotated[str | None, doc("this deployment")] = None
    limit: Annotated[int, Ge(0), Le(MAX_LIMIT), doc("computations in the history")] = 50


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
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How good the predictions were where the truth came back; ``baseline`` is the test set's.

    Attributes
    ----------
    rewards
        Of a policy: the mean reward by action, of the decisions whose reward came back.
    """

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
    labels: Mapping[str, int]
    confusion: list[dict[str, Any]]
    metrics: Mapping[str, Measured]
    baseline: Mapping[str, float]
    rewards: Mapping[str, Measured] = field(default_factory=dict[str, Measured])
    history: list[QualityPoint] = field(default_factory=list[QualityPoint])


@dataclass(frozen=True, slots=True, kw_only=True)
class GetQuality:
    """Whose quality is wanted; the deployment with the most traffic, and its present revision, when none is named."""

    workspace: str
    endpoint: str
    deployment: Annotated[str | None, doc("this deployment")] = None
    revision: Annotated[str | None, doc("this revision")] = None
    limit: Annotated[int, Ge(0), Le(MAX_LIMIT), doc("computations in the history")] = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateNow:
    """Compute drift, quality and alerts of an endpoint at once."""

    workspace: str
    endpoint: str
    rows: Annotated[int | None, Ge(20), Le(100_000), doc("size of the live window, instead of the monitor's own")] = (
        None
    )
    since: Annotated[datetime | None, doc("only records since this moment")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a computation found: one drift and one quality per deployment that has them, and the open alerts."""

    endpoint: str
    drift: list[Drift]
    quality: list[Quality]
    alerts: list[str]
    notes: list[str]
