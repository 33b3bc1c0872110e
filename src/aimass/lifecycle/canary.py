"""The decision about a canary, as a pure rule over what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Decision = Literal["wait", "promote", "roll back"]


class TrafficLike(Protocol):
    """What the rule reads of a revision's traffic."""

    @property
    def requests(self) -> int: ...  # noqa: D102
    @property
    def error_rate(self) -> float | None: ...  # noqa: D102
    @property
    def p95_ms(self) -> float | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Live ROC AUC, or RMSE of numbers, with its 95 % interval, over so many rows whose truth came back."""

    value: float
    low: float
    high: float
    count: int
    metric: str = "auc"

    def text(self) -> str:
        """Write it short."""
        return f"{self.value:.3f}" if abs(self.value) < 10 else f"{self.value:.5g}"  # noqa: PLR2004 digits

    def is_clearly_below(self, other: Score, margin: float) -> bool:
        """Tell whether it is worse by more than the margin, and beyond its interval.

        The margin is one of ROC AUC, and a share of the other's RMSE.

        Examples
        --------
        >>> main = Score(value=10.0, low=9.0, high=11.0, count=500, metric="rmse")
        >>> Score(value=12.0, low=11.0, high=13.0, count=500, metric="rmse").is_clearly_below(main, 0.05)
        True
        """
        if self.metric != other.metric:
            return False
        if self.metric == "rmse":
            return self.value > other.value * (1 + margin) and self.low > other.value
        return other.value - self.value > margin and self.high < other.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much traffic the decision needs, and how much worse the canary may be.

    Attributes
    ----------
    requests
        Fewest requests of the canary before anything is decided.
    error_rate_margin
        Largest difference of the error rates, canary minus main.
    latency_ratio, latency_margin_s
        The canary's p95 may be this many times that of main, or this much above it, whichever is larger.
    quality_margin
        Largest drop of the live ROC AUC, or rise of the live RMSE as a share of it, that is clear beyond its interval.
    """

    requests: int = 50
    error_rate_margin: float = 0.01
    latency_ratio: float = 1.5
    latency_margin_s: float = 0.02
    quality_margin: float = 0.05

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Limits:
        """Read the limits from the parameters of a run."""
        return cls(
            requests=int(parameters["canary_requests"]),
            error_rate_margin=float(parameters["error_rate_margin"]),
            latency_ratio=float(parameters["latency_ratio"]),
            latency_margin_s=float(parameters["latency_margin_s"]),
            quality_margin=float(parameters["quality_margin"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was measured since the canary got traffic."""

    canary: TrafficLike
    main: TrafficLike
    canary_score: Score | None = None
    main_score: Score | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision, its reason for people, and the figures behind it."""

    decision: Decision
    reason: str
    progress: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


def decide_canary(evidence: Evidence, limits: Limits) -> Verdict:
    """Decide about a canary.

    Errors and latency decide once the canary has answered enough requests. Quality decides only when labels came back
    for both: a loss counts when it is larger than the margin and main's value lies outside the canary's interval.

    Examples
    --------
    >>> from types import SimpleNamespace as Measured
    >>> main = Measured(requests=450, error_rate=0.0, p95_ms=4.0)
    >>> decide_canary(Evidence(canary=Measured(requests=50, error_rate=0.0, p95_ms=5.0), main=main), Limits()).decision
    'promote'
    >>> decide_canary(Evidence(canary=Measured(requests=50, error_rate=0.2, p95_ms=5.0), main=main), Limits()).decision
    'roll back'
    """
    canary, main = evidence.canary, evidence.main
    if canary.requests < limits.requests:
        reason = f"{canary.requests} of {limits.requests} requests of the canary seen"
        return Verdict(decision="wait", reason=reason, progress=canary.requests / limits.requests)
    facts = facts_of(evidence)
    errors, main_errors = canary.error_rate or 0.0, main.error_rate or 0.0
    if errors - main_errors > limits.error_rate_margin:
        return _back(f"error rate {errors:.1%} against {main_errors:.1%}", facts)
    p95, main_p95 = canary.p95_ms, main.p95_ms
    if p95 is not None and main_p95 is not None:
        allowed = max(main_p95 * limits.latency_ratio, main_p95 + limits.latency_margin_s * 1000)
        if p95 > allowed:
            return _back(f"p95 {p95:.1f} ms against {main_p95:.1f} ms", facts)
    score, main_score = evidence.canary_score, evidence.main_score
    if score is not None and main_score is not None and score.is_clearly_below(main_score, limits.quality_margin):
        return _back(f"live {score.metric.upper()} {score.text()} against {main_score.text()}", facts)
    reason = f"errors {errors:.1%} against {main_errors:.1%}, p95 {p95 or 0:.1f} ms against {main_p95 or 0:.1f} ms"
    if score is not None:
        reason += f", live {score.metric.upper()} {score.text()}"
    return Verdict(decision="promote", reason=reason, progress=1.0, facts=facts)


def _back(reason: str, facts: Mapping[str, Any]) -> Verdict:
    return Verdict(decision="roll back", reason=reason, progress=1.0, facts=facts)


def facts_of(evidence: Evidence) -> dict[str, Any]:
    """Return the figures behind a decision, by deployment."""
    found: dict[str, Any] = {}
    for name, traffic, score in (
        ("canary", evidence.canary, evidence.canary_score),
        ("main", evidence.main, evidence.main_score),
    ):
        found[name] = {"requests": traffic.requests, "error_rate": traffic.error_rate, "p95_ms": traffic.p95_ms}
        if score is not None:
            one = score.metric
            found[name] |= {one: score.value, f"{one}_low": score.low, f"{one}_high": score.high, "labels": score.count}
    return found
