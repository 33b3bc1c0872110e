"""The pages of erasures over HTTP and in a browser: who may, what is asked, and that nobody is told whom it is about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from aimass.apps.storage import Storage
from aimass.apps.storage.domain import AskErasure, Erasure
from aimass.infra.database import Database
from aimass.kernel.principal import SYSTEM
from aimass.models import Models
from tests.fixtures.browser import axe_violations, browser, new_page, serving, settle  # noqa: F401
from tests.fixtures.packages import packages, registered
from tests.fixtures.site import ROLES, Site, unnamed_actions, whole_site

PATH, BOB = "/demo/privacy/erasures", "bob@example.org"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with whole_site(tmp_path_factory.mktemp("site")) as found:
        yield found


@pytest.fixture(scope="module")
def incomplete(site: Site) -> Erasure:
    """An erasure that leaves a model which has learned the value."""
    registered(site.registry.get(Models), SYSTEM, "churn", packages()["one"])
    storage, clock = site.registry.get(Storage), site.registry.get(Database).clock
    one = storage.ask_erasure(site.root, AskErasure(workspace="demo", values=["basic"]))
    storage.erase_due()
    now = clock.now()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: now + timedelta(minutes=5))
        storage.erase_due()
    return one


@pytest.mark.parametrize("role", [*ROLES, "root", "stranger", None])
def test_the_page_is_for_who_may_erase(site: Site, role: str | None) -> None:
    expected = {"admin": 200, "root": 200, "stranger": 404, None: 303}.get(role, 403)
    assert site.visitor(role).open(PATH).status_code == expected


@pytest.mark.parametrize("role", [*ROLES, "stranger"])
def test_only_who_may_erase_can_ask_and_only_the_administrator_everywhere(site: Site, role: str) -> None:
    expected = {"admin": 204, "stranger": 404}.get(role, 403)
    visitor = site.visitor(role)
    assert visitor.do("POST", PATH, values=BOB).status_code == expected
    assert visitor.do("POST", PATH, values=BOB, where="everywhere").status_code == (404 if role == "stranger" else 403)


def test_the_pages_ask_show_and_repeat_without_telling_whom(site: Site) -> None:
    root = site.visitor("root")
    address = root.do("POST", PATH, values=f"{BOB}\n\nA-1007\n", column="").headers["HX-Redirect"]
    assert BOB not in root.open(address).text + root.open(PATH).text
    assert root.do("POST", f"{address}/repeat").status_code == 409
    everywhere = root.do("POST", PATH, values=BOB, where="everywhere").headers["HX-Redirect"]
    assert "every workspace" in root.open(everywhere).text
    assert root.do("POST", PATH, values=" \n").status_code == 400


def test_what_is_left_is_told_in_chinese_too(site: Site, incomplete: Erasure) -> None:
    root = site.visitor("root")
    assert "train it again without that column" in root.open(f"{PATH}/{incomplete.id}").text
    page = root.open(f"{PATH}/{incomplete.id}", **{"Accept-Language": "zh"}).text
    assert "请去掉该列重新训练" in page
    assert "模型样例" in page


def test_every_action_names_its_operation(site: Site, incomplete: Erasure) -> None:
    for path in (PATH, f"{PATH}/{incomplete.id}"):
        assert unnamed_actions(site.visitor("root").open(path).text, site.cases()) == []


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
def test_the_pages_are_accessible(browser, site, incomplete, theme, language):
    pages = new_page(browser, theme=theme, language=language, cookies=site.cookies("root"), url="http://127.0.0.1")
    with serving(site.app) as url, pages as page:
        for path in (PATH, f"{PATH}?where=everywhere", f"{PATH}/{incomplete.id}"):
            page.goto(url + path)
            settle(page)
            assert axe_violations(page) == [], path
