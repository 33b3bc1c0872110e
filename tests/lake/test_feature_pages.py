"""The pages of features over HTTP: who sees what, what each action does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from aimass import Client
from aimass.access import CAPABILITY as ACCESS
from aimass.access import CreateKey
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.collector import CAPABILITY as COLLECTOR
from aimass.kernel.errors import NotFound
from aimass.lake import CAPABILITY as LAKE
from aimass.lake import Lake
from aimass.lake.feature_commands import ListTrainingSets, OneFeatureView
from aimass.lake.features import Feature
from aimass.lake.search import document
from tests.fixtures.browser import axe_violations, browser, new_page, picture, serving, settle  # noqa: F401
from tests.fixtures.data import ANN, Data
from tests.fixtures.features import built, declare, fill
from tests.fixtures.rooms import Rooms
from tests.fixtures.site import ROLES, Site, Visitor, site_of, unnamed_actions
from tests.lake.test_online import renewed

LIST = "/demo/features"
HOME = f"{LIST}/customer-visits"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Data]]:
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, LAKE, COLLECTOR]) as site:
        data = Data(Rooms(site.folder, [], registry=site.registry))
        features = [Feature(name="visits", description="visits so far", default=0), Feature(name="plan")]
        fill(data)
        declare(data, features=features, description="How often they come", ttl_s=90 * 86_400, tags=["churn"])
        renewed(data)
        built(data, label="churn")
        data.lake.check_skew(ANN, OneFeatureView(workspace="demo", feature_view="customer-visits"))
        yield site, data


@pytest.fixture
def site(data: tuple[Site, Data]) -> Site:
    return data[0]


@pytest.fixture
def editor(site: Site) -> Visitor:
    return site.visitor("editor")


def set_page(site: Site) -> str:
    found = site.registry.get(Lake).list_training_sets(ANN, ListTrainingSets(workspace="demo")).items
    return f"{LIST}/-/training-sets/{found[-1].id}"


def toast(answer) -> str:
    assert answer.status_code in (200, 204), answer.text
    return json.loads(answer.headers["hx-trigger"])["toast"]["text"]


@pytest.mark.parametrize("role", [*ROLES, "stranger", "root"])
def test_each_page_opens_for_members_of_the_workspace(site, role):
    wanted = 404 if role == "stranger" else 200
    for path in (LIST, f"{LIST}?q=nothing", HOME, set_page(site)):
        assert site.visitor(role).open(path).status_code == wanted, path


def test_every_action_names_its_operation(site):
    for path in (LIST, HOME, set_page(site)):
        assert unnamed_actions(site.visitor("root").open(path).text, site.cases()) == []


def test_who_may_only_read_is_offered_no_change(site):
    for path in (LIST, HOME, set_page(site)):
        assert "data-operation" not in site.visitor("viewer").open(path).text, path


def test_the_pages_tell_source_freshness_agreement_and_what_was_built(site, editor):
    page = editor.open(HOME).text
    for told in (
        "How often they come",
        "visits so far",
        "/demo/data/visits",
        "training v1",
        "3 entities",
        "Only in the lake",
    ):
        assert told in page, told
    assert "/demo/features/customer-visits" in editor.open(LIST).text
    chinese = site.visitor("viewer")
    chinese.client.cookies.set("lang", "zh")
    for path in (LIST, HOME, set_page(site)):
        assert "特征" in chinese.open(path).text
    told = editor.open(set_page(site)).text
    assert "What each view knew" in told
    assert "Checksum" in told


def test_an_editor_looks_up_renews_compares_and_builds(site, editor):
    found = editor.do("POST", f"{HOME}/find", entity="2")
    assert found.status_code == 200
    assert "too old" in found.text
    assert editor.do("POST", f"{HOME}/find", entity="x").status_code == 400
    assert site.visitor("viewer").do("POST", f"{HOME}/find", entity="2").status_code == 403
    assert toast(editor.do("POST", f"{HOME}/materialisations")) == "The online values are being renewed"
    assert toast(editor.do("POST", f"{HOME}/skew")) == "0.00% of the entities differ"
    order = {"spine": "churn", "into": "training", "event_time": "at", "label": "churn"}
    made = editor.do("POST", f"{HOME}/training-sets", **order)
    assert "/features/-/training-sets/" in made.headers["hx-redirect"]
    again = editor.do("POST", f"{set_page(site)}/rebuild")
    assert "/features/-/training-sets/" in again.headers["hx-redirect"]


def test_an_editor_declares_changes_and_an_administrator_deletes(site, editor):
    wish = {"name": "By web", "dataset": "visits", "entity": "customer, plan", "event_time": "at", "ttl_hours": "1.5"}
    assert editor.do("POST", LIST, **wish).headers["hx-redirect"].startswith("/demo/features/by-web")
    assert editor.do("POST", LIST, **{**wish, "name": "No", "entity": "nobody"}).status_code == 400
    lake = site.registry.get(Lake)
    view = lake.get_feature_view(ANN, OneFeatureView(workspace="demo", feature_view="by-web"))
    assert (view.entity, view.ttl_s) == (["customer", "plan"], 5400)
    news = {
        "name": "By web",
        "owner": "Bo",
        "follows": "true",
        "skew_percent": "5",
        "expected_version": str(view.version),
    }
    assert editor.do("POST", f"{LIST}/by-web/settings", **news).status_code == 204
    view = lake.get_feature_view(ANN, OneFeatureView(workspace="demo", feature_view="by-web"))
    assert (view.owner, view.follows, view.skew_limit) == ("Bo", True, 0.05)
    assert editor.do("POST", f"{LIST}/by-web/settings", **news).status_code == 412
    assert editor.do("DELETE", f"{LIST}/by-web").status_code == 403
    assert site.visitor("admin").do("DELETE", f"{LIST}/by-web").headers["hx-redirect"] == LIST
    assert editor.open(f"{LIST}/by-web").status_code == 404


def test_the_search_finds_a_view_by_its_features(site):
    found = document(site.registry, "demo", "feature_view:customer-visits")
    assert found is not None
    assert ("plan" in found.text, found.href) == (True, HOME)
    assert document(site.registry, "demo", "feature_view:nothing") is None


def test_the_page_of_a_model_is_told_by_which_views_its_data_was_made(data):
    site, _ = data
    lake = site.registry.get(Lake)
    made = lake.training_set_of("demo", "training", 1)
    assert made is not None
    assert [view["view"] for view in made.definition["views"]] == ["customer-visits"]
    assert lake.training_set_of("demo", "visits", 1) is None


def test_a_program_looks_entities_up_and_builds_a_training_set(data):
    site, rooms = data
    made = site.access.create_key(site.people["editor"], CreateKey(workspace="demo", name="program"))
    with serving(site.app) as url, Client(url, key=made.text, workspace="demo") as client:
        found = client.features("customer-visits").lookup([{"customer": 2}, {"customer": 99}], features=["visits"])
        assert found == [{"visits": 0}, {"visits": 0}]
        with ThreadPoolExecutor() as pool:
            wish = {"spine": "churn", "event_time": "at", "label": "churn"}
            asked = pool.submit(client.features("customer-visits").training_set, "by-program", **wish)
            rooms.rooms.until(asked.done)
        assert (asked.result().state, asked.result().rows) == ("SUCCEEDED", 5)
        with pytest.raises(NotFound):
            client.features("nothing").lookup([{"customer": 1}])


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
def test_the_pages_are_accessible(browser, site, theme, language):
    found: dict[str, list[str]] = {}
    visit = {"theme": theme, "language": language, "cookies": site.cookies("root")}
    pages = {"features": LIST, "feature-view": HOME, "training-set": set_page(site)}
    with serving(site.app) as url, new_page(browser, **visit, url=url) as page:
        for name, path in pages.items():
            page.goto(url + path)
            settle(page)
            picture(page, f"{name}-{theme}-{language}")
            found[path] = axe_violations(page)
    assert {path: lines for path, lines in found.items() if lines} == {}
