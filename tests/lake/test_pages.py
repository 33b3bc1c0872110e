"""The pages of datasets over HTTP and in a browser: who sees what, what each action does."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.collector import CAPABILITY as COLLECTOR
from aimass.lake import CAPABILITY as LAKE
from aimass.lake import AboutVersion, CreateDataset, Lake, ListVersions, OneDataset
from aimass.lake.console import datasets
from tests.fixtures.browser import axe_violations, browser, new_page, serving, settle  # noqa: F401
from tests.fixtures.data import ANN, Data
from tests.fixtures.rooms import Rooms
from tests.fixtures.site import ROLES, Site, Visitor, site_of, unnamed_actions

HOME = "/demo/data/customers"
TABS = (HOME, *(f"{HOME}/{tab}" for tab in ("profile", "quality", "versions", "quarantine", "query")))
PAGES = ("/demo/data", "/demo/data?show=deleted", "/demo/data?q=none", "/demo/data/empty", *TABS)
MORE = (f"{HOME}?version=1", f"{HOME}/versions?base=1&head=2", f"{HOME}/profile?q=mail")
FIRST = "id,name,mail,age\n" + "".join(f"{n},n{n % 3},p{n}@example.org,{20 + n % 50}\n" for n in range(150))
SECOND = "id,name,mail,age\n900,n9,x@example.org,x\n901,n1,y@example.org,33\n"
USERS = ("analyst", "editor", "operator", "admin", "root")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, LAKE, COLLECTOR]) as found:
        data = Data(Rooms(found.folder, [], registry=found.registry))
        data.collect(FIRST, source={"keys": ["id"], "max_reject_rate": 1.0})
        data.collect(SECOND, types={"age": "integer"})
        data.lake.create_dataset(ANN, CreateDataset(workspace="demo", name="empty"))
        yield found


@pytest.fixture
def editor(site: Site) -> Visitor:
    return site.visitor("editor")


def lake(site: Site) -> Lake:
    return site.registry.get(Lake)


def version_of(site: Site) -> int:
    return lake(site).get_dataset(ANN, OneDataset(workspace="demo", dataset="customers")).version


def toast(answer) -> str:
    assert answer.status_code in (200, 204), answer.text
    return json.loads(answer.headers["hx-trigger"])["toast"]["text"]


@pytest.mark.parametrize("path", [*PAGES, *MORE])
@pytest.mark.parametrize("role", [*ROLES, "stranger", "root"])
def test_each_page_opens_for_members_of_the_workspace(site, path, role):
    compares = "base=" in path and role not in USERS
    wanted = 404 if role == "stranger" else 403 if compares else 200
    assert site.visitor(role).open(path).status_code == wanted


@pytest.mark.parametrize("path", [*PAGES, *MORE])
def test_every_action_names_its_operation(site, path):
    assert unnamed_actions(site.visitor("root").open(path).text, site.cases()) == []


@pytest.mark.parametrize("path", TABS)
def test_who_may_only_read_is_offered_no_change(site, path):
    assert "data-operation" not in site.visitor("viewer").open(path).text


def test_what_is_not_there_is_said_as_such(site):
    for path in ("/demo/data/nothing", f"{HOME}?version=9", "/demo/data/nothing/quality"):
        assert site.visitor("viewer").open(path).status_code == 404


@pytest.mark.parametrize(
    ("role", "seen"), [("viewer", False), ("reviewer", False), ("analyst", True), ("editor", True)]
)
def test_personal_data_is_hidden_from_those_who_may_only_read(site, role, seen):
    visitor = site.visitor(role)
    assert ("p1@example.org" in visitor.open(HOME).text) is seen
    assert "p1@example.org" not in visitor.open(f"{HOME}/profile").text
    assert "Rows 151 to 151 of 151" in visitor.open(f"{HOME}?offset=150").text


def test_the_first_who_looks_at_a_large_profile_sees_that_it_is_being_made(site, monkeypatch):
    monkeypatch.setattr(datasets, "CELLS_IN_A_MOMENT", 0)
    Data(Rooms(site.folder, [], registry=site.registry)).collect("id\n1\n2\n", "Fresh")
    home, visitor = "/demo/data/fresh/profile", site.visitor("viewer")
    assert "is being made" in visitor.open(home).text
    assert "is being made" in visitor.open(home).text
    part = visitor.part(home, "columns").text
    assert ("is being made" in part, ">id<" in part) == (False, True)
    assert ">id<" in visitor.open(home).text


def test_the_list_shows_quality_rows_and_personal_data_and_filters(site):
    visitor = site.visitor("viewer")
    text = visitor.part("/demo/data", "datasets").text
    assert all(word in text for word in ("Customers", "151", "personal", "empty"))
    assert "<html" not in text
    assert "Customers" not in visitor.part("/demo/data?q=emp", "datasets").text


def test_a_rule_is_added_changed_and_taken_away(site, editor):
    form = {"kind": "range", "column": "age", "least": "18", "most": "99.5", "severity": "warning"}
    assert "next version" in toast(
        editor.do("POST", f"{HOME}/quality/rules", **form, expected_version=version_of(site))
    )
    rules = {rule.id: rule for rule in lake(site).list_rules(ANN, OneDataset(workspace="demo", dataset="customers"))}
    assert (rules["range:age:2"].params, rules["range:age:2"].severity) == ({"min": 18, "max": 99.5}, "warning")
    change = {"rule": "not_null:mail", "change": "off"}
    toast(editor.do("POST", f"{HOME}/quality/rules/change", **change, expected_version=version_of(site)))
    toast(editor.do("POST", f"{HOME}/quality/check"))
    report = lake(site).get_quality(ANN, AboutVersion(workspace="demo", dataset="customers"))
    assert "not_null:mail" not in {rule["id"] for rule in report.rules}
    stale = editor.do("POST", f"{HOME}/quality/rules/change", **change, expected_version=1)
    assert stale.status_code == 412


def test_a_number_that_is_none_is_said_at_its_field(site, editor):
    form = {"kind": "range", "column": "id", "least": "many", "expected_version": version_of(site)}
    answer = editor.do("POST", f"{HOME}/quality/rules", **form)
    assert (answer.status_code, answer.json()["field"]) == (400, "least")


def test_a_version_is_tagged_kept_and_compared(site, editor):
    toast(editor.do("POST", f"{HOME}/versions/1/tag", tag="golden"))
    toast(editor.do("POST", f"{HOME}/versions/1/pin", pinned="true"))
    first = lake(site).list_versions(ANN, ListVersions(workspace="demo", dataset="customers")).items[-1]
    assert (first.tag, first.pinned) == ("golden", True)
    assert "golden" in editor.part(f"{HOME}/versions", "versions").text
    text = editor.open(f"{HOME}/versions?base=2&head=1").text
    assert "From version 1 to version 2" in text
    assert editor.do("POST", f"{HOME}/versions/1/tag", tag="Not A Tag").json()["field"] == "tag"


def test_a_query_answers_or_says_what_is_wrong(site):
    analyst = site.visitor("analyst")
    answer = analyst.do("POST", f"{HOME}/query", sql='SELECT count(*) AS n FROM "customers"')
    assert (answer.status_code, "151" in answer.text) == (200, True)
    boxes = "SELECT [{'label': 'hat', 'x': 0.1::FLOAT, 'points': NULL}] AS boxes, [1.5, 2.0] AS pixels"
    shown = html.unescape(analyst.do("POST", f"{HOME}/query", sql=boxes).text)
    assert '>[{"label":"hat","x":0.1,"points":null}]<' in shown
    assert ">[1.5,2]<" in shown
    wrong = analyst.do("POST", f"{HOME}/query", sql="SELECT * FROM read_csv('/etc/passwd')")
    assert (wrong.status_code, wrong.json()["field"]) == (400, "sql")
    assert site.visitor("viewer").do("POST", f"{HOME}/query", sql="SELECT 1").status_code == 403


def test_an_answer_is_kept_as_a_new_dataset(site, editor):
    sql = 'SELECT name, count(*) AS n FROM "customers" GROUP BY name ORDER BY name'
    answer = editor.do("POST", f"{HOME}/query/keep", sql=sql, into="By name")
    assert answer.headers["hx-redirect"] == "/demo/data/by-name/versions"
    one = OneDataset(workspace="demo", dataset="by-name")
    Rooms(site.folder, [], registry=site.registry).until(lambda: lake(site).get_dataset(ANN, one).latest)
    assert lake(site).get_dataset(ANN, one).rows == 3


def test_a_column_is_marked_as_personal_and_unmarked(site, editor):
    form = {"column": "name", "private": "true", "expected_version": version_of(site)}
    assert "hidden" in toast(editor.do("POST", f"{HOME}/classification", **form))
    assert ">n1<" not in site.visitor("viewer").open(f"{HOME}/profile").text
    form = {"column": "name", "private": "false", "expected_version": version_of(site)}
    assert "shown" in toast(editor.do("POST", f"{HOME}/classification", **form))
    assert ">n1<" in site.visitor("viewer").open(HOME).text


def test_a_dataset_is_made_changed_deleted_and_brought_back(site, editor):
    made = editor.do("POST", "/demo/data", name="Köln 😀", description="x")
    address = made.headers["hx-redirect"]
    settings = {"name": "Köln 😀", "keys": "a, b", "retain_days": "30", "expected_version": "1"}
    assert editor.do("POST", f"{address}/settings", **settings).headers["hx-redirect"] == address
    assert editor.do("DELETE", address).status_code == 403
    admin = site.visitor("admin")
    assert admin.do("DELETE", address).headers["hx-redirect"] == "/demo/data"
    assert "Köln" in admin.open("/demo/data?show=deleted").text
    assert admin.do("POST", f"{address}/restore").headers["hx-redirect"] == address
    admin.do("DELETE", address)
    assert "for good" in toast(admin.do("POST", f"{address}/purge"))
    assert admin.open(address).status_code == 404


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
def test_the_pages_are_accessible(browser, site, theme, language):
    found: dict[str, list[str]] = {}
    visit = {"theme": theme, "language": language, "cookies": site.cookies("root")}
    with serving(site.app) as url, new_page(browser, **visit, url=url) as page:
        for path in (*PAGES, f"{HOME}/versions?base=1&head=2"):
            page.goto(url + path)
            settle(page)
            found[path] = axe_violations(page)
    assert {path: lines for path, lines in found.items() if lines} == {}
