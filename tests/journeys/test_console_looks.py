"""The whole console in a browser, on a platform with ninety days of history: themes, languages, widths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.fixtures.browser import axe_violations, browser, new_page, serving, settle  # noqa: F401
from tests.fixtures.history import ninety_days
from tests.fixtures.pages import addresses
from tests.fixtures.site import Site

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with ninety_days() as lived:
        yield lived.site


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    with serving(site.app) as address:
        yield address


@pytest.fixture(scope="module")
def pages(site: Site) -> list[str]:
    return [address for _, address in addresses(site)]


def _watch(page: Page, failed: list[str]) -> None:
    """Note every answer that is an error and every request that got none; links that are over are meant to be 410."""

    def answered(answer: Any) -> None:
        if answer.status >= 400 and not (answer.status == 410 and "/no-such-link" in answer.url):
            failed.append(f"{answer.status} {answer.url}")

    page.on("response", answered)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_accessible_in_both_themes_and_asks_for_nothing_in_vain(site, url, pages, browser, language):
    found: dict[str, list[str]] = {}
    failed: list[str] = []
    with new_page(browser, language=language, cookies=site.cookies("root"), url=url, width=1440) as page:
        _watch(page, failed)
        for address in pages:
            page.goto(url + address)
            settle(page)
            for theme in ("light", "dark"):
                page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
                if faults := axe_violations(page):
                    found[f"{address} {theme}"] = faults
    assert found == {}
    assert failed == []


@pytest.mark.parametrize("width", [400, 800])
def test_no_page_scrolls_sideways(site, url, pages, browser, width):
    wide: dict[str, str] = {}
    with new_page(browser, language="en", cookies=site.cookies("root"), url=url, width=width) as page:
        for address in pages:
            page.goto(url + address)
            page.wait_for_selector("html[data-ready]", state="attached")
            measured = page.evaluate("() => document.documentElement.scrollWidth")
            if measured > width:
                wide[address] = f"{measured} > {width}"
    assert wide == {}
