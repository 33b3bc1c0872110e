"""The job ``training.blend``: one model out of several runs on the same split, without learning any of them again.

Members answer for rows that their folds had left out; on these answers it is found how much each member counts. Their graphs
are joined into one, which answers like the blend of their own files.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Failed, Invalid
from aimass.models import Candidate, Package, Rows, build_package, sampled, verify_package
from aimass.training.children.columns import columns_of
from aimass.training.children.costs import row_us
from aimass.training.children.evaluate import predictor, task_of
from aimass.training.children.fit import REPLAYED, SAMPLED, described
from aimass.training.children.folds import FOLDS_FILE, out_of_fold
from aimass.training.children.merge import merged
from aimass.training.children.sources import Source
from aimass.training.children.table import Prepared, prepare
from aimass.training.children.weights import Shares, Stack, judged, line_of, shares_of, stack_of, without_idle
from aimass.training.errors import Unlearnable
from aimass.training.measures.bytask import measures_of
from aimass.training.tasks import Task

GRAPH = "model.onnx"
Find = Callable[[Any, Any], Shares | Stack]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A run that takes part: its package, its out-of-fold answers, and what it says its inputs weigh."""

    run: str
    name: str
    package: Package
    answers: Any
    folds: Any
    importance: Mapping[str, float] | None


def blend(ctx: Any) -> dict[str, Any]:
    """Blend runs; write ``package/`` and ``report.json`` as a fit does; return the numbers of the run.

    The payload has what names the data of a fit, and ``members``: each with ``run``, ``name``, ``package`` (folder),
    ``folds`` (file) and ``report`` (file); and ``method``: ``mean``, ``stack`` or ``auto``, the one that does better.
    """
    started = time.perf_counter()
    ctx.report(0.05, stage="read")
    data = prepare(Source.of(ctx.params), ctx.params["split"], ctx.params.get("unseen"))
    train = data.table("train")
    members, notes = _members(ctx.params["members"], data)
    known = np.flatnonzero(members[0].folds)
    answers, folds = np.array([one.answers for one in members])[:, known], members[0].folds[known]
    truth, places = train.truth[known], data.places_of("train")[known]
    ctx.report(0.3, stage="weigh")
    task = task_of(ctx.params)
    method, combiner, said = _weighed(task, ctx.params.get("method", "auto"), answers, (truth, folds))
    _write_outside(ctx, places, said)
    members, combiner = _working(members, combiner)
    ctx.report(0.6, stage="package")
    made = Blend(ctx, data, members, combiner)
    package, parity = made.package()
    folded = [measures_of(task.name).scores(truth[rows], given) for _, rows, given in said]
    report = made.report_of(folded, [*data.notes, *notes])
    metrics = {**report["metrics"], "row_us": row_us(package), "training_s": time.perf_counter() - started}
    told = {"members": [one.run for one in members], "method": method, "weights": _weights(combiner, members)}
    report |= {"metrics": metrics, "blend": told}
    (ctx.out / "report.json").write_text(json.dumps(report, ensure_ascii=False, allow_nan=False))
    ctx.report(1.0, stage="done", **metrics)
    return {
        "metrics": metrics,
        "params": told,
        "report": "report.json",
        "package": described(package, parity),
        "notes": report["notes"],
    }


def _weighed(
    task: Task, wanted: str, answers: Any, known: tuple[Any, Any]
) -> tuple[str, Shares | Stack, list[tuple[int, Any, Any]]]:
    """Return the method that was chosen, what it found on all folds, and what it says of folds that it had not seen."""
    finds = _finds(task)
    method, said = _better(task, finds if wanted == "auto" else {wanted: finds[wanted]}, answers, known)
    return method, finds[method](answers, known[0]), said


def _write_outside(ctx: Any, places: Any, said: Sequence[tuple[int, Any, Any]]) -> None:
    outside = [out_of_fold(fold, places[rows], given) for fold, rows, given in said]
    pl.concat(outside).write_parquet(ctx.out / FOLDS_FILE, compression="zstd", statistics=False)


def _working(members: list[Member], combiner: Shares | Stack) -> tuple[list[Member], Shares | Stack]:
    """Leave out the members that count for nothing."""
    if isinstance(combiner, Stack):
        return members, combiner
    kept = without_idle(combiner.weights)
    weights = tuple(combiner.weights[place] for place in kept)
    return [members[place] for place in kept], Shares(weights=weights, offset=combiner.offset)


