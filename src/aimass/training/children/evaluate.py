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
from aimass.models import Package, Signature, load_model, verify_package
from aimass.training.children.table import Source, columns_of, labels, plain, read_rows, read_split
from aimass.training.errors import Unlearnable
from aimass.training.measures.curves import curves
from aimass.training.measures.intervals import auc_interval
from aimass.training.measures.scores import macro_auc, scores

REPEATS = 3
PERMUTED_ROWS = 2000
PERMUTED_COLUMNS = 100


def evaluate(ctx: Any) -> dict[str, Any]:
    """Evaluate a package; write ``evaluation.json`` and return the numbers.

    The payload has ``package`` (folder), ``dataset`` (``path``, ``version``), ``split`` (``file``, ``sha256``),
    ``part``, ``target``, ``key`` and ``seed``.
    """
    ctx.report(0.05, stage="read")
    package = verify_package(Path(ctx.params["package"]))
    seed = int(ctx.params.get("seed", 0))
    features, truth, notes = part_of(ctx.params, package.manifest.signature)
    predict = predictor(package, threads=int(getattr(ctx, "slots", 1)))
    ctx.report(0.2, stage="predict")
    probabilities = predict(features)
    metrics = scores(truth, probabilities)
    interval = auc_interval(truth, probabilities, seed=seed)
    ctx.report(0.4, stage="importance", **metrics)
    importance, note = permuted(ctx, predict, features, truth)
    body = {
        "part": ctx.params["part"],
        "rows": features.height,
        "metrics": metrics,
        "auc": asdict(interval),
        "classes": list(package.manifest.signature.classes),
        "curves": curves(truth, probabilities, package.manifest.signature.classes),
        "importance": importance,
        "package": package.digest,
        "notes": [*notes, *note],
    }
    (ctx.out / "evaluation.json").write_text(json.dumps(body, ensure_ascii=False, allow_nan=False))
    ctx.report(1.0, stage="done")
    return {key: body[key] for key in ("part", "rows", "metrics", "auc", "package", "notes")} | {
        "report": "evaluation.json"
    }


def part_of(payload: Any, signature: Signature) -> tuple[pl.DataFrame, Any, list[str]]:
    """Return features and truth of one part of a split, in the shape of a package's signature."""
    source = Source.of(payload)
    rows = read_rows(source)
    parts = read_split(payload["split"]["file"], payload["split"].get("sha256"), rows.height)
    target = labels(rows, source.target)
    missing = [column.name for column in signature.inputs if column.name not in rows.columns]
    if missing:
        raise Invalid(f"the dataset has no column {missing[0]!r}", field="dataset", value=missing[0])
    wanted = parts == payload["part"]
    known = wanted & target.is_in(list(signature.classes))
    if known.sum() == 0 or target.filter(known).n_unique() < len(signature.classes):
        raise Unlearnable(f"part {payload['part']!r} does not hold every class", field="part", value=payload["part"])
    codes = {name: code for code, name in enumerate(signature.classes)}
    truth = np.array([codes[name] for name in target.filter(known)], dtype=np.int64)
    left_out = int(wanted.sum() - known.sum())
    notes = [f"{left_out} rows left out: the model does not know their class"] if left_out else []
    return plain(rows.filter(known), signature), truth, notes


def predictor(package: Package, *, threads: int) -> Callable[[pl.DataFrame], Any]:
    """Return a function from features to probabilities that runs the packaged file."""
    model = load_model(package, threads=threads)

    def predict(features: pl.DataFrame) -> Any:
        return np.asarray(model.predict(columns_of(features))["probabilities"], dtype=float)

    return predict


def permuted(
    ctx: Any, predict: Callable[[pl.DataFrame], Any], features: pl.DataFrame, truth: Any
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return how much ROC AUC each column carries: what is lost when its values are shuffled."""
    rng = np.random.default_rng(int(ctx.params.get("seed", 0)))
    notes: list[str] = []
    if len(truth) > PERMUTED_ROWS:
        rows = np.sort(rng.choice(len(truth), PERMUTED_ROWS, replace=False))
        features, truth = features[rows], truth[rows]
        notes.append(f"permutation importance on {PERMUTED_ROWS} rows drawn at random")
    columns = features.columns[:PERMUTED_COLUMNS]
    if len(features.columns) > len(columns):
        notes.append(f"permutation importance of the first {PERMUTED_COLUMNS} columns")
    whole = macro_auc(truth, predict(features))
    found: list[dict[str, Any]] = []
    for number, name in enumerate(columns):
        drops = [whole - macro_auc(truth, predict(_shuffled(features, name, rng))) for _ in range(REPEATS)]
        found.append({"column": name, "drop": float(np.mean(drops)), "sd": float(np.std(drops))})
        ctx.report(0.4 + 0.6 * (number + 1) / len(columns), stage="importance")
    return sorted(found, key=lambda item: -item["drop"]), notes


def _shuffled(features: pl.DataFrame, name: str, rng: Any) -> pl.DataFrame:
    return features.with_columns(features[name][rng.permutation(features.height)])
