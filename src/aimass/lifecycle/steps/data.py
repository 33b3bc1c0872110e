"""Pin the data and split it."""

from __future__ import annotations

from typing import Any

from aimass.kernel.errors import Conflict, Failed, NotFound
from aimass.lake import AboutVersion, Lake
from aimass.lifecycle.flow import StepContext
from aimass.models import Models
from aimass.training import CreateSplit, OneSplit, Returned, Split, Training, find_task

_SPLIT_TIMEOUT_S = 3600.0


def pin(ctx: StepContext) -> dict[str, Any]:
    """Pin the newest version of the dataset, so that every later step reads the same rows."""
    found = ctx.registry.get(Lake).get_version(
        ctx.who, AboutVersion(workspace=ctx.workspace, dataset=ctx.parameter("dataset"))
    )
    if found.rows == 0:
        raise Conflict(f"dataset {found.dataset!r} has no rows", hint="collect some first")
    note = f"{found.dataset} v{found.number}, {found.rows} rows"
    return {"dataset": found.dataset, "dataset_version": found.number, "rows": found.rows, "note": note}


def split(ctx: StepContext) -> dict[str, Any]:
    """Split the rows by the stored seed; where a champion was trained on this dataset, its test rows stay test rows."""
    command = CreateSplit(
        workspace=ctx.workspace,
        dataset=ctx.found("dataset"),
        dataset_version=ctx.found("dataset_version"),
        target=ctx.parameter("target") or "",
        task=ctx.parameter("task"),
        key_column=ctx.parameter("key_column"),
        group_column=ctx.parameter("group_column"),
        time_column=ctx.parameter("time_column"),
        horizon=ctx.parameter("horizon"),
        label_separator=ctx.parameter("label_separator"),
        action_column=ctx.parameter("action_column"),
        propensity_column=ctx.parameter("propensity_column"),
        episode_column=ctx.parameter("episode_column"),
        step_column=ctx.parameter("step_column"),
        discount=ctx.parameter("discount"),
        known_ahead=ctx.parameter("known_ahead"),
        past=ctx.parameter("past"),
        fractions=ctx.parameter("fractions"),
        seed=ctx.parameter("seed"),
        base=_base(ctx),
        key=ctx.key(),
    )
    return await_split(ctx, command)


def _base(ctx: StepContext) -> str | None:
    try:
        found = champion_split(ctx)
    except (Conflict, NotFound):
        return None
    if find_task(found.task or "classification").is_windowed:  # the newest moments judge
        return None
    is_same = found.dataset == ctx.found("dataset") and ctx.parameter("task") in (None, found.task)
    names = ("target", "key", "group", "time", "action", "propensity", "episode", "step")
    columns = ("label_separator", *(name if name == "target" else f"{name}_column" for name in names))
    return (
        found.id
        if is_same and all((getattr(found, name) or None) == (ctx.parameter(name) or None) for name in columns)
        else None
    )


def await_split(ctx: StepContext, command: CreateSplit, returned: Returned | None = None) -> dict[str, Any]:
    """Make a split and wait for it."""
    training = ctx.registry.get(Training)
    ctx.who.need("training.edit", ctx.workspace)
    made = training.split_again(ctx.who, command, returned)

    def ready() -> Split | None:
        found = training.get_split(ctx.who, OneSplit(workspace=ctx.workspace, split=made.id))
        return found if found.state != "PENDING" else None

    found = ctx.wait(ready, timeout_s=_SPLIT_TIMEOUT_S)
    if found.state == "FAILED":
        error = found.error or {}
        raise Failed(f"the split failed: {error.get('detail', 'no reason given')}", hint=str(error.get("hint", "")))
    note = ", ".join(f"{part} {count}" for part, count in found.counts.items())
    return {"split": found.id, "counts": dict(found.counts), "note": note}


def champion_split(ctx: StepContext) -> Split:
    """Return the split that the champion was trained on; its test rows judge the next version too."""
    champion = ctx.registry.get(Models).aliased(ctx.workspace, ctx.parameter("model"), "champion")
    if champion is None or champion.origin != "run":
        raise Conflict(
            f"model {ctx.parameter('model')!r} has no champion that was trained here",
            hint="release a first version with the template 'release'",
        )
    training = ctx.registry.get(Training)
    return training.get_split(
        ctx.who, OneSplit(workspace=ctx.workspace, split=training.run(ctx.workspace, champion.source).split)
    )
