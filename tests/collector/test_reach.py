"""What connectors may reach, when a name leads elsewhere a moment after it was looked up."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator

import pytest

from aimass.collector.children.opening import opened
from aimass.collector.connectors.reach import Reach, check_host, guarded, limit_to
from aimass.kernel.errors import Forbidden
from tests.fixtures.engines import needs_postgres
from tests.fixtures.platform import free_port
from tests.fixtures.postgres import postgres_server

OPEN, CLOSED = Reach(loopback=True), Reach()
NAME = "shop.example"
Names = Callable[..., None]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Let a name lead to one address after the other, each time that it is looked up."""
    real = socket.getaddrinfo

    def make(*addresses: str) -> None:
        left = list(addresses)

        def looked_up(host: str, *args: object, **more: object) -> object:
            address = (left.pop(0) if len(left) > 1 else left[0]) if host == NAME else host
            return real(address, *args, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", looked_up)

    return make


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_a_name_that_leads_to_this_machine_at_the_second_look_is_refused(names: Names, server: socket.socket) -> None:
    names("192.0.2.7", "127.0.0.1")
    limit_to(CLOSED)
    assert check_host(NAME) == ["192.0.2.7"]
    with guarded(CLOSED), pytest.raises(Forbidden, match="this machine itself"):
        http.client.HTTPConnection(NAME, server.getsockname()[1], timeout=5).request("GET", "/")
    server.settimeout(0.2)
    with pytest.raises(TimeoutError):
        server.accept()


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "0.0.0.0", "::"])  # noqa: S104 no server
def test_addresses_that_nobody_may_reach_are_refused_when_a_connection_opens(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with guarded(CLOSED), socket.socket(family) as mine, pytest.raises(Forbidden):
        mine.connect((address, 80))


def test_what_may_be_reached_is_and_afterwards_nothing_is_guarded(server: socket.socket) -> None:
    address = server.getsockname()
    with guarded(OPEN):
        socket.create_connection(address, 5).close()
    with guarded(CLOSED), pytest.raises(Forbidden):
        socket.create_connection(address, 5)
    socket.create_connection(address, 5).close()


@pytest.mark.postgres
@needs_postgres
@pytest.mark.parametrize("connector", ["postgres", "sqlalchemy"])
def test_postgresql_is_asked_at_the_address_that_was_checked(names: Names, connector: str) -> None:
    """The library that connects knows no such name: it goes to the address that it is given."""
    names("127.0.0.1")
    port = free_port()
    told: dict[str, object] = {"host": NAME, "port": port, "database": "postgres", "user": "aimass"}
    if connector == "sqlalchemy":
        told = {"url": f"postgresql+psycopg://aimass@{NAME}:{port}/postgres"}
    with postgres_server("listen_addresses=127.0.0.1", f"port={port}"), opened(connector, told, {}, OPEN) as found:
        assert "postgresql" in found.check().lower()
