"""The room's pages over HTTP and in a browser: who sees what, what each action does, what the charts are given."""

from __future__ import annotations

import json
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
    EvaluateRun,
    ListSplits,
    OneAuto,
    OneRun,
    OneSplit,
    RecommendRecipes,
    Run,
    Split,
    StartAuto,
    StartRun,
    Training,
)
from aimass.training.jobs import follow_autos
from aimass.web.session import CSRF_HEADER
from tests.fixtures.browser import axe_violations, browser, new_page, serving, settle  # noqa: F401
from tests.fixtures.engines import needs_bubblewrap
from tests.fixtures.lakeside import TRAINING
from tests.fixtures.site import PAGE, ROLES, Site, Visitor, site_of, unnamed_actions
from tests.fixtures.working import until

LISTS = ("/demo/work/experiments", "/demo/work/experiments/default", "/demo/work/training")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, MODELS, TRAINING]) as found:
        yield found


@pytest.fixture(scope="module")
def split(site: Site) -> Split:
    training = site.registry.get(Training)
    wish = CreateSplit(workspace="demo", dataset="telco-churn", target="Churn", key_column="customerID")
    made = OneSplit(workspace="demo", split=training.create_split(SYSTEM, wish).id)
    return until(site.registry, lambda: (found := training.get_split(SYSTEM, made)).state == "READY" and found)


@pytest.fixture(scope="module")
def runs(site: Site, split: Split) -> list[Run]:
    """Two finished runs; the first is evaluated on test."""
    training = site.registry.get(Training)
    wish = StartRun(workspace="demo", recipe="logistic_regression", split=split.id, folds=2)
    started = [training.start_run(SYSTEM, wish), training.start_run(SYSTEM, replace(wish, params={"strength": 0.1}))]
    ended = [_ended(site, run.id) for run in started]
    site.registry.get(Training).evaluate_run(SYSTEM, EvaluateRun(workspace="demo", run=ended[0].id))
    one = EvaluateRun(workspace="demo", run=ended[0].id)
    until(site.registry, lambda: training.get_evaluation(SYSTEM, one).state == "READY")
    return ended


@pytest.fixture(scope="module")
def numbers(site: Site) -> list[Run]:
    """Two finished runs that predict numbers, in an experiment of their own; the first is evaluated on test."""
    training = site.registry.get(Training)
    wish = CreateSplit(workspace="demo", dataset="telco-churn", target="MonthlyCharges", key_column="customerID")
    made = OneSplit(workspace="demo", split=training.create_split(SYSTEM, wish).id)
    split = until(site.registry, lambda: (found := training.get_split(SYSTEM, made)).state == "READY" and found)
    start = StartRun(
        workspace="demo", recipe="linear_regression", split=split.id, folds=2, experiment="charges", name="ridge"
    )
    wishes = (start, replace(start, features=["tenure"], name="tenure alone"))
    ended = [_ended(site, training.start_run(SYSTEM, wish).id) for wish in wishes]
    one = EvaluateRun(workspace="demo", run=ended[0].id)
    training.evaluate_run(SYSTEM, one)
    until(site.registry, lambda: training.get_evaluation(SYSTEM, one).state == "READY")
    return ended


@pytest.fixture(scope="module")
def strange(site: Site) -> Run:
    """A finished run that looks for rows unlike the others, without a target, evaluated on test."""
    training = site.registry.get(Training)
    form = {"dataset": "telco-churn", "target": "", "task": "anomaly", "key_column": "customerID"}
    assert site.visitor("editor").do("POST", "/demo/work/splits", **form).status_code == 204
    made = next(
        one for one in training.list_splits(SYSTEM, ListSplits(workspace="demo")).items if one.task == "anomaly"
    )
    name = OneSplit(workspace="demo", split=made.id)
    until(site.registry, lambda: training.get_split(SYSTEM, name).state == "READY")
    params = {"trees": 30, "contamination": 0.1}
    wish = StartRun(
        workspace="demo", recipe="isolation_forest", params=params, split=made.id, folds=2, experiment="odd"
    )
    ended = _ended(site, training.start_run(SYSTEM, wish).id)
    one = EvaluateRun(workspace="demo", run=ended.id)
    training.evaluate_run(SYSTEM, one)
    until(site.registry, lambda: training.get_evaluation(SYSTEM, one).state == "READY")
    return ended


