"""The room's pages over HTTP and in a browser: who sees what, what each action does, what a failed run says first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.infra.search import Search
from aimass.kernel.principal import SYSTEM
from aimass.lifecycle import CAPABILITY as LIFECYCLE
from aimass.lifecycle import Lifecycle, PipelineRun
from aimass.lifecycle.domain import CreatePipeline, NamePipeline, NameRun, StartRun, Trigger
from aimass.lifecycle.jobs import attention
from aimass.lifecycle.search import document
from tests.fixtures.browser import axe_violations, browser, new_page, serving, settle  # noqa: F401
from tests.fixtures.flows import FLOWS
from tests.fixtures.site import ROLES, Site, site_of, unnamed_actions

ROOMS = [ACCESS, FLOWS, replace(LIFECYCLE, requires=("access", "flows"), events={}, loops={})]
PARAMETERS = {"dataset": "telco", "target": "Churn", "model": "churn", "endpoint": "churn"}
PIPELINE = "/demo/work/pipelines/churn"
PAGES = ("/demo/work/pipelines", PIPELINE, "/demo/work/runs", "/demo/work/runs?state=FAILED&pipeline=churn")
FORM = {"name": "Retrain", "template": "retrain", **PARAMETERS}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Lifecycle without the rooms below it: the first step needs the lake, so every run fails at it."""
    with site_of(tmp_path_factory.mktemp("site"), ROOMS) as found:
        trigger = Trigger(event="monitoring.alert.fired", subject="endpoint:churn")
        wish = CreatePipeline(workspace="demo", name="Churn", parameters=PARAMETERS, triggers=[trigger])
        found.registry.get(Lifecycle).create_pipeline(SYSTEM, wish)
        yield found


@pytest.fixture(scope="module")
def failed(site: Site) -> PipelineRun:
    run = site.registry.get(Lifecycle).start_run(SYSTEM, StartRun(workspace="demo", pipeline="churn"))
    return _ended(site, run.id)


def _ended(site: Site, run: str) -> PipelineRun:
    for _ in range(400):
        found = site.registry.get(Lifecycle).get_run(SYSTEM, NameRun(workspace="demo", run=run))
        if found.state != "RUNNING":
            return found
        time.sleep(0.05)
    raise AssertionError("the run does not end")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("role", [*ROLES, "stranger", "root"])
def test_each_page_opens_for_members_of_the_workspace(site, path, role):
    assert site.visitor(role).open(path).status_code == (404 if role == "stranger" else 200)


@pytest.mark.parametrize("path", PAGES)
def test_nobody_sees_a_page_without_a_sign_in(site, path):
    assert site.visitor().open(path).status_code == 303


def test_a_failed_run_names_the_step_and_the_cause_first(site, failed):
    text = site.visitor("viewer").open(f"/demo/work/runs/{failed.id}").text
    assert "Pin the dataset version:" in text
    assert text.index("Pin the dataset version:") < text.index("run-steps")


def test_the_matrix_shows_the_state_of_each_step_of_each_run(site, failed):
    text = site.visitor("viewer").part(PIPELINE, "runs").text
    assert f'href="/demo/work/runs/{failed.id}#data"' in text
    assert text.count('class="cell is-bad"') == 1


def test_a_pipeline_is_created_by_its_form_and_opened(site):
    answer = site.visitor("admin").do("POST", "/demo/work/pipelines", **FORM, more='{"canary_weight": 20}')
    assert answer.headers["hx-redirect"] == "/demo/work/pipelines/retrain"
    made = site.registry.get(Lifecycle).get_pipeline(SYSTEM, NamePipeline(workspace="demo", pipeline="retrain"))
    assert made.parameters["canary_weight"] == 20


