"""Blending runs without learning any of them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass.kernel.errors import Invalid
from aimass.models import load_model, verify_package
from aimass.training.children.blend import blend
from aimass.training.children.fit import fit
from aimass.training.children.split import split
from aimass.training.children.weights import Shares, judged, line_of, shares_of, stack_of
from aimass.training.errors import Unlearnable
from aimass.training.measures.scores import log_loss, macro_auc

FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}
RECIPES = ("logistic_regression", "lightgbm")


def rows(count: int = 600, seed: int = 3) -> pl.DataFrame:
    """Half of what decides is a line, half is not: neither kind of model sees both."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, count))
    group = rng.choice(["p", "q"], count)
    pull = 1.2 * a + 1.5 * (b * c > 0) - 0.75 + 0.8 * (group == "p") + rng.logistic(0, 0.7, count)
    target = np.where(pull > 0.4, "yes", "no")
    return pl.DataFrame({"a": a, "b": b, "c": c, "group": group.tolist(), "y": target.tolist()})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("lake") / "halves"
    rows().write_delta(str(path))
    return {"path": str(path), "version": 0}


@pytest.fixture
def base(data: dict[str, Any], make_job: Callable[..., Any]) -> dict[str, Any]:
    job = make_job({"dataset": data, "target": "y", "key": None, "fractions": FRACTIONS, "seed": 1})
    found = split(job)
    parts = {"file": str(job.out / found["file"]), "sha256": found["sha256"]}
    return {"dataset": data, "split": parts, "target": "y", "key": None, "seed": 1, "folds": 3}


def trained(base: dict[str, Any], make_job: Callable[..., Any], recipe: str, **changes: Any) -> dict[str, Any]:
    job = make_job({**base, "recipe": recipe, "params": {}, **changes})
    told = fit(job)
    return {
        "run": f"run-{recipe}",
        "name": recipe,
        "package": str(job.out / "package"),
        "folds": str(job.out / "folds.parquet"),
        "report": str(job.out / "report.json"),
        "metrics": told["metrics"],
    }


def test_a_blend_answers_as_one_graph_and_is_no_worse_than_its_members(
    base: dict[str, Any], make_job: Callable[..., Any]
) -> None:
    members = [trained(base, make_job, recipe) for recipe in RECIPES]
    job = make_job({**base, "members": members, "method": "auto"})
    told = blend(job)
    assert told["package"]["runtime"] == "onnx"
    best = max(member["metrics"]["cv_roc_auc"] for member in members)
    assert told["metrics"]["cv_roc_auc"] > best  # the two see different halves
    assert sum(told["params"]["weights"].values()) == pytest.approx(1)
    report = json.loads((job.out / "report.json").read_bytes())
    assert len(report["folds"]) == 3
    assert set(report["importance"]) == {"a", "b", "c", "group"}
    outside = pl.read_parquet(job.out / "folds.parquet")
    assert sorted(outside["row"]) == sorted(pl.read_parquet(members[0]["folds"])["row"])
    package = verify_package(job.out / "package")
    samples = package.samples()
    answered = load_model(package).predict(samples["inputs"])
    assert np.allclose(answered["probabilities"], samples["outputs"]["probabilities"], atol=1e-5)
    assert answered["label"].tolist() == samples["outputs"]["label"]


def test_numbers_are_blended_by_a_line_through_the_members(
    data: dict[str, Any], make_job: Callable[..., Any], tmp_path: Path
) -> None:
    frame = rows(500)
    value = 10 * frame["a"] + 4 * (frame["b"] * frame["c"] > 0).cast(pl.Float64)
    frame = frame.drop("y").with_columns((100 + value).alias("y"))
    frame.write_delta(str(tmp_path / "numbers"))
    where = {"path": str(tmp_path / "numbers"), "version": 0}
    wish = {"dataset": where, "target": "y", "task": "regression", "key": None, "seed": 1, "folds": 3}
    job = make_job({**wish, "fractions": FRACTIONS})
    found = split(job)
    wish |= {"split": {"file": str(job.out / found["file"]), "sha256": found["sha256"]}}
    members = [trained(wish, make_job, recipe) for recipe in ("linear_regression", "lightgbm")]
    for method in ("mean", "stack"):
        told = blend(make_job({**wish, "members": members, "method": method}))
        assert told["package"]["runtime"] == "onnx"
        assert told["metrics"]["cv_rmse"] < min(member["metrics"]["cv_rmse"] for member in members)
        assert told["metrics"]["rmse"] > 0


