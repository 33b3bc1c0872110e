"""Alert rules, alerts, and the rule by which one becomes the other."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, doc

from aimass.kernel.errors import Invalid
from aimass.kernel.pages import MAX_LIMIT

AlertState = Literal["FIRING", "ACKED", "RESOLVED"]
Severity = Literal["info", "warning", "critical"]
RuleKind = Literal["threshold", "absence", "rate"]
Operator = Literal[">", ">=", "<", "<="]
OPEN: tuple[AlertState, ...] = ("FIRING", "ACKED")
SERIES = "series:"
METRICS: Mapping[str, str] = {
    "drift.max_psi": "largest stability index of any input",
    "drift.feature_psi": "stability index of one input, named by 'feature'",
    "drift.drifted": "inputs with a stability index above 0.2",
    "drift.prediction_psi": "stability index of the predictions",
    "data.missing": "largest rise of the share of missing values of any input",
    "data.unseen": "largest share of unseen values of any input",
    "quality.auc": "area under the ROC curve where the truth came back",
    "quality.accuracy": "share of right labels",
    "quality.f1": "F1 of the positive class",
    "quality.brier": "mean squared error of the probabilities",
    "quality.auc_drop": "by how much the area is below that on the test set",
    "quality.accuracy_drop": "by how much the accuracy is below that on the test set",
    "quality.f1_drop": "by how much F1 is below that on the test set",
    "quality.rmse": "root of the mean squared error of predicted numbers",
    "quality.mae": "mean absolute error of predicted numbers",
    "quality.median_ae": "median absolute error of predicted numbers",
    "quality.mape": "mean absolute percentage error of predicted numbers, as a share",
    "quality.r2": "share of the spread of true numbers that is explained",
    "quality.r2_drop": "by how much that share is below that on the test set",
    "quality.median_ae_rise": "share by which the median absolute error is above that on the test set",
    "quality.mape_rise": "share by which the mean absolute percentage error is above that on the test set",
    "quality.rmse_rise": "share by which the RMSE is above that on the test set",
    "quality.mae_rise": "share by which the mean absolute error is above that on the test set",
    "quality.mase": "mean absolute error of forecasts, counted in that of last season's values",
    "quality.mase_rise": "share by which MASE is above that on the test set",
    "quality.rouge_l": "longest run of words that summaries share with what people wrote",
    "quality.rouge_1": "words that summaries share with what people wrote",
    "quality.rouge_2": "pairs of words that summaries share with what people wrote",
    "quality.rouge_l_drop": "by how much ROUGE-L is below that on the test set",
    "quality.reward": "mean reward of what a policy decided",
    "traffic.requests": "requests in the window",
    "traffic.rps": "requests per second",
    "traffic.error_rate": "share of answers of 500 and above",
    "traffic.refused_rate": "share of answers of 400 to 499",
    "traffic.p50_ms": "median latency in milliseconds",
    "traffic.p95_ms": "95th percentile of the latency in milliseconds",
    "traffic.p99_ms": "99th percentile of the latency in milliseconds",
}
_SENTENCES: Mapping[str, str] = {
    "drift.max_psi": "%(feature)s moved away from the training data, PSI %(value)s",
    "drift.feature_psi": "%(feature)s moved away from the training data, PSI %(value)s",
    "drift.drifted": "%(value)s inputs moved away from the training data",
    "drift.prediction_psi": "the predictions moved away from those on the training data, PSI %(value)s",
    "data.missing": "%(feature)s is missing in %(value)s more of the rows",
    "data.unseen": "%(feature)s has values that training never saw in %(value)s of the rows",
    "quality.auc_drop": "ROC AUC is %(value)s below that on the test set",
    "quality.accuracy_drop": "accuracy is %(value)s below that on the test set",
    "quality.f1_drop": "F1 is %(value)s below that on the test set",
    "quality.rmse_rise": "RMSE is %(value)s above that on the test set",
    "quality.r2_drop": "R² is %(value)s below that on the test set",
    "quality.median_ae_rise": "the median absolute error is %(value)s above that on the test set",
    "quality.mape_rise": "the mean absolute percentage error is %(value)s above that on the test set",
    "quality.mae_rise": "the mean absolute error is %(value)s above that on the test set",
    "quality.mase_rise": "MASE is %(value)s above that on the test set",
    "quality.rouge_l_drop": "ROUGE-L is %(value)s below that on the test set",
    "traffic.error_rate": "%(value)s of the answers failed",
    "traffic.refused_rate": "%(value)s of the requests were refused",
    "traffic.p50_ms": "half of the answers took more than %(value)s",
    "traffic.p95_ms": "the slowest 5 %% of the answers took more than %(value)s",
    "traffic.p99_ms": "the slowest 1 %% of the answers took more than %(value)s",
}
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def check_metric(metric: str, kind: RuleKind, feature: str | None) -> None:
    """Refuse a metric that nobody computes, or that does not go with the kind of rule."""
    if metric.startswith(SERIES) and len(metric) > len(SERIES):
        return
    if metric not in METRICS:
        raise Invalid(
            f"there is no metric {metric!r}", field="metric", value=metric, allowed=[*METRICS, f"{SERIES}<name>"]
        )
    if kind == "absence" and metric != "traffic.requests":
        raise Invalid(
            "absence is told of counters alone",
            field="metric",
            value=metric,
            allowed=["traffic.requests", f"{SERIES}<name>"],
        )
    if kind == "rate" and metric not in ("traffic.requests", "traffic.rps"):
        raise Invalid(
            "a rate is told of counters alone",
            field="metric",
            value=metric,
            allowed=["traffic.requests", f"{SERIES}<name>"],
        )
    if (metric == "drift.feature_psi") != (feature is not None):
        raise Invalid("'feature' goes with drift.feature_psi", field="feature", value=feature)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """When an alert fires.

    Attributes
    ----------
    kind
        ``threshold``: the metric is beyond ``threshold``; ``absence``: nothing was counted for ``window_s`` though there was
        before; ``rate``: the count per second over ``window_s`` is beyond ``threshold``.
    for_s, resolve_s
        How long it must be so before the alert fires, and how long not so before it is resolved.
    min_count
        Rows or requests behind the metric; with fewer nothing is decided.
    is_default
        Made together with the first monitor of the endpoint.
    """

    id: str
    workspace: str
    endpoint: str
    name: str
    kind: RuleKind
    metric: str
    feature: str | None
    operator: Operator
    threshold: float
    window_s: int
    for_s: float
    resolve_s: float
    min_count: int
    severity: Severity
    is_enabled: bool
    is_default: bool
    version: int

    def is_broken_by(self, value: float) -> bool:
        """Tell whether a value is beyond the threshold."""
        return _COMPARE[self.operator](value, self.threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRule:
    """Create an alert rule for an endpoint."""

    workspace: str
    endpoint: Annotated[str, doc("slug of the endpoint")]
    metric: Annotated[str, doc("what is looked at, for example drift.max_psi, traffic.error_rate or series:<name>")]
    threshold: Annotated[float, doc("the limit")] = 0.0
    operator: Annotated[Operator, doc("how the value is compared with the limit")] = ">"
    kind: RuleKind = "threshold"
    name: Annotated[str, MaxLen(255), doc("name; made from the metric when left out")] = ""
    feature: Annotated[str | None, doc("input, for drift.feature_psi")] = None
    window_s: Annotated[int, Ge(10), Le(7 * 86_400), doc("window of traffic and series in seconds")] = 300
    for_s: Annotated[float, Ge(0), doc("seconds for which it must be so")] = 0.0
    resolve_s: Annotated[float, Ge(0), doc("seconds for which it must not be so to be resolved")] = 0.0
    min_count: Annotated[int, Ge(0), doc("fewest rows or requests")] = 0
    severity: Severity = "warning"

    def __post_init__(self) -> None:
        check_metric(self.metric, self.kind, self.feature)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRule:
    """What of a rule is to be different; what is left out stays."""

    workspace: str
    rule: str
    threshold: float | None = None
    operator: Operator | None = None
    window_s: Annotated[int | None, Ge(10), Le(7 * 86_400)] = None
    for_s: Annotated[float | None, Ge(0)] = None
    resolve_s: Annotated[float | None, Ge(0)] = None
    min_count: Annotated[int | None, Ge(0)] = None
    severity: Severity | None = None
    is_enabled: bool | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRule:
    """Which rule is meant."""

    workspace: str
    rule: str
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRules:
    """Which rules are wanted."""

    workspace: str
    endpoint: Annotated[str | None, doc("only those of this endpoint")] = None
    limit: Annotated[int, Ge(1), Le(MAX_LIMIT)] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rule that is broken, or was.

    Attributes
    ----------
    target
        The deployment it is about; empty for the endpoint as a whole.
    value, threshold, count
        What was measured when it fired, the limit, and the rows or requests behind it; ``last_value`` is the newest.
    detail
        What helps to judge it, for example the inputs that moved.
    """

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
    severity: Severity
    state: AlertState
    summary: str
    value: float
    last_value: float
    threshold: float
    count: int
    detail: Mapping[str, Any]
    fired_at: datetime
    acked_at: datetime | None
    acked_by: str
    resolved_at: datetime | None
    resolved_by: str
    note: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAlerts:
    """Which alerts are wanted, newest first."""

    workspace: str
    endpoint: Annotated[str | None, doc("only those of this endpoint")] = None
    state: Annotated[AlertState | None, doc("only those in this state")] = None
    open: Annotated[bool | None, doc("only those that are not resolved")] = None
    limit: Annotated[int, Ge(1), Le(MAX_LIMIT)] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetAlert:
    """Which alert is wanted."""

    workspace: str
    alert: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAlert:
    """Acknowledge or resolve an alert, with a note for the others."""

    workspace: str
    alert: str
    note: Annotated[str, MaxLen(1000), doc("what was found or done")] = ""
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a metric says of one target now: the value, what is behind it, and when it was measured."""

    target: str
    value: float
    count: int
    at: datetime
    revision: str = ""
    model: str = ""
    model_version: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """Where a rule stands with one target between two evaluations.

    ``broken_since`` and ``clear_since`` are set while it is so; ``alert`` is the open alert; measurements up to ``settled_at``
    were settled by a person and fire no more.
    """

    broken_since: datetime | None = None
    clear_since: datetime | None = None
    alert: str | None = None
    settled_at: datetime | None = None


Action = Literal["none", "fire", "resolve"]


def advance(rule: AlertRule, state: RuleState, seen: Observed | None, now: datetime) -> tuple[RuleState, Action]:
    """Decide what one observation means.

    Too few observations decide nothing: neither fire nor resolve.

    Parameters
    ----------
    rule, state
        The rule, and where it stood after the last evaluation.
    seen
        What is measured now; None when nothing is.
    now
        The moment of the evaluation.
    """
    if seen is None or seen.count < rule.min_count:
        return state, "none"
    if not rule.is_broken_by(seen.value):
        return _cleared(rule, state, now)
    if state.settled_at is not None and seen.at <= state.settled_at:
        return state, "none"
    since = state.broken_since or now
    broken = replace(state, broken_since=since, clear_since=None)
    due = state.alert is None and now - since >= timedelta(seconds=rule.for_s)
    return broken, "fire" if due else "none"


def _cleared(rule: AlertRule, state: RuleState, now: datetime) -> tuple[RuleState, Action]:
    if state.alert is None:
        return RuleState(), "none"
    since = state.clear_since or now
    if now - since >= timedelta(seconds=rule.resolve_s):
        return RuleState(), "resolve"
    return replace(state, broken_since=None, clear_since=since), "none"


def summary_of(rule: AlertRule, seen: Observed) -> str:
    """Say in one sentence what an alert is about: where, what, how much, and the limit.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> rule = AlertRule(id="r", workspace="demo", endpoint="churn", **DEFAULT_RULES[3], kind="threshold",
    ...     feature=None, operator=">", window_s=300, is_enabled=True, is_default=True, version=1)
    >>> seen = Observed(target="", value=0.192, count=500, at=datetime(2026, 5, 1, tzinfo=UTC))
    >>> summary_of(rule, seen)
    'churn: 19.2 % of the answers failed (limit > 5 %)'
    """
    where = f"{rule.endpoint}/{seen.target}" if seen.target else rule.endpoint
    if rule.kind == "absence":
        return f"{where}: nothing was counted in {rule.metric} for {rule.window_s} s"
    feature = seen.detail.get("feature") or rule.feature
    what = _SENTENCES.get(rule.metric, f"{METRICS.get(rule.metric, rule.metric)} is %(value)s")
    said = what % {"value": shown(rule.metric, seen.value), "feature": feature or "an input"}
    return f"{where}: {said} (limit {rule.operator} {shown(rule.metric, rule.threshold)})"


def shown(metric: str, value: float) -> str:
    """Write a value of a metric with its unit.

    Examples
    --------
    >>> shown("traffic.error_rate", 0.05), shown("traffic.p95_ms", 812.4), shown("drift.max_psi", 7.069)
    ('5 %', '812 ms', '7.07')
    """
    if metric.endswith(("_rate", "_rise")) or metric.startswith("data.") or metric == "quality.accuracy":
        return f"{value * 100:.3g} %"
    return f"{value:.3g} ms" if metric.endswith("_ms") else f"{value:.3g}"


DEFAULT_RULES: tuple[dict[str, Any], ...] = (
    {"name": "Input drift", "metric": "drift.max_psi", "threshold": 0.2, "min_count": 200, "severity": "warning"},
    {"name": "Quality drop", "metric": "quality.auc_drop", "threshold": 0.05, "min_count": 100, "severity": "critical"},
    {"name": "Error rise", "metric": "quality.rmse_rise", "threshold": 0.1, "min_count": 100, "severity": "critical"},
    {
        "name": "Error rate",
        "metric": "traffic.error_rate",
        "threshold": 0.05,
        "min_count": 20,
        "for_s": 30.0,
        "resolve_s": 60.0,
        "severity": "critical",
    },
    {
        "name": "Slow answers",
        "metric": "traffic.p95_ms",
        "threshold": 500.0,
        "min_count": 20,
        "for_s": 60.0,
        "resolve_s": 60.0,
        "severity": "warning",
    },
)
