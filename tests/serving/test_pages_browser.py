"""The places of services and of operation in a real browser: accessible in each look, and the journeys through them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from aimass.kernel.principal import SYSTEM
from aimass.monitoring.domain.alerts import ListAlerts, ListRules
from tests.fixtures.browser import axe_violations, browser, new_page, picture, serving, settle  # noqa: F401
from tests.fixtures.served import Served, served

SERVICE = "/demo/services/churn"
OPERATE = "/demo/operate"
PAGES = {
    "services": "/demo/services",
    "service": SERVICE,
    "playground": f"{SERVICE}/playground",
    "drift": f"{SERVICE}/drift",
    "records": f"{SERVICE}/records",
    "record": f"{SERVICE}/records/r-3",
    "history": f"{SERVICE}/history",
    "config": f"{SERVICE}/config",
    "new-service": "/demo/services/idle",
    "alerts": f"{OPERATE}/alerts",
    "rules": f"{OPERATE}/alerts/rules",
    "metrics": f"{OPERATE}/metrics?by=code",
    "gateway": f"{OPERATE}/gateway",
    "consumers": f"{OPERATE}/gateway/consumers",
    "interfaces": f"{OPERATE}/gateway/interfaces",
    "interface": f"{OPERATE}/gateway/interfaces/model/churn",
}
DIALOGS = {"deploy": SERVICE, "traffic": SERVICE, "rollback": SERVICE, "promote-canary": SERVICE, "reference": f"{SERVICE}/drift", "new-service": "/demo/services", "new-rule": f"{OPERATE}/alerts/rules", "limit-1": f"{OPERATE}/gateway/consumers"}  # fmt: skip


@pytest.fixture(scope="module")
def stage() -> Iterator[Served]:
    with served() as found:
        yield found


@pytest.fixture(scope="module")
def address(stage: Served) -> Iterator[str]:
    with serving(stage.site.app) as url:
        yield url


@pytest.fixture(scope="module")
def cookies(stage: Served) -> dict[str, str]:
    return stage.site.cookies("root")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible(
    browser: Browser, stage: Served, address: str, cookies: dict[str, str], theme: str, language: str
) -> None:
    alert = stage.monitoring.list_alerts(SYSTEM, ListAlerts(workspace="demo")).items[-1].id
    rule = stage.monitoring.list_rules(SYSTEM, ListRules(workspace="demo")).items[0].id
    more = {"alert": f"{OPERATE}/alerts/{alert}", "rule": f"{OPERATE}/alerts/rules/{rule}"}
    found: dict[str, list[str]] = {}
    with new_page(browser, theme=theme, language=language, cookies=cookies, url=address) as page:
        for name, path in {**PAGES, **more}.items():
            page.goto(address + path)
            settle(page)
            picture(page, f"{name}-{theme}-{language}")
            found[name] = axe_violations(page)
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize(("dialog", "path"), DIALOGS.items())
def test_every_dialog_is_accessible(
    browser: Browser, address: str, cookies: dict[str, str], dialog: str, path: str
) -> None:
    with new_page(browser, cookies=cookies, url=address) as page:
        page.goto(address + path)
        settle(page)
        page.evaluate("(id) => document.getElementById(id).showModal()", dialog)
        assert axe_violations(page, f"#{dialog}") == []


def test_the_sliders_always_share_the_whole_and_the_dialog_closes(
    browser: Browser, stage: Served, address: str, cookies: dict[str, str]
) -> None:
    with new_page(browser, cookies=cookies, url=address) as page:
        page.goto(address + SERVICE)
        settle(page)
        page.get_by_role("button", name="Share…").click()
        page.locator("#share-canary").fill("45")
        expect(page.locator("#share-champion")).to_have_value("55")
        expect(page.locator("output[for=share-champion]")).to_have_text("55 %")
        page.locator("#traffic button[type=submit]").click()
        expect(page.locator("#traffic")).to_be_hidden()
        expect(page.locator("#answers")).to_contain_text("45 %")
        page.get_by_role("button", name="Undo").click()
        expect(page.locator("#answers")).to_contain_text("30 %")
    assert dict(stage.endpoint().traffic.weights) == {"champion": 70, "canary": 30}


def test_charts_are_drawn_again_when_their_part_fetches_itself(
    browser: Browser, address: str, cookies: dict[str, str]
) -> None:
    with new_page(browser, cookies=cookies, url=address) as page:
        page.set_viewport_size({"width": 1360, "height": 2400})  # a chart is drawn once it comes into view
        page.goto(address + SERVICE)
        settle(page)
        expect(page.locator("#charts canvas").first).to_be_visible()
        with page.expect_response(lambda response: response.request.headers.get("hx-target", "").endswith("#charts")):
            page.evaluate("() => document.dispatchEvent(new CustomEvent('refresh'))")
        page.wait_for_load_state("networkidle")
        expect(page.locator("#charts canvas").first).to_be_visible()
        expect(page.locator("#charts .skeleton")).to_have_count(0)


def test_a_row_is_tried_and_its_answer_shown(
    browser: Browser, stage: Served, address: str, cookies: dict[str, str]
) -> None:
    with new_page(browser, cookies=cookies, url=address) as page, stage.turning():
        page.goto(f"{address}{SERVICE}/playground")
        settle(page)
        page.get_by_label("c0").select_option("plus")
        page.get_by_label("c1").fill("41.5")
        page.get_by_role("button", name="Send").click()
        page.wait_for_selector(".answer-label", timeout=15_000)
        assert page.locator(".answer-label").inner_text() in ("Yes", "No")
        assert axe_violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_row_is_explained_with_a_bar_for_each_input(
    browser: Browser, stage: Served, address: str, cookies: dict[str, str], theme: str
) -> None:
    with new_page(browser, theme=theme, cookies=cookies, url=address) as page, stage.turning():
        page.goto(f"{address}{SERVICE}/playground")
        settle(page)
        page.get_by_label("c1").fill("41.5")
        page.get_by_role("button", name="Explain").click()
        expect(page.locator("#answer canvas")).to_be_visible(timeout=15_000)
        expect(page.locator("#answer")).to_contain_text("This row")
        assert axe_violations(page) == []
        picture(page, f"explained-{theme}")


def test_settings_are_applied_after_the_difference_was_shown(
    browser: Browser, stage: Served, address: str, cookies: dict[str, str]
) -> None:
    with new_page(browser, cookies=cookies, url=address) as page:
        page.goto(f"{address}{SERVICE}/config")
        settle(page)
        page.get_by_label("Time limit, seconds").fill("12")
        page.get_by_role("button", name="Show what changes").click()
        expect(page.locator(".diff")).to_contain_text("timeout_s: 12")
        page.get_by_role("button", name="Apply").click()
        expect(page.locator(".toast")).to_contain_text("The settings were changed")
    assert stage.endpoint().timeout_s == 12


def test_deleting_a_service_wants_its_name_typed(browser: Browser, address: str, cookies: dict[str, str]) -> None:
    with new_page(browser, cookies=cookies, url=address) as page:
        page.goto(f"{address}/demo/services/idle")
        settle(page)
        page.locator("#service-head summary").click()
        page.get_by_role("button", name="Delete the service…").click()
        expect(page.locator("#confirm-yes")).to_be_disabled()
        page.locator("#confirm-typed input").fill("idle")
        page.locator("#confirm-yes").click()
        page.wait_for_url(f"{address}/demo/services")
        expect(page.locator(".toast")).to_contain_text("was deleted")


def test_an_operation_of_the_interfaces_is_tried_and_its_answer_shown(
    browser: Browser, stage: Served, address: str, cookies: dict[str, str]
) -> None:
    with new_page(browser, cookies=cookies, url=address) as page, stage.turning():
        page.goto(f"{address}{OPERATE}/gateway/interfaces")
        settle(page)
        page.get_by_role("link", name="churn", exact=True).click()
        page.get_by_role("link", name="/v2/models/churn/generate").click()
        settle(page)
        page.get_by_role("button", name="Send").click()
        expect(page.locator("#answer")).to_contain_text("probabilities", timeout=15_000)
        page.get_by_label("Address").fill("/api/v1/workspaces")
        page.get_by_role("button", name="Send").click()
        expect(page.locator("#try")).to_contain_text("neither a model nor a service")
