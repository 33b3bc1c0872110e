"""Several labels a row: target, parts and folds, figures against scikit-learn's own, thresholds, the file, the gate, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    coverage_error,
    f1_score,
    hamming_loss,
    label_ranking_loss,
    roc_auc_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aimass.kernel.errors import Invalid
from aimass.models import is_of_sets, load_model, verify_package
from aimass.models.children.package import replay_samples
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.children.folds import cuts_of
from aimass.training.children.metric_gate import metric_gate
from aimass.training.children.sources import Source
from aimass.training.children.split import split
from aimass.training.children.table import prepare
from aimass.training.domain.autos import Constraints
from aimass.training.errors import Unlearnable
from aimass.training.measures.labels import (
    beside,
    best_thresholds,
    compare_macro_ap,
    label_curves,
    label_scores,
    macro_ap_interval,
)
from aimass.training.recipes import recipes
from aimass.training.recipes.contract_of_labels import LabelContract
from aimass.training.selecting import Facts, recommend
from aimass.training.tasks import TASKS

FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}
Make = Callable[..., Any]


class TestLogisticRegressionOfLabels(LabelContract):
    __test__ = True
    recipe = "logistic_regression"


class TestRandomForestOfLabels(LabelContract):
    __test__ = True
    recipe = "random_forest"
    quick: ClassVar = {"trees": 15}


class TestLightGbmOfLabels(LabelContract):
    __test__ = True
    recipe = "lightgbm"
    quick: ClassVar = {"trees": 20}


class TestGradientBoostingOfLabels(LabelContract):
    __test__ = True
    recipe = "gradient_boosting"
    quick: ClassVar = {"trees": 15}


@pytest.fixture(scope="module")
def films() -> pl.DataFrame:
    """Films with none, one or several genres; one genre is rare, and of some films nobody knows them."""
    rng, count = np.random.default_rng(5), 700
    budget, year, is_dubbed = rng.gamma(2, 20, count), rng.integers(1950, 2026, count), rng.random(count) < 0.3
    noise = rng.random((count, 3)) < 0.08
    has = np.stack([budget > 50, year < 1980, is_dubbed & (budget < 30)], axis=1) ^ noise
    names = np.array(["action", "classic 经典", "drama"])
    genres: list[Any] = [names[row].tolist()[::-1] for row in has]
    genres[:4] = [["western"], ["western", "drama"], None, None]
    return pl.DataFrame(
        {
            "film": [f"f{n:04d}" for n in range(count)],
            "budget": budget,
            "year": year,
            "dubbed": is_dubbed,
            "genres": pl.Series(genres, dtype=pl.List(pl.String)),
        }
    )


@pytest.fixture(scope="module")
def data(films: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("lake") / "films"
    films.write_delta(str(path))
    return {"path": str(path), "version": 0}


def ready(make_job: Make, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    wish = {"dataset": data, "target": "genres", "task": "multilabel", "key": "film", "seed": 1, **more}
    job = make_job({**wish, "fractions": FRACTIONS})
    found = split(job)
    parts = {"file": str(job.out / found["file"]), "sha256": found["sha256"]}
    return {**wish, "task": found["task"], "split": parts, "recipe": "lightgbm", "params": {"trees": 30}, "folds": 3}


def test_lists_are_found_to_be_labels_and_every_part_and_fold_has_its_share(
    data: dict[str, Any], films: pl.DataFrame, make_job: Make
) -> None:
    job = make_job({"dataset": data, "target": "genres", "key": "film", "seed": 1, "fractions": FRACTIONS})
    found = split(job)
    assert found["task"] == "multilabel"
    assert "the task is multilabel: target 'genres' holds lists of labels" in found["notes"]
    assert "2 rows left out: their target is null" in found["notes"]
    shares = {name: rows / found["counts"]["train"] for name, rows in found["classes"]["train"].items()}
    for part in ("validation", "test"):
        for name in ("action", "classic 经典", "drama"):
            assert found["classes"][part][name] / found["counts"][part] == pytest.approx(shares[name], abs=0.03)
    wish = ready(make_job, data)
    prepared = prepare(Source.of(wish), wish["split"])
    assert prepared.signature.classes == ("action", "classic 经典", "drama")
    assert any("fewer than 10 training rows are not learned: 'western'" in note for note in prepared.notes)
    train = prepared.table("train").truth
    for inside, outside in cuts_of(prepared, 5, 0):
        assert not set(inside) & set(outside)
        assert train[outside].mean(axis=0) == pytest.approx(train.mean(axis=0), abs=0.06)
    known = dict(films.select("film", "genres").iter_rows())
    for key, row in zip(prepared.keys_of("train") or (), train, strict=True):
        assert {name for name, has in zip(prepared.signature.classes, row, strict=True) if has} == set(known[key]) - {
            "western"
        }


def test_a_text_is_cut_into_labels_by_its_separator(make_job: Make, films: pl.DataFrame, tmp_path: Path) -> None:
    joined = films.with_columns(pl.col("genres").list.join(" ; "))
    joined.write_delta(str(tmp_path / "joined"))
    data = {"path": str(tmp_path / "joined"), "version": 0}
    wish = ready(make_job, data, task=None, separator=";")
    assert wish["task"] == "multilabel"
    assert prepare(Source.of(wish), wish["split"]).signature.classes == ("action", "classic 经典", "drama")
    with pytest.raises(Unlearnable, match="holds no lists of labels"):
        ready(make_job, data)


@pytest.mark.parametrize("recipe", ["lightgbm", "logistic_regression"])
def test_labels_are_learned_measured_chosen_packaged_and_judged(
    data: dict[str, Any], make_job: Make, recipe: str
) -> None:
    wish = ready(make_job, data) | {"recipe": recipe, "params": {"trees": 30} if recipe == "lightgbm" else {}}
    job = make_job(wish)
    found, report = fit(job), json.loads((job.out / "report.json").read_text())
    assert found["metrics"]["cv_macro_ap"] > 0.7
    assert found["metrics"]["cv_roc_auc"] > 0.7
    assert found["package"]["runtime"] == "onnx"
    assert sorted(one["name"] for one in report["curves"]["labels"]) == ["action", "classic 经典", "drama"]
    assert report["thresholds"].keys() == {"action", "classic 经典", "drama"}
    package = verify_package(job.out / "package")
    assert is_of_sets(package.manifest.signature)
    assert replay_samples(package, load_model(package))["passed"]
    answered = load_model(package).predict({"budget": [90.0, 10.0], "year": [1960, 2020], "dubbed": [False, False]})
    assert answered["labels"].tolist() == [["action", "classic 经典", ""], ["", "", ""]]
    told = evaluate(make_job({**wish, "package": str(package.folder), "part": "test"}))
    assert told["interval"]["metric"] == "macro_ap"
    assert told["interval"]["low"] < told["metrics"]["macro_ap"] < told["interval"]["high"]
    assert told["metrics"]["micro_f1"] > 0.7
    assert told["notes"] == [] or "western" in told["notes"][0]
    champion = str(package.folder)
    passed = metric_gate(make_job({**wish, "package": champion, "champion": champion}))
    assert passed["passed"], passed["evidence"]
    assert "test Macro AP" in passed["evidence"]


def test_it_answers_like_one_against_the_rest_of_scikit_learn(
    data: dict[str, Any], films: pl.DataFrame, make_job: Make
) -> None:
    wish = ready(make_job, data) | {"recipe": "logistic_regression", "params": {"strength": 2}}
    wish["features"] = ["budget", "year"]
    job = make_job(wish)
    found = fit(job)
    frame = films.sort("film").with_columns(pl.read_parquet(wish["split"]["file"])["part"])
    names = ("action", "classic 经典", "drama")
    sides = {part: frame.filter(pl.col("part") == part) for part in ("train", "validation")}
    truth = {part: np.array([[n in row for n in names] for row in side["genres"]]) for part, side in sides.items()}
    independent = make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression(C=2, max_iter=500)))
    independent.fit(sides["train"].select("budget", "year").to_numpy(), truth["train"])
    said = independent.predict_proba(sides["validation"].select("budget", "year").to_numpy())
    package = verify_package(job.out / "package")
    rows = {name: sides["validation"][name].to_list() for name in ("budget", "year")}
    assert np.abs(load_model(package).predict(rows)["probabilities"] - said).max() < 1e-3
    assert found["metrics"]["macro_ap"] == pytest.approx(average_precision_score(truth["validation"], said), abs=2e-3)


def test_the_same_seed_gives_the_same_package(data: dict[str, Any], make_job: Make) -> None:
    wish = ready(make_job, data)
    assert fit(make_job(wish))["package"]["digest"] == fit(make_job(wish))["package"]["digest"]


def test_a_model_of_other_labels_is_not_compared_and_one_that_guesses_is_refused(
    data: dict[str, Any], films: pl.DataFrame, make_job: Make, tmp_path: Path
) -> None:
    turned = films.with_columns((-pl.col("budget")).alias("budget"), (-pl.col("year")).alias("year"), ~pl.col("dubbed"))
    turned.write_delta(str(tmp_path / "turned"))
    bad = make_job(ready(make_job, {"path": str(tmp_path / "turned"), "version": 0}))
    fit(bad)
    found = metric_gate(make_job({**ready(make_job, data), "package": str(bad.out / "package")}))
    assert not found["passed"]
    assert "ROC AUC" in found["evidence"]
    fewer = films.with_columns(pl.col("genres").list.set_difference(pl.lit(["drama"])))
    fewer.write_delta(str(tmp_path / "fewer"))
    other = make_job(ready(make_job, {"path": str(tmp_path / "fewer"), "version": 0}))
    fit(other)
    wish = ready(make_job, data)
    mine = make_job(wish)
    fit(mine)
    gate = {**wish, "package": str(mine.out / "package"), "champion": str(other.out / "package")}
    assert "the champion predicts other classes" in metric_gate(make_job(gate))["evidence"]


@given(st.integers(2, 40), st.integers(1, 6), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_measures_are_those_of_scikit_learn(rows: int, labels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random((rows, labels)) < rng.uniform(0.1, 0.9)
    given_ = rng.integers(0, 12, (rows, labels)) / 12  # ties
    limits = np.full(labels, 0.5)
    found = label_scores(truth, beside(given_, limits))
    chosen = given_ >= 0.5
    wide = labels > 1
    if wide:
        assert found["ranking_loss"] == pytest.approx(label_ranking_loss(truth, given_))
        assert found["coverage_error"] == pytest.approx(coverage_error(truth, given_))
    assert found["hamming_loss"] == pytest.approx(hamming_loss(truth, chosen))
    assert found["subset_accuracy"] == pytest.approx((truth == chosen).all(axis=1).mean())
    options: dict[str, Any] = {"zero_division": 0}
    if wide:
        assert found["macro_f1"] == pytest.approx(f1_score(truth, chosen, average="macro", **options))
        assert found["micro_f1"] == pytest.approx(f1_score(truth, chosen, average="micro", **options))
    present = [k for k in range(labels) if truth[:, k].any()]
    if present:
        wanted = [average_precision_score(truth[:, k], given_[:, k]) for k in present]
        assert found["macro_ap"] == pytest.approx(np.mean(wanted))
        assert found["micro_ap"] == pytest.approx(average_precision_score(truth.ravel(), given_.ravel()))
    both = [k for k in present if not truth[:, k].all()]
    if both:
        areas = [roc_auc_score(truth[:, k], given_[:, k]) for k in both]
        assert found["roc_auc"] == pytest.approx(np.mean(areas))


def test_a_threshold_has_the_largest_f1_that_chooses_no_label_for_too_many() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random((400, 3)) < [0.3, 0.1, 0.05]
    told = np.clip(truth * [0.5, 0.3, 0.0] + rng.random((400, 3)) * 0.6, 0, 1)
    found = best_thresholds(truth, told)
    for k in range(3):
        chosen = told[:, k].astype(np.float32) >= found[k]
        assert chosen.sum() <= 2 * truth[:, k].sum()
        tried = [told[:, k] >= one for one in np.unique(told[:, k])]
        allowed = [f1_score(truth[:, k], one) for one in tried if one.sum() <= 2 * truth[:, k].sum()]
        assert f1_score(truth[:, k], chosen) == pytest.approx(max(allowed))
    nothing = best_thresholds(truth[:, :1], np.full((400, 1), 0.25))
    assert not (np.float32(0.25) >= nothing).any(), "one answer for all rows is no choice"


def test_intervals_and_comparisons_take_rows_as_drawn() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random((600, 4)) < [0.4, 0.2, 0.1, 0.05]
    good, bad = truth + rng.normal(0, 0.6, truth.shape), rng.normal(size=truth.shape)
    interval = macro_ap_interval(truth, good)
    assert interval.low < interval.value < interval.high
    drawn = []
    for _ in range(200):  # an independent bootstrap
        rows = rng.integers(0, 600, 600)
        drawn.append(average_precision_score(truth[rows], good[rows]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert interval.low == pytest.approx(low, abs=0.03)
    assert interval.high == pytest.approx(high, abs=0.03)
    better = compare_macro_ap(truth, good, bad)
    assert better.low > 0
    assert better.p_value < 0.01
    same = compare_macro_ap(truth, good, good)
    assert (same.difference, same.p_value) == (0.0, 1.0)


def test_a_label_that_no_row_has_is_told_without_figures() -> None:
    truth = np.array([[True, False], [True, False], [False, False]])
    said = beside(np.array([[0.9, 0.1], [0.4, 0.1], [0.1, 0.1]]), np.array([0.5, 0.5]))
    first, second = label_curves(truth, said, ["a", "b"])["labels"]
    assert (first["rows"], first["chosen"], first["recall"], first["ap"]) == (2, 1, 0.5, 1.0)
    assert (second["ap"], second["roc_auc"], second["f1"]) == (None, None, None)
    assert label_curves(truth, said, ["a", "b"])["per_row"] == {"true": [1, 2], "chosen": [2, 1]}


def test_what_reads_is_recommended_for_labels_and_numbers_where_there_is_text() -> None:
    for task in ("multilabel", "regression"):
        facts = Facts(rows=5000, columns=4, texts=("text",))
        first, *_ = recommend(recipes().values(), TASKS[task], facts, Constraints(), [])
        assert (first.recipe, TASKS[task].usual(["text"])[0]) == ("text_linear", "text_linear")
        table, *_ = recommend(recipes().values(), TASKS[task], Facts(rows=5000, columns=4), Constraints(), [])
        assert table.recipe == "lightgbm"


def test_a_recipe_that_does_not_do_labels_is_refused_with_those_that_do(data: dict[str, Any], make_job: Make) -> None:
    with pytest.raises(Invalid, match="does not do multilabel") as caught:
        fit(make_job(ready(make_job, data) | {"recipe": "hist_gradient_boosting", "params": {}}))
    assert set(caught.value.allowed) == {
        "gradient_boosting",
        "lightgbm",
        "logistic_regression",
        "random_forest",
        "text_linear",
    }


@pytest.mark.parametrize(
    ("column", "more", "why"),
    [
        (pl.lit("action"), {}, "holds no lists of labels"),
        (pl.lit("action"), {"separator": ";"}, "no label has 10 training rows, and 10 without it"),
        (pl.col("genres"), {"separator": ";"}, "holds lists already"),
        (pl.lit([], dtype=pl.List(pl.String)), {}, "no label occurs in each"),
        (pl.col("genres"), {"task": "classification"}, "holds lists of labels"),
    ],
)
def test_a_target_that_holds_no_labels_is_refused(
    films: pl.DataFrame, make_job: Make, tmp_path: Path, column: pl.Expr, more: dict[str, Any], why: str
) -> None:
    films.with_columns(column.alias("genres")).write_delta(str(tmp_path / "odd"))
    with pytest.raises(Unlearnable, match=why):
        fit(make_job(ready(make_job, {"path": str(tmp_path / "odd"), "version": 0}, **more)))
