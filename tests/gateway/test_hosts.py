"""Routes that answer at hosts of their own: on a real port, and to whom a host belongs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.access import Access, CreateWorkspace
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.gateway import CAPABILITY as GATEWAY
from aimass.gateway import CreateRoute, CreateUpstream
from aimass.gateway import Gateway as Service
from aimass.gateway.domain.routes import ChangeRoute, OneRoute
from aimass.gateway.publish_services import ServicePublisher
from aimass.kernel.errors import Conflict, Invalid
from aimass.kernel.principal import SYSTEM
from aimass.lake import CAPABILITY as LAKE
from aimass.models import CAPABILITY as MODELS
from aimass.serving import CAPABILITY as SERVING
from tests.fixtures.gateway import (
    KEY,
    Answer,
    Gateway,
    deployment,
    endpoint,
    oip,
    read_answer,
    request,
    snapshot,
    wait_for,
)
from tests.fixtures.rooms import Rooms
from tests.fixtures.upstreams import Server, Services, route, servers, upstream

ROOMS = [ACCESS, CLUSTER, LAKE, MODELS, SERVING, GATEWAY]
CACHE: dict[str, Any] = {
    "id": "r1",
    "cache": True,
    "cache_stale_s": 0.0,
    "cache_post": False,
    "cache_vary": [],
    "cache_reload": True,
    "cache_bytes": 1 << 20,
}


@pytest.fixture(scope="module")
def behind(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Services]]:
    """A gateway with a model, and with keys that may use every route."""
    gateway = Gateway(tmp_path_factory.mktemp("data"))
    document = snapshot(1, endpoint("churn", deployment(packages["one"])))
    for spec in document["keys"].values():
        spec["routes"] = ["*"]
    gateway.publish(document)
    gateway.start()
    yield gateway, Services(gateway)
    gateway.stop()


@pytest.fixture
def one() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


def at(gateway: Gateway, host: str, path: str, method: str = "GET", **more: Any) -> Answer:
    with gateway.connect() as connection:
        connection.sendall(request(method, path, **more).replace(b"gateway.test", host.encode()))
        return read_answer(connection)[0]


def test_a_request_at_a_host_of_a_route_reaches_its_service_from_the_root(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish(
        [upstream("geo", one.port)],
        [route("geo", hosts=["api.example.org"]), route("maps", hosts=["maps.example.org"], host_path="a/b")],
    )
    for host in ("api.example.org", "API.Example.ORG", "api.example.org:8800", "api.example.org."):
        told = at(gateway, host, "/v2/x?y=1").json()
        assert told["target"] == "/v2/x?y=1"
        assert told["headers"]["x-forwarded-host"] == host
        assert "x-forwarded-prefix" not in told["headers"]
    told = at(gateway, "maps.example.org", "/a/b/7").json()
    assert (told["target"], told["headers"]["x-forwarded-prefix"]) == ("/7", "/a/b")
    assert at(gateway, "maps.example.org", "/a/b/moved").headers["location"] == "/a/b/login"
    assert at(gateway, "api.example.org", "/moved").headers["location"] == "/login"
    told = at(gateway, "api.example.org", "/s/demo/geo/x").json()
    assert told["target"] == "/s/demo/geo/x"  # the whole host is its own
    told = at(gateway, "maps.example.org", "/s/demo/maps/x").json()
    assert (told["target"], told["headers"]["x-forwarded-prefix"]) == ("/x", "/s/demo/maps")
    assert at(gateway, "gateway.test", "/s/demo/geo/x").json()["target"] == "/x"


def test_other_hosts_and_other_paths_are_what_they_were(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo", hosts=["api.example.org"], host_path="geo")])
    for host in ("gateway.test", "[::1]:8800", "xapi.example.org", "api.example.org.evil.test", "127.0.0.1"):
        assert at(gateway, host, "/healthz").json()["role"] == "gateway"
        assert at(gateway, host, "/v2/geo").status != 200
    assert at(gateway, "api.example.org", "/healthz").json()["role"] == "gateway"
    assert at(gateway, "api.example.org", "/geology").headers.get("server") != "secret/1.0"
    assert one.heads == []
    assert at(gateway, "api.example.org", "/geo").json()["target"] == "/"


def test_the_exact_name_goes_before_the_star_and_the_longest_path_first(behind: Any) -> None:
    gateway, services = behind
    with servers(4) as found:
        names = ["star", "exact", "deep", "deeper"]
        services.publish(
            [upstream(name, server.port) for name, server in zip(names, found, strict=True)],
            [
                route("star", "star", hosts=["*.example.org"]),
                route("exact", "exact", hosts=["api.example.org"], host_path="a"),
                route("deep", "deep", hosts=["*.example.org"], host_path="a/b"),
                route("deeper", "deeper", hosts=["api.example.org"], host_path="a/b/c/d"),
            ],
        )

        def who(host: str, path: str) -> str:
            return names[int(at(gateway, host, path).json()["server"])]

        assert [who("api.example.org", path) for path in ("/", "/a", "/a/b", "/a/b/c/d/e")] == [
            "star", "exact", "exact", "deeper",
        ]  # fmt: skip
        assert [who("b.example.org", path) for path in ("/", "/a", "/a/b/x")] == ["star", "star", "deep"]
        for host in ("example.org", "a.b.example.org"):
            assert at(gateway, host, "/healthz").json()["role"] == "gateway"


def test_policies_of_a_route_hold_at_its_hosts_too(behind: Any, one: Server) -> None:
    gateway, services = behind
    hosts = {"hosts": ["api.example.org"]}
    services.publish([upstream("geo", one.port)], [route("geo", access="key", max_request_bytes=3, **hosts)])
    assert at(gateway, "api.example.org", "/x", key=None).status == 401
    told = at(gateway, "api.example.org", "/x").json()
    assert told["headers"]["x-aimass-consumer"] == "shop"
    assert KEY not in str(told)
    assert at(gateway, "api.example.org", "/x", "POST", body=b"long").status == 413
    assert at(gateway, "api.example.org", "/a/../x").status == 400
    services.publish([upstream("geo", one.port)], [route("geo", paused=True, **hosts)])
    assert at(gateway, "api.example.org", "/x").json()["code"] == "route_paused"
    limited = route("geo", rate_per_s=0.01, **hosts)
    services.publish([upstream("geo", one.port)], [limited])
    codes = [at(gateway, host, path).status for host, path in (("api.example.org", "/x"), ("x", "/s/demo/geo/x"))]
    assert codes == [200, 429]  # one rate for both ways in


def test_a_host_that_comes_moves_and_goes_is_followed_at_once(behind: Any) -> None:
    gateway, services = behind
    with servers(2) as (first, second):
        told = [upstream("geo", first.port), upstream("new", second.port)]
        kept = {**CACHE, "cache_s": 600.0, "cache_shared": True}
        path, body = "/v2/models/churn/infer", oip()
        services.publish(told, [route("geo"), route("new", "new")])
        assert "outputs" in at(gateway, "api.example.org", path, "POST", body=body).json()
        services.publish(told, [route("geo", hosts=["api.example.org"], **kept), route("new", "new")])
        assert at(gateway, "api.example.org", path, "POST", body=body).json()["server"] == "0"

        def seen() -> str:
            return at(gateway, "api.example.org", "/x", key=None).headers["x-cache"]

        assert [seen(), seen()] == ["MISS", "HIT"]
        services.publish(told, [route("geo", hosts=["api.example.org"], **kept)])
        assert seen() == "HIT"
        services.publish(told, [route("geo", hosts=["api.example.org"], **kept, cleared=[[2, "/x"]])])
        assert [seen(), seen()] == ["MISS", "HIT"]
        services.publish(told, [route("geo", **kept), route("new", "new", hosts=["api.example.org"])])
        assert at(gateway, "api.example.org", "/x").json()["server"] == "1"
        services.publish(told, [route("geo"), route("new", "new")])
        assert at(gateway, "api.example.org", "/healthz").json()["role"] == "gateway"
        assert "outputs" in at(gateway, "api.example.org", path, "POST", body=body).json()


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rooms]:
    monkeypatch.setenv("AIMASS_ACCESS_PUBLIC_URL", "https://ai.example.com:8443")
    monkeypatch.setenv("AIMASS_SERVING_PUBLIC_URL", "https://models.example.com")
    monkeypatch.setenv(
        "AIMASS_GATEWAY_ROUTE_HOSTS", "Example.org, bücher.example, example.com, corp.example,example.net"
    )
    monkeypatch.setenv("AIMASS_GATEWAY_OWN_HOSTS", "aimass.corp.example, Console.example.net")
    rooms = Rooms(tmp_path / "d", ROOMS).start()
    for slug in ("demo", "other"):
        rooms.get(Access).create_workspace(SYSTEM, CreateWorkspace(name=slug, slug=slug))
        rooms.get(Service).create_upstream(SYSTEM, CreateUpstream(workspace=slug, upstream="geo"))
    yield rooms
    rooms.close()


def make(rooms: Rooms, name: str, *hosts: str, workspace: str = "demo", **more: Any) -> Any:
    wish = CreateRoute(workspace=workspace, route=name, upstream="geo", hosts=list(hosts), **more)
    return rooms.get(Service).create_route(SYSTEM, wish)


def test_a_host_belongs_to_the_workspace_that_names_it_first(rooms: Rooms) -> None:
    made = make(rooms, "one", "API.Example.org", "*.bücher.example", "api.example.org", host_path="/v1/")
    assert (made.hosts, made.host_path) == (["api.example.org", "*.xn--bcher-kva.example"], "v1")
    for host in ("api.example.org", "*.example.org", "a.bücher.example", "*.xn--bcher-kva.example"):
        with pytest.raises(Conflict) as refused:
            make(rooms, "two", host, workspace="other", host_path="elsewhere")
        assert refused.value.field == "hosts"
        assert "demo" not in refused.value.message
    make(rooms, "two", "b.example.org", "a.b.bücher.example", workspace="other")
    service = rooms.get(Service)
    with pytest.raises(Conflict):
        service.change_route(SYSTEM, ChangeRoute(workspace="other", route="two", hosts=["api.example.org"]))
    service.delete_route(SYSTEM, OneRoute(workspace="demo", route="one"))
    changed = service.change_route(SYSTEM, ChangeRoute(workspace="other", route="two", hosts=["api.example.org"]))
    assert changed.hosts == ["api.example.org"]


def test_two_routes_of_a_workspace_share_a_host_but_no_place_at_it(rooms: Rooms) -> None:
    make(rooms, "one", "api.example.org", "b.example.org")
    make(rooms, "two", "api.example.org", host_path="two")
    make(rooms, "star", "*.example.org")
    with pytest.raises(Conflict):
        make(rooms, "three", "api.example.org", host_path="two")
    service = rooms.get(Service)
    with pytest.raises(Conflict):
        service.change_route(SYSTEM, ChangeRoute(workspace="demo", route="two", host_path=""))
    same = service.change_route(SYSTEM, ChangeRoute(workspace="demo", route="two", hosts=["api.example.org"]))
    assert same.host_path == "two"


@pytest.mark.parametrize(
    "host", ["AI.example.com", "*.example.com", "models.example.com", "aimass.corp.example", "console.example.net"]
)
def test_no_route_takes_a_name_of_the_platform_itself(rooms: Rooms, host: str) -> None:
    with pytest.raises(Conflict) as refused:
        make(rooms, "one", host)
    assert (refused.value.field, refused.value.value) == ("hosts", host.lower())


def test_what_is_published_names_each_host_and_is_gone_with_its_route(rooms: Rooms) -> None:
    make(rooms, "one", "api.example.org", "*.example.org", host_path="v1", prefix="geo/one")
    publisher: ServicePublisher = rooms.get(Service).services
    assert publisher.run_once()
    told = publisher.path.read_text().splitlines()
    assert [line for line in told if line.startswith("h ")] == [
        "h api.example.org/v1 demo/geo/one",
        "h *.example.org/v1 demo/geo/one",
    ]
    rooms.get(Service).delete_route(SYSTEM, OneRoute(workspace="demo", route="one"))
    wait_for(publisher.run_once)
    assert "example.org" not in publisher.path.read_text()


@pytest.mark.parametrize("host", ["ai.elsewhere.example", "*.elsewhere.example", "badexample.org"])
def test_only_domains_that_an_administrator_lists_have_routes(rooms: Rooms, host: str) -> None:
    with pytest.raises(Invalid) as refused:
        make(rooms, "one", host)
    assert (refused.value.field, "example.org" in str(refused.value.allowed)) == ("hosts", True)
    make(rooms, "one", "api.example.org")
    with pytest.raises(Invalid):
        rooms.get(Service).change_route(SYSTEM, ChangeRoute(workspace="demo", route="one", hosts=[host]))