class Blend:
    """Members, and how they become one."""

    def __init__(self, ctx: Any, data: Prepared, members: Sequence[Member], combiner: Shares | Stack) -> None:
        self._ctx = ctx
        self._data = data
        self._members = members
        self._combiner = combiner
        self._table = data.table("validation")
        threads = int(getattr(ctx, "slots", 1))
        said = [predictor(one.package, threads=threads)(self._table.features) for one in members]
        self._answers = combiner.combine(np.array(said))

    def package(self) -> tuple[Package, Any]:
        """Join the graphs, and replay validation rows through the whole."""
        height = self._table.features.height
        rows = np.unique(np.linspace(0, height - 1, REPLAYED).round().astype(int))
        replayed = Rows(columns=columns_of(self._table.features[rows]), expected=self._answers[rows])
        signature = self._members[0].package.manifest.signature
        graphs = [(one.package.folder / GRAPH).read_bytes() for one in self._members]
        candidate = Candidate(
            signature=signature,
            to_onnx=lambda: merged(graphs, self._combiner, signature),
            to_python=_no_python,
        )
        package, parity = build_package(self._ctx.out / "package", candidate, replayed)
        keys = self._data.keys_of("validation")
        if keys is not None:  # an erasure has to find the samples of a person
            whose = [keys[rows[place]] for place in sampled(replayed, signature)]
            (self._ctx.out / SAMPLED).write_text(json.dumps(whose, ensure_ascii=False))
        self._ctx.log(f"package {package.digest[:12]}: {parity.sentence()}")
        return package, parity

    def report_of(self, folded: list[dict[str, float]], notes: list[str]) -> dict[str, Any]:
        """Return everything that a page about the run shows; the same as for a fit."""
        task, truth = task_of(self._ctx.params), self._table.truth
        measures, values = measures_of(task.name), [fold[task.metric] for fold in folded]
        metrics = measures.scores(truth, self._answers)
        metrics |= {task.objective: float(np.mean(values)), f"{task.objective}_sd": float(np.std(values, ddof=1))}
        return {
            "task": task.name,
            "metrics": metrics,
            "folds": folded,
            "classes": list(self._data.signature.classes),
            "curves": measures.curves(truth, self._answers, self._data.signature.classes),
            "history": {},
            "importance": _importance(self._members, self._combiner),
            "rows": {part: int(count) for part, count in self._data.parts.value_counts().iter_rows()},
            "notes": notes,
        }


def _members(told: Sequence[Mapping[str, Any]], data: Prepared) -> tuple[list[Member], list[str]]:
    """Read the members that can be joined, and say why others cannot."""
    members: list[Member] = []
    notes: list[str] = []
    for one in told:
        package = verify_package(Path(one["package"]))
        if package.manifest.runtime != "onnx":
            notes.append(f"run {one['name']!r} is left out: its model is not written as ONNX")
            continue
        if package.manifest.signature != data.signature:
            raise Invalid(
                f"run {one['name']!r} reads other columns than the split gives",
                field="runs",
                value=one["run"],
                hint="blend runs that learned from the same columns",
            )
        answers, folds = _outside(Path(one["folds"]), data)
        report = json.loads(Path(one["report"]).read_bytes())
        members.append(
            Member(
                run=one["run"],
                name=one["name"],
                package=package,
                answers=answers,
                folds=folds,
                importance=report.get("importance"),
            )
        )
    if len(members) < 2:  # noqa: PLR2004 one is no blend
        raise Unlearnable(
            f"{len(members)} of {len(told)} runs can be joined: a blend needs two",
            field="runs",
            value=len(members),
            hint="; ".join(notes),
        )
    if any((one.folds != members[0].folds).any() for one in members):
        raise Invalid(
            "the runs were cross-validated on other folds", field="runs", hint="train with the same seed and folds"
        )
    return members, notes


def _outside(file: Path, data: Prepared) -> tuple[Any, Any]:
    """Return out-of-fold answers and folds in the order of the training table; fold 0 where no fold left a row out.

    A cross-validation by time has no answer for the earliest rows: they are learned from alone.
    """
    frame = pl.read_parquet(file)
    places = pl.DataFrame({"row": np.asarray(data.places_of("train"), dtype=np.uint32)})
    joined = places.join(frame, on="row", how="left", maintain_order="left")
    if joined["fold"].count() != frame.height:
        raise Invalid("the answers of the folds belong to other rows", field="runs", hint="train on the split again")
    columns = [name for name in frame.columns if name not in ("row", "fold")]
    answers = joined.select(columns).to_numpy().astype(float)
    return answers if data.signature.classes else answers[:, 0], joined["fold"].fill_null(0).to_numpy()


def _finds(task: Task) -> Mapping[str, Find]:
    """Return what finds how members combine, by method."""
    score, sign = measures_of(task.name).score, -1 if task.is_lower_better else 1

    def mean(answers: Any, truth: Any) -> Shares:
        return shares_of(answers, truth, lambda true, said: sign * score(true, said))

    return {"mean": mean, "stack": line_of if task.name == "regression" else stack_of}


def _better(
    task: Task, finds: Mapping[str, Find], answers: Any, known: tuple[Any, Any]
) -> tuple[str, list[tuple[int, Any, Any]]]:
    """Return the method that does better on folds that it was not found on, with what it says there."""
    truth, folds = known
    score, sign = measures_of(task.name).score, -1 if task.is_lower_better else 1
    tried = {name: judged(find, answers, truth, folds) for name, find in finds.items()}
    worth = {
        name: sign * float(np.mean([score(truth[rows], given) for _, rows, given in said]))
        for name, said in tried.items()
    }
    best = max(worth, key=lambda name: worth[name])
    return best, tried[best]


def _weights(combiner: Shares | Stack, members: Sequence[Member]) -> dict[str, float]:
    """Return how much each member counts, in sum 1; of a stack by the size of its coefficients."""
    if isinstance(combiner, Shares):
        sizes = np.asarray(combiner.weights)
    else:
        sizes = np.abs(combiner.matrix).reshape(len(members), -1).sum(axis=1)
    return {one.run: float(size / sizes.sum()) for one, size in zip(members, sizes, strict=True)}


def _importance(members: Sequence[Member], combiner: Shares | Stack) -> dict[str, float] | None:
    """Return the mean weight of each input over the members that have such a notion."""
    weights = _weights(combiner, members)
    known = [(weights[one.run], one.importance) for one in members if one.importance]
    total = sum(weight for weight, _ in known)
    if not total:
        return None
    names = sorted({name for _, one in known for name in one})
    found = {name: sum(weight * one.get(name, 0.0) for weight, one in known) / total for name in names}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _no_python() -> bytes:
    raise Failed("a blend is written as ONNX alone, and the joined graph answers differently")
