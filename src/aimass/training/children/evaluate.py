"""The job ``training.evaluate``: measure the exported file on one part of the data; never the model in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Invalid
from aimass.models import Package, Signature, load_model, said_of, verify_package
from aimass.training.children.assigning import group_of
from aimass.training.children.boxing import DETECTION, pictures_of
from aimass.training.children.columns import columns_of, plain
from aimass.training.children.decisions import POLICY, actions_of
from aimass.training.children.labels import some
from aimass.training.children.mixing import judged
from aimass.training.children.passages import READ, has_words
from aimass.training.children.sources import Source, read_rows, read_split
from aimass.training.children.table import CLUSTERING, RANKING, decisions_of, lists_of, points_of, told_of, windows_of
from aimass.training.children.targets import MULTILABEL, truth_of
from aimass.training.children.windows import FORECASTING
from aimass.training.errors import Unlearnable
from aimass.training.measures.bytask import measures_of
from aimass.training.measures.episodes import Steps
from aimass.training.measures.objects import Scenes
from aimass.training.recipes.protocol import Table
from aimass.training.tasks import Task, find_task

REPEATS = 3
PERMUTED_ROWS = 2000
PERMUTED_COLUMNS = 100


def evaluate(ctx: Any) -> dict[str, Any]:
    """Evaluate a package; write ``evaluation.json`` and return the numbers.

    The payload has ``package`` (folder), ``dataset`` (``path``, ``version``), ``split`` (``file``, ``sha256``),
    ``part``, ``target``, ``task``, ``key`` and ``seed``. ``auc`` is the interval of a classifier's ROC AUC, empty for
    numbers; ``interval`` is that of the metric of the task.
    """
    ctx.report(0.05, stage="read")
    package = verify_package(Path(ctx.params["package"]))
    seed = int(ctx.params.get("seed", 0))
    features, truth, notes = part_of(ctx.params, package.manifest.signature)
    predict = predictor(package, threads=int(getattr(ctx, "slots", 1)))
    ctx.report(0.2, stage="predict")
    said, task, measures = predict(features), task_of(ctx.params), measures_of(task_of(ctx.params).name)
    metrics = measures.scores(truth, said)
    interval = asdict(measures.interval(truth, said, seed=seed))
    ctx.report(0.4, stage="importance", **metrics)
    importance, note = permuted(ctx, predict, features, truth)
    doubt = measures.doubt(truth, said)
    note += [doubt] if doubt else []
    body = {
        "task": task.name,
        "part": ctx.params["part"],
        "rows": features.height,
        "metrics": metrics,
        "auc": interval if task.metric == "roc_auc" else {},
        "interval": {"metric": task.metric, **interval},
        "classes": list(package.manifest.signature.classes),
        "curves": measures.curves(truth, said, package.manifest.signature.classes),
        "importance": importance,
        "package": package.digest,
        "notes": [*notes, *note],
    }
    (ctx.out / "evaluation.json").write_text(json.dumps(body, ensure_ascii=False, allow_nan=False))
    ctx.report(1.0, stage="done")
    told = ("part", "rows", "metrics", "auc", "interval", "package", "notes")
    return {key: body[key] for key in told} | {"report": "evaluation.json"}


def task_of(payload: Any) -> Task:
    """Return the task that a job's payload names; those of old named none."""
    return find_task(payload.get("task") or "classification")


def part_of(payload: Any, signature: Signature) -> tuple[pl.DataFrame, Any, list[str]]:
    """Return features and truth of one part of a split, in the shape of a package's signature."""
    source = Source.of(payload)
    rows = read_rows(source)
    parts = read_split(payload["split"]["file"], payload["split"].get("sha256"), rows.height)
    if source.task == FORECASTING:
        return _windows(payload, rows, parts, signature)
    target = told_of(source, rows)
    missing = [column.name for column in signature.inputs if column.name not in rows.columns]
    if missing:
        raise Invalid(f"the dataset has no column {missing[0]!r}", field="dataset", value=missing[0])
    wanted = (parts == payload["part"]) & target.is_not_null()
    if task_of(payload).is_written:
        return _read(source, rows.filter(wanted), target.filter(wanted), signature)
    if source.task == CLUSTERING:
        return _points(source, rows, (parts, wanted, target), signature)
    if source.task == MULTILABEL:
        return _labelled(rows, target, wanted.fill_null(value=False), signature)
    if source.task == POLICY:
        return _decisions(source, rows, (parts, wanted, target), signature)
    known = wanted & target.is_in(list(signature.classes)) if signature.classes else wanted
    has_truth = bool(source.target)
    if known.sum() == 0 or (
        has_truth and signature.classes and target.filter(known).n_unique() < len(signature.classes)
    ):
        what = "every class" if signature.classes else "a row"
        raise Unlearnable(f"part {payload['part']!r} does not hold {what}", field="part", value=payload["part"])
    left_out = int(wanted.sum() - known.sum())
    notes = [f"{left_out} rows left out: the model does not know their class"] if left_out else []
    truth = truth_of(target.filter(known), signature.classes)
    if source.task == RANKING:
        truth = lists_of(
            target.filter(known), None if source.group is None else group_of(rows[source.group]).filter(known)
        )
    table = Table(features=plain(rows.filter(known), signature), truth=truth)
    if not has_truth:
        table = judged(table, int(payload.get("seed", 0)))
        notes.append(
            f"{len(table.truth) // 2} rows were mixed from the others and count as anomalies: no target tells them"
        )
    return table.features, table.truth, notes


