"""The pages of compressions over HTTP, and who may call for one: what each shows, what each action does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.kernel.principal import SYSTEM
from aimass.models import CAPABILITY as MODELS
from aimass.training import CreateSplit, OneRun, OneSplit, Run, StartRun, Training
from tests.fixtures.lakeside import TRAINING
from tests.fixtures.site import CSRF_COOKIE, CSRF_HEADER, ROLES, Site, site_of, unnamed_actions
from tests.fixtures.working import until

LIST = "/demo/work/compression"
SETTINGS = {"hidden_layer_sizes": [32], "max_iter": 90, "tol": 10.0, "n_iter_no_change": 4}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, MODELS, TRAINING]) as found:
        yield found


def ended(site: Site, run: str) -> Run:
    training, one = site.registry.get(Training), OneRun(workspace="demo", run=run)

    def look() -> Any:
        found = training.get_run(SYSTEM, one)
        return found if found.ended_at else None

    return until(site.registry, look)


@pytest.fixture(scope="module")
def base(site: Site) -> Run:
    """A network that is there to be compressed."""
    training = site.registry.get(Training)
    wish = CreateSplit(workspace="demo", dataset="telco-churn", target="Churn", key_column="customerID")
    made = OneSplit(workspace="demo", split=training.create_split(SYSTEM, wish).id)

    def ready() -> Any:
        found = training.get_split(SYSTEM, made)
        return found if found.state == "READY" else None

    split = until(site.registry, ready)
    params = {"estimator": "MLP", "settings": SETTINGS}
    start = StartRun(workspace="demo", recipe="scikit_learn", split=split.id, params=params, folds=2, name="Small 😀")
    return ended(site, training.start_run(SYSTEM, start).id)


@pytest.fixture(scope="module")
def run(site: Site, base: Run) -> Run:
    """A compression that was begun by the form of the page, with one technique that cannot do it."""
    form = {"techniques": "cluster\n\nlow_rank:rank=0.99", "max_drop": 0.2, "min_speedup": 0.1, "timed": "row"}
    answer = site.visitor("editor").do("POST", f"/demo/work/training/{base.id}/compress", **form)
    address = answer.headers["hx-redirect"]
    assert address.startswith(f"{LIST}/")
    return ended(site, address.rpartition("/")[2])


def charts(text: str) -> list[Any]:
    found = re.findall(r'data-chart="tradeoff".*?<script type="application/json">(.*?)</script>', text, re.DOTALL)
    return [json.loads(data) for data in found]


def test_before_the_first_one_the_page_says_how_to_get_one(site: Site) -> None:
    text = site.visitor("viewer").open(LIST).text
    assert "Nothing was compressed yet" in text
    assert "aimass train compress" in text


@pytest.mark.parametrize("role", [*ROLES, "stranger", "root"])
def test_each_page_opens_for_members_of_the_workspace(site: Site, run: Run, role: str) -> None:
    pages = (LIST, f"{LIST}?state=KILLED", f"{LIST}/{run.id}")
    visitor = site.visitor(role)
    assert {path: visitor.open(path).status_code for path in pages} == dict.fromkeys(
        pages, 404 if role == "stranger" else 200
    )


def test_a_page_shows_every_technique_with_its_figures_or_the_reason(site: Site, base: Run, run: Run) -> None:
    assert run.state == "FINISHED", run.error
    text = site.visitor("viewer").open(f"{LIST}/{run.id}").text
    assert "no layer has fewer weights at 0.99 of its rank" in text
    assert text.count(">meets the policy<") == 1
    assert f"/demo/work/training/{base.id}" in text
    size, row = charts(text)
    assert [curve["name"] for curve in size["curves"]] == ["base", "cluster"]
    assert [curve["kind"] for curve in row["curves"]] == ["base", "chosen"]
    assert size["curves"][0]["points"][0][0] > size["curves"][1]["points"][0][0]
    assert (size["y_name"], row["x_name"]) == ("roc_auc", "a row, µs")
    listed = site.visitor("viewer").open(LIST).text
    assert "Small 😀 compressed" in listed
    assert "cluster" in listed


def test_the_pages_of_both_runs_lead_there(site: Site, base: Run, run: Run) -> None:
    assert f"{LIST}/{run.id}" in site.visitor("viewer").open(f"/demo/work/training/{run.id}").text
    text = site.visitor("editor").open(f"/demo/work/training/{base.id}").text
    assert f'hx-post="/demo/work/training/{base.id}/compress"' in text
    assert 'data-dialog="compress"' not in site.visitor("viewer").open(f"/demo/work/training/{base.id}").text
    assert site.visitor("viewer").open(f"{LIST}/{base.id}").status_code == 404


def test_one_that_met_no_policy_keeps_its_figures_on_the_page_in_chinese_too(site: Site, base: Run) -> None:
    form = {"techniques": "float16_weights", "min_speedup": 99}
    answer = site.visitor("editor").do("POST", f"/demo/work/training/{base.id}/compress", **form)
    failed = ended(site, answer.headers["hx-redirect"].rpartition("/")[2])
    assert failed.state == "FAILED"
    reader = site.visitor("viewer")
    reader.client.cookies.set("lang", "zh")
    text = reader.open(f"{LIST}/{failed.id}").text
    assert "没有一种技术满足策略" in text
    assert "策略要求 99 倍" in text
    assert [one["curves"][1]["kind"] for one in charts(text)] == ["missed", "missed"]
    listed = reader.open(LIST)
    assert listed.status_code == 200
    assert "没有一种技术满足策略" in listed.text


@pytest.mark.parametrize(
    "form",
    [{"techniques": "magic"}, {"max_drop": 3}, {"min_speedup": -1}, {"metric": "elegance"}, {"timed": "day"}],
)
def test_a_wish_that_makes_no_sense_is_refused(site: Site, base: Run, form: dict[str, Any]) -> None:
    answer = site.visitor("editor").do("POST", f"/demo/work/training/{base.id}/compress", **form)
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize(
    ("role", "read", "write"), [("", 401, 401), ("stranger", 404, 404), ("viewer", 200, 403), ("editor", 200, 202)]
)
def test_who_may_call_for_one(site: Site, base: Run, run: Run, role: str, read: int, write: int) -> None:
    visitor = site.visitor(role) if role else site.visitor()
    visitor.open("/forgot")  # it hands out what a change by cookie has to show
    where, token = "/api/v1/workspaces/demo/runs", {CSRF_HEADER: visitor.client.cookies.get(CSRF_COOKIE) or ""}
    assert visitor.client.get(f"{where}/{run.id}/compression").status_code == read
    asked = visitor.client.post(f"{where}/{base.id}/compress", json={"techniques": ["cluster"]}, headers=token)
    assert asked.status_code == write


def test_every_action_names_its_operation(site: Site, base: Run, run: Run) -> None:
    for address in (LIST, f"{LIST}/{run.id}", f"/demo/work/training/{base.id}"):
        assert unnamed_actions(site.visitor("admin").open(address).text, site.cases()) == []
