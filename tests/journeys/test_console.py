"""The whole console on a platform with ninety days of history: every page for every role, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from httpx2 import Response

from aimass.apps.overview import Overview
from aimass.apps.overview.domain import InWorkspace
from aimass.bootstrap.discovery import capabilities
from aimass.kernel.principal import ANYWHERE
from aimass.kernel.usecase import SIGNED_IN
from tests.fixtures.history import History, ninety_days
from tests.fixtures.pages import EVERYBODY, PAGES, addresses
from tests.fixtures.site import ROLES, Site, unnamed_actions

pytestmark = pytest.mark.timeout(600)
PEOPLE = [*ROLES, "root"]
# What people wrote into the platform; everything else on a Chinese page is the console's and has to be Chinese.
WRITTEN = (
    "the first model", "six more weeks of customers", "monthly release", "marketing asked for it", "pilot",
    "version 3 fails on customers without a contract", "parity and gate are fine", "checked by hand", "no currency",
    "Export telco-churn for the auditors", "Orders of the web shop", "Scores for the call centre",
    "Which plan suits a customer?", "its fault is mended in the shop", "Strength of the penalty",
)  # fmt: skip
ENGLISH = re.compile(r"\b[a-z]{2,} [a-z]{2,} [a-z]{2,}\b|[\u4e00-\u9fff].*\b(limit|without|the|of|is|and)\b|Project-Id")
RAW = re.compile(r"\b(None|nan|NaN|undefined|Traceback)\b|\{\{|\{%|%\([a-z_]+\)|<[a-z.]+ object at")
ULID = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b")


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


@pytest.fixture(scope="module")
def read(site: Site, pages: list[tuple[str, str]]) -> dict[str, dict[str, Response]]:
    """Open every page once as the administrator of the platform, in each language."""
    found: dict[str, dict[str, Response]] = {}
    for language in ("en", "zh"):
        root = site.visitor("root")
        root.client.cookies.set("lang", language)
        found[language] = {address: root.open(address) for _, address in pages}
    return found


def test_the_administrator_of_the_platform_opens_every_page(read, pages):
    wanted = {address: _wanted(path, may=True) for path, address in pages}
    for answers in read.values():
        wrong = {a: (answer.status_code, wanted[a]) for a, answer in answers.items() if answer.status_code != wanted[a]}
        assert wrong == {}


@pytest.mark.parametrize("role", ROLES)
def test_every_page_opens_for_whom_it_should(site, pages, role):
    visitor, who = site.visitor(role), site.people[role]
    visitor.client.cookies.set("lang", "zh")
    wrong: dict[str, tuple[int, int]] = {}
    for path, address in dict(reversed(pages)).items():  # each page once: its first address
        answer, wanted = visitor.open(address), _wanted(path, may=PAGES[path].opens_for(who, path))
        if answer.status_code != wanted:
            wrong[address] = (answer.status_code, wanted)
        elif wanted == 403:
            assert "您无权查看" in answer.text, address
            assert 'id="main"' in answer.text, address
    assert wrong == {}


def _wanted(path: str, *, may: bool) -> int:
    if path in ("/", "/login"):
        return 303  # who is signed in is led on
    if path.endswith("{token}"):
        return 410
    return 200 if may else 403


OF_THE_PLATFORM = {
    "/operate/storage", "/settings/single-sign-on", "/settings/single-sign-on/{provider}", "/settings/token-keys",
    "/settings/users", "/settings/users/{user}",
}  # fmt: skip
OF_ADMINISTRATORS = OF_THE_PLATFORM | {"/{workspace}/settings/audit", "/{workspace}/privacy/erasures"}
OF_USERS = OF_ADMINISTRATORS | {"/{workspace}/sources/-/import"}
REFUSED = {
    "viewer": OF_USERS,
    "reviewer": OF_USERS,
    "analyst": OF_ADMINISTRATORS,
    "editor": OF_ADMINISTRATORS,
    "operator": OF_ADMINISTRATORS,
    "admin": OF_THE_PLATFORM,
    "root": set[str](),
}


@pytest.mark.parametrize(("role", "refused"), REFUSED.items(), ids=list(REFUSED))
def test_a_role_is_refused_these_pages_and_no_other(site, role, refused):
    who = site.people[role]
    assert {path for path, page in PAGES.items() if not page.opens_for(who, path)} == refused


def test_a_stranger_finds_no_page_of_the_workspace(site, pages):
    visitor = site.visitor("stranger")
    visitor.client.cookies.set("lang", "zh")
    inside = [address for path, address in pages if "{workspace}" in path]
    answers = {address: visitor.open(address) for address in inside}
    assert {address: a.status_code for address, a in answers.items() if a.status_code != 404} == {}
    assert [address for address, a in answers.items() if "此页面不存在" not in a.text] == []


def test_who_is_not_signed_in_is_led_to_the_sign_in_and_back(site, pages):
    visitor = site.visitor()
    closed = [address for path, address in pages if PAGES[path].needs != EVERYBODY]
    answers = {address: visitor.open(address) for address in closed}
    assert {address: a.status_code for address, a in answers.items() if a.status_code != 303} == {}
    assert [address for address, a in answers.items() if not a.headers["location"].startswith("/login")] == []
    assert answers["/demo/models"].headers["location"] == "/login?next=/demo/models"


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


def test_every_action_of_every_page_names_its_operation(site, read):
    operations = {one["operationId"] for way in site.app.openapi()["paths"].values() for one in way.values()}
    found = {address: unnamed_actions(answer.text, operations) for address, answer in read["en"].items()}
    assert {address: unnamed for address, unnamed in found.items() if unnamed} == {}


def test_everything_that_needs_somebody_has_one_link_that_opens(site):
    needs = site.registry.get(Overview).list_needs(site.root, InWorkspace(workspace="demo"))
    kinds = {need.kind for need in needs}
    assert kinds >= {"alert", "approval", "collection", "dead_letters", "locked", "quality", "review", "uninvited"}
    root = site.visitor("root")
    assert {need.path: root.open(need.path).status_code for need in needs} == {need.path: 200 for need in needs}


class _Texts(HTMLParser):
    """Gathers what is read on a page, but for code, ids, and what is marked as English."""

    VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())  # noqa: SIM905
    RAW = frozenset({"mono", "audit-detail"})
    SKIPPED = frozenset({"script", "style", "template", "code", "pre", "textarea", "kbd"})

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.depths: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in self.VOID:
            return
        classes = (given.get("class") or "").split()
        silent = tag in self.SKIPPED or not self.RAW.isdisjoint(classes) or given.get("data-dialog-part") is not None
        self.depths.append(silent or (given.get("lang") == "en" and tag != "html"))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID and self.depths:
            self.depths.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not any(self.depths):
            self.texts.append(" ".join(data.split()))


def _texts(answer: Response) -> list[str]:
    parser = _Texts()
    parser.feed(answer.text)
    return parser.texts


def _is_raw(text: str) -> bool:
    return bool(RAW.search(text) or ULID.search(text))


def _is_english(text: str) -> bool:
    return bool(ENGLISH.search(text)) and not any(written in text for written in WRITTEN)


def test_no_page_shows_an_id_or_a_raw_value(read):
    for answers in read.values():
        raw = {address: [text for text in _texts(answer) if _is_raw(text)] for address, answer in answers.items()}
        assert {address: texts for address, texts in raw.items() if texts} == {}


def test_what_a_person_did_is_told_with_names(read):
    page = next(answer.text for address, answer in read["en"].items() if address.startswith("/settings/users/"))
    table = page.partition("What this person did lately</h2>")[2].partition("</table>")[0]
    assert "Train gradient_boosting on telco-churn version 3" in table
    assert re.findall(r">[^<]*…[0-9A-Z]{6}<", table) == []


def test_chinese_pages_speak_chinese(read):
    found = {address: [*filter(_is_english, _texts(answer))] for address, answer in read["zh"].items()}
    assert {address: texts for address, texts in found.items() if texts} == {}
