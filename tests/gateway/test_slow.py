"""Clients that take their time, hold connections, or bring more than fits."""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.asgi_control import ControlServer
from tests.fixtures.gateway import (
    KEY,
    ROW,
    Gateway,
    ask,
    deployment,
    endpoint,
    infer,
    oip,
    read_answer,
    request,
    snapshot,
    wait_for,
)

_OPEN: list[socket.socket] = []


@contextlib.contextmanager
def running(data: Path, package: Path, control: ControlServer, **limits: object) -> Iterator[Gateway]:
    gateway = Gateway(data, **limits)
    big = endpoint("big", deployment(package, "big"), max_body_bytes=64 << 20)
    gateway.publish(snapshot(1, endpoint("churn", deployment(package)), big, control_socket=str(control.path)))
    gateway.start()
    try:
        yield gateway
    finally:
        assert gateway.stop() == 0
        assert "Traceback" not in gateway.log.read_text()


def memory_mb(gateway: Gateway) -> float:
    assert gateway.process is not None
    text = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def gauge(gateway: Gateway, name: str) -> float:
    text = ask(gateway, "GET", "/metrics").body.decode()
    return float(next(line for line in text.splitlines() if line.startswith(f"aimass_{name} ")).split()[1])


def is_closed(connection: socket.socket) -> bool:
    """Tell whether the gateway ended a connection, without waiting."""
    readable, _, _ = select.select([connection], [], [], 0)
    try:
        return bool(readable) and connection.recv(1 << 16) == b""
    except ConnectionResetError:
        return True


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close what a failed test left open."""
    yield
    while _OPEN:
        _OPEN.pop().close()


def from_address(gateway: Gateway, address: str) -> socket.socket:
    connection = socket.socket()
    _OPEN.append(connection)
    connection.bind((address, 0))
    connection.connect(("127.0.0.1", gateway.port))
    connection.settimeout(10)
    return connection


def opened(gateway: Gateway, count: int) -> list[socket.socket]:
    return [from_address(gateway, "127.0.0.1") for _ in range(count)]


# -- time

FAST = {"head_timeout_s": 0.6, "body_timeout_s": 0.6, "idle_timeout_s": 30, "write_timeout_s": 1.0}


@pytest.fixture(scope="module")
def strict(
    tmp_path_factory: pytest.TempPathFactory, packages: dict[str, Path], control: ControlServer
) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("strict"), packages["one"], control, min_bytes_per_s=200, **FAST) as gateway:
        yield gateway


def drip(connection: socket.socket, data: bytes, pause_s: float) -> float:
    """Send byte by byte until the gateway answers or closes; return how long it put up with it."""
    started = time.monotonic()
    for byte in data:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(bytes([byte]))
        if select.select([connection], [], [], pause_s)[0]:
            break
    return time.monotonic() - started


def test_a_head_that_comes_letter_by_letter_for_too_long_gets_408(strict: Gateway) -> None:
    with strict.connect() as connection:
        drip(connection, b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 300, 0.05)
        assert read_answer(connection)[0].status == 408


@pytest.mark.parametrize("address", ["/v2/models/churn/infer", "/api/upload"])
def test_a_body_that_never_stands_still_but_crawls_gets_408(strict: Gateway, address: str) -> None:
    with strict.connect() as connection:
        data = request("POST", address, b"x" * 2000)
        connection.sendall(data[:-2000])
        assert drip(connection, data[-2000:], 0.05) < 10
        answer, _ = read_answer(connection)
        assert (answer.status, answer.json()["code"]) == (408, "request_timeout")


def test_crawling_chunks_get_408(strict: Gateway) -> None:
    with strict.connect() as connection:
        connection.sendall(request("POST", "/v2/models/churn/infer", Transfer_Encoding="chunked"))
        drip(connection, b"1\r\nx\r\n" * 400, 0.02)
        assert read_answer(connection)[0].status == 408


def test_a_body_at_the_least_speed_is_served(strict: Gateway) -> None:
    with strict.connect() as connection:
        data = request("POST", "/api/upload", b"x" * 1000)
        connection.sendall(data[:-1000])
        for at in range(len(data) - 1000, len(data), 100):
            connection.sendall(data[at : at + 100])
            time.sleep(0.2)
        assert read_answer(connection)[0].json()["size"] == 1000


def big_reply(rows: int) -> bytes:
    return request("POST", "/v2/models/big/infer", oip([ROW] * rows))


@pytest.mark.parametrize("what", ["inference", "control"])
def test_a_client_that_never_reads_its_answer_is_cut_off(strict: Gateway, what: str) -> None:
    data = big_reply(150_000) if what == "inference" else request("GET", "/stream?mb=100")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", strict.port))
        connection.settimeout(30)
        connection.sendall(data)
        wait_for(lambda: gauge(strict, "gateway_connections") == 2)
        wait_for(lambda: gauge(strict, "gateway_connections") == 1)
        wait_for(lambda: gauge(strict, "gateway_buffered_bytes") == 0)
        with pytest.raises((ConnectionResetError, AssertionError)):
            read_answer(connection)


def test_a_client_that_reads_slowly_but_reads_gets_its_whole_answer(strict: Gateway) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        connection.connect(("127.0.0.1", strict.port))
        connection.settimeout(30)
        connection.sendall(big_reply(300_000))
        started, data = time.monotonic(), b""
        while time.monotonic() - started < 4:
            data += connection.recv(16 * 1024)
            time.sleep(0.02)
        answer, rest = read_answer(connection, data)
    assert (answer.status, rest) == (200, b"")
    assert answer.json()["outputs"][1]["shape"] == [300_000, 2]


# -- connections


def test_the_longest_idle_make_room_for_a_new_client(
    tmp_path: Path, packages: dict[str, Path], control: ControlServer
) -> None:
    with running(tmp_path, packages["one"], control, max_connections=30) as gateway:
        held = opened(gateway, 30)
        wait_for(lambda: gauge(gateway, "gateway_connections") >= 25)
        assert [infer(gateway).status for _ in range(5)] == [200] * 5
        ended = [is_closed(connection) for connection in held]
        assert 1 <= sum(ended) <= 12
        for connection in held:
            connection.close()


def test_a_head_that_is_not_complete_makes_room_too_and_says_why(
    tmp_path: Path, packages: dict[str, Path], control: ControlServer
) -> None:
    with running(tmp_path, packages["one"], control, max_connections=10) as gateway:
        held = opened(gateway, 10)
        for connection in held:
            connection.sendall(b"GET /v2/health")
        time.sleep(0.2)
        assert infer(gateway).status == 200
        readable, _, _ = select.select(held, [], [], 5)
        assert read_answer(readable[0])[0].status == 408
        for connection in held:
            connection.close()


def test_the_address_with_the_most_connections_makes_room_first(
    tmp_path: Path, packages: dict[str, Path], control: ControlServer
) -> None:
    with running(tmp_path, packages["one"], control, max_connections=30) as gateway:
        quiet = from_address(gateway, "127.0.0.7")
        quiet.sendall(request("GET", "/v2/health/live"))
        assert read_answer(quiet)[0].status == 200
        held = []
        for _ in range(200):
            held.append(from_address(gateway, "127.0.0.8"))
            time.sleep(0.002)
        assert not is_closed(quiet)
        quiet.sendall(request("GET", "/v2/health/live"))
        assert read_answer(quiet)[0].status == 200
        for connection in (quiet, *held):
            connection.close()


def test_without_an_idle_one_a_connection_too_many_gets_503(
    tmp_path: Path, packages: dict[str, Path], control: ControlServer
) -> None:
    with running(tmp_path, packages["one"], control, max_connections=5) as gateway:
        held = opened(gateway, 5)
        for connection in held:
            connection.sendall(request("GET", "/wait"))
        wait_for(lambda: control.app.state.waiting == 5)
        with gateway.connect() as connection:
            answer, _ = read_answer(connection)
            assert (answer.status, answer.json()["code"]) == (503, "too_many_connections")
            assert answer.headers["retry-after"] == "1"
        for connection in held:
            connection.close()
        wait_for(lambda: infer(gateway).status == 200)
        wait_for(lambda: control.app.state.waiting == 0)


def test_one_address_may_have_so_many_connections(
    tmp_path: Path, packages: dict[str, Path], control: ControlServer
) -> None:
    with running(tmp_path, packages["one"], control, max_connections_per_address=3) as gateway:
        held = [from_address(gateway, "127.0.0.5") for _ in range(3)]
        with from_address(gateway, "127.0.0.5") as connection:
            answer, _ = read_answer(connection)
            assert (answer.status, answer.json()["allowed"]) == (503, "at most 3")
        assert infer(gateway).status == 200
        held.pop().close()

        def is_welcome() -> bool:
            with from_address(gateway, "127.0.0.5") as connection:
                connection.sendall(request("GET", "/v2/health/live"))
                return read_answer(connection)[0].status == 200

        wait_for(is_welcome)
        for connection in held:
            connection.close()


def test_control_has_only_so_many_requests_under_way(
    tmp_path: Path, packages: dict[str, Path], control: ControlServer
) -> None:
    with running(tmp_path, packages["one"], control, max_passthrough=3) as gateway:
        held = opened(gateway, 3)
        for connection in held:
            connection.sendall(request("GET", "/wait"))
        wait_for(lambda: control.app.state.waiting == 3)
        answer = ask(gateway, "GET", "/api/x")
        assert (answer.status, answer.json()["code"], answer.headers["retry-after"]) == (503, "overloaded", "1")
        assert infer(gateway).status == 200
        for connection in held:
            connection.close()
        wait_for(lambda: ask(gateway, "GET", "/api/x").status == 200)
        wait_for(lambda: gauge(gateway, "gateway_passthrough_in_use") == 0)


@pytest.mark.long
def test_ten_thousand_idle_connections_cost_little_and_lock_nobody_out(
    tmp_path: Path, packages: dict[str, Path], control: ControlServer
) -> None:
    count = 10_000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < count + 500:
        pytest.fail(f"this test opens {count} connections and the system allows {hard} files: raise ulimit -n")
    with running(tmp_path, packages["one"], control, idle_timeout_s=120) as gateway:
        assert infer(gateway).status == 200
        before = memory_mb(gateway)
        held = [from_address(gateway, f"127.0.1.{n % 250 + 1}") for n in range(count)]
        wait_for(lambda: gauge(gateway, "gateway_connections") >= count - 70, within=60)
        assert memory_mb(gateway) - before < 100
        assert [infer(gateway).status for _ in range(100)] == [200] * 100
        for connection in held:
            with contextlib.suppress(OSError):
                connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: ")
        assert [infer(gateway).status for _ in range(20)] == [200] * 20
        assert memory_mb(gateway) - before < 150
        for connection in held:
            connection.close()
        wait_for(lambda: gauge(gateway, "gateway_connections") == 1, within=60)


# -- bytes


def test_bodies_that_do_not_fit_together_are_refused_and_memory_stays_bounded(
    tmp_path: Path, packages: dict[str, Path], control: ControlServer
) -> None:
    with running(tmp_path, packages["one"], control, max_buffered_bytes=8 << 20) as gateway:
        assert infer(gateway).status == 200
        before = memory_mb(gateway)
        head = request("POST", "/v2/models/big/infer", b"")[:-4].replace(b"Length: 0", b"Length: 5000000") + b"\r\n\r\n"
        held = opened(gateway, 20)
        for connection in held:
            with contextlib.suppress(OSError):
                connection.sendall(head + b" " * 4_000_000)
        answers = [read_answer(c)[0] for c in held if select.select([c], [], [], 0.2)[0]]
        assert 15 <= len(answers) <= 19
        assert {(a.status, a.json()["code"], a.headers["retry-after"]) for a in answers} == {(503, "overloaded", "1")}
        assert memory_mb(gateway) - before < 60
        for connection in held:
            connection.close()
        wait_for(lambda: infer(gateway).status == 200)
        wait_for(lambda: gauge(gateway, "gateway_buffered_bytes") == 0)


def test_requests_that_wait_behind_a_slow_one_count_too(
    tmp_path: Path, packages: dict[str, Path], control: ControlServer
) -> None:
    with running(tmp_path, packages["one"], control, max_buffered_bytes=1 << 20) as gateway:
        held = opened(gateway, 30)
        for connection in held:
            connection.sendall(request("GET", "/wait") + b"GET /v2/health/live HTTP/1.1\r\nHost: " + b"a" * 60_000)
        wait_for(lambda: sum(is_closed(connection) for connection in held) >= 5)
        assert infer(gateway).status == 200
        for connection in held:
            connection.close()
        wait_for(lambda: gauge(gateway, "gateway_buffered_bytes") == 0)


def test_a_head_in_the_making_counts_too(tmp_path: Path, packages: dict[str, Path], control: ControlServer) -> None:
    with running(tmp_path, packages["one"], control, max_buffered_bytes=100_000) as gateway:
        held = opened(gateway, 10)
        for connection in held:
            connection.sendall(b"GET /api HTTP/1.1\r\nX: " + b"a" * 20_000)
        wait_for(lambda: len(select.select(held, [], [], 0)[0]) >= 5)
        for connection in select.select(held, [], [], 0)[0]:
            assert read_answer(connection)[0].json()["code"] == "overloaded"
        assert KEY not in gateway.log.read_text()
        for connection in held:
            connection.close()
