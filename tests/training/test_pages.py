"""The room's pages over HTTP and in a browser: who sees what, what each action does, what the charts are given."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.kernel.errors import Forbidden
from aimass.kernel.principal import SYSTEM, Grant, Principal
from aimass.models import CAPABILITY as MODELS
from aimass.training import (
    CreateSplit,
    EvaluateRun,
    ListSplits,
    OneSplit,
    Run,
    Split,
    StartRun,
    Training,
)
from aimass.web.session import CSRF_HEADER
from tests.fixtures import weights
from tests.fixtures.browser import axe_violations, browser, new_page, serving, settle  # noqa: F401
from tests.fixtures.engines import needs_bubblewrap
from tests.fixtures.lakeside import TRAINING
from tests.fixtures.runpages import charts_on, page_of, wait_for_run
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
    ended = [wait_for_run(site, run.id) for run in started]
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
    ended = [wait_for_run(site, training.start_run(SYSTEM, wish).id) for wish in wishes]
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
    run = wait_for_run(site, training.start_run(SYSTEM, wish).id)
    one = EvaluateRun(workspace="demo", run=run.id)
    training.evaluate_run(SYSTEM, one)
    until(site.registry, lambda: training.get_evaluation(SYSTEM, one).state == "READY")
    return run


@pytest.mark.parametrize("role", [*ROLES, "stranger", "root"])
def test_each_page_opens_for_members_of_the_workspace(site, runs, role):
    compare = f"/demo/work/training/compare?run={runs[0].id}&run={runs[1].id}"
    pages = (*LISTS, compare, *(page_of(runs[0], tab) for tab in ("", "evaluation", "files", "log")))
    visitor = site.visitor(role)
    assert {path: visitor.open(path).status_code for path in pages} == dict.fromkeys(
        pages, 404 if role == "stranger" else 200
    )


def test_nobody_sees_a_page_without_a_sign_in(site, runs):
    assert {site.visitor().open(path).status_code for path in (*LISTS, page_of(runs[0]))} == {303}


def test_the_list_is_sorted_by_a_metric_best_first(site, runs):
    text = site.visitor("viewer").part("/demo/work/training?sort=-cv_roc_auc", "runs").text
    best = sorted(runs, key=lambda run: -run.metrics["cv_roc_auc"])
    assert text.index(best[0].id) < text.index(best[1].id)


def test_a_filter_that_nothing_fits_says_so(site, runs):
    assert "Nothing matches" in site.visitor("viewer").open("/demo/work/training?state=FAILED").text


def test_a_run_shows_the_test_auc_with_its_interval(site, runs):
    found = site.registry.get(Training).get_evaluation(SYSTEM, EvaluateRun(workspace="demo", run=runs[0].id))
    text = site.visitor("viewer").open(page_of(runs[0])).text
    assert f"95 % interval {found.auc['low']:.3g} to {found.auc['high']:.3g}" in text


def test_the_charts_get_curves_matrix_and_importance(site, runs):
    charts = charts_on(site.visitor("viewer").open(page_of(runs[0], "evaluation")).text)
    assert set(charts) == {"roc", "pr", "confusion", "calibration", "bars"}
    assert charts["roc"]["curves"][0]["points"][0] == [0, 0]
    assert sum(map(sum, charts["confusion"]["counts"])) == 180
    assert charts["bars"]["items"][0]["value"] == max(item["value"] for item in charts["bars"]["items"])


def test_a_run_of_numbers_shows_its_errors_and_residuals(site, numbers):
    viewer = site.visitor("viewer")
    found = site.registry.get(Training).get_evaluation(SYSTEM, EvaluateRun(workspace="demo", run=numbers[0].id))
    text = viewer.open(page_of(numbers[0])).text
    assert "Test RMSE" in text
    assert f"95 % interval {found.interval['low']:.3g} to {found.interval['high']:.3g}" in text
    assert "AUC" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    text = viewer.open(page_of(numbers[0], "evaluation")).text
    charts = charts_on(text)
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
    curves = charts_on(viewer.open(address).text)["scatter"]["curves"]
    assert [curve["name"] for curve in curves] == ["ridge", "tenure alone"]


def test_a_run_of_anomalies_shows_what_it_flags_and_how_it_was_measured(site, strange):
    viewer = site.visitor("viewer")
    text = viewer.open(page_of(strange)).text
    assert "Anomaly detection" in text
    assert "no target tells the anomalies" in text
    text = viewer.open(page_of(strange, "evaluation")).text
    assert set(charts_on(text)) == {"roc", "pr", "confusion", "bars"}
    assert charts_on(text)["confusion"]["labels"] == ["normal", "anomaly"]
    assert all(word in text for word in ("Recall", "Flagged", "were mixed from the others"))
    assert "异常检测" in site.visitor("viewer").open(page_of(strange), **{"Accept-Language": "zh"}).text
    assert strange.id in viewer.part("/demo/work/training?task=anomaly&sort=-cv_roc_auc", "runs").text
    made = site.visitor("editor").do("POST", f"{page_of(strange)}/register", model="odd-customers")
    assert made.headers["hx-redirect"] == "/demo/models/odd-customers/versions/1"
    card = viewer.open("/demo/models/odd-customers/versions/1").text
    assert "no target" in card


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
    assert wait_for_run(site, address.rpartition("/")[2]).state == "KILLED"
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
    assert wait_for_run(site, address.rpartition("/")[2]).state == "FAILED"
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
    answer = site.visitor("editor").do("POST", f"{page_of(runs[0])}/register", model="churn", description="first")
    assert answer.headers["hx-redirect"] == "/demo/models/churn/versions/1"


def test_a_viewer_gets_no_buttons_and_the_addresses_refuse_him_too(site, runs, split):
    viewer, address = site.visitor("viewer"), page_of(runs[1])
    assert "hx-post" not in re.sub(r'hx-post="/(console|logout).*?"', "", viewer.open(address).text)
    answers = [viewer.do("POST", f"{address}/evaluations"), viewer.do("POST", f"{address}/register", model="m")]
    answers += [viewer.do("DELETE", address), viewer.do("POST", "/demo/work/experiments", name="X")]
    assert {answer.status_code for answer in answers} == {403}


def test_every_action_names_its_operation(site, runs):
    for path in (*LISTS, *(page_of(run) for run in runs)):
        assert unnamed_actions(site.visitor("root").open(path).text, site.cases()) == []


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
def test_the_pages_are_accessible(browser, site, runs, numbers, theme, language):
    compare = f"/demo/work/training/compare?run={runs[0].id}&run={runs[1].id}"
    paths = (
        *LISTS,
        compare,
        *(page_of(runs[0], tab) for tab in ("", "evaluation", "files")),
        page_of(numbers[0], "evaluation"),
    )
    pages = new_page(browser, theme=theme, language=language, cookies=site.cookies("root"), url="http://127.0.0.1")
    with serving(site.app) as url, pages as page:
        for path in paths:
            page.goto(url + path)
            settle(page)
            assert axe_violations(page) == [], path


def test_an_experiment_and_a_run_are_deleted_last(site, runs):
    admin = site.visitor("admin")
    assert admin.do("DELETE", page_of(runs[1])).headers["hx-redirect"] == "/demo/work/training"
    assert admin.open(page_of(runs[1])).status_code == 404
    assert admin.do("DELETE", "/demo/work/experiments/tries").status_code == 204


def _sent(visitor: Visitor, files: dict[str, bytes]) -> Any:
    visitor.do("GET", LISTS[0])
    headers = {**PAGE, "HX-Request": "true", CSRF_HEADER: visitor.csrf}
    parts = [("files", (name, data, "application/octet-stream")) for name, data in files.items()]
    form = {"model": "words", "description": "Ours"}
    return visitor.client.post("/demo/work/weights", data=form, files=parts, headers=headers)


def test_weights_are_imported_by_a_form_that_tells_what_became_of_them(site):
    editor = site.visitor("editor")
    with ZipFile(BytesIO(weights.archive())) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert _sent(editor, files).headers["hx-redirect"] == "/demo/work/weights"
    bad = {**files, "model.safetensors": b"\x80\x04pickle"}
    assert _sent(editor, bad).status_code == 204

    def over():
        page = site.registry.get(Training).imports(SYSTEM, "demo").items
        return page if len(page) == 2 and all(job.has_ended for job in page) else None

    refused, made = until(site.registry, over)
    assert (refused.state, made.state) == ("FAILED", "SUCCEEDED")
    page = editor.open("/demo/work/weights").text
    assert 'href="/demo/models/words?tab=versions"' in page
    assert html.escape(str(refused.error["detail"])[:40]) in page
    assert editor.open("/demo/models/words?tab=versions").status_code == 200


def test_imports_of_weights_are_told_to_nobody_without_the_right_to_read(site):
    nobody = Principal(
        id="p0", name="nobody", kind="user", grants=(Grant(workspace="demo", permissions=frozenset({"lake.read"})),)
    )
    with pytest.raises(Forbidden):
        site.registry.get(Training).imports(nobody, "demo")
    assert site.visitor("stranger").open("/demo/work/weights").status_code == 404


@pytest.mark.parametrize(
    ("role", "change", "status"),
    [
        ("viewer", {}, 403),
        ("editor", {"config.json": None}, 400),
        ("editor", {"run.py": b"import os"}, 400),
    ],
)
def test_what_are_no_weights_is_refused_by_the_form(site, role, change, status):
    files = dict.fromkeys(("config.json", "tokenizer.json", "model.safetensors"), b"{}") | change
    assert (
        _sent(site.visitor(role), {name: data for name, data in files.items() if data is not None}).status_code
        == status
    )
