"""The reverse proxy through a real gateway worker, against servers that behave and misbehave."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from aimass.gateway.plane.metrics import BOUNDS, Histogram, Metrics
from aimass.gateway.plane.proxy.callers import Callers
from aimass.gateway.plane.proxy.parked import let_go, turn_late_away
from aimass.gateway.plane.proxy.things import RouteStats
from tests.fixtures.gateway import KEY, KEYS, Gateway, ask, key, read_answer, request, snapshot, wait_for
from tests.fixtures.platform import free_port
from tests.fixtures.upstreams import Server, Services, route, servers, upstream


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Services]]:
    """A gateway that has keys with and without use of routes."""
    gateway = Gateway(tmp_path_factory.mktemp("data"))
    document = snapshot(1)
    for spec in document["keys"].values():
        spec["routes"] = ["*"] if spec["consumer"] in ("shop", "slow", "late") else []
    gateway.publish(document)
    gateway.start()
    yield gateway, Services(gateway)
    gateway.stop()


@pytest.fixture
def one() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


def test_a_request_reaches_the_service_below_its_prefix(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo"), route("whole", strip_prefix=False)])
    told = ask(gateway, "PUT", "/s/demo/geo/a/b?x=1&y=%20", b"body", X_Own="1").json()
    assert (told["method"], told["target"], told["size"]) == ("PUT", "/a/b?x=1&y=%20", 4)
    headers = told["headers"]
    assert headers["host"] == f"127.0.0.1:{one.port}"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-host"] == "gateway.test"
    assert headers["x-forwarded-prefix"] == "/s/demo/geo"
    assert headers["forwarded"] == 'for=127.0.0.1;host="gateway.test";proto=http'
    assert (headers["via"], headers["x-aimass-workspace"]) == ("1.1 loop-1", "demo")
    assert ask(gateway, "GET", "/s/demo/geo").json()["target"] == "/"
    assert ask(gateway, "GET", "/s/demo/whole/x").json()["target"] == "/s/demo/whole/x"


def test_the_longest_prefix_wins_and_nothing_else_is_below_s(behind: Any) -> None:
    gateway, services = behind
    with servers(2) as (first, second):
        services.publish(
            [upstream("geo", first.port), upstream("tiles", second.port)],
            [route("geo"), {**route("tiles", "tiles"), "prefix": "geo/tiles"}],
        )
        assert ask(gateway, "GET", "/s/demo/geo/x").json()["server"] == "0"
        told = ask(gateway, "GET", "/s/demo/geo/tiles/7").json()
        assert (told["server"], told["target"]) == ("1", "/7")
        assert ask(gateway, "GET", "/s/demo/geo/tilesX").json()["server"] == "0"
    for path in ("/s/demo/geox", "/s/demo", "/s/", "/s/other/geo"):
        answer = ask(gateway, "GET", path)
        assert (answer.status, answer.json()["code"]) == (404, "unknown_route")


@pytest.mark.parametrize("path", ["/..", "/a/../b", "/%2e%2E/x", "/a/.", "/a%2f..", "/a\\..\\b", "/%00"])
def test_a_path_with_two_readings_is_refused(behind: Any, one: Server, path: str) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo")])
    assert ask(gateway, "GET", f"/s/demo/geo{path}").status == 400
    assert one.heads == []


def test_only_keys_that_may_use_a_route_get_through_and_are_not_shown_to_the_service(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo", access="key")])
    told = ask(gateway, "GET", "/s/demo/geo/", key=KEY).json()
    assert told["headers"]["x-aimass-consumer"] == "shop"
    assert KEY not in str(told)
    viewer, late = (text for text, spec in KEYS.items() if spec["consumer"] in ("viewer", "late"))
    codes = [ask(gateway, "GET", "/s/demo/geo/", key=text).status for text in (viewer, late, "aim_wrong", None)]
    assert codes == [403, 401, 401, 401]


def test_a_service_hears_nothing_of_the_console_and_says_nothing_in_its_name(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo")])
    cookie = "a=1; aimass_session=secret; aimass_csrf=x"
    lies = {"X_Forwarded_For": "6.6.6.6", "Forwarded": "for=1", "X_Aimass_Consumer": "boss"}
    answer = ask(gateway, "GET", "/s/demo/geo/", Cookie=cookie, **lies, Connection="X-Hop, keep-alive", X_Hop="1")
    headers = answer.json()["headers"]
    assert headers["cookie"] == "a=1"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert "6.6.6.6" not in str(headers)
    assert not {"x-aimass-consumer", "x-hop", "connection"} & set(headers)
    assert answer.headers["content-security-policy"].startswith("sandbox")
    with gateway.connect() as connection:
        connection.sendall(request("GET", "/s/demo/geo/cookie"))
        raw = connection.recv(65536)
    assert b"aimass_session" not in raw
    assert b"set-cookie: own=1" in raw


def test_a_name_that_wsgi_takes_for_one_of_ours_reaches_no_service(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo", request_headers={"X-Team": "geo"})])
    lies = b"X_Aimass_Consumer: boss\r\nX_Forwarded_For: 6.6.6.6\r\nX-Team_: mine\r\nX_Team: boss\r\n\r\n"
    with gateway.connect() as connection:
        connection.sendall(request("GET", "/s/demo/geo/")[:-2] + lies)
        headers = read_answer(connection)[0].json()["headers"]
    assert not {"x_aimass_consumer", "x_forwarded_for", "x_team"} & set(headers)
    assert (headers["x-team"], headers["x-team_"]) == ("geo", "mine")


def test_headers_are_set_and_taken_away(behind: Any, one: Server) -> None:
    gateway, services = behind
    rules: dict[str, Any] = {
        "request_headers": {"X-Team": "geo", "User-Agent": ""},
        "reply_headers": {"Server": "", "X-Made": "here"},
    }
    services.publish([upstream("geo", one.port)], [route("geo", **rules)])
    answer = ask(gateway, "GET", "/s/demo/geo/", User_Agent="browser")
    assert answer.json()["headers"]["x-team"] == "geo"
    assert "user-agent" not in answer.json()["headers"]
    assert (answer.headers["x-made"], "server" in answer.headers) == ("here", False)


def test_pages_of_a_named_origin_may_call(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo", access="key", cors_origins=["https://shop.example"])])
    asked = {"Origin": "https://shop.example", "Access_Control_Request_Method": "POST"}
    answer = ask(gateway, "OPTIONS", "/s/demo/geo/", **asked)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, "https://shop.example")
    assert "access-control-allow-origin" in ask(gateway, "GET", "/s/demo/geo/", **asked).headers
    stranger = ask(gateway, "OPTIONS", "/s/demo/geo/", **{**asked, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in stranger.headers
    assert [head[:5] for head in one.heads] == [b"GET /"]


def test_callers_from_elsewhere_find_nothing(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish(
        [upstream("geo", one.port)],
        [route("geo", allow_from=["10.0.0.0/8"]), route("near", allow_from=["127.0.0.0/8"])],
    )
    assert ask(gateway, "GET", "/s/demo/geo/").status == 404
    assert ask(gateway, "GET", "/s/demo/near/").status == 200


def test_a_paused_route_says_when_to_come_again(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo", paused=True)])
    answer = ask(gateway, "POST", "/s/demo/geo/", b"body")
    assert (answer.status, answer.json()["code"], answer.headers["retry-after"]) == (503, "route_paused", "7")
    services.publish([upstream("geo", one.port)], [route("geo")])
    assert ask(gateway, "GET", "/s/demo/geo/").status == 200


def test_a_route_over_its_rate_refuses(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("limited", rate_per_s=2.0)])
    codes = [ask(gateway, "GET", "/s/demo/limited/").status for _ in range(6)]
    assert codes[0] == 200
    assert 429 in codes


# -- bodies


def test_large_bodies_go_both_ways_and_too_large_ones_do_not(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish(
        [upstream("geo", one.port)], [route("geo"), route("small", max_request_bytes=1000, max_reply_bytes=1000)]
    )
    assert ask(gateway, "POST", "/s/demo/geo/", bytes(20 << 20)).json()["size"] == 20 << 20
    assert len(ask(gateway, "GET", "/s/demo/geo/big?mb=50").body) == 50 << 20
    assert ask(gateway, "POST", "/s/demo/small/", bytes(1001)).json()["code"] == "body_too_large"
    assert ask(gateway, "GET", "/s/demo/small/big?mb=1").json()["code"] == "reply_too_large"
    with gateway.connect() as connection:
        connection.sendall(request("POST", "/s/demo/small/", Transfer_Encoding="chunked"))
        connection.sendall(b"800\r\n" + bytes(0x800) + b"\r\n0\r\n\r\n")
        assert read_answer(connection)[0].status == 413


def test_a_chunked_upload_arrives_whole(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo")])
    with gateway.connect() as connection:
        connection.sendall(request("POST", "/s/demo/geo/", Transfer_Encoding="chunked"))
        for _ in range(20):
            connection.sendall(b"2710\r\n" + bytes(10_000) + b"\r\n")
        connection.sendall(b"0\r\n\r\n" + request("GET", "/s/demo/geo/after"))
        answer, rest = read_answer(connection)
        assert answer.json()["size"] == 200_000
        assert read_answer(connection, rest)[0].json()["target"] == "/after"


def memory_kib(gateway: Gateway) -> int:
    assert gateway.process is not None
    with Path(f"/proc/{gateway.process.pid}/status").open() as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def test_a_slow_reader_holds_the_service_back_and_not_in_memory(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo", timeout_s=0.5)])
    before = memory_kib(gateway)
    with gateway.connect() as connection:
        connection.sendall(request("GET", "/s/demo/geo/big?mb=30"))
        time.sleep(1.0)
        assert memory_kib(gateway) - before < 15_000
        assert len(read_answer(connection)[0].body) == 30 << 20


def test_events_and_open_ended_replies_pass(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo")])
    assert ask(gateway, "GET", "/s/demo/geo/events").body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert ask(gateway, "GET", "/s/demo/geo/until-close").body == b"until the end"
    assert ask(gateway, "GET", "/s/demo/geo/moved").headers["location"] == "/s/demo/geo/login"


def echo(socket: ServerConnection) -> None:
    for text in socket:
        socket.send(f"echo {text}")


def test_a_websocket_passes(behind: Any) -> None:
    gateway, services = behind
    with serve(echo, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        services.publish([upstream("ws", server.socket.getsockname()[1])], [route("ws", "ws", timeout_s=0.3)])
        with connect(f"ws://127.0.0.1:{gateway.port}/s/demo/ws/chat") as client:
            for text in ("hello", "x" * 200_000):
                client.send(text)
                assert client.recv() == "echo " + text
            time.sleep(0.6)
            client.send("still there")
            assert client.recv() == "echo still there"
        server.shutdown()


def test_a_websocket_is_no_body_and_has_no_largest_one(behind: Any) -> None:
    gateway, services = behind
    with serve(echo, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        services.publish([upstream("ws", port)], [route("ws", "ws", max_request_bytes=10, max_reply_bytes=10)])
        with connect(f"ws://127.0.0.1:{gateway.port}/s/demo/ws/chat") as client:
            for text in ("longer than ten bytes", "and once more"):
                client.send(text)
                assert client.recv() == "echo " + text
        server.shutdown()


def test_an_instance_that_left_in_the_middle_of_an_answer_keeps_no_connection(behind: Any, one: Server) -> None:
    gateway, services = behind
    with socket.create_server(("127.0.0.1", 0)) as listener, gateway.connect() as client:
        services.publish([upstream("geo", listener.getsockname()[1])], [route("geo")])
        client.sendall(request("GET", "/s/demo/geo/"))
        server, _ = listener.accept()
        with server:
            server.settimeout(10)
            assert server.recv(65536)
            services.publish([upstream("geo", one.port)], [route("geo")])
            server.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            assert read_answer(client)[0].status == 200
            with contextlib.suppress(ConnectionResetError):
                assert server.recv(1) == b""


# -- services that misbehave


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("hang", 504, "service_timeout"),
        ("reset", 502, "service_gone"),
        ("garbage", 502, "bad_reply"),
        ("smuggle", 502, "bad_reply"),
    ],
)
def test_a_service_that_misbehaves_is_told_as_such(behind: Any, one: Server, path: str, status: int, code: str) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port, failures=100)], [route("geo", timeout_s=0.5)])
    with gateway.connect() as connection:
        connection.sendall(request("GET", f"/s/demo/geo/{path}"))
        answer, rest = read_answer(connection)
        assert (answer.status, answer.json()["code"]) == (status, code)
        connection.sendall(request("GET", "/s/demo/geo/after"))
        assert read_answer(connection, rest)[0].status == 200


@pytest.mark.parametrize("path", ["half", "slow"])
def test_half_an_answer_is_seen_as_half(behind: Any, one: Server, path: str) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo", timeout_s=0.5)])
    with gateway.connect() as connection:
        connection.sendall(request("GET", f"/s/demo/geo/{path}"))
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while more := connection.recv(65536):
                data += more
    assert data.startswith(b"HTTP/1.1 200")
    assert len(data.partition(b"\r\n\r\n")[2]) < 20


def test_an_open_ended_answer_that_is_torn_off_has_no_end(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo")])
    with gateway.connect() as connection:
        connection.sendall(request("GET", "/s/demo/geo/torn"))
        data = b""
        while b"until the end" not in data:
            data += connection.recv(65536)
        one.tear.set()
        with contextlib.suppress(ConnectionResetError):
            while more := connection.recv(65536):
                data += more
    assert not data.endswith(b"0\r\n\r\n")


def test_what_comes_after_an_answer_is_nobodys(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo")])
    with gateway.connect() as connection:
        connection.sendall(request("GET", "/s/demo/geo/more") + request("GET", "/s/demo/geo/next"))
        first, rest = read_answer(connection)
        second, rest = read_answer(connection, rest)
    assert (first.body, second.json()["target"], rest) == (b"ok", "/next", b"")


def test_an_early_answer_arrives_although_the_upload_goes_on(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo")])
    with gateway.connect() as connection:
        connection.sendall(
            request("POST", "/s/demo/geo/early", b"x" * 10)[:-10].replace(b"Length: 10", b"Length: 3000000")
        )
        with contextlib.suppress(OSError):
            connection.sendall(b"x" * 100_000)
        assert read_answer(connection)[0].status == 413


@pytest.mark.parametrize(
    "smuggled",
    [
        b"POST /s/demo/geo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /s/demo/geo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        b"POST /s/demo/geo/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /s/demo/geo/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_a_smuggled_request_reaches_no_service_as_a_second_one(behind: Any, one: Server, smuggled: bytes) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo")])
    with gateway.connect() as connection:
        connection.sendall(smuggled + request("GET", "/s/demo/geo/smuggled"))
        answer, _ = read_answer(connection)
    assert answer.status in (400, 502)
    assert not any(b"/smuggled" in head for head in one.heads)


def test_a_route_that_leads_back_is_a_loop(behind: Any) -> None:
    gateway, services = behind
    services.publish([upstream("self", gateway.port)], [route("loop", "self", strip_prefix=False)])
    answer = ask(gateway, "GET", "/s/demo/loop/x")
    assert (answer.status, answer.json()["code"]) == (508, "loop_detected")


# -- several instances


def _shares(gateway: Gateway, path: str, count: int, **headers: str) -> Counter[str]:
    return Counter(ask(gateway, "GET", path, **headers).json()["server"] for _ in range(count))


def test_each_way_of_spreading_does_what_it_says(behind: Any) -> None:
    gateway, services = behind
    with servers(3) as found:
        ports = [one.port for one in found]
        ways = ("round_robin", "weighted", "least_in_flight", "power_of_two", "consistent_hash")
        told = [upstream(way.replace("_", "-"), *ports, balance=way, hash_by="x-user") for way in ways]
        told[1]["instances"][0]["weight"] = 4
        services.publish(told, [route(one["name"], one["name"]) for one in told])
        assert set(_shares(gateway, "/s/demo/round-robin/", 12).values()) == {4}
        assert _shares(gateway, "/s/demo/weighted/", 12) == {"0": 8, "1": 2, "2": 2}
        assert sum(_shares(gateway, "/s/demo/least-in-flight/", 12).values()) == 12
        assert sum(_shares(gateway, "/s/demo/power-of-two/", 12).values()) == 12
        users = {user: _shares(gateway, "/s/demo/consistent-hash/", 2, X_User=user) for user in "abcdefghijkl"}
        assert all(len(shares) == 1 for shares in users.values())
        gone = found[0]
        gone.stop()
        told[4]["instances"] = told[4]["instances"][1:]
        services.publish(told, [route(one["name"], one["name"]) for one in told])
        after = {user: _shares(gateway, "/s/demo/consistent-hash/", 1, X_User=user) for user in users}
        assert all(set(after[user]) == set(users[user]) for user in users if "0" not in users[user])


def test_a_request_goes_to_another_instance_when_one_fails_it(behind: Any) -> None:
    gateway, services = behind
    with servers(2) as (well, sick):
        services.publish([upstream("geo", well.port, sick.port)], [route("geo", retries=1)])
        sick.is_sick = True
        assert _shares(gateway, "/s/demo/geo/", 20) == {"0": 20}
        posts = [ask(gateway, "POST", "/s/demo/geo/", b"x").status for _ in range(4)]
        assert set(posts) == {200}, "the breaker keeps requests that must not be repeated away, too"


def test_a_post_is_not_sent_twice_unless_the_route_says_so(behind: Any) -> None:
    gateway, services = behind
    with servers(2) as (well, sick):
        sick.is_sick = True
        told = [upstream("geo", well.port, sick.port, failures=1000)]
        services.publish(told, [route("geo"), route("again", retry_unsafe=True)])
        assert sorted(ask(gateway, "POST", "/s/demo/geo/", b"x").status for _ in range(4)) == [200, 200, 502, 502]
        assert [ask(gateway, "POST", "/s/demo/again/", b"x").status for _ in range(4)] == [200] * 4


def test_a_breaker_opens_and_closes_again(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port, failures=2, open_s=0.5)], [route("geo", retries=0)])
    one.is_sick = True
    codes = [ask(gateway, "GET", "/s/demo/geo/").json()["code"] for _ in range(4)]
    assert codes == ["service_gone", "service_gone", "no_instance", "no_instance"]
    one.is_sick = False
    wait_for(lambda: ask(gateway, "GET", "/s/demo/geo/").status == 200)
    assert [ask(gateway, "GET", "/s/demo/geo/").status for _ in range(5)] == [200] * 5


def test_a_health_check_takes_an_instance_out_and_brings_it_back(behind: Any) -> None:
    gateway, services = behind
    with servers(2) as (well, sick):
        told = upstream("checked", well.port, sick.port, failures=1000, health_path="/health", health_interval_s=0.1)
        services.publish([told], [route("checked", "checked", retries=0)])
        sick.is_sick = True
        ask(gateway, "GET", "/s/demo/checked/")

        def shares() -> set[str]:
            found = [ask(gateway, "GET", "/s/demo/checked/") for _ in range(4)]
            return {one.json().get("server", "") for one in found}

        wait_for(lambda: shares() == {"0"})
        sick.is_sick = False
        wait_for(lambda: shares() == {"0", "1"})
        assert any(b"aimass-health" in head for head in sick.heads)


def test_a_hundred_instances_that_die_at_once_cost_no_request_that_the_others_can_answer(behind: Any) -> None:
    gateway, services = behind
    with servers(100) as dying, servers(100) as living:
        ports = [one.port for one in (*dying, *living)]
        services.publish([upstream("geo", *ports, failures=1, open_s=60.0, balance="least_in_flight")], [route("geo")])
        assert ask(gateway, "GET", "/s/demo/geo/").status == 200
        for one in dying:
            one.stop()
        codes = Counter(ask(gateway, "GET", "/s/demo/geo/").status for _ in range(300))
        assert codes[200] >= 290, codes
        last = [ask(gateway, "GET", "/s/demo/geo/").status for _ in range(50)]
        assert last.count(200) >= 48


def test_policies_change_under_load_without_a_failed_request(behind: Any) -> None:
    gateway, services = behind
    with servers(3) as found:
        ports = [one.port for one in found]
        services.publish([upstream("geo", *ports)], [route("geo")])
        codes: Counter[int] = Counter()
        over = threading.Event()

        def load() -> None:
            with gateway.connect() as connection:
                rest = b""
                while not over.is_set():
                    connection.sendall(request("GET", "/s/demo/geo/x"))
                    answer, rest = read_answer(connection, rest)
                    codes[answer.status] += 1

        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        for turn in range(20):
            shown = ports[turn % 3 :] if turn % 2 else ports
            balance = ("round_robin", "power_of_two", "consistent_hash")[turn % 3]
            more = {"timeout_s": 5.0 + turn, "reply_headers": {"X-Turn": str(turn)}}
            services.publish([upstream("geo", *shown, balance=balance)], [route("geo", **more)])
        over.set()
        for thread in threads:
            thread.join()
    assert set(codes) == {200}
    assert sum(codes.values()) > 20


def test_what_the_worker_saw_is_in_its_metrics(behind: Any, one: Server) -> None:
    gateway, services = behind
    dead = free_port()
    services.publish(
        [upstream("geo", one.port), upstream("gone", dead, failures=1, open_s=600)],
        [route("counted", access="key"), route("gone", "gone")],
    )
    ask(gateway, "GET", "/s/demo/counted/")
    assert ask(gateway, "GET", "/s/demo/gone/").status == 502
    lines = set(ask(gateway, "GET", "/metrics").body.decode().splitlines())
    whose = 'route="counted",workspace="demo"'
    assert f'aimass_gateway_route_requests_total{{code="200",consumer="shop",{whose}}} 1' in lines
    assert f"aimass_gateway_route_seconds_count{{{whose}}} 1" in lines
    assert f"aimass_gateway_route_in_flight{{{whose}}} 0" in lines
    found = [line for line in lines if 'service="gone"' in line and line.startswith("aimass_gateway_instance_")]
    states = {line.split('state="')[1].partition('"')[0]: line[-1] for line in found if "_state{" in line}
    assert states == {"closed": "0", "open": "1", "half-open": "0", "ill": "0"}
    assert {line[-1] for line in found if "_errors_total{" in line} == {"1"}
    assert {line[-1] for line in found if "_in_flight{" in line} == {"0"}


def test_a_broken_list_of_services_leaves_the_one_before(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo")])
    draft = gateway.data / "gateway" / "draft"
    draft.write_text('{"version": 99, "id": "x"}\nnonsense\n')
    draft.rename(draft.with_name("services.txt"))
    wait_for(lambda: "services" in (gateway.status().get("error") or ""))
    assert ask(gateway, "GET", "/s/demo/geo/").status == 200
    services.publish([upstream("geo", one.port)], [route("geo")])
    wait_for(lambda: gateway.status()["error"] is None)


def test_a_hundred_thousand_idle_registrations_are_known_and_cost_little(tmp_path: Path, one: Server) -> None:
    gateway = Gateway(tmp_path / "data")
    gateway.publish(snapshot(1))
    gateway.start()
    services = Services(gateway)
    try:
        services.publish([upstream("geo", one.port)], [route("geo")])
        assert ask(gateway, "GET", "/s/demo/geo/").status == 200
        before = memory_kib(gateway)
        idle = [upstream(f"idle-{n}", *range(1000, 1100)) for n in range(1000)]
        routes = [route(f"idle-{n}", f"idle-{n}") for n in range(1000)]
        services.publish([upstream("geo", one.port), *idle], [route("geo"), *routes])
        assert memory_kib(gateway) - before < 40_000
        assert ask(gateway, "GET", "/s/demo/geo/").status == 200
        assert ask(gateway, "GET", "/s/demo/idle-999/").json()["code"] == "service_gone"
    finally:
        gateway.stop()


def test_two_workers_go_by_the_same_policies_and_share_a_rate(tmp_path: Path, one: Server) -> None:
    workers = [Gateway(tmp_path / "data", worker=n, workers=2) for n in range(2)]
    try:
        workers[0].publish(snapshot(1))
        for worker in workers:
            worker.start()
        services = Services(*workers)
        services.publish([upstream("geo", one.port)], [route("geo", rate_per_s=0.1)])
        codes = [ask(worker, "GET", "/s/demo/geo/").status for worker in workers]
        assert codes == [200, 429]
        services.publish([upstream("geo", one.port)], [route("geo", paused=True)])
        assert {ask(worker, "GET", "/s/demo/geo/").status for worker in workers} == {503}
    finally:
        for worker in workers:
            if worker.process is not None:
                worker.stop()


def test_a_key_that_loses_its_use_is_refused_at_once(tmp_path: Path, one: Server) -> None:
    gateway = Gateway(tmp_path / "data")
    document = snapshot(1)
    (digest,) = (d for d, spec in document["keys"].items() if spec["consumer"] == "shop")
    document["keys"][digest] = key("shop", routes=["geo"])
    gateway.publish(document)
    gateway.start()
    try:
        Services(gateway).publish(
            [upstream("geo", one.port)], [route("geo", access="key"), route("other", access="key")]
        )
        assert ask(gateway, "GET", "/s/demo/geo/", key=KEY).status == 200
        assert ask(gateway, "GET", "/s/demo/other/", key=KEY).json()["code"] == "no_route_use"
        document["keys"][digest]["routes"] = []
        gateway.publish({**document, "version": 2})
        assert ask(gateway, "GET", "/s/demo/geo/", key=KEY).status == 403
    finally:
        gateway.stop()


# -- while a route is paused


def asked_beside(gateway: Gateway, count: int, *words: Any, **more: Any) -> tuple[list[threading.Thread], list[Any]]:
    """Ask from so many threads; each answer is noted when it comes."""
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append((n, ask(gateway, *words, X_Number=str(n), **more))))
        for n in range(count)
    ]
    for thread in threads:
        thread.start()
    return threads, answers


def waiting(gateway: Gateway, route: str = "demo/geo") -> int:
    path = gateway.data / "gateway" / "traffic-0.json"
    try:
        return json.loads(path.read_text())["routes"][route][5]
    except (OSError, KeyError, ValueError):
        return 0


def test_requests_wait_while_their_route_is_paused_and_none_of_them_fails(behind: Any, one: Server) -> None:
    gateway, services = behind
    paused = {"paused": True, "queue": 12, "queue_wait_s": 300.0}
    services.publish([upstream("geo", one.port)], [route("geo", **paused)])
    threads, answers = asked_beside(gateway, 6, "GET", "/s/demo/geo/x")
    more, bodies = asked_beside(gateway, 6, "PUT", "/s/demo/geo/y", b"z" * 100_000)
    wait_for(lambda: waiting(gateway) == 12)
    assert one.heads == []
    turned = ask(gateway, "GET", "/s/demo/geo/x")
    assert (turned.status, turned.headers["retry-after"]) == (503, "7")
    services.publish([upstream("geo", one.port)], [route("geo")])
    for thread in (*threads, *more):
        thread.join(30)
    assert [answer.status for _, answer in answers] == [200] * 6
    assert [answer.json()["size"] for _, answer in bodies] == [100_000] * 6
    wait_for(lambda: waiting(gateway) == 0)


def test_who_has_waited_pays_no_rate_again_and_a_body_that_is_too_large_never_waits(behind: Any, one: Server) -> None:
    gateway, services = behind
    tight = {"rate_per_s": 3.0, "access": "key", "max_request_bytes": 10}
    services.publish([upstream("geo", one.port)], [route("geo", paused=True, queue=5, queue_wait_s=300.0, **tight)])
    threads, answers = asked_beside(gateway, 3, "GET", "/s/demo/geo/x", key=KEY)
    wait_for(lambda: waiting(gateway) == 3)
    assert ask(gateway, "PUT", "/s/demo/geo/x", b"z" * 11, key=KEY).status == 413
    services.publish([upstream("geo", one.port)], [route("geo", **{**tight, "rate_per_s": 0.001})])
    for thread in threads:
        thread.join(30)
    assert [answer.status for _, answer in answers] == [200] * 3


def test_a_client_who_leaves_while_he_waits_leaves_the_queue(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo", paused=True, queue=5, queue_wait_s=300.0)])
    with contextlib.ExitStack() as stack:
        connections = []
        for number in range(5):
            connections.append(stack.enter_context(gateway.connect()))
            connections[-1].sendall(request("GET", f"/s/demo/geo/{number}"))
        wait_for(lambda: waiting(gateway) == 5)
        connections.pop(2).close()
        wait_for(lambda: waiting(gateway) == 4)
        services.publish([upstream("geo", one.port)], [route("geo")])
        assert [read_answer(each)[0].json()["target"] for each in connections] == ["/0", "/1", "/3", "/4"]
    assert sorted(head.split(b" ")[1] for head in one.heads) == [b"/0", b"/1", b"/3", b"/4"]


class Waits:
    """One who waits, and notes that he goes on."""

    def __init__(self, number: int, gone: list[int], deadline: float = 0.0) -> None:
        self.number, self.gone, self.deadline = number, gone, deadline

    def go(self, now: float) -> None:
        assert now == 7.0
        self.turn_away()

    def turn_away(self) -> None:
        self.gone.append(self.number)


def test_who_may_go_goes_in_the_order_in_which_he_came() -> None:
    gone: list[int] = []
    stats = RouteStats(Histogram(BOUNDS), Callers(Metrics(), "demo", "geo"))
    stats.parked.extend(Waits(number, gone, float(number)) for number in range(6))
    let_go([stats], lambda one: one.number % 2 == 0, 7.0)  # type: ignore[attr-defined]
    assert (gone, [one.number for one in stats.parked]) == ([0, 2, 4], [1, 3, 5])
    turn_late_away([stats], 3.0)
    assert (gone, [one.number for one in stats.parked]) == ([0, 2, 4, 1, 3], [5])


def test_who_waited_too_long_or_lost_his_key_meanwhile_is_told(behind: Any, one: Server) -> None:
    gateway, services = behind
    services.publish([upstream("geo", one.port)], [route("geo", paused=True, queue=5, queue_wait_s=0.2)])
    late = ask(gateway, "GET", "/s/demo/geo/x")
    assert (late.status, late.json()["code"]) == (503, "route_paused")
    assert ask(gateway, "POST", "/s/demo/geo/x", b"abc").status == 503
    services.publish([upstream("geo", one.port)], [route("geo", paused=True, queue=5, queue_wait_s=300.0)])
    threads, answers = asked_beside(gateway, 1, "GET", "/s/demo/geo/x")
    wait_for(lambda: waiting(gateway) == 1)
    services.publish([], [])
    threads[0].join(30)
    assert answers[0][1].status == 404


# -- who stands in


@pytest.mark.parametrize("how", ["gone", "sick", "garbage", "half", "hang"])
def test_a_second_service_stands_in_for_one_that_fails(behind: Any, one: Server, how: str) -> None:
    gateway, services = behind
    with servers(1) as (spare,):
        port = one.port
        if how == "gone":
            one.stop()
        ways = [upstream("geo", port, failures=1000), upstream("spare", spare.port)]
        services.publish(ways, [route("geo", fallback_upstream="spare", retries=0, timeout_s=0.5)])
        path = {"gone": "/x", "half": "/reset"}.get(how, f"/{how}")
        answer = ask(gateway, "GET", f"/s/demo/geo{path}")
        if how == "gone":
            assert answer.json()["server"] == "0"
        told = "spare" if how in ("gone", "sick") else None  # elsewhere the spare one fails too, and the error is ours
        assert answer.headers.get("x-aimass-fallback") == told
        assert len(spare.heads) == 1
        unsafe = ask(gateway, "POST", f"/s/demo/geo{path}", b"once")
        assert unsafe.status == (200 if how == "gone" else {"sick": 503, "hang": 504}.get(how, 502))
        assert len(spare.heads) == (2 if how == "gone" else 1)


def test_a_static_answer_stands_in_where_nobody_can_answer(behind: Any, one: Server) -> None:
    gateway, services = behind
    static = {"fallback_status": 200, "fallback_type": "application/json", "fallback_body": '{"place": null}'}
    services.publish([upstream("geo", one.port, failures=1000)], [route("geo", retries=0, timeout_s=0.5, **static)])
    for path in ("/sick", "/reset", "/garbage", "/hang"):
        answer = ask(gateway, "GET", f"/s/demo/geo{path}")
        assert (answer.status, answer.json()) == (200, {"place": None}), path
        assert answer.headers["x-aimass-fallback"] == "static"
    assert ask(gateway, "GET", "/s/demo/geo/x").json()["server"] == "one"
    services.publish([upstream("geo")], [route("geo", **static)])
    assert ask(gateway, "GET", "/s/demo/geo/x").json() == {"place": None}
    assert ask(gateway, "PUT", "/s/demo/geo/x", b"y" * 200_000).json() == {"place": None}
    metrics = ask(gateway, "GET", "/metrics").body.decode()
    assert re.search(r'gateway_route_fallbacks_total\{route="geo",to="static",workspace="demo"\} \d+', metrics)
