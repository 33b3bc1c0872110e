"""The whole console in a browser, on a platform with ninety days of history: themes, languages, widths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.fixtures.browser import axe_violations, browser, new_page, serving, settle  # noqa: F401
from tests.fixtures.history import ninety_days
from tests.fixtures.pages import addresses
from tests.fixtures.site import Site

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
PARTS = 4
WIDTHS = (1440, 800, 400)
# what a theme can break: it changes colours alone, neither elements nor sizes
COLOURS = ["color-contrast", "link-in-text-block"]


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


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_accessible_in_both_themes_fits_and_asks_for_nothing_in_vain(
    site: Site, url: str, pages: list[str], browser: Browser, language: str, part: int
) -> None:
    """Look at each page once: in the light with every rule, in the dark with those of colours, then on narrower screens."""
    found: dict[str, list[str]] = {}
    wide: dict[str, list[int]] = {}
    failed: list[str] = []
    with new_page(browser, language=language, cookies=site.cookies("root"), url=url, width=WIDTHS[0]) as page:
        _watch(page, failed)
        for address in pages[part::PARTS]:
            page.set_viewport_size({"width": WIDTHS[0], "height": 900})
            page.goto(url + address)
            settle(page)
            for theme, rules in (("light", None), ("dark", COLOURS)):
                page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
                if faults := axe_violations(page, rules=rules):
                    found[f"{address} {theme}"] = faults
            if too_wide := [width for width in WIDTHS if _scrolls_sideways(page, width)]:
                wide[address] = too_wide
    assert found == {}
    assert wide == {}
    assert failed == []


def _scrolls_sideways(page: Page, width: int) -> bool:
    page.set_viewport_size({"width": width, "height": 900})
    measured = page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame("
        "() => done(document.documentElement.scrollWidth))))"
    )
    return bool(measured > width)


def test_the_rules_of_colours_find_what_all_rules_find_in_the_dark(
    site: Site, url: str, pages: list[str], browser: Browser
) -> None:
    """Hold the short look at the dark theme against the whole one, on pages with faults of colour put in."""
    pale = (  # a sheet, so that a part that comes anew while rules are looked at has its faults too
        "() => { const sheet = new CSSStyleSheet(); sheet.replaceSync('main p, main td, main a { color: #334 !important }');"
        " document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet] }"
    )
    seen = 0
    with new_page(browser, cookies=site.cookies("root"), url=url, width=WIDTHS[0], theme="dark") as page:
        for address in pages[:: len(pages) // 5]:
            page.goto(url + address)
            settle(page)
            page.evaluate(pale)
            everything = axe_violations(page)
            assert axe_violations(page, rules=COLOURS) == everything, address
            seen += len(everything)
    assert seen > 0