def test_rows_that_no_fold_of_time_left_out_are_passed_over(
    data: dict[str, Any], make_job: Callable[..., Any], tmp_path: Path
) -> None:
    frame = rows(400).with_row_index("day")
    frame.write_delta(str(tmp_path / "days"))
    wish = {"dataset": {"path": str(tmp_path / "days"), "version": 0}, "target": "y", "key": None, "seed": 1}
    wish |= {"time": "day", "folds": 3, "task": "classification"}
    job = make_job({**wish, "fractions": FRACTIONS})
    found = split(job)
    wish |= {"split": {"file": str(job.out / found["file"]), "sha256": found["sha256"]}}
    members = [trained(wish, make_job, recipe) for recipe in RECIPES]
    job = make_job({**wish, "members": members, "method": "mean"})
    told = blend(job)
    assert told["metrics"]["cv_roc_auc"] > 0.5
    outside = pl.read_parquet(job.out / "folds.parquet")
    assert outside.height == pl.read_parquet(members[0]["folds"]).height < found["counts"]["train"]


def test_a_mean_leaves_out_members_that_do_not_help(base: dict[str, Any], make_job: Callable[..., Any]) -> None:
    good = trained(base, make_job, "lightgbm")
    poor = {**trained(base, make_job, "lightgbm", params={"trees": 1, "max_leaves": 2}), "run": "poor"}
    also = {**trained(base, make_job, "logistic_regression"), "run": "also"}
    told = blend(make_job({**base, "members": [poor, good, also], "method": "mean"}))
    assert told["params"]["method"] == "mean"
    assert told["params"]["members"] == ["run-lightgbm", "also"]


def test_runs_that_cannot_be_joined_are_refused(base: dict[str, Any], make_job: Callable[..., Any]) -> None:
    one = trained(base, make_job, "logistic_regression")
    other = trained(base, make_job, "logistic_regression", features=["a", "b"])
    with pytest.raises(Invalid, match="reads other columns"):
        blend(make_job({**base, "members": [one, other]}))
    sown = trained(base, make_job, "logistic_regression", seed=2)
    with pytest.raises(Invalid, match="on other folds"):
        blend(make_job({**base, "members": [one, sown]}))
    python = trained(base, make_job, "hist_gradient_boosting", params={"trees": 5})
    with pytest.raises(Unlearnable, match="1 of 2 runs can be joined"):
        blend(make_job({**base, "members": [one, python]}))


@given(st.integers(0, 2**16), st.integers(2, 5), st.integers(2, 4))
def test_greedy_weights_are_at_least_as_good_as_the_best_member(seed: int, members: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, 80)
    answers = rng.dirichlet(np.ones(classes), (members, 80))
    answers[0, np.arange(80), truth] += 0.5
    answers /= answers.sum(axis=2, keepdims=True)

    def measure(true: Any, given_: Any) -> float:
        return -log_loss(true, given_)

    shares = shares_of(answers, truth, measure)
    assert sum(shares.weights) == pytest.approx(1)
    assert measure(truth, shares.combine(answers)) >= max(measure(truth, one) for one in answers) - 1e-12


def test_weights_are_judged_on_rows_that_they_were_not_found_on() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400)
    noise = rng.dirichlet(np.ones(2), (40, 400))  # members that know nothing
    folds = np.arange(400) % 4
    found = judged(lambda a, t: shares_of(a, t, macro_auc), noise, truth, folds)
    honest = float(np.mean([macro_auc(truth[places], given_) for _, places, given_ in found]))
    fooled = macro_auc(truth, shares_of(noise, truth, macro_auc).combine(noise))
    assert abs(honest - 0.5) < 0.1
    assert fooled > honest + 0.03


def test_a_line_through_members_is_the_non_negative_least_squares_line() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(50, 9, 300)
    answers = np.array([truth * 0.5 + 3, truth + rng.normal(0, 30, 300), -truth])
    line = line_of(answers, truth)
    assert line.weights[0] == pytest.approx(2, abs=0.05)
    assert line.weights[2] == 0
    assert np.sqrt(np.mean((line.combine(answers) - truth) ** 2)) < 1e-6


@pytest.mark.parametrize("classes", [2, 3])
def test_a_stack_is_a_probability(classes: int) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, classes, 200)
    answers = rng.dirichlet(np.ones(classes), (3, 200))
    combined = stack_of(answers, truth).combine(answers)
    assert np.allclose(combined.sum(axis=1), 1)
    assert combined.shape == (200, classes)
    assert isinstance(shares_of(answers, truth, macro_auc), Shares)


def test_members_are_read_from_files_of_other_rows(base: dict[str, Any], make_job: Callable[..., Any]) -> None:
    one, two = (trained(base, make_job, recipe) for recipe in RECIPES)
    frame = pl.read_parquet(two["folds"])
    other = Path(two["folds"]).with_name("other.parquet")
    foreign = frame.with_columns(pl.when(pl.col("row") == frame["row"][0]).then(10_000).otherwise("row").alias("row"))
    foreign.with_columns(pl.col("row").cast(pl.UInt32)).write_parquet(other)
    with pytest.raises(Invalid, match="belong to other rows"):
        blend(make_job({**base, "members": [one, {**two, "folds": str(other)}]}))
    frame.head(frame.height - 1).write_parquet(other)
    with pytest.raises(Invalid, match="on other folds"):
        blend(make_job({**base, "members": [one, {**two, "folds": str(other)}]}))
