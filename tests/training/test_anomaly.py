"""Anomaly detection through the jobs: with a target to measure by and without, figures against scikit-learn's own, the gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score

from aimass.kernel.errors import Invalid
from aimass.models import load_model, verify_package
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import NO_TRUTH, fit
from aimass.training.children.metric_gate import metric_gate
from aimass.training.children.mixing import mixed
from aimass.training.children.split import split
from aimass.training.errors import Unlearnable
from aimass.training.measures.anomalies import anomaly_scores

Make = Callable[..., Any]
FRACTIONS = {"train": 0.5, "validation": 0.25, "test": 0.25}
FOREST = {"recipe": "isolation_forest", "params": {"trees": 40}, "folds": 2}


@pytest.fixture(scope="module")
def readings() -> pl.DataFrame:
    """Pressure follows the temperature; one reading in twenty does not."""
    rng = np.random.default_rng(3)
    warm = rng.normal(40, 8, 800)
    is_odd = rng.random(800) < 0.05
    pressure = np.where(is_odd, rng.uniform(150, 300, 800), 2 * warm + rng.normal(0, 1, 800))
    site = rng.choice(["north", "south"], 800)
    return pl.DataFrame({"warm": warm, "pressure": pressure, "site": site, "faulty": is_odd.astype(int)})


@pytest.fixture(scope="module")
def data(readings: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("lake") / "readings"
    readings.write_delta(str(path))
    return {"path": str(path), "version": 0}


def ready(make_job: Make, data: dict[str, Any], target: str, **more: Any) -> dict[str, Any]:
    wish = {"dataset": data, "target": target, "task": "anomaly", "key": None, "fractions": FRACTIONS, "seed": 1}
    job = make_job({**wish, **more})
    found = split(job)
    parts = {"file": str(job.out / found["file"]), "sha256": found["sha256"]}
    return {**wish, **more, "split": parts, "told": found}


def test_a_target_measures_and_is_not_learned(data: dict[str, Any], make_job: Make) -> None:
    wish = ready(make_job, data, "faulty")
    assert set(wish["told"]["classes"]["test"]) == {"normal", "anomaly"}
    job = make_job({**wish, **FOREST})
    found, report = fit(job), json.loads((job.out / "report.json").read_text())
    assert found["metrics"]["cv_roc_auc"] > 0.9
    assert found["package"]["runtime"] == "onnx"
    assert report["classes"] == ["normal", "anomaly"]
    package = verify_package(job.out / "package")
    assert [column.name for column in package.manifest.signature.inputs] == ["warm", "pressure", "site"]
    answers = load_model(package).predict({"warm": [40.0, 40.0], "pressure": [80.0, 290.0], "site": ["north"] * 2})
    assert list(answers["label"]) == ["normal", "anomaly"]
    assert answers["probabilities"][1][1] > 0.5 > answers["probabilities"][0][1]


def test_without_a_target_it_is_measured_by_mixed_rows(data: dict[str, Any], make_job: Make) -> None:
    wish = ready(make_job, data, "") | {"features": ["warm", "pressure"]}
    assert wish["told"]["classes"] == {}
    job = make_job({**wish, "recipe": "local_outlier", "folds": 2})
    found, report = fit(job), json.loads((job.out / "report.json").read_text())
    assert NO_TRUTH in found["notes"]
    assert found["metrics"]["roc_auc"] > 0.75
    assert found["metrics"]["flagged"] < 0.1
    assert pl.read_parquet(job.out / "folds.parquet").height == report["rows"]["train"]
    job = make_job({**wish, "package": str(job.out / "package"), "part": "test"})
    told = evaluate(job)
    assert told["rows"] == 2 * wish["told"]["counts"]["test"]
    assert "rows were mixed from the others" in told["notes"][0]
    assert told["interval"]["metric"] == "roc_auc"
    assert told["interval"]["low"] < told["metrics"]["roc_auc"] < told["interval"]["high"]


def test_the_gate_compares_two_detectors_on_the_same_rows(data: dict[str, Any], make_job: Make) -> None:
    wish = ready(make_job, data, "") | {"features": ["warm", "pressure"]}
    good, poor = make_job({**wish, "recipe": "local_outlier", "folds": 2}), make_job({**wish, **FOREST})
    for job in (good, poor):
        fit(job)
    champion, candidate = str(good.out / "package"), str(poor.out / "package")
    same = metric_gate(make_job({**wish, "package": champion, "champion": champion}))
    worse = metric_gate(make_job({**wish, "package": candidate, "champion": champion}))
    assert same["passed"]
    assert same["detail"]["difference"] == 0
    assert not worse["passed"], worse["evidence"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (pl.lit("broken").alias("faulty"), "does not tell anomalies"),
        ((pl.col("faulty") * 2).alias("faulty"), "does not tell anomalies"),
        (pl.lit(0).alias("faulty"), "is the same"),
    ],
)
def test_a_target_that_tells_no_anomalies_is_refused(
    readings: pl.DataFrame, tmp_path: Path, make_job: Make, change: Any, words: str
) -> None:
    readings.with_columns(change).write_delta(str(tmp_path / "d"))
    with pytest.raises(Unlearnable, match=words):
        wish = ready(make_job, {"path": str(tmp_path / "d"), "version": 0}, "faulty")
        fit(make_job({**wish, **FOREST}))


def test_one_column_without_a_target_is_refused_with_the_way_out(data: dict[str, Any], make_job: Make) -> None:
    wish = ready(make_job, data, "") | {"features": ["warm"]}
    with pytest.raises(Unlearnable, match="cannot be mixed") as caught:
        fit(make_job({**wish, **FOREST}))
    assert "name a target" in caught.value.hint


def test_other_recipes_refuse_the_task_with_those_that_can(data: dict[str, Any], make_job: Make) -> None:
    with pytest.raises(Invalid, match="does not do anomaly") as caught:
        fit(make_job({**ready(make_job, data, ""), "recipe": "lightgbm"}))
    assert caught.value.allowed == ["isolation_forest", "local_outlier"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=2, max_size=60))
def test_the_figures_are_those_of_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    truth, strange = np.array([one for one, _ in rows]).astype(int), np.array([score / 20 for _, score in rows])
    if len(set(truth)) < 2:
        return
    found = anomaly_scores(truth, np.column_stack([1 - strange, strange]))
    flags = strange > 0.5
    own = {
        "roc_auc": roc_auc_score(truth, strange),
        "pr_auc": average_precision_score(truth, strange),
        "precision": precision_score(truth, flags, zero_division=0),
        "recall": recall_score(truth, flags, zero_division=0),
        "f1": f1_score(truth, flags, zero_division=0),
        "flagged": flags[truth == 0].mean(),
    }
    assert found == pytest.approx(own)


def test_a_column_is_mixed_alike_whatever_stands_beside_it() -> None:
    frame = pl.DataFrame({"a": list(range(50)), "b": list(range(50)), "c": ["x"] * 50})
    assert mixed(frame, 4)["b"].to_list() == mixed(frame.select("c", "b"), 4)["b"].to_list()
    assert mixed(frame, 4)["a"].to_list() != mixed(frame, 4)["b"].to_list()
    assert mixed(frame, 4)["a"].to_list() != mixed(frame, 5)["a"].to_list()
