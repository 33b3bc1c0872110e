"""Train, choose and evaluate."""

from __future__ import annotations

from typing import Any

from aimass.kernel.errors import Failed
from aimass.lifecycle.domain import not_trained
from aimass.lifecycle.errors import GateClosed
from aimass.lifecycle.flow import StepContext
from aimass.training import (
    EvaluateRun,
    Evaluation,
    OneRun,
    OneSplit,
    RecommendRecipes,
    Run,
    StartRun,
    Task,
    Training,
    find_task,
)

_ENDED = ("FINISHED", "FAILED", "KILLED")
_TRAIN_TIMEOUT_S = 24 * 3600.0
_EVALUATE_TIMEOUT_S = 3600.0


def train(ctx: StepContext) -> dict[str, Any]:
    """Train every recipe on the split, each as a job of its own; one that fails does not stop the others."""
    training = ctx.registry.get(Training)
    started: dict[str, str] = {}
    recipes = ctx.parameter("recipes") or _usual(ctx)
    params = ctx.parameter("params") or {}
    strange = next((name for name in params if name not in recipes), None)
    if strange is not None:
        raise not_trained(strange, recipes)
    for recipe in recipes:
        command = StartRun(
            workspace=ctx.workspace,
            recipe=recipe,
            params=params.get(recipe, {}),
            split=ctx.found("split"),
            experiment=ctx.run.pipeline,
            name=f"{recipe.partition('@')[0]} #{ctx.run.number}",
            seed=ctx.parameter("seed"),
            folds=ctx.parameter("folds"),
            tags={"pipeline_run": ctx.run.id},
            key=ctx.key(recipe),
        )
        started[recipe] = training.start_run(ctx.who, command).id

    def ended() -> list[Run] | None:
        runs = _runs(ctx, started)
        parts = [1.0 if r.state in _ENDED else (r.progress.fraction or 0.0) if r.progress else 0.0 for r in runs]
        done = sum(r.state in _ENDED for r in runs)
        ctx.tell(sum(parts) / len(parts), f"{done} of {len(runs)} trained")
        return runs if done == len(runs) else None

    runs = ctx.wait(ended, timeout_s=_TRAIN_TIMEOUT_S)
    good = [r for r in runs if r.state == "FINISHED"]
    if not good:
        why = "; ".join(f"{r.recipe}: {(r.error or {}).get('detail', r.state)}" for r in runs)
        raise Failed(f"no recipe could be trained: {why}", hint="aimass jobs list --state FAILED")
    failed = [r.recipe for r in runs if r.state != "FINISHED"]
    note = f"{len(good)} recipes trained" + (f"; failed: {', '.join(failed)}" if failed else "")
    return {"runs": started, "failed_recipes": failed, "note": note}


def _usual(ctx: StepContext) -> tuple[str, ...]:
    """Return the recipes of the task where nobody named others, with those that read or hear where the split has texts or clips."""
    task, training, where = _task(ctx), ctx.registry.get(Training), ctx.found("split")
    split = training.get_split(ctx.who, OneSplit(workspace=ctx.workspace, split=where))
    if task.hearing and split.lists:
        known = training.recommend_recipes(ctx.who, RecommendRecipes(workspace=ctx.workspace, split=where))
        hearing = tuple(one.recipe for one in known if one.recipe in task.hearing and one.left_out is None)
        if hearing:
            return hearing
    return task.usual(split.texts, has_episodes=split.episode_column is not None)


def _task(ctx: StepContext) -> Task:
    """Return the task of the split; those of old name none."""
    wish = OneSplit(workspace=ctx.workspace, split=ctx.found("split"))
    return find_task(ctx.registry.get(Training).get_split(ctx.who, wish).task or "classification")


def _runs(ctx: StepContext, started: dict[str, str]) -> list[Run]:
    training = ctx.registry.get(Training)
    return [training.get_run(ctx.who, OneRun(workspace=ctx.workspace, run=run)) for run in started.values()]


def choose(ctx: StepContext) -> dict[str, Any]:
    """Choose the run with the best mean of its task's metric over the folds; refuse a best one below the gate.

    The gate is one of the score that tells a model from a guess: ROC AUC for classes, R² for numbers.
    """
    task, runs = _task(ctx), [r for r in _runs(ctx, ctx.found("runs")) if r.state == "FINISHED"]
    sign = -1 if task.is_lower_better else 1
    best = max(runs, key=lambda r: (sign * r.metrics[task.objective], r.recipe))
    score, least = best.metrics[task.objective], float(ctx.parameter("least_score"))
    reached = best.metrics.get(f"cv_{task.guess}", least)
    if reached < least:
        raise GateClosed(
            f"the best recipe {best.recipe!r} reaches {task.guess} {reached:.4f}, below {least}",
            field="least_score",
            value=reached,
            allowed=f"at least {least}",
            hint="collect more data, try other recipes, or lower the gate",
        )
    names = {run: name for name, run in ctx.found("runs").items()}  # two files may be called alike
    scores = {names[r.id]: r.metrics[task.objective] for r in runs}
    note = f"{best.recipe}, cv {task.metric_title} {_shown(score)}"
    return {"chosen": best.id, "recipe": best.recipe, "metric": task.metric, "scores": scores, "note": note}


def _shown(score: float) -> str:
    """Write a score with four places; one in the unit of a large target with five digits."""
    return f"{score:.4f}" if abs(score) < 10 else f"{score:.5g}"  # noqa: PLR2004 digits


def evaluate(ctx: StepContext) -> dict[str, Any]:
    """Evaluate the exported file of the chosen run once on the test rows."""
    training = ctx.registry.get(Training)
    command = EvaluateRun(workspace=ctx.workspace, run=ctx.found("chosen"), part="test")
    training.evaluate_run(ctx.who, command)

    def done() -> Evaluation | None:
        found = training.get_evaluation(ctx.who, command)
        return found if found.state != "PENDING" else None

    evaluation = ctx.wait(done, timeout_s=_EVALUATE_TIMEOUT_S)
    if evaluation.state == "FAILED":
        raise Failed(f"the evaluation failed: {(evaluation.error or {}).get('detail', 'no reason given')}")
    found = {"test_metrics": dict(evaluation.metrics), "test_interval": dict(evaluation.interval)}
    value, low, high = (_shown(evaluation.interval[name]) for name in ("value", "low", "high"))
    note = f"test {_task(ctx).metric_title} {value} [{low}, {high}]"
    return {"evaluation": evaluation.id, **found, "test_auc": dict(evaluation.auc), "note": note}


def package(ctx: StepContext) -> dict[str, Any]:
    """Report how the chosen run was packaged, and that its samples replay through the exported file."""
    run = ctx.registry.get(Training).get_run(ctx.who, OneRun(workspace=ctx.workspace, run=ctx.found("chosen")))
    if run.package is None:
        raise Failed(f"run {run.id} has no package", hint="look at the log of its job")
    facts = {"runtime": run.package.runtime, "digest": run.package.digest, "parity": run.package.parity}
    why = f"; {run.package.why_python}" if run.package.why_python else ""
    return {**facts, "why_python": run.package.why_python, "note": f"{run.package.runtime}: {run.package.parity}{why}"}