def _ended(site: Site, run: str) -> Run:
    name = OneRun(workspace="demo", run=run)
    return until(site.registry, lambda: (found := site.registry.get(Training).get_run(SYSTEM, name)).ended_at and found)


def _of(run: Run, tab: str = "") -> str:
    return f"/demo/work/training/{run.id}" + (f"?tab={tab}" if tab else "")


def _charts(text: str) -> dict[str, Any]:
    found = re.findall(r'data-chart="(\w+)".*?<script type="application/json">(.*?)</script>', text, re.DOTALL)
    return {kind: json.loads(data) for kind, data in found}


def _all_charts(text: str, kind: str) -> list[dict[str, Any]]:
    found = re.findall(rf'data-chart="{kind}".*?<script type="application/json">(.*?)</script>', text, re.DOTALL)
    return [json.loads(data) for data in found]


@pytest.mark.parametrize("role", [*ROLES, "stranger", "root"])
def test_each_page_opens_for_members_of_the_workspace(site, runs, role):
    compare = f"/demo/work/training/compare?run={runs[0].id}&run={runs[1].id}"
    pages = (*LISTS, compare, *(_of(runs[0], tab) for tab in ("", "evaluation", "files", "log")))
    visitor = site.visitor(role)
    assert {path: visitor.open(path).status_code for path in pages} == dict.fromkeys(
        pages, 404 if role == "stranger" else 200
    )


def test_nobody_sees_a_page_without_a_sign_in(site, runs):
    assert {site.visitor().open(path).status_code for path in (*LISTS, _of(runs[0]))} == {303}


def test_the_list_is_sorted_by_a_metric_best_first(site, runs):
    text = site.visitor("viewer").part("/demo/work/training?sort=-cv_roc_auc", "runs").text
    best = sorted(runs, key=lambda run: -run.metrics["cv_roc_auc"])
    assert text.index(best[0].id) < text.index(best[1].id)


def test_a_filter_that_nothing_fits_says_so(site, runs):
    assert "Nothing matches" in site.visitor("viewer").open("/demo/work/training?state=FAILED").text


def test_a_run_shows_the_test_auc_with_its_interval(site, runs):
    found = site.registry.get(Training).get_evaluation(SYSTEM, EvaluateRun(workspace="demo", run=runs[0].id))
    text = site.visitor("viewer").open(_of(runs[0])).text
    assert f"95 % interval {found.auc['low']:.3g} to {found.auc['high']:.3g}" in text


def test_the_charts_get_curves_matrix_and_importance(site, runs):
    charts = _charts(site.visitor("viewer").open(_of(runs[0], "evaluation")).text)
    assert set(charts) == {"roc", "pr", "confusion", "calibration", "bars"}
    assert charts["roc"]["curves"][0]["points"][0] == [0, 0]
    assert sum(map(sum, charts["confusion"]["counts"])) == 180
    assert charts["bars"]["items"][0]["value"] == max(item["value"] for item in charts["bars"]["items"])


def test_a_run_of_numbers_shows_its_errors_and_residuals(site, numbers):
    viewer = site.visitor("viewer")
    found = site.registry.get(Training).get_evaluation(SYSTEM, EvaluateRun(workspace="demo", run=numbers[0].id))
    text = viewer.open(_of(numbers[0])).text
    assert "Test RMSE" in text
    assert f"95 % interval {found.interval['low']:.3g} to {found.interval['high']:.3g}" in text
    assert "AUC" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    text = viewer.open(_of(numbers[0], "evaluation")).text
    charts = _charts(text)
    assert set(charts) == {"scatter", "residuals", "bars"}
    assert sum(item["value"] for item in charts["residuals"]["items"]) == found.rows
    assert "RMSE is when the column is shuffled" in text


