"""Grow a dataset by what was fed back, and split it again without touching the test rows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from aimass.cluster import Job, Jobs
from aimass.kernel.errors import Conflict, Failed
from aimass.lake import AboutVersion, DatasetVersion, Lake, OneDataset, VersionOrder
from aimass.lifecycle.flow import StepContext
from aimass.lifecycle.steps.again import NewRows, order_again
from aimass.lifecycle.steps.data import await_split, champion_split
from aimass.monitoring import KeyList, Labelled, LabelledRecords, Monitoring
from aimass.training import Returned, Split, Training, find_task

_MAKE_TIMEOUT_S = 3600.0


def gather(ctx: StepContext) -> dict[str, Any]:
    """Write the records that have feedback as the next version of the dataset.

    Where a key names the rows of the dataset, a fed-back row takes the place of the older state of the same row, and rows
    that choose or judge models stay as they are: what they say has to stay comparable. Where no target is named there is
    nothing to feed back, and the newest version is taken as it is; so it is for series, whose newest moments are rows that no
    feedback makes, and for policies, of whose decisions feedback tells one side alone.
    """
    dataset = ctx.parameter("dataset")
    base = champion_split(ctx)
    task = base.task or "classification"
    if ctx.parameter("task") not in (None, task):
        raise Conflict(
            f"the champion is a model of {task}",
            field="task",
            value=ctx.parameter("task"),
            allowed=task,
            hint="release a first version of the other task",
        )
    if not ctx.parameter("target") or find_task(task).grows_by_rows:
        return _newest(ctx, base, task)
    key = _key_of(ctx, dataset)
    found = _labelled(ctx, key)
    lake = ctx.registry.get(Lake)
    order = VersionOrder(
        workspace=ctx.workspace,
        dataset=dataset,
        key=ctx.key(),
        mode="append" if key is None else "merge",
        parquet=found.path,
        sources=(("endpoint", ctx.parameter("endpoint")),),
        origin=f"run:{ctx.run.id}",
    )
    job = lake.order_version(ctx.who, order)
    ended = ctx.wait(lambda: _ended(ctx, job), timeout_s=_MAKE_TIMEOUT_S)
    if ended.state != "SUCCEEDED":
        raise Failed(f"the dataset version could not be made: {(ended.error or {}).get('detail', ended.state)}")
    version = _made(ctx, dataset)
    told = {"fed_back": found.rows, "without_key": found.without_key, "left_out": found.left_out}
    return {
        "dataset": dataset,
        "dataset_version": version.number,
        "key": key,
        "labelled": Path(found.path).name,
        **told,
        "note": _note(found, f"{dataset} v{version.number}"),
    }


def _newest(ctx: StepContext, base: Split, task: str) -> dict[str, Any]:
    """Take the newest version of the dataset, where rows came that the champion has not seen."""
    if find_task(task).needs_target and not find_task(task).grows_by_rows:
        raise Conflict(
            f"a model of {task} is trained again on what was fed back, and that wants a target",
            field="target",
            allowed=base.target,
            hint="name the target in 'parameters'",
        )
    _need_the_same(ctx, base)
    about = AboutVersion(workspace=ctx.workspace, dataset=ctx.parameter("dataset"))
    found = ctx.registry.get(Lake).get_version(ctx.who, about)
    if found.number <= base.dataset_version:
        raise Conflict(
            f"the champion learned from {found.dataset} v{base.dataset_version}, and there is no newer version",
            field="dataset",
            value=found.number,
            allowed=f"more than {base.dataset_version}",
            hint="collect newer rows; the event lake.version.created starts a pipeline when they have come",
        )
    told = {"fed_back": 0, "without_key": 0, "left_out": 0}
    version = {"dataset": found.dataset, "dataset_version": found.number, "key": None, "labelled": None}
    return {**version, **told, "note": f"{found.dataset} v{found.number}, {found.rows} rows"}


def _need_the_same(ctx: StepContext, base: Split) -> None:
    """Refuse another dataset or target than the champion's: its versions could not be counted, or it could not be compared."""
    for name, own in (("dataset", base.dataset), ("target", base.target)):
        given = ctx.parameter(name)
        if given and given != own:
            raise Conflict(
                f"the champion learned from {own!r}, not from {given!r}",
                field=name,
                value=given,
                allowed=own,
                hint="release a model of it under a name of its own",
            )


def _key_of(ctx: StepContext, dataset: str) -> str | None:
    """Return the column that names the rows of the dataset and of the champion's split, when it is the same one."""
    keys = ctx.registry.get(Lake).get_dataset(ctx.who, OneDataset(workspace=ctx.workspace, dataset=dataset)).keys
    key = champion_split(ctx).key_column
    return key if key is not None and keys == [key] else None


def _labelled(ctx: StepContext, key: str | None) -> Labelled:
    least, endpoint = int(ctx.parameter("least_labels")), ctx.parameter("endpoint")
    base = champion_split(ctx)
    judges = ctx.registry.get(Training).judges(ctx.workspace, base.id)
    wanted = LabelledRecords(
        workspace=ctx.workspace,
        endpoint=endpoint,
        target=ctx.parameter("target"),
        key=key,
        without=None if key is None else KeyList(**asdict(judges)),
        name=ctx.run.id,
        joined_by=_joined_by(ctx, base),
    )
    found = ctx.registry.get(Monitoring).labelled_records(ctx.who, wanted)
    if found.rows < least:
        raise Conflict(
            f"{found.rows} records of {endpoint!r} have feedback; {least} are wanted",
            field="least_labels",
            value=found.rows,
            hint="send feedback, or lower 'least_labels'",
        )
    return found


def _joined_by(ctx: StepContext, base: Split) -> str | None:
    """Return how the dataset writes several labels: what stands between them, or nothing for lists; None for anything else."""
    if not find_task(base.task or "classification").is_of_sets:
        return None
    if base.label_separator:
        return base.label_separator
    about = AboutVersion(workspace=ctx.workspace, dataset=ctx.parameter("dataset"))
    columns = ctx.registry.get(Lake).get_version(ctx.who, about).columns
    are_lists = any(one.name == ctx.parameter("target") and one.type == "json" for one in columns)
    return "" if are_lists else None  # a text of a JSON list is what feedback is written as


def _note(found: Labelled, version: str) -> str:
    parts = [f"{found.rows} fed-back rows"]
    parts += [f"{found.without_key} without a key"] if found.without_key else []
    parts += [f"{found.left_out} of judging rows left out"] if found.left_out else []
    return ", ".join([*parts, version])


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
    """Keep the parts of the champion's split; new rows and returned ones go to train, so the test set stays untouched.

    Series alone are split anew: their newest moments judge, which neither model has seen.
    """
    base, key = champion_split(ctx), ctx.found("key")
    returned = None
    if key is not None:
        file = ctx.registry.get(Monitoring).labelled_file(ctx.workspace, ctx.found("labelled"))
        returned = Returned(path=str(file), column=key)
    rows = NewRows(
        dataset=ctx.found("dataset"),
        version=ctx.found("dataset_version"),
        target=ctx.parameter("target"),
        key=ctx.key(),
    )
    return await_split(ctx, order_again(base, rows), returned)