@pytest.mark.parametrize(("more", "field"), [("{", "more"), ("[1]", "more"), ('{"colour": 1}', "colour")])
def test_a_wrong_parameter_is_shown_at_its_field(site, more, field):
    answer = site.visitor("admin").do("POST", "/demo/work/pipelines", **{**FORM, "name": "Other"}, more=more)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_a_run_is_started_by_the_button_and_retried_after_it_failed(site):
    admin = site.visitor("admin")
    address = admin.do("POST", f"{PIPELINE}/runs", parameters='{"seed": 7}').headers["hx-redirect"]
    run = address.rpartition("/")[2]
    assert _ended(site, run).parameters["seed"] == 7
    assert admin.do("POST", f"{address}/retry").status_code == 204
    assert _ended(site, run).attempt == 2


def test_triggers_are_paused_with_a_way_back(site):
    admin = site.visitor("admin")
    answer = admin.do("POST", f"{PIPELINE}/pause")
    assert f"{PIPELINE}/resume" in answer.headers["hx-trigger"]
    assert "Paused" in admin.part(PIPELINE, "pipeline-head").text
    assert admin.do("POST", f"{PIPELINE}/resume").status_code == 204


def test_settings_are_changed_unless_somebody_was_faster(site):
    admin, name = site.visitor("admin"), NamePipeline(workspace="demo", pipeline="churn")
    version = site.registry.get(Lifecycle).get_pipeline(SYSTEM, name).version
    form = {"parameters": '{"dataset": "t", "target": "T", "model": "m", "endpoint": "e"}', "triggers": "lake.done\n"}
    assert admin.do("POST", f"{PIPELINE}/settings", version=version, **form).status_code == 204
    assert site.registry.get(Lifecycle).get_pipeline(SYSTEM, name).triggers == [Trigger(event="lake.done")]
    assert admin.do("POST", f"{PIPELINE}/settings", version=version, **form).status_code == 412


def test_a_viewer_gets_no_buttons_and_the_addresses_refuse_him_too(site, failed):
    viewer = site.visitor("viewer")
    assert f'hx-post="{PIPELINE}/runs"' not in viewer.open(PIPELINE).text
    for address in (f"{PIPELINE}/runs", f"{PIPELINE}/pause", f"/demo/work/runs/{failed.id}/retry"):
        assert viewer.do("POST", address).status_code == 403
    assert viewer.do("DELETE", PIPELINE).status_code == 403


def test_every_action_names_its_operation(site, failed):
    for path in (*PAGES, f"/demo/work/runs/{failed.id}"):
        assert unnamed_actions(site.visitor("root").open(path).text, site.cases()) == []


def test_a_failed_run_asks_for_attention_until_a_newer_one_stands(site, failed):
    subjects = [need["subject"] for need in attention(site.registry, site.people["viewer"])]
    assert len([one for one in subjects if one.startswith("run:")]) == 1
    assert attention(site.registry, site.people["stranger"]) == []


def test_pipelines_and_runs_are_found(site, failed):
    found = [document(site.registry, "demo", name) for name in ("pipeline:churn", f"run:{failed.id}")]
    site.registry.get(Search).put([one for one in found if one is not None])
    hits = site.registry.get(Search).find(site.people["viewer"], "churn")
    assert {hit.kind for hit in hits} >= {"pipeline", "pipeline_run"}
    assert document(site.registry, "demo", "run:nobody") is None


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
def test_the_pages_are_accessible(site, failed, browser, theme, language):
    pages = new_page(browser, theme=theme, language=language, cookies=site.cookies("root"), url="http://127.0.0.1")
    with serving(site.app) as url, pages as page:
        for path in (*PAGES, f"/demo/work/runs/{failed.id}"):
            page.goto(url + path)
            settle(page)
            assert axe_violations(page) == [], path


def test_a_pipeline_is_deleted_last(site):
    assert site.visitor("admin").do("DELETE", PIPELINE).headers["hx-redirect"] == "/demo/work/pipelines"
    assert site.visitor("admin").open(PIPELINE).status_code == 404
