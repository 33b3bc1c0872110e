"""Name the champion, deploy it, and bring later versions out through a canary."""

from __future__ import annotations

from typing import Any

from aimass.infra.database import Database
from aimass.kernel.clock import instant, parse_instant
from aimass.kernel.errors import Failed, NotFound
from aimass.lake import Lake
from aimass.lifecycle.canary import Evidence, Limits, Score, decide_canary
from aimass.lifecycle.flow import StepContext
from aimass.models import Models, OneVersion, SetAlias
from aimass.monitoring import GetEndpointMetrics, GetQuality, Monitoring, Traffic, UseReference
from aimass.serving import Deploy, Deployment, DeployModel, OneEndpoint, Promote, RollBack, Serving
from aimass.training import OneSplit, Training

CHAMPION = "champion"
CANARY = "canary"
_DEPLOY_TIMEOUT_S = 600.0
_LEAST_WINDOW_S = 10


def name_champion(ctx: StepContext) -> dict[str, Any]:
    """Point the alias champion at the approved version."""
    model, number = ctx.found("model"), ctx.found("model_version")
    command = SetAlias(workspace=ctx.workspace, model=model, alias=CHAMPION, number=number)
    ctx.registry.get(Models).set_alias(ctx.who, command)
    return {"alias": CHAMPION, "note": f"{model}@{CHAMPION} is version {number}"}


def deploy(ctx: StepContext) -> dict[str, Any]:
    """Serve the champion on the endpoint and watch it against the rows that it was trained on."""
    endpoint = ctx.parameter("endpoint")
    watch(ctx)
    command = DeployModel(
        workspace=ctx.workspace, model=ctx.found("model"), endpoint=endpoint, alias=CHAMPION, reason=ctx.run.cause
    )
    ctx.registry.get(Serving).deploy_model(ctx.who, command)
    ready = wait_ready(ctx, endpoint, None)
    return {
        "endpoint": endpoint,
        "revision": ready.revision,
        "note": f"{endpoint} answers with version {ready.served_version}",
    }


def watch(ctx: StepContext) -> None:
    """Tell monitoring what the version was trained on, so that drift is measured from its first request."""
    model = ctx.registry.get(Models)
    version = model.get_version(
        ctx.who, OneVersion(workspace=ctx.workspace, model=ctx.found("model"), number=ctx.found("model_version"))
    )
    training = ctx.registry.get(Training)
    split = training.get_split(ctx.who, OneSplit(workspace=ctx.workspace, split=ctx.found("split")))
    data = training.data_of(split, ctx.registry.get(Lake).locate(ctx.workspace, split.dataset, split.dataset_version))
    probabilities = next((o for o in version.signature.outputs if o.classes), None)
    classes = list(probabilities.classes or ()) if probabilities else None
    command = UseReference(
        workspace=ctx.workspace,
        endpoint=ctx.parameter("endpoint"),
        model=version.model,
        model_version=str(version.number),
        path=data["dataset"]["path"],
        delta_version=data["dataset"]["version"],
        split={"file": data["split"]["file"], "part": "train", "key": data["key"]},
        package=str(model.package_folder(version.digest)),
        target=split.target,
        features=[column.name for column in version.signature.inputs],
        baseline={**ctx.found("test_metrics"), "auc": ctx.found("test_auc")["value"]},
        classes=classes,
        positive=classes[-1] if classes else None,
    )
    ctx.registry.get(Monitoring).use_reference(ctx.who, command)


def wait_ready(ctx: StepContext, endpoint: str, name: str | None) -> Deployment:
    """Wait until a deployment serves what it should; what ran before goes on answering when it cannot."""
    serving, one = ctx.registry.get(Serving), OneEndpoint(workspace=ctx.workspace, endpoint=endpoint)

    def settled() -> Deployment | None:
        shown = serving.get_endpoint(ctx.who, one)
        found = next(d for d in shown.deployments if d.name == (name or shown.main))
        ctx.tell(0.5, found.state.lower())
        is_new = found.served_version == ctx.found("model_version")
        return found if (found.state == "READY" and is_new) or found.state in ("FAILED", "DEGRADED") else None

    found = ctx.wait(settled, timeout_s=_DEPLOY_TIMEOUT_S)
    if found.state != "READY":
        raise Failed(
            f"deployment {found.name!r} is {found.state}: {found.reason}", hint="what ran before still answers"
        )
    return found


