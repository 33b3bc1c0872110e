"""The room's pages over HTTP and in a browser: who sees what, what each action does, what a failed job says first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.cluster import Job, Jobs, SubmitJob
from aimass.cluster.jobs import attention
from aimass.cluster.search import document
from aimass.infra.compute import child_environment
from aimass.infra.search import Search
from aimass.kernel.capability import Capability, JobKind
from aimass.kernel.principal import SYSTEM
from tests.fixtures import rooms as fixture
from tests.fixtures.browser import axe_violations, browser, new_page, serving, settle  # noqa: F401
from tests.fixtures.site import ROLES, Site, site_of, unnamed_actions
from tests.fixtures.working import until

JOBS = Path(__file__).parent / "jobs"
WORK = Capability(
    name="work", title="Work", jobs={"test.work": JobKind(run="cluster_jobs:work"), "test.refuse": JobKind(run="cluster_jobs:refuse"), "test.sleep": JobKind(run="cluster_jobs:sleep")}
)  # fmt: skip
PAGES = ("/demo/work/jobs", "/demo/work/jobs?state=FAILED&q=refuse", "/demo/operate/nodes")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fixture, "child_environment", lambda: {**child_environment(), "PYTHONPATH": str(JOBS)})
        with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, WORK]) as found:
            yield found


@pytest.fixture(scope="module")
def done(site: Site) -> Job:
    return _run(site, "test.work", "Work it out", "SUCCEEDED")


@pytest.fixture(scope="module")
def failed(site: Site) -> Job:
    return _run(site, "test.refuse", "Refuse it", "FAILED")


def _submit(site: Site, kind: str, title: str) -> Job:
    return site.registry.get(Jobs).submit(SYSTEM, SubmitJob(workspace="demo", kind=kind, title=title))


def _run(site: Site, kind: str, title: str, state: str) -> Job:
    job = _submit(site, kind, title)
    until(site.registry, lambda: site.registry.get(Jobs).job("demo", job.id).has_ended)
    ended = site.registry.get(Jobs).job("demo", job.id)
    assert ended.state == state, ended.error
    return ended


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("role", [*ROLES, "stranger", "root"])
def test_each_page_opens_for_members_of_the_workspace(site, path, role):
    assert site.visitor(role).open(path).status_code == (404 if role == "stranger" else 200)


@pytest.mark.parametrize("path", PAGES)
def test_nobody_sees_a_page_without_a_sign_in(site, path):
    assert site.visitor().open(path).status_code == 303


def test_a_failed_job_says_cause_and_hint_before_anything_else(site, failed):
    text = site.visitor("viewer").open(f"/demo/work/jobs/{failed.id}").text
    assert failed.error is not None
    assert text.index(failed.error["detail"]) < text.index("data-log=")


def test_a_viewer_gets_no_button_and_the_address_refuses_him_too(site, failed):
    viewer, address = site.visitor("viewer"), f"/demo/work/jobs/{failed.id}"
    assert f'hx-post="{address}/retry"' not in viewer.open(address).text
    assert viewer.do("POST", f"{address}/retry").status_code == 403


def test_a_job_is_cancelled_and_retried_by_its_buttons(site):
    job, operator = _submit(site, "test.sleep", "Sleep"), site.visitor("operator")
    address = f"/demo/work/jobs/{job.id}"
    assert f'hx-post="{address}/cancel"' in operator.open(address).text
    assert operator.do("POST", f"{address}/cancel").status_code == 204
    jobs = site.registry.get(Jobs)
    until(site.registry, lambda: jobs.job("demo", job.id).state == "CANCELLED")
    assert operator.do("POST", f"{address}/retry").status_code == 204
    assert jobs.job("demo", job.id).state == "QUEUED"
    operator.do("POST", f"{address}/cancel")
    until(site.registry, lambda: jobs.job("demo", job.id).state == "CANCELLED")


def test_the_log_comes_line_by_line_behind_the_last_known_one(site, failed):
    address = f"/demo/work/jobs/{failed.id}/log"
    first = site.visitor("viewer").open(address).json()
    assert first["done"]
    assert site.visitor("viewer").open(f"{address}?after={first['lines'][-1]['n']}").json()["lines"] == []


def test_a_part_of_the_list_comes_alone(site, done):
    part = site.visitor("viewer").part("/demo/work/jobs", "jobs").text
    assert done.title in part
    assert "<html" not in part


def test_a_node_is_closed_and_opened_by_those_who_manage_the_platform(site):
    root, node = site.visitor("root"), "/demo/operate/nodes/local"
    until(site.registry, lambda: site.registry.get(Jobs).list_nodes(SYSTEM))
    assert root.do("POST", f"{node}/cordon").status_code == 204
    assert "Cordoned" in root.open("/demo/operate/nodes").text
    assert site.visitor("admin").do("POST", f"{node}/uncordon").status_code == 403
    assert root.do("POST", f"{node}/uncordon").status_code == 204


def test_every_action_names_its_operation(site, done, failed):
    for path in (*PAGES, f"/demo/work/jobs/{done.id}", f"/demo/work/jobs/{failed.id}"):
        assert unnamed_actions(site.visitor("root").open(path).text, site.cases()) == []


def test_failed_jobs_ask_for_attention_of_those_who_may_see_them(site, failed):
    mine = attention(site.registry, site.people["viewer"])
    assert [need["path"] for need in mine if need["subject"] == f"job:{failed.id}"] == [f"/demo/work/jobs/{failed.id}"]
    assert attention(site.registry, site.people["stranger"]) == []


def test_jobs_are_found_by_their_titles(site, done):
    found = document(site.registry, "demo", f"job:{done.id}")
    assert found is not None
    site.registry.get(Search).put([found])
    assert [hit.key for hit in site.registry.get(Search).find(site.people["viewer"], "work out")] == [found.key]


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
def test_the_pages_are_accessible(browser, site, done, failed, theme, language):
    paths = (*PAGES, f"/demo/work/jobs/{done.id}", f"/demo/work/jobs/{failed.id}")
    pages = new_page(browser, theme=theme, language=language, cookies=site.cookies("root"), url="http://127.0.0.1")
    with serving(site.app) as url, pages as page:
        for path in paths:
            page.goto(url + path)
            settle(page)
            assert axe_violations(page) == [], path
