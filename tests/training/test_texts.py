"""Free text in a table: found, read by a recipe that does, passed over by those that do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline

from aimass.models import load_model, verify_package
from aimass.models.runtimes.onnx.check import strange
from aimass.training.children.columns import columns_of
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.children.merge import merged
from aimass.training.children.shrinking.layers import drop_unused, layers_of, read_graph
from aimass.training.children.split import split
from aimass.training.children.weights import Shares
from aimass.training.console.charts.runs import words_of
from aimass.training.domain.autos import Constraints
from aimass.training.errors import Uncompressible, Unlearnable
from aimass.training.recipes import recipes
from aimass.training.recipes.text_linear.contract import (
    TextContract,
    TextOfLabelsContract,
    TextOfNumbersContract,
    reviews,
)
from aimass.training.selecting import Facts, recommend
from aimass.training.tasks import TASKS

FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}
Make = Callable[..., Any]


class TestTextLinear(TextContract):
    __test__ = True
    recipe = "text_linear"


class TestTextLinearWithLetters(TextContract):
    __test__ = True
    recipe = "text_linear"
    quick: ClassVar = {"letters": 3, "words_together": 1, "class_weight": "balanced"}


class TestTextLinearOfNumbers(TextOfNumbersContract):
    __test__ = True
    recipe = "text_linear"


class TestTextLinearOfLabels(TextOfLabelsContract):
    __test__ = True
    recipe = "text_linear"


def table(rows: int = 400) -> pl.DataFrame:
    truth = np.random.default_rng(5).integers(0, 2, rows)
    return pl.DataFrame(
        {
            "id": [f"r{n:04d}" for n in range(rows)],
            "stars": np.random.default_rng(6).integers(1, 6, rows),
            "review": [f"{text} number {n}" for n, text in enumerate(reviews(truth, 7))],  # each of its own
            "mood": np.where(truth == 1, "angry", "happy").tolist(),
        }
    )


@pytest.fixture
def job(make_job: Make, tmp_path: Path) -> Callable[..., Any]:
    path = tmp_path / "reviews"
    table().write_delta(str(path))
    data = {"dataset": {"path": str(path), "version": 0}, "target": "mood", "key": "id", "seed": 1}
    made = make_job({**data, "fractions": FRACTIONS})
    found = split(made)
    assert found["texts"] == ["review"]
    parts = {"file": str(made.out / found["file"]), "sha256": found["sha256"]}
    return lambda **changes: make_job({**data, "split": parts, "folds": 2, "params": {}, **changes})


def test_a_text_is_read_and_what_it_says_is_told(job: Any) -> None:
    one = job(recipe="text_linear", params={"strength": 10})
    found = fit(one)
    assert found["metrics"]["roc_auc"] > 0.9
    assert found["package"]["runtime"] == "onnx"
    assert found["notes"] == []
    report = json.loads((one.out / "report.json").read_text())
    assert {"hate", "很差", "bad", "poor", "讨厌"} & {said["term"] for said in report["terms"]["angry"][:8]}
    assert report["importance"]["review"] > 0.7
    package = verify_package(one.out / "package")
    (column,) = [c for c in package.manifest.signature.inputs if c.name == "review"]
    assert (column.type, column.categories) == ("string", None)  # no list of what people wrote
    judged = evaluate(job(package=str(package.folder), part="test"))
    assert judged["metrics"]["roc_auc"] > 0.9
    again = job(recipe="text_linear", params={"strength": 10})
    assert fit(again)["package"]["digest"] == found["package"]["digest"]


def test_it_answers_like_a_pipeline_of_scikit_learn(job: Any) -> None:
    one = job(recipe="text_linear", params={"strength": 5, "min_rows": 3}, features=["review"])
    found = fit(one)
    frame = table().with_columns(pl.read_parquet(one.params["split"]["file"])["part"])
    train, judged = (frame.filter(pl.col("part") == part) for part in ("train", "validation"))
    cut = r"[㐀-鿿]|[^\W_㐀-鿿]+|😀"  # these scripts alone occur
    independent = make_pipeline(
        TfidfVectorizer(token_pattern=cut, ngram_range=(1, 2), min_df=3), LogisticRegression(C=5, max_iter=1000)
    )
    independent.fit(train["review"].to_list(), train["mood"].to_list())
    answers = independent.predict_proba(judged["review"].to_list())
    package = verify_package(one.out / "package")
    said = load_model(package).predict({"review": judged["review"].to_list()})["probabilities"]
    assert np.abs(said - answers).max() < 1e-4
    assert found["metrics"]["log_loss"] == pytest.approx(log_loss(judged["mood"].to_list(), answers), abs=1e-4)


def test_numbers_of_texts_are_those_of_a_pipeline_of_scikit_learn(make_job: Make, tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    frame = (
        table().select("id", "stars", "review").with_columns(stars=pl.col("stars") + pl.Series(rng.normal(0, 1, 400)))
    )
    bonus = frame["review"].str.count_matches("(?i)great|love|很好").cast(pl.Float64)
    frame = frame.with_columns(stars=pl.col("stars") + 2 * bonus)
    frame.write_delta(str(tmp_path / "rated"))
    wish = {"dataset": {"path": str(tmp_path / "rated"), "version": 0}, "target": "stars", "key": "id", "seed": 1}
    made = make_job({**wish, "fractions": FRACTIONS})
    found = split(made)
    assert (found["task"], found["texts"]) == ("regression", ["review"])
    parts = {"file": str(made.out / found["file"]), "sha256": found["sha256"]}
    more = {"task": "regression", "split": parts, "folds": 2, "recipe": "text_linear"}
    one = make_job({**wish, **more, "params": {"strength": 5, "min_rows": 3}})
    told = fit(one)
    frame = frame.with_columns(pl.read_parquet(parts["file"])["part"])
    train, judged = (frame.filter(pl.col("part") == part) for part in ("train", "validation"))
    cut = r"[㐀-鿿]|[^\W_㐀-鿿]+|😀"
    words = TfidfVectorizer(token_pattern=cut, ngram_range=(1, 2), min_df=3)
    independent = make_pipeline(words, Ridge(alpha=2.0, solver="lsqr", tol=1e-10))
    independent.fit(train["review"].to_list(), train["stars"].to_numpy())
    answers = independent.predict(judged["review"].to_list())
    package = verify_package(one.out / "package")
    assert package.manifest.runtime == "onnx"
    said = load_model(package).predict({"review": judged["review"].to_list()})["value"]
    assert np.abs(said - answers).max() < 1e-3
    assert told["metrics"]["rmse"] == pytest.approx(
        np.sqrt(np.mean((answers - judged["stars"].to_numpy()) ** 2)), abs=1e-3
    )
    assert told["metrics"]["r2"] > 0.2
    report = json.loads((one.out / "report.json").read_text())
    assert {"great", "love", "很 好"} & {said["term"].lower() for said in report["terms"]["higher"][:6]}


def test_recipes_for_tables_pass_over_what_is_written(job: Any) -> None:
    one = job(recipe="lightgbm", params={"trees": 5})
    report = json.loads((fit(one), one.out / "report.json")[1].read_text())
    assert report["importance"]["review"] == 0
    assert report["terms"] is None


def test_words_that_are_too_rare_are_refused_with_the_way_out(job: Any) -> None:
    with pytest.raises(Unlearnable, match="no word is in enough rows"):
        fit(job(recipe="text_linear", params={"min_rows": 9999}, features=["review"]))


def test_models_that_read_are_blended(job: Any) -> None:
    made = []
    for params in ({"words_together": 1}, {"letters": 3}):
        one = job(recipe="text_linear", params=params)
        fit(one)
        made.append(verify_package(one.out / "package"))
    features = table(40).select("stars", "review")
    both = [load_model(one).predict(columns_of(features))["probabilities"] for one in made]
    graph = merged(
        [(one.folder / "model.onnx").read_bytes() for one in made],
        Shares(weights=(0.25, 0.75), offset=0.0),
        made[0].manifest.signature,
    )
    (made[0].folder / "model.onnx").write_bytes(graph)
    said = load_model(made[0]).predict(columns_of(features))["probabilities"]
    assert np.abs(said - (0.25 * both[0] + 0.75 * both[1])).max() < 1e-6


def test_what_stands_beside_the_loop_over_texts_is_compressed(job: Any) -> None:
    one = job(recipe="text_linear")
    fit(one)
    model = read_graph(one.out / "package" / "model.onnx")
    before = {tensor.name for tensor in model.graph.initializer}
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(3, dtype=np.float32), "idle"))
    drop_unused(model)
    assert {tensor.name for tensor in model.graph.initializer} == before
    domains = {one.domain for one in model.opset_import}
    assert domains == {"", "ai.onnx.ml", "com.microsoft"}  # what only the body of the loop uses
    with pytest.raises(Uncompressible, match="it is made of"):
        layers_of(model)


def test_the_selector_recommends_it_where_there_is_text_and_says_why() -> None:
    task, facts = TASKS["classification"], Facts(rows=5000, columns=4, texts=("review",))
    known = [recipes()[name] for name in ("text_linear", "lightgbm", "logistic_regression")]
    first, *rest = recommend(known, task, facts, Constraints(), [])
    assert first.recipe == "text_linear"
    assert "there is free text in 'review'" in first.reasons
    assert all("does not read the words in 'review', only whole values that come back" in one.reasons for one in rest)
    without = recommend(known, task, Facts(rows=5000, columns=4), Constraints(), [])
    assert without[-1].recipe == "text_linear"
    assert without[-1].left_out == "no column holds free text"


def test_of_the_operators_that_the_runtime_brings_only_the_one_that_cuts_texts_is_allowed() -> None:
    def graph(*kinds: str) -> Any:
        nodes = [helper.make_node(kind, ["t"], [f"y{n}"], domain="com.microsoft") for n, kind in enumerate(kinds)]
        text = helper.make_tensor_value_info("t", TensorProto.STRING, [None])
        made = helper.make_graph(nodes, "g", [text], [helper.make_tensor_value_info("y0", TensorProto.STRING, None)])
        return helper.make_model(made, opset_imports=[helper.make_opsetid("com.microsoft", 1)])

    assert list(strange(graph("Tokenizer"))) == []
    assert list(strange(graph("Tokenizer", "Gelu"))) == ["com.microsoft.Gelu"]


def test_reports_of_words_are_shown_by_class() -> None:
    words = [{"column": "review", "term": f"w{n}", "weight": 30.0 - n} for n in range(25)]
    assert [len(one["words"]) for one in words_of({"terms": {"a": words, "b": []}})] == [15]
    assert words_of({}) == words_of({"terms": None}) == []
