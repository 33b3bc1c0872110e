"""The page of queries over HTTP and in a browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from html import unescape

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.collector import CAPABILITY as COLLECTOR
from aimass.lake import CAPABILITY as LAKE
from aimass.lake import Lake
from aimass.lake.asking import ListQueryRuns
from aimass.lake.saved import ListSavedQueries, SaveQuery
from aimass.lake.views import OneView
from tests.fixtures.browser import axe_violations, browser, new_page, serving, settle  # noqa: F401
from tests.fixtures.data import Data
from tests.fixtures.rooms import Rooms
from tests.fixtures.site import ROLES, Site, Visitor, site_of, unnamed_actions
from tests.lake.test_asking import SLOW, running, until

HOME = "/demo/queries"
CSV = "id,mail\n" + "".join(f"{n},p{n}@x.org\n" for n in range(1, 121))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, LAKE, COLLECTOR]) as found:
        data(found).collect(CSV, "People", types={"id": "integer"})
        shared = SaveQuery(workspace="demo", name="Shared", sql="select 1 as one", shared=True)
        found.registry.get(Lake).save_query(found.people["admin"], shared)
        yield found


def data(site: Site) -> Data:
    return Data(Rooms(site.folder, [], registry=site.registry))


@pytest.fixture
def analyst(site: Site) -> Visitor:
    return site.visitor("analyst")


def runs(site: Site, role: str = "analyst"):
    return site.registry.get(Lake).list_query_runs(site.people[role], ListQueryRuns(workspace="demo")).items


@pytest.mark.parametrize("role", [*ROLES, "stranger", "root"])
def test_the_page_opens_for_members_and_offers_queries_to_those_who_may(site, role):
    page = site.visitor(role).open(HOME)
    assert page.status_code == (404 if role == "stranger" else 200)
    may = role in ("analyst", "editor", "operator", "admin", "root")
    assert ("sql-editor" in page.text) is may
    if role in ("viewer", "reviewer"):
        assert "Queries need lake.use" in page.text
        assert site.visitor(role).do("POST", f"{HOME}/-/run", sql="select 1").status_code == 403


def test_every_action_names_its_operation(site):
    assert unnamed_actions(site.visitor("root").open(HOME).text, site.cases()) == []


def test_an_answer_comes_in_pages_and_is_in_the_history(site, analyst):
    answer = analyst.do(
        "POST", f"{HOME}/-/run", sql="select * from people where id > $n", parameters='{"n": 20}', tag="t"
    )
    assert answer.status_code == 200
    assert (answer.text.count("<tbody"), answer.text.count("<tbody hidden"), "1 / 2" in answer.text) == (2, 1, True)
    assert "refresh" in json.loads(answer.headers["hx-trigger"])
    assert (runs(site)[0].rows, runs(site)[0].via) == (100, "console")
    assert "select * from people where id" in analyst.open(HOME).text
    columns = analyst.open(f"{HOME}/-/columns/people").text
    assert "data-sql-put='\"mail\"'" in columns


def test_what_is_wrong_is_said_with_its_place(analyst):
    bad = analyst.do("POST", f"{HOME}/-/run", sql="select id,\n  mial from people")
    assert (bad.status_code, bad.json()["field"]) == (400, "sql")
    assert "(line 2, column 3)" in bad.json()["detail"]
    unreadable = analyst.do("POST", f"{HOME}/-/run", sql="select id from people whree")
    assert "line 1" in analyst.do("POST", f"{HOME}/-/run", sql="select (id from people").json()["detail"]
    assert unreadable.status_code in (200, 400)
    values = analyst.do("POST", f"{HOME}/-/run", sql="select 1", parameters="{least")
    assert (values.status_code, values.json()["field"]) == (400, "parameters")


def test_a_file_is_downloaded(analyst):
    answer = analyst.do("POST", f"{HOME}/-/file", sql="select id from people order by id", file_format="csv")
    assert answer.text.splitlines()[:2] == ["id", "1"]
    assert "answer.csv" in answer.headers["content-disposition"]
    assert analyst.do("POST", f"{HOME}/-/file", sql="select nothing", file_format="csv").status_code == 400


def test_the_page_cancels_what_it_runs(site, analyst):
    found: list[int] = []
    ask = threading.Thread(
        target=lambda: found.append(
            site.visitor("analyst").do("POST", f"{HOME}/-/run", sql=SLOW, tag="mine").status_code
        )
    )
    ask.start()
    until(lambda: [q for q in running(data(site), site.people["admin"]) if q.tag == "mine" and q.datasets])
    assert "Running now" in analyst.open(HOME).text
    assert analyst.do("POST", f"{HOME}/-/cancel", tag="other").status_code == 204
    assert len(running(data(site), site.people["admin"])) == 1
    told = analyst.do("POST", f"{HOME}/-/cancel", tag="mine")
    assert "cancelled" in json.loads(told.headers["hx-trigger"])["toast"]["text"]
    ask.join(20)
    assert found == [409]
    assert runs(site)[0].state == "CANCELLED"


def test_queries_are_saved_opened_and_deleted(site, analyst):
    made = analyst.do(
        "POST",
        f"{HOME}/-/save",
        name="By id",
        sql="select * from people where id = $n",
        parameters='{"n": 7}',
        shared="true",
    )
    assert made.headers["hx-redirect"] == f"{HOME}?saved=by-id"
    page = analyst.open(f"{HOME}?saved=by-id").text
    assert "select * from people where id = $n" in page
    assert "{&#34;n&#34;:7}" in page
    assert "By id" in site.visitor("editor").open(HOME).text
    assert site.visitor("editor").do("DELETE", f"{HOME}/by-id").status_code == 403
    assert analyst.do("DELETE", f"{HOME}/by-id").status_code == 204
    kept = site.registry.get(Lake).list_saved_queries(site.people["analyst"], ListSavedQueries(workspace="demo"))
    assert [saved.slug for saved in kept.items] == ["shared"]


def test_history_of_others_is_shown_to_who_manages_the_lake(site, analyst):
    analyst.do("POST", f"{HOME}/-/run", sql="select 'only mine'")
    assert "only mine" not in site.visitor("editor").open(f"{HOME}?everybody=true").text
    assert "only mine" in site.visitor("admin").open(f"{HOME}?everybody=true").text


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
def test_in_a_browser_a_query_is_written_run_and_leafed_through(browser, site, theme, language):
    visit = {"theme": theme, "language": language, "cookies": site.cookies("analyst")}
    with serving(site.app) as url, new_page(browser, url=url, **visit) as page:
        page.goto(f"{url}{HOME}")
        page.locator("summary", has_text="people").click()
        page.locator(".query-columns .query-put").first.wait_for()
        editor = page.locator("#sql")
        editor.fill("select  from people")
        editor.evaluate("area => area.setSelectionRange(7, 7)")
        page.locator(".query-columns .query-put").nth(1).click()
        assert editor.input_value() == 'select "mail" from people'
        editor.press("Control+Enter")
        page.locator("#answer tbody").first.wait_for()
        assert page.locator("#answer tbody:visible tr").count() == 50
        page.locator('[data-page-step="1"]').click()
        assert page.locator("[data-page-shown]").inner_text() == "2 / 3"
        settle(page)
        assert axe_violations(page) == []
        editor.fill("select id,\n  mial from people")
        editor.press("Control+Enter")
        page.locator('[data-field="sql"] .error').wait_for()
        assert editor.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)") == "mial"


def test_in_a_browser_an_answer_is_downloaded_and_a_page_that_is_left_runs_nothing(browser, site):
    with serving(site.app) as url, new_page(browser, url=url, cookies=site.cookies("analyst")) as page:
        page.goto(f"{url}{HOME}")
        editor = page.locator("#sql")
        editor.fill("select count(*) from people")
        with page.expect_download() as got:
            page.locator(".sql-form .menu > summary").first.click()
            page.locator('[data-sql-file="csv"]').click()
        assert got.value.path().read_text().splitlines()[1] == "120"
        editor.fill(SLOW)
        editor.press("Control+Enter")
        until(lambda: [q for q in running(data(site), site.people["admin"]) if q.datasets])
        page.goto(f"{url}/demo/data")
        until(lambda: not running(data(site), site.people["admin"]))


def test_a_query_is_kept_as_a_view_of_its_own(site):
    editor = site.visitor("editor")
    assert "keep-view" in editor.open(HOME).text
    assert "keep-view" not in site.visitor("analyst").open(HOME).text
    wish = {"name": "Few people", "sql": "select *\r\nfrom people\r\nwhere id < $n", "parameters": '{"n": 20}'}
    made = editor.do("POST", "/demo/views", **wish, refresh="manual", every_minutes="2", layer="silver")
    assert made.headers["hx-redirect"].startswith("/demo/views/few-people")
    page = editor.open("/demo/views/few-people")
    assert page.status_code == 200
    for told in ("being refreshed", "/demo/data/people", "/work/jobs/", "where id &lt; $n"):
        assert told in page.text, told
    assert unnamed_actions(page.text, site.cases()) == []
    assert "Made by the view" in editor.open("/demo/data/few-people").text
    for role, answer in (("viewer", 403), ("stranger", 404)):
        assert site.visitor(role).do("POST", "/demo/views/few-people/refreshes").status_code == answer
    assert "data-operation" not in site.visitor("viewer").open("/demo/views/few-people").text
    assert json.loads(editor.do("POST", "/demo/views/few-people/refreshes").headers["hx-trigger"])["toast"]
    changed = {**wish, "name": "A few", "refresh": "on_change", "every_minutes": "5", "layer": "gold"}
    admin = site.visitor("admin")
    stale = admin.do("POST", "/demo/views/few-people/settings", **changed, expected_version="9")
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    assert admin.do("POST", "/demo/views/few-people/settings", **changed, expected_version="1").status_code in (
        200,
        204,
    )
    found = site.registry.get(Lake).get_view(site.people["admin"], OneView(workspace="demo", view="few-people"))
    assert (found.name, found.every_s, found.layer, found.owner_name) == ("A few", 300, "gold", "editor")
    assert found.sql == "select *\nfrom people\nwhere id < $n"
    assert f'{{"expected_version": {found.version}}}' in unescape(admin.open("/demo/views/few-people").text)
    owner = [admin.do("POST", "/demo/views/few-people/owner", expected_version=n) for n in ("1", str(found.version))]
    assert owner[0].status_code == 412, "not a text that he has not seen"
    assert owner[1].status_code in (200, 204)
    assert "A few" in site.visitor("viewer").open("/demo/views?q=few").text
    bad = editor.do("POST", "/demo/views", **{**wish, "name": "Bad", "sql": "drop table people"})
    assert (bad.status_code, bad.json()["field"]) == (400, "sql")
    assert admin.do("DELETE", "/demo/views/few-people").headers["hx-redirect"].startswith("/demo/views")
