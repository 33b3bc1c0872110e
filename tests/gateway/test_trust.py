"""Who asks, as an outer edge says, and whom the gateway believes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimass.gateway.settings import GatewaySettings
from aimass.kernel.errors import Invalid
from tests.fixtures.asgi_control import ControlServer
from tests.fixtures.gateway import Gateway, ask, read_answer, request, snapshot
from tests.fixtures.upstreams import Server, Services, route, upstream

FROM_EDGE = {"X_Forwarded_For": "198.51.100.1, 203.0.113.7", "X_Forwarded_Proto": "https"}


def behind(data: Path, control: ControlServer, trusted: str) -> Gateway:
    gateway = Gateway(data, trusted_proxies=trusted)
    gateway.control_socket = str(control.path)
    gateway.publish(snapshot(1, control_socket=str(control.path)))
    return gateway.start()


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory, control: ControlServer) -> Iterator[Gateway]:
    gateway = behind(tmp_path_factory.mktemp("trusting"), control, "127.0.0.1, 10.0.0.0/8")
    yield gateway
    gateway.stop()


def said(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.json()["headers"] if name.startswith("x-forwarded-")}


def test_a_listed_edge_is_believed_on_who_asks_and_how(trusting: Gateway) -> None:
    found = said(ask(trusting, "GET", "/api/v1/me", **FROM_EDGE))
    assert (found["x-forwarded-for"], found["x-forwarded-proto"]) == ("203.0.113.7", "https")


def test_nobody_else_is_believed(gateway: Gateway, tmp_path: Path, control: ControlServer) -> None:
    other = behind(tmp_path, control, "10.0.0.0/8")
    try:
        for one in (gateway, other):
            found = said(ask(one, "GET", "/api/v1/me", **FROM_EDGE))
            assert (found["x-forwarded-for"], found["x-forwarded-proto"]) == ("127.0.0.1", "http")
    finally:
        other.stop()


def test_clients_that_share_a_connection_of_the_edge_are_kept_apart(trusting: Gateway) -> None:
    heads: list[dict[str, str]] = [{"X_Forwarded_For": "203.0.113.1", "X_Forwarded_Proto": "https"}, {}]
    with trusting.connect() as connection:
        connection.sendall(b"".join(request("GET", "/api/x", **head) for head in heads))
        first, rest = read_answer(connection)
        second, _ = read_answer(connection, rest)
    assert [said(one)["x-forwarded-for"] for one in (first, second)] == ["203.0.113.1", "127.0.0.1"]
    assert [said(one)["x-forwarded-proto"] for one in (first, second)] == ["https", "http"]


def test_a_route_for_listed_addresses_looks_at_the_client_and_tells_the_service(trusting: Gateway) -> None:
    server = Server()
    try:
        Services(trusting).publish([upstream("geo", server.port)], [route("geo", allow_from=["203.0.113.7"])])
        assert ask(trusting, "GET", "/s/demo/geo/", **FROM_EDGE).status == 200
        assert ask(trusting, "GET", "/s/demo/geo/", X_Forwarded_For="203.0.113.8").status == 404
        assert b"x-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: https\r\n" in server.heads[-1]
    finally:
        server.stop()


def test_a_list_that_names_no_address_stops_the_start() -> None:
    with pytest.raises(Invalid, match=r"AIMASS_GATEWAY_TRUSTED_PROXIES.*'proxy\.example'") as caught:
        GatewaySettings(data_dir=Path(), trusted_proxies="10.0.0.0/8,proxy.example")
    assert caught.value.value == "proxy.example"
