"""The pages of the gateway over HTTP: workers, routes, consumers and their limits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from aimass.access import CreateWorkspace
from tests.fixtures.served import Served, served
from tests.fixtures.site import ROLES, unnamed_actions

AT = "/demo/operate/gateway"
PAGES = (
    AT,
    f"{AT}/consumers",
    f"{AT}/consumers?q=sho",
    f"{AT}/consumers?q=nobody",
    f"{AT}/routes",
    f"{AT}/edge?edge=traefik",
)


@pytest.fixture(scope="module")
def stage() -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIMASS_GATEWAY_ROUTE_HOSTS", "example.org,example.net")
        with served() as found:
            yield found


@pytest.mark.parametrize("path", PAGES)
def test_each_page_opens_for_every_role_and_not_for_strangers(stage: Served, path: str) -> None:
    for role in ROLES:
        assert stage.site.visitor(role).open(path).status_code == 200, role
    assert stage.site.visitor("stranger").open(path).status_code == 404
    assert stage.site.visitor().open(path).status_code == 303


@pytest.mark.parametrize("path", PAGES)
def test_every_action_names_its_operation(stage: Served, path: str) -> None:
    assert unnamed_actions(stage.site.visitor("root").open(path).text, stage.site.cases()) == []


def test_workers_show_whether_they_serve_by_the_newest_snapshot(stage: Served) -> None:
    stage.until(lambda: stage.gateway.status()["snapshot"] > 0)
    page = stage.site.visitor("viewer").open(AT).text
    assert "of 1 are current" in page
    assert str(stage.gateway.status()["pid"]) in page
    assert "POST /v2/models/churn/infer" in page
    assert "70 %" in page


def test_a_consumer_is_limited_and_set_free_again(stage: Served) -> None:
    operator, at = stage.site.visitor("operator"), f"{AT}/consumers/shop/rate"
    page = operator.open(f"{AT}/consumers").text
    assert re.search(r"shop.*?every service", page, re.DOTALL)
    said = operator.do("POST", at, rate_per_s="2.5", version="0")
    assert json.loads(said.headers["hx-trigger"])["toast"]["text"] == "shop may send 2.5 requests a second"
    assert "2.5/s" in operator.open(f"{AT}/consumers").text
    assert operator.do("POST", at, rate_per_s="9", version="0").status_code == 412
    assert operator.do("POST", at, rate_per_s="fast", version="1").json()["field"] == "rate_per_s"
    assert operator.do("POST", at, rate_per_s="-1", version="1").json()["field"] == "rate_per_s"
    assert operator.do("POST", at, rate_per_s="", version="1").status_code == 204
    assert operator.do("POST", f"{AT}/consumers/nobody/rate", rate_per_s="1").status_code == 404


@pytest.mark.parametrize("role", [role for role in ROLES if role not in ("operator", "admin")])
def test_only_operators_limit_a_consumer(stage: Served, role: str) -> None:
    visitor = stage.site.visitor(role)
    assert visitor.do("POST", f"{AT}/consumers/shop/rate", rate_per_s="1").status_code == 403
    assert "Limit…" not in visitor.open(f"{AT}/consumers").text


def test_a_consumer_shows_what_it_sends(stage: Served) -> None:
    page = stage.site.visitor("viewer").open(f"{AT}/consumers").text
    row = page.partition('<span class="name">shop</span>')[2].partition("</tr>")[0]
    assert re.search(r'class="num">[\d.]+</td>', row)
    assert "%" in row


def test_a_service_of_ones_own_is_put_behind_the_door_paused_and_taken_away(stage: Served) -> None:
    operator, at = stage.site.visitor("operator"), f"{AT}/routes"
    inside = operator.do("POST", at, route="geo", address="http://10.0.0.1:9000")
    assert (inside.status_code, inside.json()["field"]) == (400, "address")
    made = operator.do("POST", at, route="geo", address="http://8.8.8.8:9000", timeout_s="5")
    assert made.headers["hx-redirect"].endswith(f"{at}/geo")
    assert "/s/demo/geo" in operator.open(at).text
    page = operator.open(f"{at}/geo").text
    assert "http://8.8.8.8:9000" in page
    assert unnamed_actions(page, stage.site.cases()) == []
    assert operator.do("POST", f"{at}/geo/pause").status_code == 204
    assert "This route is paused." in operator.open(f"{at}/geo").text
    assert operator.do("POST", f"{at}/geo/resume").status_code == 204
    wish = {"access": "public", "timeout_s": "9", "retries": "1", "rate_per_s": "5", "retry_after_s": "60"}
    named = {"hosts": "api.example.org *.example.net", "host_path": "v1"}
    said = operator.do("POST", f"{at}/geo/policies", **wish, **named, allow_from="10.0.0.0/8 ::1", version="3")
    assert said.status_code == 204
    assert "10.0.0.0/8, ::1" in operator.open(f"{at}/geo").text
    assert "api.example.org/v1, *.example.net/v1" in operator.open(f"{at}/geo").text
    assert operator.do("POST", f"{at}/geo/policies", **wish, version="3").status_code == 412
    assert operator.do("POST", f"{at}/geo/instances", address="https://8.8.4.4:9443", weight="3").status_code == 204
    found = re.search(r"/routes/geo/instances/(\w+)", operator.open(f"{at}/geo").text)
    assert found is not None
    assert operator.do("DELETE", f"{at}/geo/instances/{found[1]}").status_code == 204
    assert stage.site.visitor("viewer").do("POST", f"{at}/geo/pause").status_code == 403
    assert (
        "Pause"
        not in stage.site.visitor("viewer").open(f"{at}/geo").text.partition("<main")[2].partition("programs")[0]
    )
    refused = operator.do("DELETE", f"{at}/-/services/geo")
    assert (refused.status_code, refused.json()["field"]) == (409, "upstream")
    assert operator.do("DELETE", f"{at}/geo").headers["hx-redirect"].endswith(at)
    assert "No service of your own yet" in operator.open(at).text


def test_a_route_keeps_answers_as_the_form_says_and_is_cleared(stage: Served) -> None:
    operator, one = stage.site.visitor("operator"), f"{AT}/routes/kept"
    operator.do("POST", f"{AT}/routes", route="kept", address="http://8.8.8.8:9000")
    assert '/clear-cache"' not in operator.open(one).text
    wish = {"access": "public", "timeout_s": "9", "retries": "1", "rate_per_s": "5", "retry_after_s": "60"}
    kept = {"cache": "true", "cache_s": "90", "cache_vary": "Accept-Language X-Team", "cache_reload": "true"}
    assert operator.do("POST", f"{one}/policies", **wish, **kept, version="1").status_code == 204
    page = operator.open(one).text
    assert "or as long as the service says" in page
    assert 'value="Accept-Language X-Team"' in page
    assert unnamed_actions(page, stage.site.cases()) == []
    assert operator.do("POST", f"{one}/clear-cache", prefix="/tiles").status_code == 204
    refused = operator.do("POST", f"{one}/clear-cache", prefix="tiles")
    assert (refused.status_code, refused.json()["field"]) == (400, "prefix")
    assert stage.site.visitor("viewer").do("POST", f"{one}/clear-cache").status_code == 403
    assert operator.do("DELETE", one).status_code == 204
    assert operator.do("DELETE", f"{AT}/routes/-/services/kept").status_code == 204


def test_a_service_that_stayed_is_reused_by_choice_alone(stage: Served) -> None:
    operator, at = stage.site.visitor("operator"), f"{AT}/routes"
    for route, upstream, status in (("map", "", 204), ("tiles", "map", 204), ("tiles", "map", 409)):
        made = operator.do("POST", at, route=route, upstream=upstream, address="http://8.8.8.8:9000")
        assert made.status_code == status, made.text
    for route in ("map", "tiles"):
        assert operator.do("DELETE", f"{at}/{route}").status_code == 204
    again = operator.do("POST", at, route="map", address="http://8.8.4.4:9000")
    assert (again.status_code, again.json()["field"]) == (409, "upstream")
    assert ">map<" in operator.open(at).text
    assert operator.do("DELETE", f"{at}/-/services/map").status_code == 204
    assert operator.do("POST", at, route="map", address="http://8.8.4.4:9000").status_code == 204
    assert "8.8.8.8" not in operator.open(f"{at}/map").text


def test_a_workspace_without_routes_and_keys_says_how_to_begin(stage: Served) -> None:
    stage.site.access.create_workspace(stage.site.root, CreateWorkspace(name="Quiet"))
    root = stage.site.visitor("root")
    assert "No route yet" in root.open("/quiet/operate/gateway").text
    assert "Nobody can call yet" in root.open("/quiet/operate/gateway/consumers").text


def test_the_configuration_of_an_edge_is_shown_as_it_was_wished(stage: Served) -> None:
    visitor = stage.site.visitor("viewer")
    for edge, name in (("nginx", "aimass.conf"), ("caddy", "Caddyfile"), ("traefik", "traefik.yml")):
        page = visitor.open(f"{AT}/edge?edge={edge}&server_name=ml.example").text
        assert name in page
        assert page.count("ml.example") > 1
    assert visitor.open(f"{AT}/edge?certificate=/c.pem").status_code == 400
