"""Rollouts: a version gets more of an endpoint's traffic step by step, as long as it does well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from math import sqrt
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, MinLen, doc

from aimass.kernel.errors import Invalid
from aimass.lifecycle.canary import Evidence, Limits, Verdict, decide_canary, facts_of

RolloutState = Literal["DEPLOYING", "RUNNING", "PAUSED", "PROMOTED", "ROLLED_BACK", "FAILED"]
OPEN: tuple[RolloutState, ...] = ("DEPLOYING", "RUNNING", "PAUSED")
Happening = Literal["started", "stepped", "paused", "resumed", "promoted", "rolled_back", "failed"]
Deed = Literal["step", "promote", "roll back"]
DECIDED = "decided"  # among the facts of a rollout: what is being done, so that a crash in between does not lose it
WHOLE = 100
DAY_S = 86_400
_Z = 1.959963984540054
_LEAST_ERRORS = 3
Slug = Annotated[str, MaxLen(63)]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRollout:
    """Bring a version out on an endpoint, beside its main deployment.

    Attributes
    ----------
    steps
        Percent of the traffic, growing; after the last one the version is promoted.
    bake_s
        How long each step lasts at least, and has to go well.
    requests
        Fewest requests of the version in a step before it may go on.
    patience_s
        A step that has not seen enough requests by then pauses the rollout.
    """

    workspace: Annotated[str, MaxLen(63), doc("slug of the workspace")]
    endpoint: Annotated[Slug, doc("name of the endpoint")]
    model_version: Annotated[int | None, Ge(1), doc("version to bring out")] = None
    alias: Annotated[Slug | None, doc("alias whose version is brought out, instead of a number")] = None
    model: Annotated[Slug | None, doc("model, when it is another than that of the main deployment")] = None
    steps: Annotated[list[int], MinLen(1), MaxLen(20), doc("percent of the traffic, step by step")] = field(
        default_factory=lambda: [1, 5, 25, WHOLE]
    )
    bake_s: Annotated[int, Ge(0), Le(30 * DAY_S), doc("seconds that each step lasts at least")] = 600
    requests: Annotated[int, Ge(1), doc("fewest requests in a step before it goes on")] = 50
    patience_s: Annotated[int, Ge(1), Le(30 * DAY_S), doc("seconds after which a step without enough pauses")] = DAY_S
    error_rate_margin: Annotated[float, Ge(0), Le(1), doc("how much higher its error rate may be")] = 0.01
    latency_ratio: Annotated[float, Ge(1), doc("how many times the p95 of main its p95 may be")] = 1.5
    latency_margin_s: Annotated[float, Ge(0), doc("or how much above it, whichever is larger")] = 0.02
    quality_margin: Annotated[float, Ge(0), Le(1), doc("how much lower its live ROC AUC may be")] = 0.05
    promote_alias: Annotated[
        str | None, doc("alias to point at the version when it is promoted; the one that main follows when absent")
    ] = None
    key: Annotated[str | None, MaxLen(200), doc("the same key twice is one rollout")] = None
    reason: Annotated[str, MaxLen(1000), doc("why; kept in the history")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRollout:
    """Name one rollout, and say why something is done with it."""

    workspace: str
    rollout: str
    reason: Annotated[str, MaxLen(1000), doc("why; kept in the history")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRollouts:
    """Which rollouts are wanted, newest first."""

    workspace: str
    endpoint: Annotated[Slug | None, doc("only those of this endpoint")] = None
    state: Annotated[RolloutState | None, doc("only those in this state")] = None
    limit: Annotated[int, Ge(1), Le(500)] = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutEvent:
    """One thing that happened: when, what, by whom, why, at which share, and the figures behind it."""

    time: datetime
    what: Happening
    weight: int
    actor: str
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One rollout.

    Attributes
    ----------
    step, weight
        Number of the step, counted from 0, and its percent; -1 and 0 before the first.
    step_since
        When the step began, or was resumed.
    fraction
        How much of the present step is done.
    verdict, verdict_facts
        What the last look said, and its figures.
    """

    id: str
    workspace: str
    endpoint: str
    deployment: str
    model: str
    model_version: int
    state: RolloutState
    steps: list[int]
    step: int
    weight: int
    step_since: datetime | None
    fraction: float
    verdict: str
    verdict_facts: Mapping[str, Any]
    bake_s: int
    requests: int
    patience_s: int
    limits: Mapping[str, float]
    promote_alias: str | None
    reason: str
    history: list[RolloutEvent]
    created_by: str
    created_at: datetime
    ended_at: datetime | None
    version: int

    @property
    def stands_still(self) -> str:
        """Why it is paused: what the person said who paused it, else what the last look at it said."""
        last = next((one for one in reversed(self.history) if one.what == "paused"), None)
        return (last.reason if last else "") or self.verdict


def check_steps(steps: Sequence[int]) -> list[int]:
    """Return steps that grow from 1 to at most 100, or refuse others.

    Examples
    --------
    >>> check_steps([5, 50, 100])
    [5, 50, 100]
    """
    found = list(steps)
    in_range = all(isinstance(step, int) and 1 <= step <= WHOLE for step in found)
    if not found or not in_range or any(later <= before for before, later in pairwise(found)):
        raise Invalid(
            f"steps {found} do not grow from 1 to {WHOLE}", field="steps", value=found, allowed=f"growing, 1 to {WHOLE}"
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is known when a step is looked at: figures, and for how long it has lasted."""

    evidence: Evidence
    lasted_s: float


def judge(look: Look, rollout: Rollout) -> Verdict:
    """Decide about a step: wait, go on (``promote``), or roll back.

    Enough requests decide by :func:`decide_canary`. Before that, errors that are clear beyond their interval roll back at
    once; a step that went well goes on when it has baked.

    Examples
    --------
    >>> early_errors(3, 4, 0.0, 0.01), early_errors(1, 4, 0.0, 0.01)
    (True, False)
    """
    limits = Limits.of({"canary_requests": rollout.requests, **rollout.limits})
    canary, main = look.evidence.canary, look.evidence.main
    errors, is_early = round((canary.error_rate or 0.0) * canary.requests), canary.requests < limits.requests
    if is_early and early_errors(errors, canary.requests, main.error_rate or 0.0, limits.error_rate_margin):
        reason = f"{errors} of {canary.requests} requests failed against {main.error_rate or 0:.1%}"
        return Verdict(decision="roll back", reason=reason, progress=1.0, facts=facts_of(look.evidence))
    verdict = decide_canary(look.evidence, limits)
    baked = min(1.0, look.lasted_s / rollout.bake_s) if rollout.bake_s else 1.0
    if verdict.decision == "promote" and baked < 1.0:
        left = rollout.bake_s - look.lasted_s
        return Verdict(
            decision="wait",
            reason=f"does well; {left:.0f} s to go: {verdict.reason}",
            progress=baked,
            facts=verdict.facts,
        )
    if verdict.decision == "wait":
        return Verdict(
            decision="wait", reason=verdict.reason, progress=min(baked, verdict.progress), facts=verdict.facts
        )
    return verdict


def early_errors(errors: int, requests: int, expected: float, margin: float) -> bool:
    """Tell whether an error rate is clearly above what is allowed, by the low end of its 95 % interval (Wilson)."""
    if errors < _LEAST_ERRORS or not requests:
        return False
    p = errors / requests
    middle = (p + _Z**2 / (2 * requests)) / (1 + _Z**2 / requests)
    half = _Z / (1 + _Z**2 / requests) * sqrt(p * (1 - p) / requests + _Z**2 / (4 * requests**2))
    return middle - half > expected + margin
