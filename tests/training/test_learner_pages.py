"""Learners over HTTP: who may do what, what the pages show, and what each action does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.kernel.errors import Invalid
from aimass.kernel.principal import SYSTEM
from aimass.models import CAPABILITY as MODELS
from aimass.training import CreateLearner, CreateSplit, EvaluateRun, Learner, OneLearner, OneSplit, Training
from aimass.training.jobs import follow_learners
from tests.fixtures.lakeside import TRAINING
from tests.fixtures.site import ROLES, Site, site_of, unnamed_actions
from tests.fixtures.working import until

LIST = "/demo/work/learners"
ONE = f"{LIST}/churn-live"
API = "/api/v1/workspaces/demo/learners"
NAME = OneLearner(workspace="demo", learner="churn-live")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, MODELS, TRAINING]) as found:
        yield found


@pytest.fixture(scope="module")
def split(site: Site) -> str:
    training = site.registry.get(Training)
    wish = CreateSplit(workspace="demo", dataset="telco-churn", target="Churn", key_column="customerID")
    made = OneSplit(workspace="demo", split=training.create_split(SYSTEM, wish).id)
    until(site.registry, lambda: training.get_split(SYSTEM, made).state == "READY")
    return made.split


def gone_on(site: Site, rows: int, snapshots: int = 0, name: OneLearner = NAME) -> Learner:
    training = site.registry.get(Training)

    def look() -> Learner | None:
        follow_learners(site.registry)
        found = training.get_learner(SYSTEM, name)
        assert found.state != "FAILED", found.error
        return found if found.rows >= rows and found.snapshots >= snapshots and not found.is_at_work else None

    found = until(site.registry, look)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def learner(site: Site, split: str) -> Learner:
    wish = CreateLearner(workspace="demo", name="Churn live", split=split, window=100, snapshot_every=300)
    site.registry.get(Training).create_learner(SYSTEM, wish)
    return gone_on(site, 1, 1)


def test_every_caller_gets_what_he_may(site: Site, learner: Learner, split: str) -> None:
    wish = {"name": "Another", "split": split, "model": "naive_bayes"}

    def asks(caller: str | None, method: str, path: str, **body: Any) -> Any:
        headers = {"authorization": f"Bearer {site.token(caller)}"} if caller else {}
        return TestClient(site.app).request(method, f"{API}{path}", json=body or None, headers=headers)

    assert asks(None, "GET", "").status_code == 401
    assert asks("stranger", "GET", f"/{learner.slug}").status_code == 404
    assert asks("viewer", "GET", f"/{learner.slug}").json()["rows"] >= learner.rows
    assert asks("viewer", "GET", f"/{learner.slug}/series").json()[-1]["metrics"]["accuracy"] > 0.5
    assert asks("viewer", "GET", f"/{learner.slug}/snapshots").json()[-1]["number"] == 1
    assert asks("viewer", "POST", "", **wish).status_code == 403
    assert asks("viewer", "POST", f"/{learner.slug}/snapshots").status_code == 403
    made = asks("editor", "POST", "", **wish)
    assert (made.status_code, made.json()["slug"]) == (201, "another")
    assert asks("editor", "POST", "", **wish).json()["code"] == "conflict"
    assert asks("editor", "POST", "", **{**wish, "name": "x", "params": {"depth": 3}}).json()["field"] == "params.depth"
    assert asks("editor", "POST", "/another/pause").json()["state"] == "PAUSED"
    assert asks("editor", "PATCH", "/another", memory_mb=8).json()["memory_mb"] == 8
    assert asks("editor", "POST", "/another/rollback", snapshot=7).json()["allowed"] == []
    assert asks("editor", "DELETE", "/another").status_code == 403
    assert asks("admin", "DELETE", "/another").status_code == 204


@pytest.mark.parametrize("role", ROLES)
def test_the_list_and_the_page_show_it_to_each_role(site: Site, learner: Learner, role: str) -> None:
    browser = site.visitor(role)
    page, one = browser.open(LIST), browser.open(ONE)
    assert page.status_code == one.status_code == 200
    assert "Churn live" in page.text
    assert not unnamed_actions(page.text + one.text, site.cases())
    chart = json.loads(
        re.findall(r'data-chart="line".*?<script type="application/json">(.*?)</script>', one.text, re.DOTALL)[0]
    )
    assert [line["name"] for line in chart["series"]] == ["The learner", "The most frequent class", "The last class"]
    assert chart["series"][0]["points"][-1][0] <= learner.rows
    assert "#1" in one.text


def test_a_learner_of_numbers_learns_is_shown_and_its_snapshot_is_judged(site: Site, split: str) -> None:
    training = site.registry.get(Training)
    wish = CreateSplit(workspace="demo", dataset="telco-churn", target="MonthlyCharges", key_column="customerID")
    made = OneSplit(workspace="demo", split=training.create_split(SYSTEM, wish).id)
    until(site.registry, lambda: training.get_split(SYSTEM, made).state == "READY")
    command = CreateLearner(workspace="demo", name="Charges", split=made.split, window=200, snapshot_every=300)
    with pytest.raises(Invalid, match="'naive_bayes' does not do regression"):
        training.create_learner(SYSTEM, replace(command, model="naive_bayes"))
    with pytest.raises(Invalid, match="'linear_regression' does not do classification"):
        training.create_learner(SYSTEM, replace(command, split=split, model="linear_regression"))
    browser = site.visitor("admin")
    form = {"name": "Charges", "split": made.split, "model": "", "window": 200, "snapshot_every": 300}
    assert browser.do("POST", LIST, **form).headers["hx-redirect"] == f"{LIST}/charges"
    found = gone_on(site, 1, 1, OneLearner(workspace="demo", learner="charges"))
    assert (found.model, found.task, found.classes) == ("linear_regression", "regression", ())
    assert found.metrics["rmse"] < found.metrics["rmse_mean"]
    assert found.metrics["r2"] > 0.5
    page = browser.open(f"{LIST}/charges").text
    assert "RMSE" in page
    assert "The mean so far" in page
    assert "Charges" in browser.open(LIST).text
    run = training.list_snapshots(SYSTEM, OneLearner(workspace="demo", learner="charges"))[0].run
    asked = EvaluateRun(workspace="demo", run=run, part="test")
    training.evaluate_run(SYSTEM, asked)
    judged = until(site.registry, lambda: (e := training.get_evaluation(SYSTEM, asked)).state != "PENDING" and e)
    assert judged.metrics["r2"] > 0.5


def test_a_learner_of_decisions_is_begun_by_its_form_and_shows_what_it_would_have_earned(site: Site) -> None:
    training, browser = site.registry.get(Training), site.visitor("admin")
    wish = CreateSplit(
        workspace="demo", dataset="calls", target="won", task="policy", key_column="id", action_column="done"
    )
    made = training.create_split(SYSTEM, replace(wish, propensity_column="chance")).id
    until(site.registry, lambda: training.get_split(SYSTEM, OneSplit(workspace="demo", split=made)).state == "READY")
    form = {"name": "Calls", "split": made, "model": "lin_thompson", "window": 10_000, "snapshot_every": 300}
    assert browser.do("POST", LIST, **form).headers["hx-redirect"] == f"{LIST}/calls"
    found = gone_on(site, 1, 1, OneLearner(workspace="demo", learner="calls"))
    assert found.metrics["lift"] > 0.2
    page = browser.open(f"{LIST}/calls").text
    assert "DR value" in page
    assert "As it was logged" in page
    assert f"{found.rows} rows were learned; the line gets a point every 2000." in page
    assert "The first rows" not in page
    assert "Calls" in browser.open(LIST).text
    chinese = site.visitor("admin").open(f"{LIST}/calls", **{"Accept-Language": "zh"}).text
    assert "线性汤普森采样" in chinese
    run = training.list_snapshots(SYSTEM, OneLearner(workspace="demo", learner="calls"))[0].run
    assert "Doubly robust" in browser.open(f"/demo/work/training/{run}?tab=evaluation").text


def test_it_is_paused_goes_back_and_is_deleted_from_its_page(site: Site, split: str) -> None:
    browser, training = site.visitor("admin"), site.registry.get(Training)
    name, page = OneLearner(workspace="demo", learner="brief"), f"{LIST}/brief"
    wish = CreateLearner(workspace="demo", name="Brief", split=split, window=100, snapshot_every=300)
    training.create_learner(SYSTEM, wish)
    before = gone_on(site, 1, 1, name)
    assert browser.do("DELETE", page).status_code == 409
    assert browser.do("POST", f"{page}/pause").status_code == 204
    assert training.get_learner(SYSTEM, name).state == "PAUSED"
    first = training.list_snapshots(SYSTEM, name)[-1]
    assert browser.do("POST", f"{page}/rollback", snapshot=first.number).status_code == 204
    back = training.get_learner(SYSTEM, name)
    assert (back.rows, back.done_version) == (first.rows, before.done_version)
    assert max(point.rows for point in training.get_learner_series(SYSTEM, name)) <= first.rows
    assert browser.do("DELETE", page).headers["hx-redirect"] == LIST
    assert browser.open(page).status_code == 404
