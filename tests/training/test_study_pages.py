"""The pages of studies over HTTP: who sees what, what each action does, what the charts are given."""

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
from aimass.training import CreateSplit, CreateStudy, OneSplit, OneStudy, Split, Study, Training
from aimass.training.console.studies import sorted_trials
from aimass.training.jobs import search
from aimass.web.session import CSRF_HEADER
from tests.fixtures.engines import needs_bubblewrap
from tests.fixtures.lakeside import TRAINING
from tests.fixtures.site import PAGE, ROLES, Site, site_of, unnamed_actions
from tests.fixtures.working import until

LIST = "/demo/work/studies"
SPACE = {"strength": {"type": "float", "low": 0.01, "high": 1.0, "log": True}}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, MODELS, TRAINING]) as found:
        yield found


@pytest.fixture(scope="module")
def split(site: Site) -> Split:
    training = site.registry.get(Training)
    wish = CreateSplit(workspace="demo", dataset="telco-churn", target="Churn", key_column="customerID")
    made = OneSplit(workspace="demo", split=training.create_split(SYSTEM, wish).id)
    return until(site.registry, lambda: found if (found := training.get_split(SYSTEM, made)).state == "READY" else None)


@pytest.fixture(scope="module")
def study(site: Site, split: Split) -> Study:
    """A finished study of two trials."""
    training = site.registry.get(Training)
    wish = CreateStudy(
        workspace="demo",
        name="Penalty 😀",
        recipe="logistic_regression",
        split=split.id,
        space=SPACE,
        sampler="random",
        trials=2,
        folds=2,
    )
    return ended(site, training.create_study(SYSTEM, wish).slug)


def ended(site: Site, slug: str) -> Study:
    training, one = site.registry.get(Training), OneStudy(workspace="demo", study=slug)

    def look() -> Any:
        search(site.registry)
        found = training.get_study(SYSTEM, one)
        is_still = found.state != "RUNNING" and not found.counts.get("RUNNING")
        return found if is_still else None

    return until(site.registry, look)


def _charts(text: str) -> dict[str, Any]:
    found = re.findall(r'data-chart="(\w+)".*?<script type="application/json">(.*?)</script>', text, re.DOTALL)
    return {kind: json.loads(data) for kind, data in found}


@pytest.mark.parametrize("role", [*ROLES, "stranger", "root"])
def test_each_page_opens_for_members_of_the_workspace(site: Site, study: Study, role: str) -> None:
    pages = (LIST, *(f"{LIST}/{study.slug}{end}" for end in ("", "?tab=trials", "?tab=trials&sort=-value")))
    visitor = site.visitor(role)
    assert {path: visitor.open(path).status_code for path in pages} == dict.fromkeys(
        pages, 404 if role == "stranger" else 200
    )


def test_the_charts_get_the_history_and_a_line_for_each_trial(site: Site, study: Study) -> None:
    charts = _charts(site.visitor("viewer").open(f"{LIST}/{study.slug}").text)
    best, tried = charts["line"]["series"]
    values = [value for _, value in tried["points"]]
    assert [value for _, value in best["points"]] == [values[0], max(values)]
    assert charts["line"]["best"] == [study.best[0], max(values)]
    assert [axis["name"] for axis in charts["parallel"]["axes"]] == ["strength", "cv_roc_auc"]
    assert sorted(line["values"][1] for line in charts["parallel"]["lines"]) == sorted(values)


def test_the_trials_are_sorted_by_their_value(site: Site, study: Study) -> None:
    training = site.registry.get(Training)
    text = site.visitor("viewer").open(f"{LIST}/{study.slug}?tab=trials&sort=-value").text
    best = training.list_best_trials(SYSTEM, OneStudy(workspace="demo", study=study.slug))[0]
    runs = re.findall(r"/demo/work/training/(\w+)\">Open<", text)
    assert (len(runs), runs[0]) == (2, best.run)
    assert [one.number for one in sorted_trials([best], "-number")] == [best.number]


def test_too_few_trials_tell_no_importance_and_the_page_says_so(site: Site, study: Study) -> None:
    answer = site.visitor("viewer").open(f"{LIST}/{study.slug}?tab=importance")
    assert "It takes four complete trials" in answer.text


