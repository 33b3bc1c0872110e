"""Ranking through the jobs: lists that stay whole, figures against scikit-learn's own, the gate, refusals."""

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
from sklearn.metrics import average_precision_score, ndcg_score

from aimass.kernel.errors import Invalid
from aimass.models import load_model, verify_package
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.children.metric_gate import metric_gate
from aimass.training.children.shrinking.students import transfer_set
from aimass.training.children.split import split
from aimass.training.console.charts import charts_of
from aimass.training.console.charts.orders import OrderCharts
from aimass.training.errors import Uncompressible, Unlearnable
from aimass.training.measures.relevance import (
    Lists,
    compare_ndcg,
    ndcg,
    ndcg_by_list,
    ndcg_interval,
    relevance_scores,
)
from aimass.training.recipes.protocol import Table

Make = Callable[..., Any]
FRACTIONS = {"train": 0.5, "validation": 0.25, "test": 0.25}


@pytest.fixture(scope="module")
def offers() -> pl.DataFrame:
    """Offers of 200 searches; which is wanted stands to the other offers of its search."""
    rng = np.random.default_rng(3)
    query = np.repeat(np.arange(200), rng.integers(4, 12, 200))
    price, near = rng.gamma(2, 30, len(query)), rng.random(len(query))
    pull = near * 2 - price / 60 + rng.normal(0, 0.15, len(query))
    frame = pl.DataFrame(
        {"query": query, "price": price, "near": near, "level": rng.normal(0, 5, 200)[query], "pull": pull}
    )
    place = pl.col("pull").rank("ordinal", descending=True).over("query")
    return frame.with_columns(wanted=(4 - place.cast(pl.Int64)).clip(0, 3)).drop("pull")


@pytest.fixture(scope="module")
def data(offers: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("lake") / "offers"
    offers.write_delta(str(path))
    return {"path": str(path), "version": 0}


def ready(make_job: Make, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    wish = {"dataset": data, "target": "wanted", "task": "ranking", "group": "query", "key": None, "seed": 1, **more}
    job = make_job({**wish, "fractions": FRACTIONS})
    found = split(job)
    parts = {"file": str(job.out / found["file"]), "sha256": found["sha256"]}
    return {**wish, "split": parts, "recipe": "lightgbm", "params": {"trees": 40}, "folds": 2}


@pytest.mark.parametrize("recipe", ["lightgbm", "linear_regression"])
def test_an_order_is_learned_measured_packaged_and_judged(data: dict[str, Any], make_job: Make, recipe: str) -> None:
    wish = ready(make_job, data) | {"recipe": recipe, "params": {"trees": 40} if recipe == "lightgbm" else {}}
    job = make_job(wish)
    found, report = fit(job), json.loads((job.out / "report.json").read_text())
    assert found["metrics"]["cv_ndcg_10"] > 0.85
    assert 0.5 < found["metrics"]["over_chance"] < 1
    assert found["package"]["runtime"] == "onnx"
    assert isinstance(charts_of(report), OrderCharts)
    assert report["importance"].keys() == {"price", "near", "level"}, "the list is no input"
    package = job.out / "package"
    answered = load_model(verify_package(package), threads=1).predict(
        {"price": [10.0, 90.0], "near": [0.9, 0.1], "level": [0.0, 0.0]}
    )
    best, worst = answered["value"]
    assert best > worst
    judge = make_job({**wish, "package": str(package), "part": "test"})
    told = evaluate(judge)
    assert told["interval"]["metric"] == "ndcg_10"
    assert told["interval"]["low"] <= told["metrics"]["ndcg_10"] <= told["interval"]["high"]
    passed = metric_gate(make_job({**wish, "package": str(package), "champion": str(package)}))
    assert passed["passed"], passed["evidence"]
    assert "test NDCG@10" in passed["evidence"]


def test_the_same_seed_gives_the_same_package(data: dict[str, Any], make_job: Make) -> None:
    wish = ready(make_job, data)
    assert fit(make_job(wish))["package"]["digest"] == fit(make_job(wish))["package"]["digest"]


def test_a_model_that_turns_the_order_around_is_refused(
    data: dict[str, Any], make_job: Make, offers: pl.DataFrame, tmp_path: Path
) -> None:
    turned = tmp_path / "turned"
    offers.with_columns(wanted=3 - pl.col("wanted")).write_delta(str(turned))
    bad, good = make_job(ready(make_job, {"path": str(turned), "version": 0})), ready(make_job, data)
    fit(bad)
    found = metric_gate(make_job({**good, "package": str(bad.out / "package")}))
    assert not found["passed"]
    assert "share of the way from a draw to the best order -" in found["evidence"]


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 4), st.sampled_from([0.0, 0.5, 1.0, 2.5])), min_size=2, max_size=60
    ),
    st.integers(1, 12),
)
@settings(max_examples=80, deadline=None)
def test_gains_are_those_of_scikit_learn_list_by_list(rows: list[tuple[int, int, float]], depth: int) -> None:
    lists, relevance, scores = (np.array(one) for one in zip(*rows, strict=True))
    truth = Lists(relevance=relevance.astype(float), lists=lists)
    expected, precise = [], []
    for one in np.unique(lists):
        mine = lists == one
        gains = 2.0 ** relevance[mine] - 1
        if gains.sum() > 0:
            alone = mine.sum() == 1
            expected.append(1.0 if alone else ndcg_score([gains], [scores[mine]], k=depth))
            clear = scores[mine] - 1e-6 * (relevance[mine] > 0)
            precise.append(average_precision_score(relevance[mine] > 0, clear))
    assert ndcg_by_list(truth, scores, depth) == pytest.approx(expected)
    if expected:
        assert ndcg(truth, scores, depth) == pytest.approx(np.mean(expected))


