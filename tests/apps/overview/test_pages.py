"""The pages of the overview over HTTP: roles, honest empty states, what each part shows."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from aimass.access import RequestApproval
from aimass.infra.database import Database
from aimass.kernel.principal import ANYWHERE, SYSTEM, policy
from tests.fixtures.site import ROLES, Site, Visitor, unnamed_actions, whole_site

PAGES = ("/demo", "/demo/lineage", "/demo/lineage?kind=run&id=r1")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with whole_site(tmp_path_factory.mktemp("site")) as found:
        for src, dst in [(("dataset_version", "d1"), ("run", "r1")), (("run", "r1"), ("model_version", "churn/1"))]:
            with found.registry.get(Database).change(SYSTEM, "demo") as change:
                change.edge(src=src, dst=dst)
        yield found


@pytest.fixture
def root(site: Site) -> Visitor:
    return site.visitor("root")


def told(site: Site, who, type_: str, subject: str, **data) -> None:
    with site.registry.get(Database).change(who, "demo") as change:
        change.event(type_, subject=subject, data=data)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("role", [*ROLES, "root", "stranger"])
def test_a_page_opens_for_everybody_in_the_workspace(site, path, role):
    assert site.visitor(role).open(path).status_code == (404 if role == "stranger" else 200)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_wants_a_sign_in_and_names_its_operations(site, root, path):
    assert site.visitor().open(path).status_code == 303
    assert unnamed_actions(root.open(path).text, site.cases()) == []


def test_the_start_leads_into_the_last_workspace(site, root):
    assert root.open("/").headers["location"] == "/demo"
    assert root.open("/?workspace=lab").headers["location"] == "/lab"


def test_who_is_in_no_workspace_is_told_how_to_get_one(site):
    page = site.visitor("stranger").open("/").text
    assert "You are in no workspace yet" in page


def test_a_new_workspace_shows_the_first_steps_with_their_commands(root):
    page = root.open("/demo").text
    assert "0 of 4" in page
    assert "aimass data collect customers.csv --workspace demo" in page
    assert "nothing is watched yet" in page
    assert "Nothing runs at the moment." in page


def test_what_needs_somebody_has_one_link_each(site):
    asked = RequestApproval(workspace="demo", subject="x:1", reason="May churn 3 go out?", permission="models.approve")
    id_ = site.access.request_approval(site.people["editor"], asked).id
    part = site.visitor("reviewer").part("/demo", "needs").text
    assert "May churn 3 go out?" in part
    assert re.findall(r'href="(/demo/approvals/[^"]+)"', part) == [f"/demo/approvals/{id_}"]
    assert "May churn 3 go out?" not in site.visitor("viewer").part("/demo", "needs").text


def test_what_happened_is_told_in_sentences_with_names(site, root):
    told(site, site.people["editor"], "lake.version.created", "dataset:telco", number=2, rows=7032, quarantined=11)
    told(site, policy("auto"), "models.version.approved", "model_version:churn/1", number=1)
    told(site, SYSTEM, "lifecycle.run.failed", "run:01ABC", pipeline="churn-retrain")
    told(site, SYSTEM, "cluster.job.submitted", "job:01J", kind="noise")
    part = root.part("/demo", "activity").text
    assert "telco has version 2 with 7,032 rows" in part
    assert "11 rows are in quarantine" in part
    assert "The policy auto approved churn/1" in part
    assert "The pipeline churn-retrain failed" in part
    assert "noise" not in part


def test_a_review_that_only_waits_is_no_news(site, root):
    told(site, SYSTEM, "models.version.quarantined", "model_version:quiet/1", failed=[])
    told(site, SYSTEM, "models.version.quarantined", "model_version:loud/1", failed=["smoke"])
    part = root.part("/demo", "activity").text
    assert "quiet/1" not in part
    assert "loud/1 did not pass its review" in part


def test_the_start_page_has_the_storage_of_the_platform_for_who_may_see_it(site, root):
    assert 'hx-get="/operate/storage"' in root.open("/demo").text
    assert "storage-strip" not in site.visitor("admin").open("/demo").text


def test_the_lineage_shows_both_sides_and_links_every_thing(root):
    page = root.open("/demo/lineage?kind=run&id=r1&hops=1").text
    assert "before it: 1, after it: 1" in page
    assert "/demo/lineage?kind=model_version&amp;id=churn/1" in page
    assert '"focus": "run:r1"' in page


def test_the_lineage_of_a_thing_nobody_knows_is_that_thing_alone(root):
    page = root.open("/demo/lineage?kind=dataset&id=none").text
    assert "before it: 0, after it: 0" in page


def test_lineage_begins_with_what_was_made_last(site, root):
    page = root.open("/demo/lineage").text
    assert page.index("churn/1") < page.index(">r1<")
    with site.registry.get(Database).change(SYSTEM, ANYWHERE) as change:
        change.edge(src=("run", "x"), dst=("model_version", "secret/1"))
    assert "secret/1" not in root.open("/demo/lineage").text


def test_the_same_facts_come_by_rest(site):
    answer = site.visitor("viewer").client.get(
        "/api/v1/workspaces/demo/overview", headers={"accept": "application/json"}
    )
    assert answer.status_code == 200
    body = answer.json()
    assert [step["name"] for step in body["first_day"]] == ["data", "train", "deploy", "watch"]
    assert body["services"] == {"healthy": 0, "degraded": 0, "down": 0, "starting": 0, "empty": 0}
