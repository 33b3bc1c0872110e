from __future__ import annotations

import pytest

from tests.fixtures.browser import axe_violations, browser, new_page, picture, serving, settle  # noqa: F401
from tests.fixtures.console import console_app


@pytest.fixture(scope="module")
def address():
    with serving(console_app()) as url:
        yield url


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_component_is_accessible(browser, address, theme, language):
    with new_page(browser, theme=theme, language=language, cookies={"as": "admin"}, url=address) as page:
        page.goto(f"{address}/console/_kit")
        settle(page)
        page.mouse.wheel(0, 4_000)
        page.wait_for_timeout(200)
        picture(page, f"kit-{theme}-{language}")
        assert axe_violations(page) == []


def test_no_request_leaves_for_another_host(browser, address):
    with new_page(browser, cookies={"as": "admin"}, url=address) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}/console/_kit")
        settle(page)
        assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
        assert any("charts" in url for url in asked)