def test_average_precision_and_first_rank_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth = Lists(relevance=rng.integers(0, 3, 300).astype(float), lists=rng.integers(0, 30, 300))
    scores = rng.normal(size=300)
    precise, first = [], []
    for one in np.unique(truth.lists):
        mine = truth.lists == one
        hits = (truth.relevance[mine] > 0)[np.argsort(-scores[mine])]
        if hits.any():
            precise.append(average_precision_score(truth.relevance[mine] > 0, scores[mine]))
            first.append(1 / (1 + int(np.argmax(hits))))
    found = relevance_scores(truth, scores)
    assert found["map"] == pytest.approx(np.mean(precise))
    assert found["mrr"] == pytest.approx(np.mean(first))
    assert relevance_scores(truth, truth.relevance)["over_chance"] == pytest.approx(1)
    assert relevance_scores(truth, np.zeros(300))["over_chance"] == pytest.approx(0)


def test_an_order_by_what_is_no_number_has_no_gain() -> None:
    truth = Lists(relevance=np.array([0.0, 1.0, 2.0, 0.0]), lists=np.array([0, 0, 1, 1]))
    assert np.isnan(ndcg(truth, np.array([0.5, np.nan, 1.0, 0.0])))
    assert np.isnan(relevance_scores(truth, np.array([0.5, np.inf, 1.0, 0.0]))["over_chance"])


def test_intervals_and_comparisons_take_lists_as_drawn() -> None:
    rng = np.random.default_rng(1)
    truth = Lists(relevance=rng.integers(0, 2, 2000).astype(float), lists=np.repeat(np.arange(200), 10))
    good, bad = truth.relevance + rng.normal(0, 0.6, 2000), rng.normal(size=2000)
    interval = ndcg_interval(truth, good)
    assert interval.low < interval.value < interval.high
    better = compare_ndcg(truth, good, bad)
    assert better.low > 0
    assert better.p_value < 0.001
    same = compare_ndcg(truth, good, good)
    assert (same.difference, same.p_value) == (0.0, 1.0)
    with pytest.raises(Unlearnable, match="no list of these rows holds a wanted one"):
        ndcg(Lists(relevance=np.zeros(4), lists=np.zeros(4, int)), np.arange(4.0))


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (pl.lit("much"), "does not tell how much a row is wanted"),
        (pl.lit(0.5) + pl.col("wanted"), "does not tell how much a row is wanted"),
        (pl.col("wanted") - 2, "does not tell how much a row is wanted"),
        (pl.lit(1), "every known value of target 'wanted' is the same"),
    ],
)
def test_a_target_that_tells_no_order_is_refused(
    offers: pl.DataFrame, make_job: Make, tmp_path: Path, column: pl.Expr, why: str
) -> None:
    offers.with_columns(column.alias("wanted")).write_delta(str(tmp_path / "odd"))
    with pytest.raises(Unlearnable, match=why):
        ready(make_job, {"path": str(tmp_path / "odd"), "version": 0})


def test_a_run_on_a_split_without_lists_is_refused(data: dict[str, Any], make_job: Make) -> None:
    with pytest.raises(Invalid, match="no column tells which rows are one list"):
        fit(make_job(ready(make_job, data) | {"group": None}))


def test_an_order_has_no_student() -> None:
    table = Table(features=pl.DataFrame({"a": [1.0, 2.0]}), truth=Lists(relevance=np.ones(2), lists=np.ones(2, int)))
    with pytest.raises(Uncompressible, match="a made row belongs to no list"):
        transfer_set(table, lambda frame: frame["a"].to_numpy(), copies=1, seed=0)
