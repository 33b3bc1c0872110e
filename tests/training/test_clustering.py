"""Clustering through the jobs: with names to measure by and without, figures against scikit-learn's own, the gate."""

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
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_samples,
    silhouette_score,
)

from aimass.models import load_model, verify_package
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.children.metric_gate import metric_gate
from aimass.training.children.split import split
from aimass.training.errors import Unlearnable
from aimass.training.measures.clusters import Points, adjusted_rand, cluster_scores, compare_silhouette, silhouettes
from aimass.training.recipes.space import Space

Make = Callable[..., Any]
FRACTIONS = {"train": 0.5, "validation": 0.25, "test": 0.25}


@pytest.fixture(scope="module")
def shops() -> pl.DataFrame:
    """Shops of three kinds."""
    rng = np.random.default_rng(5)
    kind = rng.integers(0, 3, 600)
    return pl.DataFrame(
        {
            "area": np.array([40.0, 300.0, 300.0])[kind] + rng.normal(0, 15, 600),
            "staff": (np.array([2, 4, 20])[kind] + rng.integers(0, 3, 600)).astype(int),
            "place": np.array(["street", "mall", "mall"])[kind],
            "kind": np.array(["kiosk", "store", "market"])[kind],
        }
    )


@pytest.fixture(scope="module")
def data(shops: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("lake") / "shops"
    shops.write_delta(str(path))
    return {"path": str(path), "version": 0}


def ready(make_job: Make, data: dict[str, Any], target: str = "", **more: Any) -> dict[str, Any]:
    wish = {"dataset": data, "target": target, "task": "clustering", "key": None, "fractions": FRACTIONS, "seed": 1}
    job = make_job({**wish, **more})
    found = split(job)
    parts = {"file": str(job.out / found["file"]), "sha256": found["sha256"]}
    return {**wish, **more, "split": parts, "recipe": "kmeans", "folds": 2}


def test_rows_are_put_together_and_measured_with_and_without_names(data: dict[str, Any], make_job: Make) -> None:
    wish = ready(make_job, data, "kind") | {"params": {"clusters": 3}}
    job = make_job(wish)
    found, report = fit(job), json.loads((job.out / "report.json").read_text())
    assert found["metrics"]["adjusted_rand"] > 0.95
    assert found["metrics"]["cv_silhouette"] > 0.6
    assert found["package"]["runtime"] == "onnx"
    assert report["classes"] == ["cluster 1", "cluster 2", "cluster 3"]
    shown = report["curves"]["clusters"]
    assert sum(one["rows"] for one in shown) == report["rows"]["validation"]
    assert "kind" not in shown[0]["columns"]
    street = next(one for one in shown if one["columns"]["place"]["most"] == "street")
    assert street["columns"]["place"]["share"] == 1
    assert street["columns"]["area"]["mean"] == pytest.approx(40, abs=5)
    answers = load_model(verify_package(job.out / "package")).predict(
        {"area": [41.0, 301.0], "staff": [2, 21], "place": ["street", "mall"]}
    )
    assert answers["label"][0] == street["name"] != answers["label"][1]
    bare = make_job(ready(make_job, data) | {"params": {"clusters": 3}, "features": ["area", "staff", "place"]})
    alone = fit(bare)["metrics"]
    assert "adjusted_rand" not in alone
    assert alone["silhouette"] > 0.6


def test_the_exported_file_is_evaluated_and_two_are_compared(data: dict[str, Any], make_job: Make) -> None:
    wish = ready(make_job, data, "kind")
    good, poor = (make_job(wish | {"params": {"clusters": count}}) for count in (3, 7))
    for job in (good, poor):
        fit(job)
    job = make_job({**wish, "package": str(good.out / "package"), "part": "test"})
    found, report = evaluate(job), json.loads((job.out / "evaluation.json").read_text())
    assert found["interval"]["metric"] == "silhouette"
    assert found["interval"]["low"] < found["metrics"]["silhouette"] < found["interval"]["high"]
    assert {one["column"] for one in report["importance"]} == {"area", "staff", "place"}
    assert report["importance"][0]["drop"] > 0
    champion = str(good.out / "package")
    same = metric_gate(make_job({**wish, "package": champion, "champion": champion}))
    worse = metric_gate(make_job({**wish, "package": str(poor.out / "package"), "champion": champion}))
    assert (same["passed"], worse["passed"]) == (True, False)
    assert "Silhouette" in worse["evidence"]


def test_more_clusters_than_different_rows_are_refused(tmp_path: Path, make_job: Make) -> None:
    pl.DataFrame({"a": [1, 2] * 40, "b": [1, 2] * 40}).write_delta(str(tmp_path / "d"))
    with pytest.raises(Unlearnable, match="fewer than 4 training rows differ") as caught:
        fit(make_job(ready(make_job, {"path": str(tmp_path / "d"), "version": 0})))
    assert caught.value.field == "params.clusters"


def points(rows: list[tuple[int, int, int]]) -> tuple[Points, Any, Any]:
    space = np.array([(x, y) for x, y, _ in rows], dtype=float)
    labels = np.array([label for *_, label in rows])
    frame = pl.DataFrame({"x": space[:, 0], "y": space[:, 1]})
    return Points(space=space, features=frame), labels, np.eye(4)[labels]


ROWS = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 3)), min_size=5, max_size=40)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_the_figures_are_those_of_scikit_learn(rows: list[tuple[int, int, int]]) -> None:
    found, labels, said = points(rows)
    if not 2 <= len(set(labels)) < len(labels):
        return
    scores = cluster_scores(found, said)
    assert silhouettes(found.space, labels) == pytest.approx(silhouette_samples(found.space, labels), abs=1e-6)
    assert scores["silhouette"] == pytest.approx(silhouette_score(found.space, labels), abs=1e-6)
    if "davies_bouldin" in scores:
        assert scores["davies_bouldin"] == pytest.approx(davies_bouldin_score(found.space, labels))
    if "calinski_harabasz" in scores:
        assert scores["calinski_harabasz"] == pytest.approx(calinski_harabasz_score(found.space, labels))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=50))
