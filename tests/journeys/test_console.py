"""The whole console on a platform with ninety days of history: every page, every role, both themes and languages."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from aimass.apps.overview import Overview
from aimass.apps.overview.domain import InWorkspace
from aimass.bootstrap.discovery import capabilities
from aimass.kernel.principal import ANYWHERE
from aimass.kernel.usecase import SIGNED_IN
from tests.fixtures.browser import axe_violations, browser, new_page, picture, serving  # noqa: F401
from tests.fixtures.history import History, ninety_days
from tests.fixtures.pages import EVERYBODY, PAGES, addresses
from tests.fixtures.site import ROLES, Site, unnamed_actions

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
PEOPLE = [*ROLES, "root"]
# What people wrote into the platform; everything else on a Chinese page is the console's and has to be Chinese.
WRITTEN = (
    "the first model", "six more weeks of customers", "monthly release", "marketing asked for it", "pilot",
    "version 3 fails on customers without a contract", "parity and gate are fine", "checked by hand", "no currency",
    "Export telco-churn for the auditors", "Orders of the web shop", "Scores for the call centre",
    "Which plan suits a customer?",
)  # fmt: skip
ENGLISH = re.compile(r"\b[a-z]{2,} [a-z]{2,} [a-z]{2,}\b")


@pytest.fixture(scope="module")
def history() -> Iterator[History]:
    with ninety_days() as lived:
        yield lived


@pytest.fixture(scope="module")
def site(history: History) -> Site:
    return history.site


@pytest.fixture(scope="module")
def pages(history: History) -> list[tuple[str, str]]:
    return list(addresses(history.site))


@pytest.mark.parametrize("role", PEOPLE)
def test_every_page_opens_for_whom_it_should(site, pages, role):
    visitor, who = site.visitor(role), site.people[role]
    wrong = []
    for path, address in pages:
        answer = visitor.open(address)
        wanted = _wanted(path, PAGES[path].opens_for(who, path))
        if answer.status_code not in wanted:
            wrong.append((address, answer.status_code, wanted))
    assert wrong == []


def _wanted(path: str, may: bool) -> tuple[int, ...]:
    if path in ("/", "/login"):
        return (303,)  # who is signed in is led on
    if path.endswith("{token}"):
        return (410,)
    return (200,) if may else (403,)


def test_a_stranger_finds_no_page_of_the_workspace(site, pages):
    visitor = site.visitor("stranger")
    found = {path: visitor.open(address).status_code for path, address in pages if "{workspace}" in path}
    assert {path: status for path, status in found.items() if status != 404} == {}


def test_nobody_sees_a_page_without_a_sign_in(site, pages):
    visitor = site.visitor()
    found = {path: visitor.open(address).status_code for path, address in pages if PAGES[path].needs != EVERYBODY}
    assert {path: status for path, status in found.items() if status != 303} == {}


@pytest.mark.parametrize("role", PEOPLE)
def test_a_place_without_permission_is_absent_from_the_menu(site, role):
    who, places = site.people[role], [place for room in capabilities() for place in room.pages]
    expected = {
        place.path.replace("{workspace}", "demo")
        for place in places
        if place.permission == SIGNED_IN
        or who.allows(place.permission, "demo" if "{workspace}" in place.path else ANYWHERE)
    }
    text = site.visitor(role).open("/demo").text
    index = re.search(r'id="pages-index">(.*?)</script>', text, re.DOTALL)
    assert index is not None
    assert set(re.findall(r'"href": "([^"]+)"', index[1])) == expected


def test_every_action_of_every_page_names_its_operation(site, pages):
    root, cases = site.visitor("root"), site.cases()
    assert {address: found for _, address in pages if (found := unnamed_actions(root.open(address).text, cases))} == {}


def test_everything_that_needs_somebody_has_one_link_that_opens(site):
    needs = site.registry.get(Overview).list_needs(site.root, InWorkspace(workspace="demo"))
    kinds = {need.kind for need in needs}
    assert kinds >= {"alert", "approval", "collection", "dead_letters", "locked", "quality", "review", "uninvited"}
    root = site.visitor("root")
    assert {need.path: root.open(need.path).status_code for need in needs} == {need.path: 200 for need in needs}


class _Texts(HTMLParser):
    """Gathers what is read on a page, but for code, ids, and what is marked as English."""

    VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())  # noqa: SIM905
    SKIPPED = frozenset({"script", "style", "template", "code", "pre", "textarea", "kbd"})

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.depths: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in self.VOID:
            silent = tag in self.SKIPPED or "mono" in (given.get("class") or "").split() or given.get("lang") == "en"
            self.depths.append(silent or given.get("data-dialog-part") is not None)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID and self.depths:
            self.depths.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not any(self.depths):
            self.texts.append(" ".join(data.split()))


def test_chinese_pages_speak_chinese(site, pages):
    root = site.visitor("root")
    root.client.cookies.set("lang", "zh")
    english: dict[str, list[str]] = {}
    for _, address in pages:
        parser = _Texts()
        parser.feed(root.open(address).text)
        found = [t for t in parser.texts if ENGLISH.search(t) and not any(text in t for text in WRITTEN)]
        if found:
            english[address] = found
    assert english == {}


def test_no_page_has_an_id_where_a_name_belongs(site, pages):
    root = site.visitor("root")
    ids: dict[str, list[str]] = {}
    for _, address in pages:
        parser = _Texts()
        parser.feed(root.open(address).text)
        found = [text for text in parser.texts if re.search(r"\b[0-9A-HJKMNP-TV-Z]{26}\b", text)]
        if found and not re.search(
            r"/work/runs/|/models/", address
        ):  # what a step found out, and the lineage of a card
            ids[address] = found
    assert ids == {}


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    with serving(site.app) as address:
        yield address


def _ready(page: Any) -> None:
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_function("() => document.fonts.status === 'loaded'")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_accessible_in_both_themes(browser, site, url, pages, language):
    found: dict[str, list[str]] = {}
    began = time.monotonic()
    with new_page(browser, language=language, cookies=site.cookies("root"), url=url, width=1440) as page:
        for _, address in pages:
            page.goto(url + address)
            _ready(page)
            for theme in ("light", "dark"):
                page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
                faults = axe_violations(page)
                if faults:
                    found[f"{address} {theme}"] = faults
            if language == "en":
                picture(page, f"filled{re.sub(r'[^a-z0-9]+', '-', address)}", full=False)
    print(f"{len(pages)} pages in {language}: {time.monotonic() - began:.0f} s")
    assert found == {}


@pytest.mark.parametrize("width", [800, 1440])
def test_no_page_scrolls_sideways(browser, site, url, pages, width):
    wide: dict[str, str] = {}
    with new_page(browser, language="en", cookies=site.cookies("root"), url=url, width=width) as page:
        for _, address in pages:
            page.goto(url + address)
            _ready(page)
            measured = page.evaluate("() => document.documentElement.scrollWidth")
            if measured > width:
                wide[address] = f"{measured} > {width}"
    assert wide == {}