def test_the_best_of_an_experiment_of_numbers_has_the_smallest_error(site, numbers):
    viewer = site.visitor("viewer")
    assert numbers[0].metrics["cv_rmse"] < numbers[1].metrics["cv_rmse"]
    text = viewer.open("/demo/work/experiments/charges").text
    assert re.search(r"Best run.{0,400}ridge", text, re.DOTALL)
    text = viewer.part("/demo/work/training?task=regression&sort=cv_rmse", "runs").text
    assert text.index(numbers[0].id) < text.index(numbers[1].id)
    assert "CV RMSE" in text
    assert "PR AUC" not in text
    address = f"/demo/work/training/compare?run={numbers[0].id}&run={numbers[1].id}"
    curves = _charts(viewer.open(address).text)["scatter"]["curves"]
    assert [curve["name"] for curve in curves] == ["ridge", "tenure alone"]


def test_a_run_of_anomalies_shows_what_it_flags_and_how_it_was_measured(site, strange):
    viewer = site.visitor("viewer")
    text = viewer.open(_of(strange)).text
    assert "Anomaly detection" in text
    assert "no target tells the anomalies" in text
    text = viewer.open(_of(strange, "evaluation")).text
    assert set(_charts(text)) == {"roc", "pr", "confusion", "bars"}
    assert _charts(text)["confusion"]["labels"] == ["normal", "anomaly"]
    assert all(word in text for word in ("Recall", "Flagged", "were mixed from the others"))
    assert "异常检测" in site.visitor("viewer").open(_of(strange), **{"Accept-Language": "zh"}).text
    assert strange.id in viewer.part("/demo/work/training?task=anomaly&sort=-cv_roc_auc", "runs").text
    made = site.visitor("editor").do("POST", f"{_of(strange)}/register", model="odd-customers")
    assert made.headers["hx-redirect"] == "/demo/models/odd-customers/versions/1"
    card = viewer.open("/demo/models/odd-customers/versions/1").text
    assert "no target" in card


def test_a_run_of_clusters_shows_their_sizes_and_centres(site):
    training, viewer = site.registry.get(Training), site.visitor("viewer")
    form = {"dataset": "telco-churn", "target": "", "task": "clustering", "key_column": "customerID"}
    assert site.visitor("editor").do("POST", "/demo/work/splits", **form).status_code == 204
    splits = training.list_splits(SYSTEM, ListSplits(workspace="demo")).items
    made = OneSplit(workspace="demo", split=next(one.id for one in splits if one.task == "clustering"))
    until(site.registry, lambda: training.get_split(SYSTEM, made).state == "READY")
    wish = StartRun(workspace="demo", recipe="kmeans", params={"clusters": 3}, split=made.split, folds=2)
    run = _ended(site, training.start_run(SYSTEM, replace(wish, experiment="segments")).id)
    text = viewer.open(_of(run, "evaluation")).text
    sizes, silhouettes, importance = _all_charts(text, "bars")
    assert [item["name"] for item in sizes["items"]] == ["cluster 1", "cluster 2", "cluster 3"]
    assert sum(item["value"] for item in sizes["items"]) == training.get_split(SYSTEM, made).counts["validation"]
    assert len(silhouettes["items"]) <= 3
    assert importance["items"]
    assert "no target names the rows" in text
    assert re.search(r"tenure</td><td class=\"num\">[\d.]+</td>", text)
    assert "聚类" in viewer.open(_of(run), **{"Accept-Language": "zh"}).text
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
    run = _ended(site, training.start_run(SYSTEM, wish).id)
    assert run.state == "FINISHED", run.error
    assert run.metrics["cv_over_chance"] > 0
    text = viewer.open(_of(run, "evaluation")).text
    depths, places = [one for one in _all_charts(text, "line") if one["series"][0]["name"] == "This model"]
    assert [one["name"] for one in depths["series"]] == ["This model", "A draw"]
    assert depths["series"][0]["points"][9][1] > depths["series"][1]["points"][9][1]
    mine, best = (one["points"] for one in places["series"])
    assert mine[0][1] < best[0][1] <= 1, "some lists hold nobody who is wanted"
    chinese = viewer.open(_of(run, "evaluation"), **{"Accept-Language": "zh"}).text
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
    run = _ended(site, training.start_run(SYSTEM, wish).id)
    text = viewer.open(_of(run, "evaluation")).text
    shown, ahead, coverage = _all_charts(text, "line")
    assert [one["name"] for one in shown["series"]] == ["What came", "Forecast", "Low", "High"]
    assert [len(one["points"]) for one in ahead["series"]] == [6, 6]
    assert max(share for _, share in coverage["series"][0]["points"]) <= 1
    assert "seasonal naive forecast (MASE" in text
    assert "时间序列预测" in viewer.open(_of(run), **{"Accept-Language": "zh"}).text
    assert "各预测步的误差" in viewer.open(_of(run, "evaluation"), **{"Accept-Language": "zh"}).text
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
    run = _ended(site, training.start_run(SYSTEM, wish).id)
    assert run.state == "FINISHED", run.error
    text = viewer.open(_of(run, "evaluation")).text
    assert "Doubly robust" in text
    assert text.count("Month-to-month") >= 1
    chosen, _ = _all_charts(text, "bars")
    assert sum(one["value"] for one in chosen["items"]) == pytest.approx(1, abs=0.001)
    assert "双重稳健" in viewer.open(_of(run, "evaluation"), **{"Accept-Language": "zh"}).text
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
    run = _ended(site, training.start_run(SYSTEM, wish).id)
    text = viewer.open(_of(run, "evaluation")).text
    assert _all_charts(text, "bars")[0]["items"][0]["name"] in ("Month-to-month", "year")
    (per_row,) = _all_charts(text, "line")
    assert [one["name"] for one in per_row["series"]] == ["What is true", "Chosen"]
    limits = training.get_run_report(SYSTEM, OneRun(workspace="demo", run=run.id))["thresholds"]
    assert set(limits) == {"Month-to-month", "One", "Two", "year"}
    assert f"{limits['year']:.3g}" in text
    assert "多标签分类" in viewer.open(_of(run), **{"Accept-Language": "zh"}).text
    assert "选中阈值" in viewer.open(_of(run, "evaluation"), **{"Accept-Language": "zh"}).text
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
    assert {one.recipe for one in said} == {"lag_boosting", "lag_regression", "seasonal_naive"}
    assert all(one.reasons for one in said)


