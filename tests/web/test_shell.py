"""The shell in a real browser: keyboard, palette, forms, live channel, charts."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from playwright.sync_api import expect

from aimass.infra.database import Database, metadata
from aimass.infra.search import Document, Search
from aimass.kernel.registry import Registry
from aimass.web import Visit
from aimass.web.visit import PageRoute
from tests.fixtures.browser import axe_violations, browser, new_page, picture, serving, settle  # noqa: F401
from tests.fixtures.console import console_app

LIVE_PAGE = """{% extends "pages/base.html" %}{% block title %}Live{% endblock %}{% block content %}
<h1>Live</h1><p data-live-title="demo/job:7:fraction"></p><p id="count" data-live="demo/job:7:count">0</p>{{ ui.progress(0.1, "Progress", live="demo/job:7:fraction") }}
{% call ui.part("part", here.but(), live="demo/job:7") %}<p id="asked">{{ asked }}</p>{% endcall %}
{{ ui.chart_card("line", {"x": "step", "series": [{"name": "loss", "points": [[0, 1.0]]}]}, "Loss", live="demo/job:7") }}{% endblock %}"""


class Stage:
    """An application whose live channel says what a test tells it to."""

    def __init__(self, folder: Path) -> None:
        database = Database(f"sqlite:///{folder}/console.db")
        metadata.create_all(database.engine)
        search = Search(database)
        thing = Document(
            workspace="demo",
            key="model:churn",
            kind="model",
            title="churn 客户流失",
            text="LightGBM",
            href="/demo/models",
            permission="models.read",
        )
        search.put([thing, replace(thing, key="dataset:churn", kind="dataset", title="churn data")])
        registry = Registry()
        registry.put(Search, search)
        self.app = console_app(registry=registry)
        self.asked = 0
        self.followed: dict[int, set[str]] = {}
        self.sockets: list[WebSocket] = []
        self.loop: asyncio.AbstractEventLoop | None = None
        console = self.app.state.console
        for language in ("en", "zh"):
            env = console.environments[language]
            env.loader.loaders.append(_Texts({"live.html": LIVE_PAGE}))
        own = FastAPI()
        own.router.route_class = PageRoute
        own.add_api_websocket_route("/api/v1/live", self.live)
        own.add_api_route("/demo/live", self.page, response_model=None)
        own.add_api_route("/demo/models", self.page, response_model=None)
        self.app.router.routes[:0] = own.router.routes[-3:]

    def page(self, visit: Visit):
        self.asked += 1
        return visit.render("live.html", asked=self.asked)

    async def live(self, socket: WebSocket) -> None:
        self.loop = asyncio.get_running_loop()
        await socket.accept()
        self.sockets.append(socket)
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                wish = await socket.receive_json()
                self.followed.setdefault(id(socket), set()).update(wish.get("sub", ()))

    def until_followed(self, page) -> None:
        """Wait until the last socket follows the job."""
        for _ in range(500):
            if self.sockets and self.followed.get(id(self.sockets[-1])):
                return
            page.wait_for_timeout(20)
        pytest.fail("the page follows nothing")

    def tell(self, seq: int, **data) -> None:
        message = {"topic": "demo/job:7", "seq": seq, "data": data}
        asyncio.run_coroutine_threadsafe(self.sockets[-1].send_json(message), self.loop).result(5)

    def hang_up(self) -> None:
        asyncio.run_coroutine_threadsafe(self.sockets[-1].close(1012), self.loop).result(5)


def _Texts(templates):  # noqa: N802 stands for a loader class
    from jinja2 import DictLoader

    return DictLoader(templates)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    return Stage(tmp_path_factory.mktemp("stage"))


@pytest.fixture(scope="module")
def address(stage):
    with serving(stage.app) as url:
        yield url


@pytest.fixture
def page(browser, address):
    with new_page(browser, cookies={"as": "admin"}, url=address) as opened:
        opened.goto(f"{address}/console/_kit")
        settle(opened)
        yield opened


def test_the_palette_finds_pages_and_objects_by_keyboard_alone(page):
    page.keyboard.press("Control+k")
    page.keyboard.type("m:流失")
    expect(page.locator("#palette-list .palette-item")).to_have_text(["churn 客户流失Model"])
    picture(page, "palette", full=False)
    assert axe_violations(page) == []
    page.keyboard.press("Enter")
    page.wait_for_url("**/demo/models")


def test_two_keys_go_to_a_place_and_others_open_sheet_and_rail(page):
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    picture(page, "keys", full=False)
    page.keyboard.press("Escape")
    page.keyboard.press("[")
    expect(page.locator("body")).to_have_attribute("data-rail", "narrow")
    picture(page, "narrow", full=False)
    page.keyboard.press("[")
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url("**/demo/models")


def test_the_filter_works_as_one_types_and_the_address_keeps_it(page):
    page.keyboard.press("/")
    page.keyboard.type("foot")
    expect(page.locator("#kit-rows tbody tr")).to_have_count(1)
    assert "q=foot" in page.url
    page.reload()
    expect(page.locator("#kit-rows tbody tr")).to_have_count(1)
    page.locator("th a", has_text="Name").click()
    page.wait_for_url("**sort=name*")
    assert "q=foot" in page.url


def test_rows_are_reached_by_j_and_opened_by_enter(page):
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("#kit-rows tr.is-focus input")).to_be_checked()
    page.keyboard.press("Enter")
    page.wait_for_url("**model=visits-forecast")


def test_an_error_that_names_a_field_is_shown_there_and_the_input_is_kept(page):
    page.get_by_label("Note").fill("keep me")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#f-name-error")).to_contain_text("the name 'A b' is not allowed (use small letters")
    expect(page.locator("#f-name")).to_be_focused()
    expect(page.get_by_label("Note")).to_have_value("keep me")
    picture(page, "field-error", full=False)
    assert axe_violations(page) == []


def test_an_error_without_a_field_is_a_toast_with_its_hint(page, address):
    page.context.clear_cookies(name="aimass_csrf")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast.is-bad")).to_contain_text("does not prove that it comes from a page")
    expect(page.locator(".toast.is-bad .hint")).to_contain_text("reload the page")
    picture(page, "toast", full=False)
    assert axe_violations(page) == []


def test_a_deletion_wants_the_name_typed(page):
    page.get_by_role("group").or_(page.locator("details.menu")).locator("summary[aria-label=More]").click()
    page.get_by_role("button", name="Delete").first.click()
    yes = page.locator("#confirm-yes")
    expect(yes).to_be_disabled()
    page.keyboard.type("churn")
    expect(yes).to_be_enabled()
    picture(page, "confirm", full=False)
    assert axe_violations(page) == []
    yes.click()
    expect(page.locator(".toast.is-bad")).to_contain_text("is not allowed")


def test_charts_can_be_read_as_a_table_and_saved(page):
    card = page.locator(".card", has=page.locator('[data-chart="psi"]'))
    card.scroll_into_view_if_needed()
    expect(card.locator(".canvas")).to_have_attribute("aria-label", "Drift. Contract 0.341; MonthlyCharges 0.162")
    card.locator("summary").click()
    card.get_by_role("button", name="Show as table").click()
    expect(card.locator(".chart-table tbody tr").first).to_have_text("Contract0.341")
    card.locator("summary").click()
    with page.expect_download() as saved:
        card.get_by_role("button", name="Save as CSV").click()
    assert saved.value.suggested_filename == "drift.csv"


def test_a_chart_takes_the_colours_of_the_theme_at_once(page):
    page.locator('[data-chart="bars"]').scroll_into_view_if_needed()
    place = page.locator('[data-chart="bars"] canvas').first
    before = place.evaluate("canvas => canvas.toDataURL()")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_timeout(300)
    assert place.evaluate("canvas => canvas.toDataURL()") != before


def test_the_log_is_filtered_searched_and_jumps_to_the_error(page):
    log = page.locator(".log")
    expect(log.locator(".log-line")).to_have_count(8)
    log.locator("[data-log-level]").select_option("warning")
    expect(log.locator(".log-line")).to_have_count(2)
    log.locator("[data-log-search]").fill("killed")
    expect(log.locator("mark")).to_have_text("killed")


def test_the_lineage_is_walked_with_the_arrows(page):
    page.locator('.lineage [data-id="m1"]').focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.dataset.id") == "v1"


def test_an_action_can_be_taken_back_from_its_toast(page):
    with page.expect_request("**/console/_kit/refused") as asked:
        page.evaluate(
            "document.body.dispatchEvent(new CustomEvent('toast', {bubbles: true, detail: {text: 'Gone', undo: '/console/_kit/refused'}}))"
        )
        page.get_by_role("button", name="Undo").click()
    assert asked.value.method == "POST"
    expect(page.locator(".toast.is-bad")).to_contain_text("is not allowed")


def test_rows_can_be_denser_and_stay_so(page):
    row = page.locator("#kit-rows tbody td").first
    before = row.bounding_box()["height"]
    page.locator("summary[aria-label='You: eve']").click()
    page.get_by_role("button", name="Denser or wider rows").click()
    page.reload()
    settle(page)
    assert row.bounding_box()["height"] < before


def test_one_socket_patches_numbers_bars_charts_and_parts(page, stage, address):
    page.goto(f"{address}/demo/live")
    settle(page)
    stage.until_followed(page)
    asked = stage.asked
    stage.tell(1, count=4210, fraction=0.42, step=1, metrics={"loss": 0.5})
    expect(page.locator("#count")).to_have_text("4.21k")
    expect(page.locator(".progress .of")).to_have_text("42 %")
    expect(page).to_have_title("42 % Live · AI Mass")
    expect(page.locator("[role=progressbar]")).to_have_attribute("aria-valuenow", "42")
    expect(page.locator(".canvas")).to_have_attribute("aria-label", "Loss. loss: 0.5")
    expect(page.locator("#asked")).to_have_text(str(asked + 1), timeout=4_000)


def test_after_a_restart_of_the_platform_the_page_is_live_again_with_its_filter(browser, stage):
    with serving(stage.app) as url, new_page(browser, cookies={"as": "admin"}, url=url) as page:
        page.goto(f"{url}/demo/live?q=kept")
        settle(page)
        expect(page.locator("#offline")).to_be_hidden()
        stage.until_followed(page)
        page.context.set_offline(True)
        stage.hang_up()
        expect(page.locator("#offline")).to_be_visible(timeout=6_000)
        picture(page, "offline", full=False)
        assert axe_violations(page) == []
        page.context.set_offline(False)
        expect(page.locator("#offline")).to_be_hidden(timeout=15_000)
        stage.until_followed(page)
        stage.tell(2, count=7)
        expect(page.locator("#count")).to_have_text("7")
        assert "q=kept" in page.url
