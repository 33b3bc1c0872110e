"""The pages of branches and differences, over HTTP and in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.collector import CAPABILITY as COLLECTOR
from aimass.lake import CAPABILITY as LAKE
from aimass.lake import Lake, ListVersions
from aimass.lake.history import MergeRows
from tests.fixtures.browser import axe_violations, browser, new_page, picture, serving, settle  # noqa: F401
from tests.fixtures.data import ANN, Data
from tests.fixtures.rooms import Rooms
from tests.fixtures.site import Site, site_of, unnamed_actions

HOME = "/demo/data/customers"
FIRST = "id,mail,age\n1,ann@example.org,30\n2,bob@example.org,40\n3,cy@example.org,50\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [ACCESS, CLUSTER, LAKE, COLLECTOR]) as found:
        data = Data(Rooms(found.folder, [], registry=found.registry))
        data.collect(FIRST, source={"keys": ["id"]})
        editor = found.visitor("editor")
        assert editor.do("POST", f"{HOME}/branches", branch="fix", number="1").status_code in (200, 204)
        write(found, "customers@fix", {"id": 1, "age": 99}, {"id": 7, "age": 7})
        write(found, "customers", {"id": 1, "age": 77})
        yield found


def write(site: Site, dataset: str, *rows: dict[str, Any]) -> None:
    whole = [{"mail": None, **row} for row in rows]
    site.registry.get(Lake).merge_rows(ANN, MergeRows(workspace="demo", dataset=dataset, rows=whole))


PAGES = (f"{HOME}/versions?base=1&head=2", f"{HOME}@fix", f"{HOME}@fix/versions", f"{HOME}/branches/fix")


@pytest.mark.parametrize("path", PAGES)
def test_each_page_opens_names_its_operations_and_is_closed_to_strangers(site, path):
    answer = site.visitor("root").open(path)
    assert answer.status_code == 200
    assert unnamed_actions(answer.text, site.cases()) == []
    assert site.visitor("stranger").open(path).status_code == 404


def test_who_manages_the_lake_sees_how_the_rows_lie_and_sets_their_order(site):
    editor, admin = site.visitor("editor"), site.visitor("admin")
    assert ('data-dialog="dataset-order"' in editor.open(f"{HOME}/versions").text) is False
    assert 'data-dialog="dataset-order"' in admin.open(f"{HOME}/versions").text
    assert "The rows lie as they came" in admin.open(f"{HOME}/order").text
    assert editor.do("POST", f"{HOME}/order", columns="age").status_code == 403
    assert admin.do("POST", f"{HOME}/order", columns="age, ").status_code == 204
    assert "A query for one value of age" in admin.open(f"{HOME}/order").text
    assert "Rows lie by" in admin.open(f"{HOME}/versions").text
    assert admin.do("POST", f"{HOME}/order", columns="").status_code == 204


def test_rows_that_differ_are_shown_with_both_cells(site):
    text = site.visitor("editor").open(f"{HOME}/versions?base=1&head=2").text
    assert ('<del class="muted">30</del>' in text, '<ins class="strong">77</ins>' in text) == (True, True)


def test_a_merge_shows_its_conflicts_and_readers_are_offered_no_change(site):
    text = site.visitor("editor").open(f"{HOME}/branches/fix").text
    assert all(word in text for word in ("Rows that both changed", "Merge, its rows count", "99", "77"))
    seen = site.visitor("viewer").open(f"{HOME}/branches/fix").text
    assert ("data-operation" in seen, "example.org" in seen) == (False, False)


@pytest.mark.parametrize(
    "look",
    [{"language": "en", "theme": "light"}, {"language": "zh", "theme": "dark"}],
    ids=lambda look: look["language"],
)
def test_the_pages_have_no_fault_of_accessibility(site, browser, look):
    found: dict[str, list[str]] = {}
    visit = {**look, "cookies": site.cookies("root")}
    with serving(site.app) as url, new_page(browser, **visit, url=url) as page:
        for path in PAGES:
            page.goto(url + path)
            settle(page)
            picture(page, f"branches-{path.rpartition('/')[2].partition('?')[0]}-{look['language']}")
            found[path] = axe_violations(page)
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_a_branch_is_merged_and_a_version_comes_back(site):
    editor = site.visitor("editor")
    refused = editor.do("POST", f"{HOME}/branches/fix/merge")
    assert refused.status_code == 409
    acts = (("POST", "branches/fix/merge", {"prefer": "branch"}), ("POST", "versions/1/revert", {}))
    for method, path, form in (*acts, ("DELETE", "branches/fix", {})):
        assert editor.do(method, f"{HOME}/{path}", **form).headers["hx-redirect"] == f"{HOME}/versions"
    found = site.registry.get(Lake).list_versions(ANN, ListVersions(workspace="demo", dataset="customers")).items
    assert [(one.number, one.origin.partition("/")[0]) for one in found[:2]] == [
        (4, "revert:1"),
        (3, "merge:customers@fix"),
    ]
    assert editor.open(f"{HOME}/branches/fix").status_code == 404
