"""The toolkit's own pages in a real browser: sign in, first start, errors, menus, small screens."""

from __future__ import annotations

import pytest
from fastapi import Request, Response

from aimass.web import Console
from aimass.web.visit import page_router
from tests.fixtures.browser import axe_violations, browser, new_page, picture, serving, settle  # noqa: F401
from tests.fixtures.console import console_app

PAGES = {
    "login": {"action": "/login", "next": "/", "methods": [("SSO", "/oauth2/start")]},
    "setup": {"action": "/setup"},
}


@pytest.fixture(scope="module")
def address():
    app = console_app()
    router = page_router()

    @router.get("/show/{name}")
    def show(request: Request, name: str) -> Response:
        console: Console = request.app.state.console
        return console.render(request, f"pages/{name}.html", **PAGES[name])

    app.router.routes[:0] = router.routes
    with serving(app) as url:
        yield url


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["show/login", "show/setup", "demo/nothing-here"])
def test_it_is_accessible(browser, address, path, theme, language):
    cookies = {} if path.startswith("show") else {"as": "viewer"}
    with new_page(browser, theme=theme, language=language, cookies=cookies, url=address) as page:
        page.goto(f"{address}/{path}")
        settle(page)
        picture(page, f"{path.replace('/', '-')}-{theme}-{language}")
        assert axe_violations(page) == []


def test_the_menu_of_the_visitor_is_accessible_and_changes_the_theme(browser, address):
    with new_page(browser, cookies={"as": "admin"}, url=address) as page:
        page.goto(f"{address}/console/_kit")
        settle(page)
        page.locator("summary[aria-label='You: eve']").click()
        picture(page, "user-menu", full=False)
        assert axe_violations(page, "details.menu[open]") == []
        with page.expect_navigation():
            page.get_by_role("button", name="Dark").click()
        assert page.locator("html").get_attribute("data-theme") == "dark"


def test_the_language_of_the_menu_is_kept(browser, address):
    with new_page(browser, cookies={"as": "admin"}, url=address) as page:
        page.goto(f"{address}/console/_kit")
        page.locator("summary[aria-label='You: eve']").click()
        with page.expect_navigation():
            page.get_by_role("button", name="中文").click()
        assert page.locator("h1").inner_text().startswith("组件")
        assert page.locator("html").get_attribute("lang") == "zh"


def test_a_small_screen_scrolls_in_one_direction_only(browser, address):
    with new_page(browser, cookies={"as": "admin"}, url=address, width=420) as page:
        page.goto(f"{address}/console/_kit")
        settle(page)
        picture(page, "small", full=False)
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
        assert axe_violations(page) == []