def test_a_study_is_begun_paused_resumed_extended_and_stopped_by_its_buttons(site: Site, split: Split) -> None:
    editor = site.visitor("editor")
    form = {"recipe": "lightgbm", "split": split.id, "name": "Trees", "sampler": "random", "trials": 3, "parallel": 1}
    address = editor.do("POST", LIST, **form, space='{"trees": {"type": "int", "low": 50, "high": 60}}').headers[
        "hx-redirect"
    ]
    assert address == f"{LIST}/trees"
    for deed, state in (("pause", "PAUSED"), ("resume", "RUNNING"), ("cancel", "KILLED")):
        assert f'hx-post="{address}/{deed}"' in editor.open(address).text
        assert editor.do("POST", f"{address}/{deed}").status_code == 204
        assert site.registry.get(Training).study("demo", "trees").state == state
    assert editor.do("POST", f"{address}/extend", trials=2).status_code == 204
    assert site.registry.get(Training).study("demo", "trees").trials == 5
    assert editor.do("DELETE", address).status_code == 403
    ended(site, "trees")
    assert site.visitor("admin").do("DELETE", address).headers["hx-redirect"] == LIST
    assert editor.open(address).status_code == 404


@pytest.mark.parametrize("space", ["{", "[1]", '{"colour": {"type": "int", "low": 1, "high": 2}}'])
def test_a_wrong_space_is_refused_with_what_is_allowed(site: Site, split: Split, space: str) -> None:
    form = {"recipe": "lightgbm", "split": split.id, "space": space}
    assert site.visitor("editor").do("POST", LIST, **form).status_code == 400


def test_a_viewer_gets_no_buttons_and_the_addresses_refuse_him_too(site: Site, study: Study, split: Split) -> None:
    viewer, address = site.visitor("viewer"), f"{LIST}/{study.slug}"
    assert "hx-post" not in re.sub(r'hx-post="/(console|logout).*?"', "", viewer.open(address).text)
    answers = [viewer.do("POST", f"{address}/{deed}") for deed in ("pause", "resume", "cancel", "extend")]
    answers += [viewer.do("DELETE", address), viewer.do("POST", LIST, recipe="lightgbm", split=split.id)]
    assert {answer.status_code for answer in answers} == {403}


def test_every_action_names_its_operation(site: Site, study: Study) -> None:
    for path in (LIST, f"{LIST}/{study.slug}"):
        assert unnamed_actions(site.visitor("root").open(path).text, site.cases()) == []


def test_over_http_each_caller_gets_his_answer(site: Site, study: Study) -> None:
    """The routes that are derived: anonymous, stranger, reader, writer."""
    address = f"/api/v1/workspaces/demo/studies/{study.slug}"
    for ask in (address, f"{address}/trials", f"{address}/best"):
        assert site.visitor().client.get(ask).status_code == 401
        assert site.visitor("stranger").client.get(ask).status_code == 404
        assert site.visitor("viewer").client.get(ask).status_code == 200
    best = site.visitor("viewer").client.get(f"{address}/best").json()
    assert [one["number"] for one in best] == list(study.best)


@needs_bubblewrap
def test_a_file_that_is_chosen_stands_for_the_recipe(site: Site, split: Split) -> None:
    editor, form = site.visitor("editor"), {"recipe": "lightgbm", "split": split.id, "space": "{"}
    editor.do("POST", LIST)  # a first one is given its token

    def said(name: str, text: bytes, **more: str) -> str:
        headers = {**PAGE, "HX-Request": "true", CSRF_HEADER: editor.csrf}
        files = {"file": (name, text, "text/x-python")}
        answer = editor.client.post(LIST, data={**form, **more}, files=files, headers=headers)
        assert answer.status_code == 400
        return answer.text

    assert "mine.py, line 1: ModuleNotFoundError" in said("mine.py", b"import nothing_like_it", space="")
    assert "UTF-8" in said("mine.py", b"\xff", space="")
    assert "UTF-8" not in said("", b"\xff")  # no file was chosen: the space of the recipe is looked at
