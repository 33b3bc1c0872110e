"""The loop that looks at rollouts: deploys, measures each step, goes on, rolls back, or waits for people."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from aimass.infra.database import Database
from aimass.kernel.errors import AimassError, NotFound, Stale
from aimass.kernel.principal import SYSTEM, policy
from aimass.kernel.registry import Registry
from aimass.lifecycle.canary import Evidence, Score
from aimass.lifecycle.rollouts import DECIDED, Look, Rollout, judge
from aimass.lifecycle.service.pipelines import Lifecycle
from aimass.lifecycle.service.rollouts import main_of
from aimass.monitoring import GetEndpointMetrics, GetQuality, Monitoring, Traffic
from aimass.serving import Deployment, Endpoint, ListRevisions, Serving

_log = structlog.get_logger("aimass.lifecycle")
_DEPLOY_S = 600.0
_LEAST_WINDOW_S = 10
_RECENT = 50
_WHO = policy("rollout")


@dataclass(frozen=True, slots=True)
class Advancer:
    """Moves each open rollout by one look."""

    registry: Registry

    def run_once(self, closed: Callable[[], Collection[str]] = tuple) -> int:
        """Look at every open rollout, but for those of workspaces that are ``closed``; return how many changed."""
        lifecycle = self.registry.get(Lifecycle)
        moving = [one for one in lifecycle.open_rollouts() if _is_moving(one)]
        away = closed() if moving else ()
        return sum(self._try(lifecycle, one) for one in moving if one.workspace not in away)

    def _try(self, lifecycle: Lifecycle, found: Rollout) -> bool:
        """Look at one; its fault holds up no other, and somebody who changed it meanwhile wins."""
        try:
            if DECIDED in found.verdict_facts:
                return self._go_on(lifecycle, found)
            return self._deploying(lifecycle, found) if found.state == "DEPLOYING" else self._running(lifecycle, found)
        except Stale:
            return True
        except NotFound as reason:
            with suppress(Stale):  # then the next look finds it as it is now
                lifecycle.settle(_WHO, found, "FAILED", "failed", reason.message)
            return True
        except AimassError as reason:
            _log.warning("a rollout could not be looked at", rollout=found.id, error=reason.message)
            return False

    def _go_on(self, lifecycle: Lifecycle, found: Rollout) -> bool:
        """Go on with what was decided before a crash."""
        if found.verdict_facts[DECIDED] == "step":
            facts = {name: value for name, value in found.verdict_facts.items() if name != DECIDED}
            self._step(lifecycle, found, found.step + 1, found.verdict, **facts)
        else:
            lifecycle.end(_WHO, found)
        return True

    def _deploying(self, lifecycle: Lifecycle, found: Rollout) -> bool:
        """Wait until the version answers, then give it its first share."""
        shown = lifecycle.shown(found.workspace, found.endpoint)
        canary = canary_of(shown, found)
        if _is_older(canary, found):
            lifecycle.bring(found)  # a crash came between the rollout and its deployment
            return True
        waited = (self._now() - found.created_at).total_seconds()
        if canary is not None and canary.state == "READY" and canary.served_version == found.model_version:
            self._step(lifecycle, found, 0, "it is loaded by every gateway worker")
            return True
        bad = canary is not None and canary.state in ("FAILED", "DEGRADED", "STOPPED")
        if bad or waited > _DEPLOY_S:
            why = canary.reason if canary is not None and canary.reason else "it does not answer"
            lifecycle.settle(_WHO, found, "FAILED", "failed", f"version {found.model_version} was not loaded: {why}")
            return True
        return False

    def _step(self, lifecycle: Lifecycle, found: Rollout, step: int, reason: str, **facts: Any) -> None:
        weight = found.steps[step]
        lifecycle.share(found, weight, f"rollout: step {step + 1} of {len(found.steps)}: {reason}")
        values = {"step": step, "weight": weight, "step_since": self._now(), "fraction": 0.0, "state": "RUNNING"}
        lifecycle.put(_WHO, found, "stepped", reason, verdict=reason, verdict_facts=facts, **values)

    def _running(self, lifecycle: Lifecycle, found: Rollout) -> bool:
        shown = lifecycle.shown(found.workspace, found.endpoint)
        strange = _strange(shown, found)
        if strange:
            lifecycle.put(_WHO, found, "paused", strange, state="PAUSED", verdict=strange)
            return True
        since = found.step_since or found.created_at
        lasted = (self._now() - since).total_seconds()
        evidence, baseline = self._evidence(found, shown, lasted)
        verdict = judge(Look(evidence=evidence, lasted_s=lasted), found)
        facts = {**verdict.facts, "baseline": baseline} if baseline else dict(verdict.facts)
        if verdict.decision == "roll back":
            noted = lifecycle.put(SYSTEM, found, None, "", verdict_facts=facts)
            lifecycle.carry_out(_WHO, noted, "roll back", verdict.reason)
        elif verdict.decision == "promote":
            self._on(lifecycle, found, verdict.reason, facts)
        elif lasted > max(found.patience_s, found.bake_s):
            why = f"{verdict.reason} within {lasted:.0f} s"
            lifecycle.put(_WHO, found, "paused", why, state="PAUSED", verdict=why, verdict_facts=facts)
        else:
            return self._tell(lifecycle, found, verdict.progress, verdict.reason, facts)
        return True

    def _on(self, lifecycle: Lifecycle, found: Rollout, reason: str, facts: dict[str, Any]) -> None:
        """Go on to the next step, or promote after the last."""
        if found.step + 1 < len(found.steps):
            decided = {**facts, DECIDED: "step"}
            noted = lifecycle.put(SYSTEM, found, None, "", verdict_facts=decided, verdict=reason)
            self._step(lifecycle, noted, found.step + 1, reason, **facts)
        else:
            noted = lifecycle.put(SYSTEM, found, None, "", verdict_facts=facts, fraction=1.0)
            lifecycle.carry_out(_WHO, noted, "promote", reason)

    def _tell(self, lifecycle: Lifecycle, found: Rollout, fraction: float, reason: str, facts: dict[str, Any]) -> bool:
        """Write how far a step is, where that changed."""
        if (round(fraction, 2), reason) == (round(found.fraction, 2), found.verdict):
            return False
        lifecycle.put(SYSTEM, found, None, "", fraction=fraction, verdict=reason, verdict_facts=facts)
        return True

    def _evidence(self, found: Rollout, shown: Endpoint, lasted: float) -> tuple[Evidence, dict[str, Any]]:
        """Return what was measured since the step began; where main has hardly any traffic left, what it did before."""
        wish = GetEndpointMetrics(
            workspace=found.workspace, endpoint=found.endpoint, window_s=max(int(lasted), _LEAST_WINDOW_S)
        )
        metrics = self.registry.get(Monitoring).get_endpoint_metrics(SYSTEM, wish)
        main = main_of(shown)
        measured = _of(metrics.revisions, self._revision(found, main))
        kept: dict[str, Any] = dict(found.verdict_facts.get("baseline") or {})
        if measured.requests >= found.requests:
            kept = {"requests": measured.requests, "error_rate": measured.error_rate, "p95_ms": measured.p95_ms}
        elif kept:
            measured = Traffic(**kept)
        evidence = Evidence(
            canary=_of(metrics.revisions, self._revision(found, canary_of(shown, found))),
            main=measured,
            canary_score=self._score(found, found.deployment),
            main_score=self._score(found, main.name),
        )
        return evidence, kept

    def _revision(self, found: Rollout, deployment: Deployment | None) -> str:
        """Return the id of the revision that a deployment runs, under which the gateway counts its requests."""
        if deployment is None:
            return ""
        wish = ListRevisions(
            workspace=found.workspace, endpoint=found.endpoint, deployment=deployment.name, limit=_RECENT
        )
        recent = self.registry.get(Serving).list_revisions(SYSTEM, wish).items
        return next((one.id for one in recent if one.number == deployment.revision), "")

    def _score(self, found: Rollout, deployment: str) -> Score | None:
        """Return the live ROC AUC of a deployment, or its RMSE where it predicts numbers, when the truth came back for it."""
        command = GetQuality(workspace=found.workspace, endpoint=found.endpoint, deployment=deployment)
        try:
            quality = self.registry.get(Monitoring).get_quality(SYSTEM, command)
        except NotFound:
            return None
        name = next((name for name in ("auc", "rmse") if name in quality.metrics), None)
        if name is None:
            return None
        one = quality.metrics[name]
        return Score(value=one.value, low=one.low, high=one.high, count=one.count, metric=name)

    def _now(self) -> datetime:
        return self.registry.get(Database).clock.now()


def _is_older(canary: Deployment | None, found: Rollout) -> bool:
    """Tell whether what stands there is not yet what the rollout brings."""
    if canary is None or (canary.model, canary.target_version) != (found.model, found.model_version):
        return True
    return canary.state == "STOPPED" and canary.changed_at < found.created_at


def _is_moving(found: Rollout) -> bool:
    return found.state != "PAUSED" or DECIDED in found.verdict_facts


def _of(found: list[Traffic], revision: str) -> Traffic:
    return next((one for one in found if revision and one.revision == revision), Traffic())


def canary_of(shown: Endpoint, found: Rollout) -> Deployment | None:
    """Return the deployment that a rollout brings out, as it is now."""
    return next((one for one in shown.deployments if one.name == found.deployment), None)


def _strange(shown: Endpoint, found: Rollout) -> str:
    """Say what somebody else changed: then people decide."""
    canary = canary_of(shown, found)
    if canary is None or canary.state == "STOPPED":
        return f"{found.deployment} was taken out by hand"
    if canary.served_version not in (None, found.model_version):
        return f"{found.deployment} runs version {canary.served_version} now"
    if canary.weight != found.weight:
        return f"{found.deployment} has {canary.weight} % of the traffic by hand, and this step says {found.weight} %"
    return ""
