from __future__ import annotations

import pytest
from fastapi import Response
from fastapi.testclient import TestClient

from aimass.kernel.capability import Capability, Place
from aimass.kernel.errors import Failed
from aimass.kernel.principal import Grant, Principal
from aimass.web import Console, Visit, page_router
from aimass.web.menu import menu
from aimass.web.session import CSRF_COOKIE, CSRF_HEADER
from tests.fixtures.console import MENU, PEOPLE, console_app

HTMX = {"HX-Request": "true"}


def test_a_page_carries_the_policy_that_forbids_foreign_and_inline_scripts(visitor):
    answer = visitor("admin").get("/console/_kit")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'self' 'unsafe-inline'" not in policy
    assert "HX-Request" in answer.headers["vary"]


def test_the_page_is_packed_when_the_browser_takes_it(visitor):
    packed = visitor("admin").get("/console/_kit", headers={"Accept-Encoding": "gzip"})
    plain = visitor("admin").get("/console/_kit", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert "Components" in packed.text


def test_nobody_is_sent_to_sign_in_and_back(visitor):
    answer = visitor().get("/console/_kit?q=a b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/console/_kit%3Fq%3Da%2520b")


def test_htmx_of_somebody_whose_session_ended_moves_the_whole_page(visitor):
    answer = visitor().get("/console/_kit", headers=HTMX)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login?next=/console/_kit")


def test_a_part_is_rendered_alone_when_htmx_asks_for_its_element(visitor):
    answer = visitor("admin").get("/console/_kit?q=churn", headers={**HTMX, "HX-Target": "div#kit-rows"})
    assert answer.text.lstrip().startswith('<div id="kit-rows"')
    assert "churn" in answer.text
    assert "footfall" not in answer.text
    assert "<html" not in answer.text


def test_an_unknown_address_is_a_page_for_people_and_a_problem_for_programs(visitor):
    page = visitor("admin").get("/nowhere")
    assert (page.status_code, "This page does not exist" in page.text) == (404, True)
    document = visitor("admin", Accept="application/json").get("/api/v1/nowhere")
    assert (document.status_code, document.json()["code"]) == (404, "not_found")
    assert document.headers["content-type"] == "application/problem+json"


def test_the_language_comes_from_the_cookie_then_from_the_browser(visitor):
    assert 'lang="zh"' in visitor("admin", **{"Accept-Language": "zh-CN,en;q=0.5"}).get("/console/_kit").text
    client = visitor("admin", **{"Accept-Language": "zh-CN"})
    client.cookies.set("lang", "en")
    assert 'lang="en"' in client.get("/console/_kit").text


def test_the_theme_is_set_by_the_server_so_that_nothing_flashes(visitor):
    client = visitor("admin")
    assert "data-theme" not in client.get("/console/_kit").text.partition("<head>")[0]
    client.cookies.set("theme", "dark")
    assert 'data-theme="dark"' in client.get("/console/_kit").text.partition("<head>")[0]


def test_a_change_without_the_token_of_the_page_is_refused(visitor):
    client = visitor("admin")
    client.get("/console/_kit")
    refused = client.post("/console/preferences/theme", data={"value": "dark"}, headers=HTMX)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    forged = client.post("/console/preferences/theme", data={"value": "dark"}, headers={**HTMX, CSRF_HEADER: "x.y"})
    assert forged.status_code == 403
    token = {CSRF_HEADER: client.cookies[CSRF_COOKIE]}
    done = client.post("/console/preferences/theme", data={"value": "dark"}, headers={**HTMX, **token})
    assert (done.status_code, client.cookies["theme"]) == (204, "dark")


@pytest.mark.parametrize(
    ("name", "value", "status"), [("theme", "pink", 400), ("language", "xx", 400), ("size", "1", 404)]
)
def test_an_unknown_preference_is_refused_with_what_is_allowed(visitor, name, value, status):
    client = visitor("admin")
    client.get("/console/_kit")
    headers = {**HTMX, CSRF_HEADER: client.cookies[CSRF_COOKIE]}
    answer = client.post(f"/console/preferences/{name}", data={"value": value}, headers=headers)
    assert (answer.status_code, bool(answer.json()["allowed"])) == (status, True)


def test_the_menu_shows_a_place_only_to_those_who_may_see_a_page_in_it():
    def places(who: str, workspace: str = "demo") -> list[str]:
        return [m.area.id for m in menu([MENU], PEOPLE[who], workspace, "/demo/models/churn")]

    assert places("admin") == ["overview", "data", "models", "work", "services", "settings"]
    assert places("viewer") == ["overview", "data", "models", "work", "services"]
    assert places("viewer", "lab") == []
    assert places("stranger") == []


def test_the_menu_marks_the_longest_address_that_the_page_is_under():
    pages = (
        Place(path="/{workspace}/work", title="Runs", place="work", icon="activity", permission="a.read"),
        Place(
            path="/{workspace}/work/pipelines", title="Pipelines", place="work", icon="activity", permission="a.read"
        ),
    )
    found = menu([Capability(name="a", title="A", pages=pages)], PEOPLE["admin"], "demo", "/demo/work/pipelines/7")
    assert [(p.title, p.current) for p in found[0].pages] == [("Pipelines", True), ("Runs", False)]


def _app_with(*functions) -> TestClient:
    """Serve some page functions in a workspace, as the viewer of it."""
    router = page_router()
    for function in functions:
        router.get(f"/{{workspace}}/{function.__name__}")(function)
    app = console_app()
    app.router.routes[:] = [*app.router.routes[:-1], *router.routes, app.router.routes[-1]]
    client = TestClient(app, headers={"Accept": "text/html"}, follow_redirects=False, raise_server_exceptions=False)
    client.cookies.set("as", "viewer")
    return client


def hello(visit: Visit) -> Response:
    return Response(f"{visit.who.name} in {visit.workspace}: {visit.allows('lake.read')} {visit.allows('lake.edit')}")


def broken(visit: Visit) -> Response:
    raise RuntimeError("a secret of the inside")


def tell(visit: Visit) -> Response:
    return visit.done(visit.say("Close"))


def move(visit: Visit) -> Response:
    return visit.go("/demo/hello", toast="Größe: 1")


def test_a_page_function_knows_visitor_workspace_and_permissions():
    assert _app_with(hello).get("/demo/hello").text == "victor in demo: True False"


def test_a_workspace_one_does_not_know_does_not_exist():
    answer = _app_with(hello).get("/lab/hello")
    assert answer.status_code == 404
    assert "Problem" not in answer.text


def test_an_unexpected_failure_is_a_page_that_tells_no_secret_and_a_number_to_quote():
    answer = _app_with(broken).get("/demo/broken")
    assert answer.status_code == 500
    assert "a secret" not in answer.text
    assert "the log of control has the details under" in answer.text


def test_an_action_that_stays_shows_a_toast_and_lets_the_parts_refresh():
    answer = _app_with(tell).get("/demo/tell", headers={**HTMX, "Accept-Language": "zh"})
    assert answer.status_code == 204
    assert answer.headers["hx-trigger"] == '{"toast": {"text": "\\u5173\\u95ed"}, "refresh": {}}'


def test_an_action_that_goes_redirects_people_and_htmx_each_in_their_way():
    client = _app_with(move)
    assert client.get("/demo/move").headers["location"] == "/demo/hello"
    assert client.get("/demo/move", headers=HTMX).headers["hx-redirect"] == "/demo/hello"
    assert client.cookies["aimass_toast"]


def test_a_capability_whose_pages_have_no_templates_stops_the_start():
    with pytest.raises(Failed, match="no folder 'templates'"):
        console_app([Capability(name="odd", title="Odd", console="aimass.kernel.ids:router")])


def test_principals_are_asked_for_once_per_request():
    asked: list[str] = []
    app = console_app()
    console: Console = app.state.console

    def counting(request):
        asked.append(request.url.path)
        return Principal(
            id="u", name="u", kind="user", grants=(Grant(workspace="*", permissions=frozenset({"*.read"})),)
        )

    object.__setattr__(console.setup, "authenticate", counting)
    TestClient(app, headers={"Accept": "text/html"}).get("/console/_kit")
    assert asked == ["/console/_kit"]
