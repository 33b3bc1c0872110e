"""Name the champion, deploy it, and bring later versions out through a canary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimass.kernel.errors import Failed
from aimass.lake import Lake
from aimass.lifecycle.flow import StepContext
from aimass.lifecycle.rollouts import NameRollout, Rollout, StartRollout
from aimass.lifecycle.service import Lifecycle
from aimass.models import Models, ModelVersion, OneVersion, SetAlias
from aimass.monitoring import Monitoring, UseReference
from aimass.serving import Deployment, DeployModel, OneEndpoint, Serving
from aimass.training import OneSplit, Training, find_task

CHAMPION = "champion"
_DEPLOY_TIMEOUT_S = 600.0


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
    where = ctx.registry.get(Lake).locate(ctx.who, ctx.workspace, split.dataset, split.dataset_version)
    if find_task(split.task or "classification").is_windowed:  # what is asked is no row of the dataset
        _watch_series(ctx, version)
        return
    data = training.data_of(split, where)
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
        target=split.target if split.task in ("classification", "regression") else None,
        features=[column.name for column in version.signature.inputs],
        baseline=_reached(ctx.found("test_metrics"))
        | ({"auc": auc["value"]} if (auc := ctx.found("test_auc")) else {}),
        classes=classes,
        positive=classes[-1] if classes else None,
    )
    ctx.registry.get(Monitoring).use_reference(ctx.who, command)


def _watch_series(ctx: StepContext, version: ModelVersion) -> None:
    """Compare questions about series with those of training, as figures of their histories."""
    asked = ctx.registry.get(Training).asked(ctx.workspace, ctx.found("chosen"))
    if asked is None:  # a run of an earlier release left none
        return
    command = UseReference(
        workspace=ctx.workspace,
        endpoint=ctx.parameter("endpoint"),
        model=version.model,
        model_version=str(version.number),
        path=str(asked),
        package=str(ctx.registry.get(Models).package_folder(version.digest)),
        features=[column.name for column in version.signature.inputs],
        baseline=_reached(ctx.found("test_metrics")),
    )
    ctx.registry.get(Monitoring).use_reference(ctx.who, command)


def _reached(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return what the version reached on its test rows, by the names under which live quality is measured."""
    found = dict(metrics)
    if "subset_accuracy" in found:  # of several labels
        found |= {"accuracy": found["subset_accuracy"], "f1": found["micro_f1"]}
    return found


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
    """Bring the new version out step by step, beside what the endpoint runs."""
    watch(ctx)
    lifecycle, endpoint = ctx.registry.get(Lifecycle), ctx.parameter("endpoint")
    started = lifecycle.start_rollout(ctx.who, _rollout_of(ctx))
    one = NameRollout(workspace=ctx.workspace, rollout=started.id)

    def settled() -> Rollout | None:
        found = lifecycle.get_rollout(ctx.who, one)
        ctx.tell(0.5, found.state.lower())
        return found if found.state != "DEPLOYING" else None

    found = ctx.wait(settled, timeout_s=_DEPLOY_TIMEOUT_S)
    if found.state == "FAILED":
        raise Failed(found.verdict, hint="what ran before still answers")
    return {
        "rollout": found.id,
        "steps": found.steps,
        "note": f"{found.weight} % of {endpoint} goes to version {found.model_version}",
    }


def _rollout_of(ctx: StepContext) -> StartRollout:
    steps = ctx.parameter("canary_steps") or [int(ctx.parameter("canary_weight"))]
    return StartRollout(
        workspace=ctx.workspace,
        endpoint=ctx.parameter("endpoint"),
        model=ctx.found("model"),
        model_version=ctx.found("model_version"),
        steps=[int(step) for step in steps],
        bake_s=int(ctx.parameter("canary_bake_s")),
        requests=int(ctx.parameter("canary_requests")),
        patience_s=int(ctx.parameter("canary_timeout_s")),
        promote_alias=CHAMPION,
        key=ctx.key(),
        reason=ctx.run.cause,
        error_rate_margin=float(ctx.parameter("error_rate_margin")),
        latency_ratio=float(ctx.parameter("latency_ratio")),
        latency_margin_s=float(ctx.parameter("latency_margin_s")),
        quality_margin=float(ctx.parameter("quality_margin")),
    )


def decide(ctx: StepContext) -> dict[str, Any]:
    """Wait until the rollout has promoted the version or rolled it back, by errors, latency and feedback quality."""
    lifecycle = ctx.registry.get(Lifecycle)
    one = NameRollout(workspace=ctx.workspace, rollout=ctx.found("rollout"))

    def ended() -> Rollout | None:
        found = lifecycle.get_rollout(ctx.who, one)
        ctx.tell(found.fraction, f"{found.weight} %: {found.verdict}")
        return found if found.ended_at is not None else None

    steps = len(ctx.found("steps"))
    found = ctx.wait(ended, timeout_s=float(ctx.parameter("canary_timeout_s")) * steps + _DEPLOY_TIMEOUT_S)
    if found.state == "FAILED":
        raise Failed(found.verdict, hint=f"aimass rollouts show {found.id}")
    is_promoted = found.state == "PROMOTED"
    return {
        **found.verdict_facts,
        "decision": "promote" if is_promoted else "roll back",
        "reason": found.verdict,
        "note": f"{'promoted' if is_promoted else 'rolled back'}: {found.verdict}",
    }
