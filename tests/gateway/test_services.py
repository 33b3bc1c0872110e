"""Services behind the gateway, from their registration to the answer: control's rooms with a real gateway process."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimass.access import CAPABILITY as ACCESS
from aimass.access import Access, CreateKey, CreateService, CreateWorkspace, GiveRole
from aimass.access.domain.keys import ChangeKey, RotateKey
from aimass.access.domain.members import OneWorkspace, RestoreWorkspace
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.gateway import CAPABILITY as GATEWAY
from aimass.gateway import CreateRoute, CreateUpstream, Gateway, ListRoutes, RegisterInstance
from aimass.gateway.domain.caching import ClearCache
from aimass.gateway.domain.inference import ListConsumers
from aimass.gateway.domain.routes import ChangeRoute, ListRouteCallers, OneRoute, RouteTraffic
from aimass.gateway.domain.services import ChangeUpstream, ListInstances, ListUpstreams, OneInstance, OneUpstream
from aimass.gateway.jobs import expire, publish, publish_services
from aimass.gateway.store import routes
from aimass.infra.database import Database, audit_log
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from aimass.kernel.principal import SYSTEM
from aimass.lake import CAPABILITY as LAKE
from aimass.models import CAPABILITY as MODELS
from aimass.serving import CAPABILITY as SERVING
from tests.fixtures import gateway as plane
from tests.fixtures.rooms import Rooms, person
from tests.fixtures.upstreams import Server

ROOMS = [ACCESS, CLUSTER, LAKE, MODELS, SERVING, GATEWAY]
ANN = person("Ann", "gateway.read", "gateway.edit")
EVE = person("Eve", "gateway.read")
GEO: dict[str, Any] = {"workspace": "demo", "upstream": "geo"}


class House:
    """Rooms with a gateway process, and one server of a service ``geo``."""

    def __init__(self, folder: Path) -> None:
        self.rooms = Rooms(folder, ROOMS).start()
        self.gateway = plane.Gateway(folder)
        self.server = Server("geo-1")
        access = self.rooms.get(Access)
        access.create_workspace(SYSTEM, CreateWorkspace(name="demo", slug="demo"))

    @property
    def service(self) -> Gateway:
        return self.rooms.get(Gateway)

    def turn(self) -> None:
        """One round of the loops."""
        expire(self.rooms.registry)
        publish(self.rooms.registry)
        publish_services(self.rooms.registry)

    def until(self, true: Any) -> None:
        plane.wait_for(lambda: self.turn() or true())

    def applied(self) -> None:
        """Wait until the gateway goes by what is registered."""
        self.until(lambda: self.gateway.status().get("services") == self.service.services.version > 0)

    def register(self, **more: Any) -> Any:
        return self.service.register_instance(
            ANN, RegisterInstance(**GEO, address=f"http://127.0.0.1:{self.server.port}", **more)
        )

    def instances(self) -> list[Any]:
        return self.service.list_instances(ANN, ListInstances(**GEO)).items


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("AIMASS_GATEWAY_ALLOW", "127.0.0.0/8, inside.example")
    folder = Path(tempfile.mkdtemp(prefix="am"))
    house = House(folder / "d")
    house.service.create_upstream(ANN, CreateUpstream(**GEO))
    yield house
    if house.gateway.process is not None:
        house.gateway.stop()
    house.server.stop()
    house.rooms.close()
    shutil.rmtree(folder)


def test_a_service_is_announced_registered_and_called(house: House) -> None:
    house.register()
    made = house.service.create_route(ANN, CreateRoute(**GEO, route="maps", access="public"))
    assert made.path == "/s/demo/maps"
    house.gateway.start()
    house.applied()
    assert plane.ask(house.gateway, "GET", "/s/demo/maps/tiles/7").json()["target"] == "/tiles/7"
    assert [one.route for one in house.service.list_routes(EVE, ListRoutes(workspace="demo")).items] == ["maps"]
    assert [one.instances for one in house.service.list_upstreams(EVE, ListUpstreams(workspace="demo")).items] == [1]
    seen = OneRoute(workspace="demo", route="maps")
    house.until(lambda: house.service.get_route_traffic(EVE, seen).requests == 1)
    traffic = house.service.get_route_traffic(EVE, seen)
    assert (traffic.errors, traffic.instances[0].states) == (0, {"closed": 1})
    assert traffic.p50_s is not None


def test_the_daily_quota_of_a_key_holds_for_services_and_for_its_successor(house: House) -> None:
    access = house.rooms.get(Access)
    access.create_service(SYSTEM, CreateService(workspace="demo", name="shop", role="analyst"))
    made = access.create_key(SYSTEM, CreateKey(workspace="demo", name="k", service="shop", daily_quota=3))
    house.register()
    house.service.create_route(ANN, CreateRoute(**GEO, route="maps"))
    house.gateway.start()
    house.applied()

    def status(key: str) -> int:
        return plane.ask(house.gateway, "GET", "/s/demo/maps/", key=key).status

    house.until(lambda: status(made.text) == 200)
    assert [status(made.text) for _ in range(3)] == [200, 200, 429]
    for method, path in (("GET", "/s/demo/maps/"), ("POST", "/v2/repository/index")):
        refused = plane.ask(house.gateway, method, path, {} if method == "POST" else None, key=made.text)
        assert (refused.status, refused.json()["code"]) == (429, "quota_exceeded")
    (shop,) = house.service.list_consumers(EVE, ListConsumers(workspace="demo")).items
    assert [(key.daily_quota, key.used_today) for key in shop.keys] == [(3, 3)]
    access.change_key(SYSTEM, ChangeKey(workspace="demo", key=made.key.id, daily_quota=4))
    house.until(lambda: status(made.text) == 200)
    assert status(made.text) == 429, "what was used counts on"
    access.change_key(SYSTEM, ChangeKey(workspace="demo", key=made.key.id, daily_quota=2))
    new = access.rotate_key(SYSTEM, RotateKey(workspace="demo", key=made.key.id))
    house.until(lambda: status(new.text) == 200)
    assert [status(new.text) for _ in range(2)] == [200, 429]


def test_a_route_tells_its_figures_by_consumer_and_by_instance(house: House) -> None:
    access = house.rooms.get(Access)
    keys = {}
    for name in ("shop", "kiosk"):
        access.create_service(SYSTEM, CreateService(workspace="demo", name=name, role="analyst"))
        keys[name] = access.create_key(SYSTEM, CreateKey(workspace="demo", name=name, service=name)).text
    house.register()
    house.service.create_route(ANN, CreateRoute(**GEO, route="maps", retries=0))
    house.gateway.start()
    house.applied()
    house.until(lambda: plane.ask(house.gateway, "GET", "/s/demo/maps/", key=keys["kiosk"]).status == 200)
    for path in ("/a", "/b", "/sick"):
        plane.ask(house.gateway, "GET", f"/s/demo/maps{path}", key=keys["shop"])
    seen = OneRoute(workspace="demo", route="maps")
    house.until(lambda: house.service.get_route_traffic(EVE, seen).requests == 4)
    traffic = house.service.get_route_traffic(EVE, seen)
    told = {one.consumer: (one.requests, one.errors, one.in_flight) for one in traffic.consumers}
    assert list(told.items()) == [("shop", (3, 1, 0)), ("kiosk", (1, 0, 0))]
    assert all(one.last_seen is not None and one.p50_s and one.p99_s for one in traffic.consumers)
    assert traffic.instances[0].p50_s
    text = plane.ask(house.gateway, "GET", "/metrics").body.decode()
    whose = 'consumer="shop",route="maps",workspace="demo"'
    for line in (
        f'aimass_gateway_route_requests_total{{code="503",{whose}}} 1',
        f"aimass_gateway_route_consumer_seconds_count{{{whose}}} 3",
        f"aimass_gateway_route_consumer_in_flight{{{whose}}} 0",
        "# TYPE aimass_gateway_instance_seconds histogram",
    ):
        assert line in text
    assert text.count("aimass_gateway_instance_seconds_count{") == 1


def test_a_key_needs_use_of_the_route_and_loses_it_with_its_grant(house: House) -> None:
    access = house.rooms.get(Access)
    keys = {}
    for name, role in (("shop", "analyst"), ("kiosk", None), ("guest", "viewer")):
        access.create_service(SYSTEM, CreateService(workspace="demo", name=name, role=role))
        keys[name] = access.create_key(SYSTEM, CreateKey(workspace="demo", name=name, service=name)).text
    access.give_role(SYSTEM, GiveRole(workspace="demo", role="analyst", service="kiosk", object="route:maps"))
    house.register()
    house.service.create_route(ANN, CreateRoute(**GEO, route="maps"))
    house.service.create_route(ANN, CreateRoute(**GEO, route="plans"))
    house.gateway.start()
    house.applied()
    house.until(lambda: plane.ask(house.gateway, "GET", "/s/demo/maps/", key=keys["shop"]).status == 200)

    def status(path: str, name: str) -> int:
        return plane.ask(house.gateway, "GET", path, key=keys[name]).status

    assert [status("/s/demo/maps/", name) for name in keys] == [200, 200, 403]
    assert [status("/s/demo/plans/", name) for name in keys] == [200, 403, 403]


def test_what_callers_have_used_today_is_told_by_name_address_and_key(house: House) -> None:
    access = house.rooms.get(Access)
    access.create_service(SYSTEM, CreateService(workspace="demo", name="shop", role="analyst"))
    keys = [access.create_key(SYSTEM, CreateKey(workspace="demo", name=n, service="shop")) for n in ("a", "b")]
    house.register()
    for name, by in (("maps", "consumer"), ("plans", "key"), ("tiles", "address")):
        house.service.create_route(ANN, CreateRoute(**GEO, route=name, limit_by=by, daily_quota=3))
    house.gateway.start()
    house.applied()
    house.until(lambda: plane.ask(house.gateway, "GET", "/s/demo/maps/", key=keys[0].text).status == 200)
    for key in keys:
        for path in ("/s/demo/maps/", "/s/demo/plans/", "/s/demo/tiles/"):
            assert plane.ask(house.gateway, "GET", path, key=key.text).status == 200

    def used(route: str) -> list[tuple[str, str, int, int | None]]:
        found = house.service.list_route_callers(EVE, ListRouteCallers(workspace="demo", route=route))
        return [(one.by, one.caller, one.used_today, one.remaining) for one in found]

    assert used("maps") == [("consumer", "shop", 3, 0)]
    assert used("plans") == [("key", key.key.id, 1, 2) for key in sorted(keys, key=lambda one: one.key.id)]
    house.until(lambda: used("tiles") == [("address", "127.0.0.1", 2, 1)])
    house.service.change_route(ANN, ChangeRoute(workspace="demo", route="maps", daily_quota=0))
    assert used("maps") == []


def test_a_lease_is_kept_by_heartbeats_that_write_nothing_and_ends_without(house: House) -> None:
    now = [0.0]
    house.service._leases.monotonic = lambda: now[0]
    one = house.register(lease_s=10.0)
    database = house.rooms.get(Database)
    with database.read() as conn:
        entries = conn.execute(audit_log.select()).all()
    beat = OneInstance(**GEO, instance=one.id)
    for _ in range(5):
        now[0] += 9.0
        assert house.service.heartbeat(ANN, beat).lease_s == 10.0
        house.turn()
    with database.read() as conn:
        assert len(conn.execute(audit_log.select()).all()) == len(entries)
    assert [found.id for found in house.instances()] == [one.id]
    now[0] += 10.0
    house.turn()
    assert house.instances() == []
    with pytest.raises(NotFound, match="no lease"):
        house.service.heartbeat(ANN, beat)
    assert house.register(lease_s=10.0).id != one.id


def test_the_same_address_again_renews_and_a_restart_of_control_costs_no_instance(house: House) -> None:
    first = house.register(lease_s=30.0)
    assert house.register(lease_s=30.0).id == first.id
    assert house.register(lease_s=30.0, weight=5).weight == 5
    house.service._leases.end(first.id)  # as after a restart
    house.service.services._is_loaded = False
    house.turn()
    assert house.service.heartbeat(ANN, OneInstance(**GEO, instance=first.id)).instance == first.id
    assert len(house.instances()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254",
        "http://10.0.0.1:80",
        "http://[::1]:80",
        "http://[::ffff:10.0.0.1]:80",
        "http://0.0.0.0:80",
        "ftp://127.0.0.1",
        "http://127.0.0.1:99999",
        "http://user:secret@127.0.0.1",
        "http://127.0.0.1/path",
    ],
)
def test_addresses_inside_and_strange_ones_are_refused(house: House, url: str) -> None:
    with pytest.raises(Invalid) as refused:
        house.service.register_instance(ANN, RegisterInstance(**GEO, address=url))
    assert refused.value.field == "address"
    assert "secret" not in str(refused.value.problem())
    assert house.instances() == []


def test_the_gateway_itself_is_no_service(house: House) -> None:
    house.gateway.start()
    house.until(house.service.publisher.workers)
    with pytest.raises(Invalid, match="is the gateway itself"):
        house.service.register_instance(ANN, RegisterInstance(**GEO, address=f"http://127.0.0.1:{house.gateway.port}"))


def test_policies_are_live_and_told(house: House) -> None:
    house.register()
    house.service.create_route(ANN, CreateRoute(**GEO, route="maps", access="public"))
    house.gateway.start()
    house.applied()
    named = OneRoute(workspace="demo", route="maps")
    assert house.service.pause_route(ANN, named).paused
    house.until(lambda: plane.ask(house.gateway, "GET", "/s/demo/maps/").status == 503)
    assert house.service.resume_route(ANN, named).version == 3
    secret = {"Authorization": "Bearer secret"}
    changed = house.service.change_route(
        ANN, ChangeRoute(workspace="demo", route="maps", request_headers=secret, prefix="m", expected_version=3)
    )
    assert (changed.path, changed.timeout_s) == ("/s/demo/m", 60.0)
    house.until(lambda: plane.ask(house.gateway, "GET", "/s/demo/m/").status == 200)
    assert plane.ask(house.gateway, "GET", "/s/demo/maps/").status == 404
    with house.rooms.get(Database).read() as conn:
        told = str(conn.execute(audit_log.select()).all())
    assert "gateway.route.changed" in told
    assert "secret" not in told
    with pytest.raises(Stale):
        house.service.change_route(ANN, ChangeRoute(workspace="demo", route="maps", timeout_s=3, expected_version=3))


@pytest.mark.parametrize(
    "wish",
    [
        {"prefix": "../up"},
        {"prefix": "a/b/c/d/e"},
        {"prefix": "a//b"},
        {"allow_from": ["10.0.0.0/99"]},
        {"cors_origins": ["shop.example"]},
        {"request_headers": {"Host": "x"}},
        {"request_headers": {"X-Forwarded-For": "x"}},
        {"reply_headers": {"X-A": "a\r\nX-B: b"}},
        {"reply_headers": {"X A": "a"}},
        {"reply_headers": {"Set-Cookie": "aimass_session=mine"}},
        {"reply_headers": {"Clear-Site-Data": '"cookies"'}},
        {"fallback_status": 100},
        {"fallback_status": 204},
        {"fallback_type": "a\r\nb: c"},
        {"fallback_upstream": "geo"},
        {"openapi_path": "openapi.json"},
        {"cache_vary": ["a b"]},
        {"hosts": ["localhost"]},
        {"hosts": ["10.0.0.5"]},
        {"hosts": ["api.example.org:8080"]},
        {"hosts": ["a.*.example.org"]},
        {"hosts": ["*.org"]},
        {"hosts": ["api.example.org/x\nr demo/a {}"]},
        {"host_path": "../up"},
        {"host_path": "a/b/c/d/e"},
    ],
)
def test_policies_that_cannot_be_meant_are_refused(house: House, wish: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        house.service.create_route(ANN, CreateRoute(**GEO, route="maps", **wish))
    assert refused.value.field in wish


def test_what_is_kept_is_cleared_by_path_and_a_new_route_of_the_same_name_begins_anew(house: House) -> None:
    house.register()
    wish = CreateRoute(**GEO, route="maps", access="public", cache=True, cache_s=600)
    assert house.service.create_route(ANN, wish).cache
    house.gateway.start()
    house.applied()

    def seen(path: str) -> str:
        return plane.ask(house.gateway, "GET", f"/s/demo/maps{path}").headers["x-cache"]

    def clear(prefix: str) -> None:
        before = house.service.services.version
        house.service.clear_route_cache(ANN, ClearCache(workspace="demo", route="maps", prefix=prefix))
        house.until(lambda: house.service.services.version > before)
        house.applied()

    assert [seen("/a"), seen("/b"), seen("/a"), seen("/b")] == ["MISS", "MISS", "HIT", "HIT"]
    clear("/a")
    assert [seen("/a"), seen("/b")] == ["MISS", "HIT"]
    clear("")
    assert [seen("/a"), seen("/b"), seen("/b")] == ["MISS", "MISS", "HIT"]
    house.until(lambda: _traffic(house).cache_hits == 4)
    assert _traffic(house).cache_misses == 5
    house.service.delete_route(ANN, OneRoute(workspace="demo", route="maps"))
    before = house.service.services.version
    house.service.create_route(ANN, wish)
    house.until(lambda: house.service.services.version > before)
    house.applied()
    assert seen("/b") == "MISS"
    with pytest.raises(Invalid) as refused:
        clear("a")
    assert refused.value.field == "prefix"
    with house.rooms.get(Database).read() as conn:
        assert "gateway.route.cache_cleared" in str(conn.execute(audit_log.select()).all())


def test_a_route_from_before_can_keep_answers_too(house: House) -> None:
    house.register()
    house.service.create_route(ANN, CreateRoute(**GEO, route="old", access="public"))
    with house.rooms.get(Database).change(ANN, "demo") as change:  # as it was written before routes kept answers
        old = change.conn.execute(routes.select().where(routes.c.route == "old")).one()
        before = {name: value for name, value in old.policy.items() if not name.startswith("cache")}
        change.execute(routes.update().where(routes.c.route == "old").values(policy=before))
    assert not house.service.get_route(ANN, OneRoute(workspace="demo", route="old")).cache
    house.service.change_route(ANN, ChangeRoute(workspace="demo", route="old", cache=True))
    house.gateway.start()
    house.applied()
    assert plane.ask(house.gateway, "GET", "/s/demo/old/").headers["x-cache"] == "MISS"


def _traffic(house: House) -> RouteTraffic:
    return house.service.get_route_traffic(ANN, OneRoute(workspace="demo", route="maps"))


def test_names_are_taken_once_and_nothing_in_use_is_deleted(house: House) -> None:
    house.service.create_route(ANN, CreateRoute(**GEO, route="maps"))
    with pytest.raises(Conflict, match="exists"):
        house.service.create_upstream(ANN, CreateUpstream(**GEO))
    with pytest.raises(Conflict, match="exists"):
        house.service.create_route(ANN, CreateRoute(**GEO, route="maps"))
    with pytest.raises(NotFound, match="no service 'spare'"):
        house.service.create_route(ANN, CreateRoute(**GEO, route="plans", fallback_upstream="spare"))
    spare = {"workspace": "demo", "upstream": "spare"}
    house.service.create_upstream(ANN, CreateUpstream(**spare))
    stood_in = ChangeRoute(workspace="demo", route="maps", fallback_upstream="spare", fallback_body="b" * 999)
    house.service.change_route(ANN, stood_in)
    with pytest.raises(Conflict, match="routes lead to 'spare'"):
        house.service.delete_upstream(ANN, OneUpstream(**spare))
    with house.rooms.get(Database).read() as conn:
        assert "bbbb" not in str(conn.execute(audit_log.select()).all())
    house.service.change_route(ANN, ChangeRoute(workspace="demo", route="maps", fallback_upstream=""))
    house.service.delete_upstream(ANN, OneUpstream(**spare))
    with pytest.raises(Conflict, match="has the prefix"):
        house.service.create_route(ANN, CreateRoute(**GEO, route="plans", prefix="maps"))
    with pytest.raises(NotFound):
        house.service.create_route(ANN, CreateRoute(workspace="demo", upstream="nobody", route="x"))
    with pytest.raises(Conflict, match="routes lead to"):
        house.service.delete_upstream(ANN, OneUpstream(**GEO))
    house.register()
    house.service.delete_route(ANN, OneRoute(workspace="demo", route="maps"))
    house.service.delete_upstream(ANN, OneUpstream(**GEO))
    house.turn()
    lines = house.service.services.path.read_text().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["version"] == house.service.services.version


def test_only_who_may_edit_changes_what_stands_behind(house: House) -> None:
    with pytest.raises(Forbidden):
        house.service.create_upstream(EVE, CreateUpstream(workspace="demo", upstream="x"))
    with pytest.raises(Forbidden):
        house.service.register_instance(EVE, RegisterInstance(**GEO, address="http://127.0.0.1:1"))
    with pytest.raises(Forbidden):
        house.service.change_upstream(EVE, ChangeUpstream(**GEO, balance="weighted"))
    with pytest.raises(Forbidden):
        house.service.clear_route_cache(EVE, ClearCache(workspace="demo", route="maps"))
    assert house.service.change_upstream(ANN, ChangeUpstream(**GEO, balance="weighted")).balance == "weighted"
    with pytest.raises(Invalid):
        house.service.change_upstream(ANN, ChangeUpstream(**GEO, hash_by="a b"))
    for path in ("health", "/a b", "/a\r\nX: y", "/a#b"):
        with pytest.raises(Invalid) as refused:
            house.service.change_upstream(ANN, ChangeUpstream(**GEO, health_path=path))
        assert refused.value.field == "health_path"


def test_a_deleted_workspace_is_called_no_more_and_comes_back_with_its_routes(house: House) -> None:
    house.register()
    house.service.create_route(ANN, CreateRoute(**GEO, route="maps", access="public"))
    house.gateway.start()
    house.applied()
    access = house.rooms.get(Access)
    access.delete_workspace(SYSTEM, OneWorkspace(workspace="demo"))
    house.until(lambda: plane.ask(house.gateway, "GET", "/s/demo/maps/").status == 404)
    access.restore_workspace(SYSTEM, RestoreWorkspace(deleted="demo"))
    house.until(lambda: plane.ask(house.gateway, "GET", "/s/demo/maps/").status == 200)


def test_a_change_that_found_the_disk_full_is_published_afterwards(house: House) -> None:
    house.register()
    house.service.create_route(ANN, CreateRoute(**GEO, route="maps"))
    house.turn()
    path = house.service.services.path
    blocked = path.with_name(f".{path.name}.new")
    blocked.mkdir()
    house.service.pause_route(ANN, OneRoute(workspace="demo", route="maps"))
    services = house.service.services
    services.monotonic = lambda: float("1e9")
    with pytest.raises(OSError, match="directory"):
        services.run_once()
    blocked.rmdir()
    assert services.run_once()
    assert '"paused":true' in path.read_text()