def test_a_run_of_entities_shows_its_types_and_marked_texts(site):
    training, viewer, editor = site.registry.get(Training), site.visitor("viewer"), site.visitor("editor")
    form = {"dataset": "messages", "target": "marks", "task": "tagging"}
    assert editor.do("POST", "/demo/work/splits", **form).status_code == 204
    splits = training.list_splits(SYSTEM, ListSplits(workspace="demo")).items
    made = OneSplit(workspace="demo", split=next(one.id for one in splits if one.task == "tagging"))
    split = until(site.registry, lambda: (found := training.get_split(SYSTEM, made)).state == "READY" and found)
    wish = StartRun(workspace="demo", recipe="linear_tagger", split=split.id, folds=2, experiment="marks")
    run = _ended(site, training.start_run(SYSTEM, wish).id)
    assert run.state == "FINISHED", run.error
    text = viewer.open(_of(run, "evaluation")).text
    assert re.search(r'<mark title="[0-9.]+">[^<]+<span class="mark-type">(place|thing)</span></mark>', text)
    assert '<td class="name">place</td>' in text
    assert "How entities went" in text
    assert "命名实体" in viewer.open(_of(run), **{"Accept-Language": "zh"}).text
    assert "实体的结果" in viewer.open(_of(run, "evaluation"), **{"Accept-Language": "zh"}).text
    with pytest.raises(Invalid, match="models of tagging are not compressed"):
        training.compress_run(SYSTEM, CompressRun(workspace="demo", run=run.id, techniques=["int8_static"]))


def test_a_split_without_a_column_to_predict_is_for_tasks_that_need_none(site):
    for form in ({"dataset": "telco-churn"}, {"dataset": "telco-churn", "task": "classification"}):
        answer = site.visitor("editor").do("POST", "/demo/work/splits", **form)
        assert (answer.status_code, "name the column to predict" in answer.text) == (400, True)