def _labelled(
    rows: pl.DataFrame, target: pl.Series, wanted: pl.Series, signature: Signature
) -> tuple[pl.DataFrame, Any, list[str]]:
    """Return the wanted rows and the labels that each of them has; labels that the model does not know are told."""
    truth = truth_of(target.filter(wanted), signature.classes)
    if not truth.any():
        raise Unlearnable("the part does not hold a row with a label that the model knows", field="part")
    strange = sorted(set(target.filter(wanted).explode().drop_nulls().to_list()) - set(signature.classes))
    notes = [f"labels that the model does not know: {some(strange)}"] if strange else []
    return plain(rows.filter(wanted), signature), truth, notes


def _windows(
    payload: Any, rows: pl.DataFrame, parts: pl.Series, signature: Signature
) -> tuple[pl.DataFrame, Any, list[str]]:
    """Return the windows of a part, what came after them, and what was left out."""
    found = windows_of(payload, rows, parts, signature)
    if not len(found.truth):
        raise Unlearnable("the part does not hold a window", field="part", value=payload["part"])
    return found.features, found.truth, list(found.notes)


def _read(
    source: Source, rows: pl.DataFrame, target: pl.Series, signature: Signature
) -> tuple[pl.DataFrame, Any, list[str]]:
    """Return the texts of a part, and what their task wants of them; or the pictures and their objects."""
    if source.task == DETECTION:
        return _seen(rows, target, signature)
    read = READ[source.task]
    if read.needs_words:
        known = has_words(rows[signature.inputs[0].name])
        rows, target = rows.filter(known), target.filter(known)
    if not rows.height:
        raise Unlearnable("the part does not hold a row", field="part")
    features = plain(rows, signature)
    texts = features.to_series().to_list()
    return features, read.truth(texts, target), read.notes(texts, target, source.target)


def _seen(rows: pl.DataFrame, target: pl.Series, signature: Signature) -> tuple[pl.DataFrame, Any, list[str]]:
    """Return the pictures of a part and the objects in them."""
    if not rows.height:
        raise Unlearnable("the part does not hold a row", field="part")
    return pictures_of(rows[signature.inputs[0].name], signature), Scenes.of(target), []


def _points(
    source: Source, rows: pl.DataFrame, told: tuple[pl.Series, pl.Series, pl.Series], signature: Signature
) -> tuple[pl.DataFrame, Any, list[str]]:
    """Return features of the wanted rows, and the rows as points in the space of the training rows."""
    parts, wanted, target = told
    if wanted.sum() == 0:
        raise Unlearnable("the part does not hold a row", field="part")
    known = (target.is_not_null() & (parts == "train")) | wanted
    features = plain(rows.filter(known), signature)
    points = points_of(source, features, target.filter(known), parts.filter(known))
    chosen = np.flatnonzero(wanted.filter(known).to_numpy())
    return features[chosen], points[chosen], []


def _decisions(
    source: Source, rows: pl.DataFrame, told: tuple[pl.Series, pl.Series, pl.Series], signature: Signature
) -> tuple[pl.DataFrame, Any, list[str]]:
    """Return features of the wanted rows, and what was decided in them, judged by what the training rows tell."""
    parts, wanted, target = told
    is_known = actions_of(rows, source.action or "").is_in(list(signature.classes)).fill_null(value=False)
    if not (wanted & is_known).any():
        raise Unlearnable("the part does not hold a row", field="part")
    used = ((target.is_not_null() & (parts == "train")) | wanted) & is_known
    truth = decisions_of(source, rows.filter(used), parts.filter(used), signature.classes)
    chosen = np.flatnonzero(wanted.filter(used).to_numpy())
    left_out = int((wanted & ~is_known).sum())
    notes = [f"{left_out} rows left out: the model does not know their action"] if left_out else []
    return plain(rows.filter(wanted & is_known), signature), truth[chosen], notes


def predictor(package: Package, *, threads: int) -> Callable[[pl.DataFrame], Any]:
    """Return a function from features to probabilities, or numbers, that runs the packaged file."""
    model = load_model(package, threads=threads)
    signature = package.manifest.signature

    def predict(features: pl.DataFrame) -> Any:
        return said_of(signature, model.predict(columns_of(features)))

    return predict


def permuted(
    ctx: Any, predict: Callable[[pl.DataFrame], Any], features: pl.DataFrame, truth: Any
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return how much of the task's metric each column carries: how much worse it is when its values are shuffled."""
    rng = np.random.default_rng(int(ctx.params.get("seed", 0)))
    notes: list[str] = []
    if len(truth) > PERMUTED_ROWS:
        rows = np.sort(rng.choice(len(truth), PERMUTED_ROWS, replace=False))
        rows = truth.some(PERMUTED_ROWS, rng) if isinstance(truth, Steps) else rows
        features, truth = features[rows], truth[rows]
        notes.append(f"permutation importance on {len(truth)} rows drawn at random")
    columns = features.columns[:PERMUTED_COLUMNS]
    if len(features.columns) > len(columns):
        notes.append(f"permutation importance of the first {PERMUTED_COLUMNS} columns")
    task = task_of(ctx.params)
    score, sign = measures_of(task.name).score, -1 if task.is_lower_better else 1
    if task.is_written:  # there is one column, and without it there is nothing
        return [], notes
    whole = score(truth, predict(features))
    found: list[dict[str, Any]] = []
    for number, name in enumerate(columns):
        drops = [sign * (whole - score(truth, predict(_shuffled(features, name, rng)))) for _ in range(REPEATS)]
        found.append({"column": name, "drop": float(np.mean(drops)), "sd": float(np.std(drops))})
        ctx.report(0.4 + 0.6 * (number + 1) / len(columns), stage="importance")
    return sorted(found, key=lambda item: -item["drop"]), notes


def _shuffled(features: pl.DataFrame, name: str, rng: Any) -> pl.DataFrame:
    return features.with_columns(features[name][rng.permutation(features.height)])
