"""Services and routes as documents: written, applied, shown before, and refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from aimass.access import CAPABILITY as ACCESS
from aimass.access import Access, CreateWorkspace
from aimass.apps.overview.domain import ApplySpecs, InWorkspace
from aimass.apps.overview.service.overview import Overview
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.gateway import CAPABILITY as GATEWAY
from aimass.gateway import Gateway, RegisterInstance
from aimass.gateway.domain.routes import OneRoute
from aimass.gateway.domain.services import ListInstances, OneUpstream
from aimass.gateway.specs import ROUTE, UPSTREAM
from aimass.infra.database import Database
from aimass.infra.search import Search
from aimass.kernel.errors import Forbidden, Invalid, NotFound
from aimass.kernel.principal import SYSTEM, Principal
from aimass.lake import CAPABILITY as LAKE
from aimass.models import CAPABILITY as MODELS
from aimass.serving import CAPABILITY as SERVING
from tests.fixtures.rooms import Rooms, person

ANN = person("Ann", "gateway.read", "gateway.edit", "access.read")
EVE = person("Eve", "gateway.read")
WANTED = """
kind: route
name: maps
upstream: geo
prefix: maps/v2
timeout_s: 5
rate_per_s: 100
allow_from: [10.0.0.0/8]
request_headers: {X-Team: geo}
fallback_upstream: spare
paused: true
cache: true
cache_s: 30
---
kind: upstream
name: geo
balance: power_of_two
instances:
- address: http://8.8.8.8:9000/
- {address: HTTP://8.8.4.4:80, weight: 3}
---
{kind: upstream, name: spare}
"""


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rooms]:
    monkeypatch.delenv("AIMASS_GATEWAY_ALLOW", raising=False)
    monkeypatch.setenv("AIMASS_GATEWAY_ROUTE_HOSTS", "bücher.example")
    rooms = Rooms(tmp_path / "d", [ACCESS, CLUSTER, LAKE, MODELS, SERVING, GATEWAY]).start()
    rooms.registry.put(Search, Search(rooms.get(Database)))
    rooms.get(Access).create_workspace(SYSTEM, CreateWorkspace(name="demo", slug="demo"))
    yield rooms
    rooms.close()


def documents(text: str = WANTED) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


def apply(rooms: Rooms, wanted: list[dict[str, Any]], *, dry_run: bool = False, who: Principal = ANN) -> list[Any]:
    wish = ApplySpecs(workspace="demo", documents=wanted, dry_run=dry_run)
    return [(c.kind, c.name, c.action, c.fields) for c in _overview(rooms).apply_specs(who, wish)]


def _overview(rooms: Rooms) -> Overview:
    return Overview(rooms.registry)


def export(rooms: Rooms) -> list[dict[str, Any]]:
    return _overview(rooms).export_specs(ANN, InWorkspace(workspace="demo"))


def test_what_was_exported_is_applied_without_a_change_and_makes_the_same_elsewhere(rooms: Rooms) -> None:
    made = apply(rooms, documents())
    assert [one[:3] for one in made] == [
        ("upstream", "geo", "create"), ("upstream", "spare", "create"), ("route", "maps", "create"),
    ]  # fmt: skip
    route = rooms.get(Gateway).get_route(ANN, OneRoute(workspace="demo", route="maps"))
    assert (route.path, route.paused, route.timeout_s) == ("/s/demo/maps/v2", True, 5.0)
    written = yaml.safe_load(yaml.safe_dump(export(rooms)))
    geo = next(one for one in written if one["name"] == "geo")
    assert geo["instances"] == [
        {"address": "http://8.8.4.4", "weight": 3}, {"address": "http://8.8.8.8:9000", "weight": 1},
    ]  # fmt: skip
    for again in (written, documents()):
        assert {(action, *fields) for _, _, action, fields in apply(rooms, again)} == {("none",)}
    assert export(rooms) == written
    rooms.get(Access).create_workspace(SYSTEM, CreateWorkspace(name="twin", slug="twin"))
    _overview(rooms).apply_specs(SYSTEM, ApplySpecs(workspace="twin", documents=written))
    assert _overview(rooms).export_specs(SYSTEM, InWorkspace(workspace="twin")) == written


def test_hosts_are_the_same_however_a_document_writes_them(rooms: Rooms) -> None:
    apply(rooms, documents())
    wish = [{"kind": "route", "name": "maps", "hosts": ["API.bücher.example."], "host_path": "/v1/"}]
    assert [one[2:] for one in apply(rooms, wish)] == [("change", ["host_path", "hosts"])]
    assert [one[2:] for one in apply(rooms, wish)] == [("none", [])]
    written = next(one for one in export(rooms) if one["name"] == "maps")
    assert (written["hosts"], written["host_path"]) == (["api.xn--bcher-kva.example"], "v1")
    assert [one[3] for one in apply(rooms, [{**wish[0], "hosts": []}])] == [["hosts"]]


def test_a_dry_run_shows_what_would_change_and_changes_nothing(rooms: Rooms) -> None:
    assert [one[2] for one in apply(rooms, documents(), dry_run=True)] == ["create"] * 3
    assert export(rooms) == []
    apply(rooms, documents())
    before = export(rooms)
    wish = [
        {"kind": "route", "name": "maps", "timeout_s": 7, "paused": False, "upstream": "geo"},
        {"kind": "upstream", "name": "geo", "instances": [{"address": "http://8.8.8.8:9000"}]},
    ]
    changes = _overview(rooms).apply_specs(ANN, ApplySpecs(workspace="demo", documents=wish, dry_run=True))
    assert [(c.action, c.fields) for c in changes] == [("change", ["instances"]), ("change", ["paused", "timeout_s"])]
    assert (changes[1].before, changes[1].after) == (
        {"timeout_s": 5.0, "paused": True}, {"timeout_s": 7, "paused": False},
    )  # fmt: skip
    assert export(rooms) == before
    apply(rooms, wish)
    route = rooms.get(Gateway).get_route(ANN, OneRoute(workspace="demo", route="maps"))
    assert (route.timeout_s, route.paused, route.rate_per_s) == (7.0, False, 100.0)
    assert next(one for one in export(rooms) if one["name"] == "geo")["instances"] == [
        {"address": "http://8.8.8.8:9000", "weight": 1}
    ]


def test_servers_with_a_lease_stand_in_no_document_and_outlive_every_one(rooms: Rooms) -> None:
    apply(rooms, documents())
    gateway, geo = rooms.get(Gateway), {"workspace": "demo", "upstream": "geo"}
    leased = gateway.register_instance(ANN, RegisterInstance(**geo, address="http://1.1.1.1:9000", lease_s=30))
    assert "1.1.1.1" not in str(export(rooms))
    apply(rooms, [{"kind": "upstream", "name": "geo", "instances": []}])
    assert [one.id for one in gateway.list_instances(ANN, ListInstances(**geo)).items] == [leased.id]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"timeout": 1}, "timeout"),
        ({"timeout_s": -1}, "timeout_s"),
        ({"timeout_s": "soon"}, "timeout_s"),
        ({"paused": "perhaps"}, "paused"),
        ({"access": "friends"}, "access"),
        ({"allow_from": ["10.0.0.0/99"]}, "allow_from"),
        ({"prefix": "../up"}, "prefix"),
    ],
)
def test_a_route_that_cannot_be_meant_is_refused_before_anything_is_made(
    rooms: Rooms, change: dict[str, Any], field: str
) -> None:
    wanted = documents()
    wanted[0] |= change
    with pytest.raises(Invalid) as refused:
        apply(rooms, wanted)
    assert refused.value.field == field
    assert export(rooms) == []


@pytest.mark.parametrize(
    ("instances", "field"),
    [
        ("http://8.8.8.8", "instances"),
        ([{"address": "http://8.8.8.8", "lease_s": 5}], "lease_s"),
        ([{"address": "http://8.8.8.8", "weight": 0}], "instances.0.weight"),
        ([{"weight": 1}], "instances.0.address"),
        ([{"address": "http://8.8.8.8"}, {"address": "http://8.8.8.8:80/"}], "instances.1.address"),
        ([{"address": "http://127.0.0.1:9"}], "address"),
        ([{"address": "http://8.8.8.8/path"}], "address"),
        ([{"address": "8.8.8.8:http"}], "address"),
    ],
)
def test_servers_that_may_not_be_registered_are_refused_before_anything_is_made(
    rooms: Rooms, instances: Any, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        apply(rooms, [{"kind": "upstream", "name": "geo", "instances": instances}])
    assert refused.value.field == field
    with pytest.raises(NotFound):
        rooms.get(Gateway).get_upstream(ANN, OneUpstream(workspace="demo", upstream="geo"))


def test_a_document_asks_for_the_permissions_of_its_kind(rooms: Rooms) -> None:
    registry = rooms.registry
    with pytest.raises(Forbidden):
        UPSTREAM.apply(registry, EVE, "demo", {"kind": "upstream", "name": "geo"}, dry_run=False)
    apply(rooms, documents())
    with pytest.raises(Forbidden):
        ROUTE.apply(registry, EVE, "demo", {"kind": "route", "name": "maps", "timeout_s": 1}, dry_run=False)
    assert len(UPSTREAM.export(registry, EVE, "demo") + ROUTE.export(registry, EVE, "demo")) == 3
    stranger = person("Tom", "gateway.read", workspace="other")
    assert UPSTREAM.export(registry, stranger, "demo") + ROUTE.export(registry, stranger, "demo") == []
    with pytest.raises(NotFound):
        ROUTE.apply(registry, stranger, "demo", {"kind": "route", "name": "x", "upstream": "geo"}, dry_run=False)
