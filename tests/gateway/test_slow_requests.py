"""Slow and failed requests: what a worker keeps, how few under a storm, and what control shows, keeps and forgets."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from aimass.access import Access, CreateWorkspace
from aimass.gateway import Gateway as Service
from aimass.gateway.domain.slow import ListSlow, SlowRequest
from aimass.gateway.jobs import erase, storage, take_slow
from aimass.infra.database import Database
from aimass.infra.segments import SegmentWriter, frame
from aimass.kernel.erasing import Person
from aimass.kernel.errors import Invalid, NotFound
from aimass.kernel.pages import Page
from aimass.kernel.principal import SYSTEM
from tests.fixtures import gateway as plane
from tests.fixtures.gateway import ROW, ask, deployment, endpoint, infer, oip, snapshot
from tests.fixtures.rooms import Rooms, person
from tests.fixtures.upstreams import Server, Services, route, upstream
from tests.gateway.test_services import ROOMS

EVE = person("Eve", "gateway.read")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
NEVER = 86_400.0
AT_ONCE = 1e-6


class House:
    """Control's rooms, a gateway process that flushes often, and a server; a model ``churn`` and routes that are slow at once."""

    def __init__(self, folder: Path, package: Path) -> None:
        self.rooms = Rooms(folder, ROOMS).start()
        self.rooms.get(Access).create_workspace(SYSTEM, CreateWorkspace(name="demo", slug="demo"))
        self.gateway = plane.Gateway(folder, slow_s=AT_ONCE, slow_most=3, series_flush_s=0.2, sync_s=0.2)
        document = snapshot(1, endpoint("churn", deployment(package)))
        for spec in document["keys"].values():
            spec["routes"] = ["*"]
        self.gateway.publish(document)
        self.gateway.start()
        self.server = Server("geo-1")
        dead = Server("dead")
        dead.stop()
        routes = [route("geo", access="key"), route("quick", slow_s=NEVER), route("gone", "lost", retries=0)]
        Services(self.gateway).publish([upstream("geo", self.server.port), upstream("lost", dead.port)], routes)

    @property
    def service(self) -> Service:
        return self.rooms.get(Service)

    def list(self, **wish: Any) -> Page[SlowRequest]:
        take_slow(self.rooms.registry)
        return self.service.list_slow_requests(EVE, ListSlow(workspace="demo", **wish))

    def one(self, path: str, **wish: Any) -> SlowRequest:
        """Wait until a request with this path is there."""
        plane.wait_for(lambda: any(one.path == path for one in self.list(**wish, limit=500).items))
        return next(one for one in self.list(**wish, limit=500).items if one.path == path)

    def metric(self, name: str) -> int:
        text = ask(self.gateway, "GET", "/metrics").body.decode()
        return next((int(float(line.split()[-1])) for line in text.splitlines() if line.startswith(name)), 0)


@pytest.fixture(scope="module")
def house(packages: dict[str, Path]) -> Iterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    house = House(folder / "d", packages["one"])
    yield house
    if house.gateway.process is not None:
        house.gateway.stop(signal.SIGKILL)
    house.server.stop()
    house.rooms.close()
    shutil.rmtree(folder)