def canary(ctx: StepContext) -> dict[str, Any]:
    """Send a part of the endpoint's traffic to the new version."""
    endpoint, weight = ctx.parameter("endpoint"), int(ctx.parameter("canary_weight"))
    watch(ctx)
    serving = ctx.registry.get(Serving)
    command = Deploy(
        workspace=ctx.workspace,
        endpoint=endpoint,
        model=ctx.found("model"),
        model_version=ctx.found("model_version"),
        name=CANARY,
        weight=weight,
        reason=ctx.run.cause,
    )
    serving.deploy(ctx.who, command)
    wait_ready(ctx, endpoint, CANARY)
    now = ctx.registry.get(Database).clock.now()
    return {
        "canary_since": instant(now),
        "note": f"{weight} % of {endpoint} goes to version {ctx.found('model_version')}",
    }


def decide(ctx: StepContext) -> dict[str, Any]:
    """Promote the canary by its measured error rate, latency and feedback quality, or roll it back."""
    limits = Limits.of(ctx.run.parameters)

    def judged() -> Any:
        verdict = decide_canary(_evidence(ctx), limits)
        ctx.tell(verdict.progress, verdict.reason)
        return verdict if verdict.decision != "wait" else None

    verdict = ctx.wait(judged, timeout_s=float(ctx.parameter("canary_timeout_s")))
    evidence = {"decision": verdict.decision, "reason": verdict.reason, **verdict.facts}
    endpoint, serving = ctx.parameter("endpoint"), ctx.registry.get(Serving)
    if verdict.decision == "roll back":
        command = RollBack(workspace=ctx.workspace, endpoint=endpoint, deployment=CANARY, reason=verdict.reason)
        serving.roll_back(ctx.who, command)
        return {**evidence, "note": f"rolled back: {verdict.reason}"}
    alias = SetAlias(
        workspace=ctx.workspace, model=ctx.found("model"), alias=CHAMPION, number=ctx.found("model_version")
    )
    serving.promote(
        ctx.who, Promote(workspace=ctx.workspace, endpoint=endpoint, deployment=CANARY, reason=verdict.reason)
    )
    ctx.registry.get(Models).set_alias(ctx.who, alias)
    return {**evidence, "note": f"promoted: {verdict.reason}"}


def _evidence(ctx: StepContext) -> Evidence:
    monitoring, endpoint = ctx.registry.get(Monitoring), ctx.parameter("endpoint")
    now = ctx.registry.get(Database).clock.now()
    window = max(int((now - parse_instant(ctx.found("canary_since"))).total_seconds()), _LEAST_WINDOW_S)
    metrics = monitoring.get_endpoint_metrics(
        ctx.who, GetEndpointMetrics(workspace=ctx.workspace, endpoint=endpoint, window_s=window)
    )
    main = _traffic(metrics.revisions, is_canary=False)
    return Evidence(
        canary=_traffic(metrics.revisions, is_canary=True),
        main=main,
        canary_score=_score(ctx, CANARY),
        main_score=_score(ctx, main.deployment) if main.deployment else None,
    )


def _traffic(found: list[Traffic], *, is_canary: bool) -> Traffic:
    return max((t for t in found if (t.deployment == CANARY) == is_canary), key=lambda t: t.requests, default=Traffic())


def _score(ctx: StepContext, deployment: str) -> Score | None:
    """Return the live ROC AUC of a deployment, when labels came back for it."""
    command = GetQuality(workspace=ctx.workspace, endpoint=ctx.parameter("endpoint"), deployment=deployment)
    try:
        found = ctx.registry.get(Monitoring).get_quality(ctx.who, command)
    except NotFound:
        return None
    auc = found.metrics.get("auc")
    return None if auc is None else Score(value=auc.value, low=auc.low, high=auc.high, count=auc.count)