def test_runs_are_compared_by_what_differs(site, runs):
    address = f"/demo/work/training/compare?run={runs[0].id}&run={runs[1].id}"
    text = site.visitor("viewer").open(address).text
    assert "strength" in text
    assert "max_iterations" not in text
    assert "max_iterations" in site.visitor("viewer").open(f"{address}&all=true").text


def test_one_run_cannot_be_compared_and_the_page_says_what_to_do(site, runs):
    answer = site.visitor("viewer").open(f"/demo/work/training/compare?run={runs[0].id}")
    assert answer.status_code == 200
    assert "Select 2 to 5 runs" in answer.text


def test_a_run_is_started_and_cancelled_by_its_buttons(site, split):
    editor = site.visitor("editor")
    form = {"recipe": "random_forest", "split": split.id, "experiment": "tries", "params": '{"trees": 50}'}
    address = editor.do("POST", "/demo/work/training", **form).headers["hx-redirect"]
    assert f'hx-post="{address}/cancel"' in editor.open(address).text
    assert editor.do("POST", f"{address}/cancel").status_code == 204
    assert _ended(site, address.rpartition("/")[2]).state == "KILLED"
    assert "tries" in editor.open("/demo/work/experiments").text


def _brought(visitor: Visitor, split: Split, text: bytes, name: str = "my_recipe.py") -> Any:
    visitor.do("GET", LISTS[0])
    headers = {**PAGE, "HX-Request": "true", CSRF_HEADER: visitor.csrf}
    form = {"split": split.id, "name": "Mine", "params": "{}"}
    address = "/demo/work/training/-/own"
    return visitor.client.post(address, data=form, files={"file": (name, text, "text/x-python")}, headers=headers)


@needs_bubblewrap
def test_a_recipe_of_ones_own_is_started_by_its_form_and_its_fault_is_shown(site, split):
    editor = site.visitor("editor")
    assert 'data-dialog="new-own"' in editor.open(LISTS[2]).text
    address = _brought(editor, split, b"RECIPE = 1").headers["hx-redirect"]
    assert _ended(site, address.rpartition("/")[2]).state == "FAILED"
    page = editor.open(address).text
    assert "has no RECIPE" in page
    assert "my_recipe.py" in editor.open(f"{address}?tab=files").text


@pytest.mark.parametrize(
    ("role", "text", "name", "status"),
    [
        ("viewer", b"x", "my_recipe.py", 403),
        ("stranger", b"x", "my_recipe.py", 404),
        ("editor", b"\xff\xfe", "my_recipe.py", 400),
        ("editor", b"x", "my recipe.txt", 400),
        ("editor", b"#" * 200_001, "my_recipe.py", 400),
    ],
)
def test_what_is_no_recipe_is_refused_by_the_form(site, split, role, text, name, status):
    assert _brought(site.visitor(role), split, text, name).status_code == status


@pytest.mark.parametrize("params", ["{", "[1]", '{"colour": 1}'])
def test_wrong_parameters_are_refused_with_what_is_allowed(site, split, params):
    form = {"recipe": "random_forest", "split": split.id, "params": params}
    assert site.visitor("editor").do("POST", "/demo/work/training", **form).status_code == 400


def test_a_dataset_is_split_by_the_form(site):
    form = {"dataset": "telco-churn", "target": "Churn", "key_column": "customerID", "seed": 3}
    assert site.visitor("editor").do("POST", "/demo/work/splits", **form).status_code == 204


def test_a_run_becomes_a_model_version(site, runs):
    answer = site.visitor("editor").do("POST", f"{_of(runs[0])}/register", model="churn", description="first")
    assert answer.headers["hx-redirect"] == "/demo/models/churn/versions/1"


def test_a_viewer_gets_no_buttons_and_the_addresses_refuse_him_too(site, runs, split):
    viewer, address = site.visitor("viewer"), _of(runs[1])
    assert "hx-post" not in re.sub(r'hx-post="/(console|logout).*?"', "", viewer.open(address).text)
    answers = [viewer.do("POST", f"{address}/evaluations"), viewer.do("POST", f"{address}/register", model="m")]
    answers += [viewer.do("DELETE", address), viewer.do("POST", "/demo/work/experiments", name="X")]
    assert {answer.status_code for answer in answers} == {403}


