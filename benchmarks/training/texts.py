"""Texts: the exported file of ``text_linear`` beside pipelines of scikit-learn, on the same rows."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline

from aimass.models import Rows, build_package, load_model
from aimass.training.children.columns import signature_of
from aimass.training.recipes import find_recipe, load_recipe
from aimass.training.recipes.contract import Bench
from aimass.training.recipes.protocol import Table, parameters_of

TEST, BINS, ROWS_TIMED = 0.25, 10, 200
PEERS: Mapping[str, Callable[[], Any]] = {
    "scikit-learn, words": TfidfVectorizer,
    "scikit-learn, words and pairs": lambda: TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_features=20_000),
    "scikit-learn, signs and pairs": lambda: TfidfVectorizer(analyzer="char", ngram_range=(1, 2), max_features=20_000),
}


def run(files: Sequence[Path]) -> dict[str, Any]:
    """Learn from three quarters of the rows of CSV files with the columns ``text`` and ``label``, and judge on the rest."""
    if not files:
        return {"skipped": "no CSV file with text and label was named (--texts)"}
    return {"files": [_measured(file) for file in files]}


def _measured(file: Path) -> dict[str, Any]:
    frame = pl.read_csv(file).select(pl.col("text", "label").cast(pl.String)).drop_nulls().unique(maintain_order=True)
    frame = frame.sample(fraction=1.0, shuffle=True, seed=0)
    classes = tuple(sorted(frame["label"].unique()))
    if len(classes) != 2:
        raise SystemExit(f"{file.name} has {len(classes)} labels, and 2 are compared")
    truth = (frame["label"] == classes[1]).cast(pl.Int64).to_numpy()
    cut = round(len(truth) * (1 - TEST))
    found = {"text_linear": _own(frame["text"], truth, cut, classes)}
    for name, vectorizer in PEERS.items():
        model = make_pipeline(vectorizer(), LogisticRegression(max_iter=1000))
        texts = frame["text"].to_list()
        started = time.perf_counter()
        model.fit(texts[:cut], truth[:cut])
        fit_s = time.perf_counter() - started
        given = model.predict_proba(texts[cut:])[:, 1]
        row_us = _row_us(lambda text, model=model: model.predict_proba([text]), texts[cut:])
        found[name] = {**_judged(truth[cut:], given), "fit_s": fit_s, "row_us": row_us}
    return {"file": file.name, "rows": len(truth), "test": len(truth) - cut, "found": found}


def _own(texts: pl.Series, truth: Any, cut: int, classes: tuple[str, ...]) -> dict[str, Any]:
    table = texts.to_frame()
    tables = {
        part: Table(features=table[where], truth=truth[where])
        for part, where in (("train", slice(0, cut)), ("validation", slice(cut, None)))
    }
    manifest, recipe = find_recipe("text_linear"), load_recipe("text_linear")
    params = parameters_of(manifest.check({}), manifest.parameters)
    described = signature_of(tables["train"].features, classes, {})
    bench = Bench(task="classification", params=params, signature=described, tables=tables)
    started = time.perf_counter()
    model = recipe.fit(bench)
    fit_s = time.perf_counter() - started
    rows = tables["validation"].features
    expected = Rows(columns={"text": rows["text"].to_list()}, expected=recipe.predict(bench, model, rows))
    with tempfile.TemporaryDirectory() as folder:
        package, parity = build_package(Path(folder, "package"), recipe.package(bench, model), expected)
        loaded = load_model(package)
        given = np.asarray(loaded.predict(expected.columns)["probabilities"], dtype=float)[:, 1]
        row_us = _row_us(lambda text: loaded.predict({"text": [text]}), expected.columns["text"])
        told = {"runtime": package.manifest.runtime, "bytes": package.size, "difference": parity.max_difference}
    return {**_judged(truth[cut:], given), "fit_s": fit_s, "row_us": row_us, **told}


def _judged(truth: Any, given: Any) -> dict[str, float]:
    """Return the scores, and the mean gap between what is promised and what comes true in tenths of the rows."""
    tenths = np.array_split(np.argsort(given, kind="stable"), BINS)
    gap = sum(abs(truth[rows].mean() - given[rows].mean()) * len(rows) for rows in tenths) / len(truth)
    return {
        "roc_auc": float(roc_auc_score(truth, given)),
        "log_loss": float(log_loss(truth, given)),
        "accuracy": float(accuracy_score(truth, given > 0.5)),
        "gap": float(gap),
    }


def _row_us(answer: Callable[[str], Any], texts: Sequence[str]) -> float:
    """Return the median microseconds of one row alone."""
    times: list[float] = []
    for text in texts[:ROWS_TIMED]:
        started = time.perf_counter()
        answer(text)
        times.append((time.perf_counter() - started) * 1e6)
    return statistics.median(times)


def lines(told: Mapping[str, Any]) -> list[str]:
    """Return the section of the report."""
    if "skipped" in told:
        return ["## Texts", "", f"Skipped: {told['skipped']}.", ""]
    found = [line for one in told["files"] for line in _table(one)]
    return [
        "## Texts of two classes",
        "",
        *found,
        "`text_linear` is judged by its exported file, the others in memory before the logistic regression of scikit-learn; each with its defaults.",
        "The gap is the mean difference of promised and true shares in tenths of the rows.",
        "",
    ]


def _table(told: Mapping[str, Any]) -> list[str]:
    own = told["found"]["text_linear"]
    exported = (
        f"{own['runtime']}, {own['bytes'] / 1e6:.1f} MB, at most {own['difference']:.1g} from the model in memory"
    )
    return [
        f"{told['rows']:,} rows of {told['file']}, {told['test']:,} of them judged; exported: {exported}.",
        "",
        "| model | ROC AUC | log loss | accuracy | calibration gap | fit | one row |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {one['roc_auc']:.4f} | {one['log_loss']:.4f} | {one['accuracy']:.3f} | {one['gap']:.3f} "
            f"| {one['fit_s']:.1f} s | {one['row_us']:.0f} µs |"
            for name, one in told["found"].items()
        ),
        "",
    ]