def test_the_agreement_of_two_groupings_is_that_of_scikit_learn(rows: list[tuple[int, int]]) -> None:
    first, second = ([row[place] for row in rows] for place in (0, 1))
    assert adjusted_rand(first, second) == pytest.approx(adjusted_rand_score(first, second), abs=1e-12)


def test_one_cluster_is_no_better_than_a_guess() -> None:
    found, _, _ = points([(0, 0, 0), (1, 1, 0), (5, 5, 0)])
    said = np.ones((3, 1))
    assert cluster_scores(found, said) == {"silhouette": 0.0, "clusters": 1.0, "largest": 1.0}
    assert compare_silhouette(found, said, said).p_value == 1.0


def test_a_null_lies_in_the_middle_and_a_wild_value_not_out_of_reach() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0, 3.0, None, 1e12], "b": [None, "x", "x", "y", "x"]})
    space = Space.of(frame.head(3)).points(frame).space
    assert space[3, 0] == 0
    assert space[4, 0] == 10
    assert np.isfinite(space).all()


def test_a_column_of_lists_weighs_as_much_as_one_of_numbers() -> None:
    rng = np.random.default_rng(1)
    lists = pl.Series("pixels", rng.normal(3, 2, (200, 16)).tolist(), dtype=pl.Array(pl.Float32, 16))
    frame = pl.DataFrame([lists, pl.Series("size", rng.normal(0, 5, 200))])
    space = Space.of(frame).points(frame).space
    assert space.shape == (200, 17)
    assert space[:, 1:].var(axis=0).sum() == pytest.approx(space[:, 0].var(), rel=0.05)