def test_every_action_names_its_operation(site, runs):
    for path in (*LISTS, *(_of(run) for run in runs)):
        assert unnamed_actions(site.visitor("root").open(path).text, site.cases()) == []


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
def test_the_pages_are_accessible(browser, site, runs, numbers, theme, language):
    compare = f"/demo/work/training/compare?run={runs[0].id}&run={runs[1].id}"
    paths = (
        *LISTS,
        compare,
        *(_of(runs[0], tab) for tab in ("", "evaluation", "files")),
        _of(numbers[0], "evaluation"),
    )
    pages = new_page(browser, theme=theme, language=language, cookies=site.cookies("root"), url="http://127.0.0.1")
    with serving(site.app) as url, pages as page:
        for path in paths:
            page.goto(url + path)
            settle(page)
            assert axe_violations(page) == [], path


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
    run = _ended(site, training.start_run(SYSTEM, wish).id)
    assert (run.state, run.package and run.package.runtime) == ("FINISHED", "onnx")
    text = viewer.open(_of(run)).text
    assert "Words that speak for a class" in text
    assert text.index(">angry<") < text.index('<span title="review">讨厌</span>')
    assert "支持各类别的词语" in viewer.open(_of(run), **{"Accept-Language": "zh"}).text
    other = training.start_run(SYSTEM, replace(wish, recipe="logistic_regression", features=["review"]))
    assert "Words that speak for a class" not in viewer.open(_of(_ended(site, other.id))).text


def test_a_run_of_numbers_from_texts_shows_the_words_that_raise_and_lower_them(site):
    training, viewer = site.registry.get(Training), site.visitor("viewer")
    wish = CreateSplit(workspace="demo", dataset="reviews", target="_stars", key_column="id")
    made = OneSplit(workspace="demo", split=training.create_split(SYSTEM, wish).id)
    until(site.registry, lambda: training.get_split(SYSTEM, made).state != "PENDING")
    assert training.get_split(SYSTEM, made).task == "regression"
    wish = StartRun(workspace="demo", recipe="text_linear", split=made.split, folds=2, experiment="texts")
    wish = replace(wish, features=["review"])
    run = _ended(site, training.start_run(SYSTEM, wish).id)
    assert (run.state, run.package and run.package.runtime) == ("FINISHED", "onnx")
    text = viewer.open(_of(run)).text
    assert "Words that raise and lower the number" in text
    assert text.index(">Lower<") < text.index(">Higher<")
    assert "使数值升高或降低的词" in viewer.open(_of(run), **{"Accept-Language": "zh"}).text


def test_a_run_of_sounds_shows_what_is_caught_and_the_false_alarms_an_hour(site):
    training, viewer = site.registry.get(Training), site.visitor("viewer")
    wish = CreateSplit(workspace="demo", dataset="words", target="word", key_column="id")
    made = OneSplit(workspace="demo", split=training.create_split(SYSTEM, wish).id)
    split = until(site.registry, lambda: (found := training.get_split(SYSTEM, made)).state == "READY" and found)
    params = {"sample_rate": 4000, "bands": 16, "high_hz": 2000, "kernels": 24}
    wish = StartRun(
        workspace="demo", recipe="sound_kernels", split=split.id, folds=2, params=params, experiment="sounds"
    )
    run = _ended(site, training.start_run(SYSTEM, wish).id)
    assert (run.state, run.package and run.package.runtime) == ("FINISHED", "onnx")
    text = viewer.open(_of(run)).text
    assert "False alarms an hour" in text
    assert '<td class="name">up</td>' in text
    assert "每小时误报" in viewer.open(_of(run), **{"Accept-Language": "zh"}).text


def test_an_experiment_and_a_run_are_deleted_last(site, runs):
    admin = site.visitor("admin")
    assert admin.do("DELETE", _of(runs[1])).headers["hx-redirect"] == "/demo/work/training"
    assert admin.open(_of(runs[1])).status_code == 404
    assert admin.do("DELETE", "/demo/work/experiments/tries").status_code == 204
