"""Grow a dataset by what was fed back, and split it again without touching the test rows."""

from __future__ import annotations

from typing import Any

from aimass.cluster import Job, Jobs
from aimass.kernel.errors import Conflict, Failed
from aimass.lake import AboutVersion, DatasetVersion, Lake, VersionOrder
from aimass.lifecycle.flow import StepContext
from aimass.lifecycle.steps.data import await_split, champion_split
from aimass.monitoring import LabelledRecords, Monitoring
from aimass.training import CreateSplit

_MAKE_TIMEOUT_S = 3600.0


def gather(ctx: StepContext) -> dict[str, Any]:
    """Write the records that have feedback as the next version of the dataset."""
    least, endpoint, dataset = int(ctx.parameter("least_labels")), ctx.parameter("endpoint"), ctx.parameter("dataset")
    wanted = LabelledRecords(workspace=ctx.workspace, endpoint=endpoint, target=ctx.parameter("target"))
    found = ctx.registry.get(Monitoring).labelled_records(ctx.who, wanted)
    if found.rows < least:
        raise Conflict(
            f"{found.rows} records of {endpoint!r} have feedback; {least} are wanted",
            field="least_labels",
            value=found.rows,
            hint="send feedback, or lower 'least_labels'",
        )
    lake = ctx.registry.get(Lake)
    order = VersionOrder(
        workspace=ctx.workspace,
        dataset=dataset,
        key=ctx.key(),
        parquet=found.path,
        sources=(("endpoint", endpoint),),
        origin=f"run:{ctx.run.id}",
    )
    job = lake.order_version(ctx.who, order)
    ended = ctx.wait(lambda: _ended(ctx, job), timeout_s=_MAKE_TIMEOUT_S)
    if ended.state != "SUCCEEDED":
        raise Failed(f"the dataset version could not be made: {(ended.error or {}).get('detail', ended.state)}")
    version = _made(ctx, dataset)
    note = f"{found.rows} fed-back rows, {dataset} v{version.number}"
    return {"dataset": dataset, "dataset_version": version.number, "fed_back": found.rows, "note": note}


def _ended(ctx: StepContext, job: Job) -> Job | None:
    found = ctx.registry.get(Jobs).job(ctx.workspace, job.id)
    ctx.tell(found.progress.fraction or 0.0, found.progress.stage or "waits")
    return found if found.has_ended else None


def _made(ctx: StepContext, dataset: str) -> DatasetVersion:
    """Return the version that this run made."""
    lake = ctx.registry.get(Lake)
    newest = lake.get_version(ctx.who, AboutVersion(workspace=ctx.workspace, dataset=dataset))
    for number in range(newest.number, 0, -1):
        found = lake.get_version(ctx.who, AboutVersion(workspace=ctx.workspace, dataset=dataset, number=number))
        if found.origin == f"run:{ctx.run.id}":
            return found
    raise Failed(f"no version of {dataset!r} was made by run {ctx.run.id}")


def split_again(ctx: StepContext) -> dict[str, Any]:
    """Keep the parts of the champion's split; new rows go to train, so the test set stays untouched."""
    base = champion_split(ctx)
    command = CreateSplit(
        workspace=ctx.workspace,
        dataset=ctx.found("dataset"),
        dataset_version=ctx.found("dataset_version"),
        target=ctx.parameter("target"),
        key_column=base.key_column,
        fractions=base.fractions,
        seed=base.seed,
        base=base.id,
        new_rows="train",
        key=ctx.key(),
    )
    return await_split(ctx, command)