@pytest.mark.parametrize("body", [orjson.dumps(oip()), orjson.dumps(oip([ROW, ROW]))], ids=["cheap", "general"])
def test_a_slow_answer_of_a_model_tells_where_the_time_went(house: House, body: bytes) -> None:
    trace = f"{len(body):032x}"
    infer(house.gateway, body, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    found = house.one("/v2/models/churn/infer", trace=trace, endpoint="churn")
    assert (found.kind, found.name, found.consumer, found.method) == ("endpoint", "churn", "shop", "POST")
    assert (found.status, found.error, found.version, found.target) == (200, "", "1", "rev-champion-1")
    assert found.compute_s is not None
    assert 0 < found.compute_s <= found.seconds
    assert found.bytes_in == len(body)
    assert found.bytes_out


def test_a_slow_answer_of_a_service_names_its_instance_and_no_secret(house: House) -> None:
    ask(house.gateway, "POST", "/s/demo/geo/a?token=geheim", b"geheim", X_Api_Key="geheim", traceparent=PARENT)
    found = house.one("/s/demo/geo/a", trace=TRACE)
    assert (found.kind, found.name, found.service, found.consumer) == ("route", "geo", "geo", "shop")
    assert (found.version, found.breaker, found.retries) == (f"127.0.0.1:{house.server.port}", "closed", 0)
    assert (found.bytes_in, found.status) == (6, 200)
    assert found.first_byte_s is not None
    assert 0 < found.first_byte_s <= found.seconds
    assert "geheim" not in str(found)
    assert all("geheim" not in path.read_text("latin-1") for path in house.gateway.data.rglob("*") if path.is_file())


def test_a_route_has_a_threshold_of_its_own_and_failures_are_always_kept(house: House) -> None:
    ask(house.gateway, "GET", "/s/demo/quick/fine")
    ask(house.gateway, "GET", "/s/demo/quick/sick")
    sick = house.one("/s/demo/quick/sick")
    assert (sick.status, sick.error) == (503, "")
    assert [one.path for one in house.list(route="quick").items] == ["/s/demo/quick/sick"]


def test_a_failure_names_its_reason_and_the_breaker(house: House) -> None:
    for _ in range(4):  # the fourth finds nobody: the breaker is open
        ask(house.gateway, "GET", "/s/demo/gone/x")
    plane.wait_for(lambda: {"no_instance", "service_gone"} <= {one.error for one in house.list(route="gone").items})
    assert {one.status for one in house.list(route="gone").items} <= {502, 503}
    assert all(one.consumer == "" for one in house.list(route="gone").items)


def test_a_client_who_leaves_is_kept_with_499(house: House) -> None:
    with house.gateway.connect() as connection:
        connection.sendall(plane.request("GET", "/s/demo/geo/hang"))
        plane.wait_for(lambda: any(b"/hang" in head for head in house.server.heads))
    found = house.one("/s/demo/geo/hang")
    assert (found.status, found.error, found.first_byte_s) == (499, "client_gone", None)


def test_a_storm_leaves_the_slowest_alone_and_says_how_many_it_left_out(house: House) -> None:
    before = house.metric("aimass_gateway_slow_requests_left_out_total")
    slow = 'aimass_gateway_slow_requests_total{route="geo"'
    counted = house.metric(slow)
    with house.gateway.connect() as connection:
        for n in range(300):
            connection.sendall(plane.request("GET", f"/s/demo/geo/storm/{n}"))
            plane.read_answer(connection)
    assert house.metric(slow) - counted == 300
    left_out = house.metric("aimass_gateway_slow_requests_left_out_total") - before
    assert left_out > 0

    def kept() -> int:
        found = house.list(route="geo", limit=500).items
        return sum(one.path.startswith("/s/demo/geo/storm/") for one in found)

    plane.wait_for(lambda: kept() == 300 - left_out)


def test_filters_orders_and_pages(house: House) -> None:
    for n in range(3):
        ask(house.gateway, "GET", f"/s/demo/geo/page/{n}")
    plane.wait_for(lambda: len(house.list(route="geo", limit=500).items) >= 3)
    for order in ("newest", "slowest"):
        whole = house.list(order=order, limit=500).items
        pages, cursor = [], None
        while True:
            page = house.service.list_slow_requests(
                EVE, ListSlow(workspace="demo", order=order, limit=2, cursor=cursor)
            )
            pages += page.items
            cursor = page.next
            if cursor is None:
                break
        assert [one.id for one in pages] == [one.id for one in whole]
        keys = [one.id if order == "newest" else (one.seconds, one.id) for one in pages]
        assert keys == sorted(keys, reverse=True)
    longest = house.list(order="slowest").items[0]
    assert [one.id for one in house.list(least_s=longest.seconds).items] == [longest.id]
    assert {one.status >= 500 for one in house.list(failed=True).items} == {True}
    assert house.list(consumer="nobody").items == house.list(status=418).items == []
    assert house.list(since=longest.at + timedelta(days=1)).items == []
    assert (
        house.list(until=longest.at).items == house.list(until=longest.at, since=longest.at - timedelta(days=1)).items
    )
    with pytest.raises(NotFound):
        house.service.list_slow_requests(EVE, ListSlow(workspace="other"))
    newest = house.list(limit=1).next
    with pytest.raises(Invalid, match="cursor"):
        house.list(order="slowest", limit=1, cursor=newest)


def test_what_is_on_its_way_is_taken_once_and_damage_costs_only_itself(house: House) -> None:
    folder = house.gateway.data / "slow" / "9"
    good = {"id": "0" * 26, "at": 1_790_000_000.0, "seconds": 2.5, "workspace": "demo", "kind": "route", "name": "old"}
    told = {**good, "status": 200, "path": "/s/demo/old/" + "x" * 900, "consumer": "a\0b"}
    writer = SegmentWriter(folder)
    writer.append([frame(json.dumps(told).encode()), frame(b'{"id": 1}'), frame(b"nonsense")])
    writer.close()
    again = (path := next(folder.glob("*.seg"))).read_bytes()
    found = house.list(route="old").items
    assert [(one.consumer, len(one.path), one.retries) for one in found] == [("ab", 500, 0)]
    path.write_bytes(again)  # as if control had been killed between the database and the file
    assert len(house.list(route="old").items) == 1
    assert not path.exists()


def test_a_person_is_erased_also_from_what_waits(house: House) -> None:
    writer = SegmentWriter(house.gateway.data / "slow" / "8")
    for n, (consumer, path) in enumerate((("ann@example.org", "/a"), ("shop", "/of/ann@example.org"), ("shop", "/b"))):
        told = {"id": f"{n + 1:026}", "at": 1_790_000_000.0, "seconds": 3.0, "workspace": "demo", "kind": "route"}
        writer.append(
            [frame(json.dumps({**told, "name": "mine", "status": 200, "consumer": consumer, "path": path}).encode())]
        )
    erased = erase(house.rooms.registry, Person(erasure="e1", values=("ann@example.org",)))
    writer.close()
    assert {one.what: one.count for one in erased}["slow requests"] == 0  # a living worker still holds them
    house.list()
    assert {
        one.what: one.count for one in erase(house.rooms.registry, Person(erasure="e2", values=("ann@example.org",)))
    }["slow requests"] == 2
    assert [one.path for one in house.list(route="mine").items] == ["/b"]


def test_requests_go_after_their_time_and_beyond_their_number(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.list()
    held = {one.workspace: one for one in storage(house.rooms.registry)}["demo"]
    assert held.count > 2
    assert "7 days" in held.rule
    service = house.service
    monkeypatch.setattr(service, "_drop_at", 0.0)
    monkeypatch.setattr(service, "_settings", _with(service, slow_rows=2))
    service.drop_slow()
    assert len(house.list(limit=500).items) <= 2
    clock = house.rooms.get(Database).clock
    later = clock.now() + timedelta(days=7, minutes=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    monkeypatch.setattr(service, "_drop_at", 0.0)
    service.drop_slow()
    assert service.list_slow_requests(EVE, ListSlow(workspace="demo")).items == []


def _with(service: Service, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(service._settings, **changes)


def test_nothing_is_kept_where_none_is_wanted(packages: dict[str, Path], tmp_path: Path) -> None:
    gateway = plane.Gateway(tmp_path / "d", slow_s=0, series_flush_s=0.1, sync_s=0.1)
    gateway.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    gateway.start()
    Services(gateway).publish([upstream("geo")], [route("geo", slow_s=AT_ONCE)])
    assert infer(gateway).status == 200
    assert ask(gateway, "GET", "/s/demo/geo/x").status == 503
    gateway.stop()
    assert list((gateway.data / "slow").rglob("*.seg")) == []
