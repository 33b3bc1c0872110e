"""What the pages of a run show of each task, and how forecasts are recommended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.kernel.errors import Invalid
from aimass.kernel.principal import SYSTEM
from aimass.models import CAPABILITY as MODELS
from aimass.training import (
    CompressRun,
    CreateSplit,
    ListSplits,
    OneAuto,
    OneRun,
    OneSplit,
    RecommendRecipes,
    Split,
    StartAuto,
    StartRun,
    Training,
)
from aimass.training.jobs import follow_autos
from aimass.training.recipes import is_installed
from tests.fixtures.deep import needs_torch
from tests.fixtures.lakeside import TRAINING
from tests.fixtures.runpages import all_charts_on, page_of, wait_for_run
from tests.fixtures.site import Site, site_of
from tests.fixtures.working import until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, MODELS, TRAINING]) as found:
        yield found


def test_a_run_of_clusters_shows_their_sizes_and_centres(site):
    training, viewer = site.registry.get(Training), site.visitor("viewer")
    form = {"dataset": "telco-churn", "target": "", "task": "clustering", "key_column": "customerID"}
    assert site.visitor("editor").do("POST", "/demo/work/splits", **form).status_code == 204
    splits = training.list_splits(SYSTEM, ListSplits(workspace="demo")).items
    made = OneSplit(workspace="demo", split=next(one.id for one in splits if one.task == "clustering"))
    until(site.registry, lambda: training.get_split(SYSTEM, made).state == "READY")
    wish = StartRun(workspace="demo", recipe="kmeans", params={"clusters": 3}, split=made.split, folds=2)
    run = wait_for_run(site, training.start_run(SYSTEM, replace(wish, experiment="segments")).id)
    text = viewer.open(page_of(run, "evaluation")).text
    sizes, silhouettes, importance = all_charts_on(text, "bars")
    assert [item["name"] for item in sizes["items"]] == ["cluster 1", "cluster 2", "cluster 3"]
    assert sum(item["value"] for item in sizes["items"]) == training.get_split(SYSTEM, made).counts["validation"]
    assert len(silhouettes["items"]) <= 3
    assert importance["items"]
    assert "no target names the rows" in text
    assert re.search(r"tenure</td><td class=\"num\">[\d.]+</td>", text)
    assert "聚类" in viewer.open(page_of(run), **{"Accept-Language": "zh"}).text
    assert run.id in viewer.part("/demo/work/training?task=clustering&sort=-cv_silhouette", "runs").text
    assert "Silhouette" in viewer.open("/demo/work/experiments/segments").text


def test_a_run_of_an_order_shows_its_depths_and_places(site):
    training, viewer = site.registry.get(Training), site.visitor("viewer")
    form = {"dataset": "telco-churn", "target": "SeniorCitizen", "task": "ranking", "key_column": "customerID"}
    refused = site.visitor("editor").do("POST", "/demo/work/splits", **form)
    assert (refused.status_code, "whose rows are one list" in refused.text) == (400, True)
    assert site.visitor("editor").do("POST", "/demo/work/splits", **form, group_column="tenure").status_code == 204
    splits = training.list_splits(SYSTEM, ListSplits(workspace="demo")).items
    made = OneSplit(workspace="demo", split=next(one.id for one in splits if one.task == "ranking"))
    until(site.registry, lambda: training.get_split(SYSTEM, made).state == "READY")
    wish = StartRun(workspace="demo", recipe="linear_regression", split=made.split, folds=2, experiment="orders")
    run = wait_for_run(site, training.start_run(SYSTEM, wish).id)
    assert run.state == "FINISHED", run.error
    assert run.metrics["cv_over_chance"] > 0
    text = viewer.open(page_of(run, "evaluation")).text
    depths, places = [one for one in all_charts_on(text, "line") if one["series"][0]["name"] == "This model"]
    assert [one["name"] for one in depths["series"]] == ["This model", "A draw"]
    assert depths["series"][0]["points"][9][1] > depths["series"][1]["points"][9][1]
    mine, best = (one["points"] for one in places["series"])
    assert mine[0][1] < best[0][1] <= 1, "some lists hold nobody who is wanted"
    chinese = viewer.open(page_of(run, "evaluation"), **{"Accept-Language": "zh"}).text
    assert "最佳次序" in chinese
    assert run.id in viewer.part("/demo/work/training?task=ranking&sort=-cv_ndcg_10", "runs").text
    assert "NDCG@10" in viewer.open("/demo/work/experiments/orders").text


SERIES = {"dataset": "visits", "target": "visits", "task": "forecasting", "time_column": "at", "horizon": "6"}


@pytest.fixture(scope="module")
def series(site) -> Split:
    training = site.registry.get(Training)
    assert site.visitor("editor").do("POST", "/demo/work/splits", **SERIES, known_ahead="open").status_code == 204
    splits = training.list_splits(SYSTEM, ListSplits(workspace="demo")).items
    made = OneSplit(workspace="demo", split=next(one.id for one in splits if one.task == "forecasting"))
    return until(site.registry, lambda: (found := training.get_split(SYSTEM, made)).state == "READY" and found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key_column": "at"}, "which no key names"),
        ({"time_column": ""}, "needs the column of the time"),
        ({"known_ahead": "open, visits"}, "is part of the series already"),
        ({"past": "open, open"}, "or named twice"),
        ({"task": "regression", "horizon": "", "past": "open"}, "only forecasts have columns"),
    ],
)
def test_columns_that_no_series_can_have_are_refused(site, changes, said):
    answer = site.visitor("editor").do("POST", "/demo/work/splits", **(SERIES | changes))
    assert (answer.status_code, said in answer.text) == (400, True)


def test_a_run_of_forecasts_shows_what_came_and_the_error_by_step(site, series):
    training, viewer = site.registry.get(Training), site.visitor("viewer")
    assert (series.horizon, series.known_ahead, series.past) == (6, ("open",), ())
    wish = StartRun(workspace="demo", recipe="lag_regression", split=series.id, folds=2, experiment="doors")
    run = wait_for_run(site, training.start_run(SYSTEM, wish).id)
    text = viewer.open(page_of(run, "evaluation")).text
    shown, ahead, coverage = all_charts_on(text, "line")
    assert [one["name"] for one in shown["series"]] == ["What came", "Forecast", "Low", "High"]
    assert [len(one["points"]) for one in ahead["series"]] == [6, 6]
    assert max(share for _, share in coverage["series"][0]["points"]) <= 1
    assert "seasonal naive forecast (MASE" in text
    assert "时间序列预测" in viewer.open(page_of(run), **{"Accept-Language": "zh"}).text
    assert "各预测步的误差" in viewer.open(page_of(run, "evaluation"), **{"Accept-Language": "zh"}).text
    assert run.id in viewer.part("/demo/work/training?task=forecasting&sort=cv_mase", "runs").text


def test_a_run_of_a_policy_shows_its_estimates_and_actions(site):
    training, viewer, editor = site.registry.get(Training), site.visitor("viewer"), site.visitor("editor")
    form = {"dataset": "telco-churn", "target": "MonthlyCharges", "task": "policy", "key_column": "customerID"}
    refused = editor.do("POST", "/demo/work/splits", **form)
    assert (refused.status_code, "the action that was taken" in refused.text) == (400, True)
    other = editor.do("POST", "/demo/work/splits", **form | {"task": "regression", "action_column": "Contract"})
    assert (other.status_code, "only a policy has a column" in other.text) == (400, True)
    assert editor.do("POST", "/demo/work/splits", **form, action_column="Contract").status_code == 204
    splits = training.list_splits(SYSTEM, ListSplits(workspace="demo")).items
    made = OneSplit(workspace="demo", split=next(one.id for one in splits if one.task == "policy"))
    split = until(site.registry, lambda: (found := training.get_split(SYSTEM, made)).state == "READY" and found)
    assert set(split.classes["train"]) == {"Month-to-month", "One year", "Two year"}
    wish = StartRun(workspace="demo", recipe="linear_policy", split=split.id, folds=2, experiment="offers")
    run = wait_for_run(site, training.start_run(SYSTEM, wish).id)
    assert run.state == "FINISHED", run.error
    text = viewer.open(page_of(run, "evaluation")).text
    assert "Doubly robust" in text
    assert text.count("Month-to-month") >= 1
    chosen, _ = all_charts_on(text, "bars")
    assert sum(one["value"] for one in chosen["items"]) == pytest.approx(1, abs=0.001)
    assert "双重稳健" in viewer.open(page_of(run, "evaluation"), **{"Accept-Language": "zh"}).text
    assert run.id in viewer.part("/demo/work/training?task=policy&sort=-cv_dr", "runs").text


def test_a_run_of_several_labels_shows_each_of_them_and_where_it_is_chosen(site):
    training, viewer, editor = site.registry.get(Training), site.visitor("viewer"), site.visitor("editor")
    form = {"dataset": "telco-churn", "target": "Contract", "key_column": "customerID", "label_separator": " "}
    assert editor.do("POST", "/demo/work/splits", **form, task="classification").status_code == 400
    assert editor.do("POST", "/demo/work/splits", **form, task="multilabel").status_code == 204
    splits = training.list_splits(SYSTEM, ListSplits(workspace="demo")).items
    made = OneSplit(workspace="demo", split=next(one.id for one in splits if one.task == "multilabel"))
    split = until(site.registry, lambda: (found := training.get_split(SYSTEM, made)).state == "READY" and found)
    assert split.label_separator == " "
    assert split.classes["train"]["year"] > split.classes["train"]["Two"]
    wish = StartRun(workspace="demo", recipe="logistic_regression", split=made.split, folds=2, experiment="words")
    run = wait_for_run(site, training.start_run(SYSTEM, wish).id)
    text = viewer.open(page_of(run, "evaluation")).text
    assert all_charts_on(text, "bars")[0]["items"][0]["name"] in ("Month-to-month", "year")
    (per_row,) = all_charts_on(text, "line")
    assert [one["name"] for one in per_row["series"]] == ["What is true", "Chosen"]
    limits = training.get_run_report(SYSTEM, OneRun(workspace="demo", run=run.id))["thresholds"]
    assert set(limits) == {"Month-to-month", "One", "Two", "year"}
    assert f"{limits['year']:.3g}" in text
    assert "多标签分类" in viewer.open(page_of(run), **{"Accept-Language": "zh"}).text
    assert "选中阈值" in viewer.open(page_of(run, "evaluation"), **{"Accept-Language": "zh"}).text
    assert run.id in viewer.part("/demo/work/training?task=multilabel&sort=cv_macro_ap", "runs").text
    with pytest.raises(Invalid, match="models of multilabel are not compressed"):
        training.compress_run(SYSTEM, CompressRun(workspace="demo", run=run.id))


def test_forecasts_are_trained_automatically_and_recommended_with_reasons(site, series):
    training = site.registry.get(Training)
    auto = training.start_auto(SYSTEM, StartAuto(workspace="demo", split=series.id, most=2, folds=2))
    named = OneAuto(workspace="demo", auto=auto.id)

    def over() -> Any:
        follow_autos(site.registry)
        found = training.get_auto(SYSTEM, named)
        return found.state != "RUNNING" and found

    ended = until(site.registry, over)
    assert ended.state == "FINISHED", ended.error
    scores = {one.id: one.metrics["cv_mase"] for one in training.runs_of(ended)}
    assert (len(scores), ended.blend) == (2, None)
    assert scores[ended.best] == min(scores.values())
    said = [one for one in ended.recommended if one.left_out is None]
    nets = {"torch_recurrent"} if is_installed("torch") else set()
    assert {one.recipe for one in said} == {"lag_boosting", "lag_regression", "seasonal_naive", *nets}
    assert all(one.reasons for one in said)


def test_a_run_of_entities_shows_its_types_and_marked_texts(site):
    training, viewer, editor = site.registry.get(Training), site.visitor("viewer"), site.visitor("editor")
    form = {"dataset": "messages", "target": "marks", "task": "tagging"}
    assert editor.do("POST", "/demo/work/splits", **form).status_code == 204
    splits = training.list_splits(SYSTEM, ListSplits(workspace="demo")).items
    made = OneSplit(workspace="demo", split=next(one.id for one in splits if one.task == "tagging"))
    split = until(site.registry, lambda: (found := training.get_split(SYSTEM, made)).state == "READY" and found)
    wish = StartRun(workspace="demo", recipe="linear_tagger", split=split.id, folds=2, experiment="marks")
    run = wait_for_run(site, training.start_run(SYSTEM, wish).id)
    assert run.state == "FINISHED", run.error
    text = viewer.open(page_of(run, "evaluation")).text
    assert re.search(r'<mark title="[0-9.]+">[^<]+<span class="mark-type">(place|thing)</span></mark>', text)
    assert '<td class="name">place</td>' in text
    assert "How entities went" in text
    assert "命名实体" in viewer.open(page_of(run), **{"Accept-Language": "zh"}).text
    assert "实体的结果" in viewer.open(page_of(run, "evaluation"), **{"Accept-Language": "zh"}).text
    with pytest.raises(Invalid, match="models of tagging are not compressed"):
        training.compress_run(SYSTEM, CompressRun(workspace="demo", run=run.id, techniques=["int8_static"]))


@needs_torch
def test_a_run_of_objects_shows_its_labels_and_pictures_with_boxes(site):
    training, viewer, editor = site.registry.get(Training), site.visitor("viewer"), site.visitor("editor")
    form = {"dataset": "photos", "target": "boxes", "task": "detection"}
    assert editor.do("POST", "/demo/work/splits", **form).status_code == 204
    splits = training.list_splits(SYSTEM, ListSplits(workspace="demo")).items
    made = OneSplit(workspace="demo", split=next(one.id for one in splits if one.task == "detection"))
    split = until(site.registry, lambda: (found := training.get_split(SYSTEM, made)).state == "READY" and found)
    params = {"height": 24, "filters": 8, "halvings": 1, "epochs": 20, "batch_rows": 8, "learning_rate": 0.01}
    wish = StartRun(
        workspace="demo", recipe="torch_detector", split=split.id, params=params, folds=2, experiment="boxes"
    )
    run = wait_for_run(site, training.start_run(SYSTEM, wish).id)
    assert run.state == "FINISHED", run.error
    text = viewer.open(page_of(run, "evaluation")).text
    assert text.count("data:image/png;base64,") == split.counts["validation"]
    assert 'class="box-true"' in text
    assert 'class="box-found"' in text
    assert '<td class="name">横条</td>' in text
    assert "How objects went" in text
    assert "目标检测" in viewer.open(page_of(run), **{"Accept-Language": "zh"}).text
    with pytest.raises(Invalid, match="models of detection are not compressed"):
        training.compress_run(SYSTEM, CompressRun(workspace="demo", run=run.id, techniques=["int8_static"]))


def test_a_run_of_texts_shows_the_words_of_each_class(site):
    training, viewer = site.registry.get(Training), site.visitor("viewer")
    wish = CreateSplit(workspace="demo", dataset="reviews", target="mood", key_column="id")
    made = OneSplit(workspace="demo", split=training.create_split(SYSTEM, wish).id)
    split = until(site.registry, lambda: (found := training.get_split(SYSTEM, made)).state == "READY" and found)
    assert split.texts == ("review",)
    first = training.recommend_recipes(SYSTEM, RecommendRecipes(workspace="demo", split=split.id))[0]
    assert first.recipe == "text_linear"
    assert "there is free text in 'review'" in first.reasons
    wish = StartRun(workspace="demo", recipe="text_linear", split=split.id, folds=2, experiment="texts")
    run = wait_for_run(site, training.start_run(SYSTEM, wish).id)
    assert (run.state, run.package and run.package.runtime) == ("FINISHED", "onnx")
    text = viewer.open(page_of(run)).text
    assert "Words that speak for a class" in text
    assert text.index(">angry<") < text.index('<span title="review">讨厌</span>')
    assert "支持各类别的词语" in viewer.open(page_of(run), **{"Accept-Language": "zh"}).text
    other = training.start_run(SYSTEM, replace(wish, recipe="logistic_regression", features=["review"]))
    assert "Words that speak for a class" not in viewer.open(page_of(wait_for_run(site, other.id))).text


def test_a_run_of_numbers_from_texts_shows_the_words_that_raise_and_lower_them(site):
    training, viewer = site.registry.get(Training), site.visitor("viewer")
    wish = CreateSplit(workspace="demo", dataset="reviews", target="_stars", key_column="id")
    made = OneSplit(workspace="demo", split=training.create_split(SYSTEM, wish).id)
    until(site.registry, lambda: training.get_split(SYSTEM, made).state != "PENDING")
    assert training.get_split(SYSTEM, made).task == "regression"
    wish = StartRun(workspace="demo", recipe="text_linear", split=made.split, folds=2, experiment="texts")
    wish = replace(wish, features=["review"])
    run = wait_for_run(site, training.start_run(SYSTEM, wish).id)
    assert (run.state, run.package and run.package.runtime) == ("FINISHED", "onnx")
    text = viewer.open(page_of(run)).text
    assert "Words that raise and lower the number" in text
    assert text.index(">Lower<") < text.index(">Higher<")
    assert "使数值升高或降低的词" in viewer.open(page_of(run), **{"Accept-Language": "zh"}).text


def test_a_run_of_sounds_shows_what_is_caught_and_the_false_alarms_an_hour(site):
    training, viewer = site.registry.get(Training), site.visitor("viewer")
    wish = CreateSplit(workspace="demo", dataset="words", target="word", key_column="id")
    made = OneSplit(workspace="demo", split=training.create_split(SYSTEM, wish).id)
    split = until(site.registry, lambda: (found := training.get_split(SYSTEM, made)).state == "READY" and found)
    params = {"sample_rate": 4000, "bands": 16, "high_hz": 2000, "kernels": 24}
    wish = StartRun(
        workspace="demo", recipe="sound_kernels", split=split.id, folds=2, params=params, experiment="sounds"
    )
    run = wait_for_run(site, training.start_run(SYSTEM, wish).id)
    assert (run.state, run.package and run.package.runtime) == ("FINISHED", "onnx")
    text = viewer.open(page_of(run)).text
    assert "False alarms an hour" in text
    assert '<td class="name">up</td>' in text
    assert "每小时误报" in viewer.open(page_of(run), **{"Accept-Language": "zh"}).text
