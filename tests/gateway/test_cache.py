"""The response cache through real gateway workers, against a service that answers as the case wants."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.gateway import KEY, SLOW, Gateway, ask, key, read_answer, request, snapshot, wait_for
from tests.fixtures.upstreams import Services, route, upstream

Told = tuple[int, dict[str, str], bytes]
CACHE: dict[str, Any] = {
    "id": "r1",
    "cache": True,
    "cache_s": 60.0,
    "cache_stale_s": 0.0,
    "cache_post": False,
    "cache_vary": [],
    "cache_shared": False,
    "cache_reload": True,
    "cache_bytes": 1 << 20,
}
AT_ONCE = 1e-6
"""An age so small that fetching takes longer: such an answer is too old whenever it is looked for."""
OTHER = "aim_" + "o" * 43


class Service(ThreadingHTTPServer):
    """Counts what it is asked, and answers what the case wants; ``gate`` holds answers back."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.answer: Callable[[int, BaseHTTPRequestHandler], Told] = lambda n, _: (200, {}, f"answer {n}".encode())
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients who left."""

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service
    body: bytes = b""

    def _do(self) -> None:
        service = self.server
        self.body = self.rfile.read(int(self.headers.get("content-length", 0)))
        service.asked.append(f"{self.command} {self.path}")
        service.headers.append({name.lower(): value for name, value in self.headers.items()})
        number = len(service.asked)
        service.gate.wait(60)
        time.sleep(0.003)
        status, headers, body = service.answer(number, self)
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
            self.close_connection |= not value
        if status not in (204, 304) and "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _do  # noqa: N815 named by the library

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Services]]:
    gateway = Gateway(tmp_path_factory.mktemp("data"), max_cache_bytes=1 << 20)
    gateway.publish(_keys(1))
    gateway.start()
    yield gateway, Services(gateway)
    gateway.stop()


def _keys(version: int, *gone: str) -> dict[str, Any]:
    document = snapshot(version)
    document["keys"][sha256(OTHER.encode()).hexdigest()] = key("kiosk")
    for spec in document["keys"].values():
        spec["routes"] = ["*"]
    for text in gone:
        del document["keys"][sha256(text.encode()).hexdigest()]
    return document


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.gate.set()
    made.shutdown()
    made.server_close()


@pytest.fixture
def geo(behind: tuple[Gateway, Services], service: Service) -> Callable[..., Gateway]:
    """Publish the route with these policies, new to the cache in each case."""
    gateway, services = behind

    def publish(*, is_alone: bool = False, **policy: Any) -> Gateway:
        mine = {**route("geo"), **CACHE, "id": f"r{service.port}", **policy}
        ports = () if is_alone else (service.port,)
        services.publish([upstream("geo", *ports, failures=1000)], [mine])
        return gateway

    return publish


def get(gateway: Gateway, path: str = "/x", method: str = "GET", body: Any = None, **more: Any) -> tuple[str, bytes]:
    """Return how the cache had to do with an answer, and its body."""
    answer = ask(gateway, method, f"/s/demo/geo{path}", body, **more)
    return answer.headers.get("x-cache", ""), answer.body


def many(count: int, task: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return [one.result() for one in [pool.submit(task) for _ in range(count)]]


def test_an_answer_is_given_again_and_says_how_old_it_is(geo: Any, service: Service) -> None:
    gateway = geo()
    assert get(gateway) == ("MISS", b"answer 1")
    again = ask(gateway, "GET", "/s/demo/geo/x")
    assert (again.headers["x-cache"], again.body, again.headers["content-length"]) == ("HIT", b"answer 1", "8")
    assert int(again.headers["age"]) >= 0
    assert again.headers["content-security-policy"].startswith("sandbox")
    assert get(gateway, "/x?a=1") == ("MISS", b"answer 2")
    assert get(gateway, "/y") == ("MISS", b"answer 3")
    head = ask(gateway, "HEAD", "/s/demo/geo/x")
    assert (head.headers["x-cache"], head.headers["content-length"], head.body) == ("HIT", "8", b"")
    assert get(gateway, "/z", "HEAD")[0] == "MISS"
    assert get(gateway, "/z")[0] == "MISS"
    assert service.asked == ["GET /x", "GET /x?a=1", "GET /y", "HEAD /z", "GET /z"]


def test_a_route_that_keeps_nothing_asks_each_time(geo: Any, service: Service) -> None:
    gateway = geo(cache=False)
    assert [get(gateway), get(gateway)] == [("", b"answer 1"), ("", b"answer 2")]


UNKEPT: list[tuple[dict[str, str], int]] = [
    ({"Cache-Control": "no-store"}, 200),
    ({"Cache-Control": "max-age=60, no-cache"}, 200),
    ({"Cache-Control": "max-age=0"}, 200),
    ({"Cache-Control": "private, max-age=60"}, 200),
    ({"Cache-Control": "max-age=60", "Age": "61"}, 200),
    ({"Expires": "0"}, 200),
    ({"Vary": "Accept, *"}, 200),
    ({"Set-Cookie": "a=1"}, 200),
    ({"Content-Type": "text/event-stream"}, 200),
    ({"Content-Length": ""}, 200),  # ends with its connection
    ({}, 302),
    ({}, 403),
    ({}, 500),
]


def test_what_may_not_be_kept_is_not_kept(geo: Any, service: Service) -> None:
    gateway = geo(retries=0)
    service.answer = lambda _, one: (UNKEPT[int(one.path[1:])][1], UNKEPT[int(one.path[1:])][0], b"")
    for n in range(len(UNKEPT)):
        for _ in range(2):
            with gateway.connect() as connection:
                connection.sendall(request("GET", f"/s/demo/geo/{n}", key=None))
                head = connection.recv(65536)
            assert b"x-cache: HIT" not in head, UNKEPT[n]
        assert service.asked.count(f"GET /{n}") == 2, UNKEPT[n]


def test_a_service_says_how_long_and_by_which_headers(geo: Any, service: Service) -> None:
    gateway = geo(cache_s=0.0)
    service.answer = lambda n, one: (
        200,
        {"Cache-Control": "max-age=60", "Vary": "Accept-Language"} if "long" in one.path else {},
        f"{one.headers.get('accept-language')} {n}".encode(),
    )
    assert [get(gateway, "/none")[0], get(gateway, "/none")[0]] == ["MISS", "MISS"]
    assert get(gateway, "/long", Accept_Language="en") == ("MISS", b"en 3")
    assert get(gateway, "/long", Accept_Language="zh") == ("MISS", b"zh 4")
    assert get(gateway, "/long", Accept_Language="en") == ("HIT", b"en 3")
    assert get(gateway, "/long", Accept_Language="zh") == ("HIT", b"zh 4")
    service.answer = lambda n, _: (200, {"Content-Encoding": "gzip"}, f"packed {n}".encode())
    assert [get(gateway, "/packed", Accept_Encoding="gzip")[0] for _ in range(2)] == ["MISS", "MISS"]  # names no age
    gateway = geo(cache_vary=["X-Team"])
    assert [get(gateway, "/packed", Accept_Encoding=name)[0] for name in ("gzip", "br", "gzip")] == [
        "MISS",
        "MISS",
        "HIT",
    ]
    assert get(gateway, "/own", X_Team="a")[0] == "MISS"
    assert get(gateway, "/own", X_Team="b")[0] == "MISS"
    assert get(gateway, "/own", X_Team="a")[0] == "HIT"


def test_nobody_gets_what_was_meant_for_somebody_else(geo: Any, service: Service) -> None:
    gateway = geo(access="key")
    service.answer = lambda n, one: (200, {}, f"{one.headers['x-aimass-consumer']} {n}".encode())
    assert get(gateway, key=KEY) == ("MISS", b"shop 1")
    assert get(gateway, key=OTHER) == ("MISS", b"kiosk 2")
    assert get(gateway, key=KEY) == ("HIT", b"shop 1")
    gateway = geo(access="key", cache_shared=True)
    assert get(gateway, key=KEY) == ("MISS", b"shop 3")
    assert get(gateway, key=OTHER) == ("HIT", b"shop 3")
    gateway = geo()  # public: the service itself looks who asks
    for more in (
        {"Cookie": "me=1"},
        {"Cookie": "me=2"},
        {"key": None},
        {"key": "own"},
        {"key": None, "X_Api_Key": "me"},
    ):
        assert get(gateway, **more)[0] == "MISS"
        assert get(gateway, **more)[0] == "HIT"


def test_an_answer_for_one_caller_is_kept_for_him_alone(geo: Any, service: Service) -> None:
    service.answer = lambda n, _: (200, {"Cache-Control": "private, max-age=60"}, f"answer {n}".encode())
    gateway = geo(access="key")
    assert [get(gateway, key=KEY)[0], get(gateway, key=KEY)[0], get(gateway, key=OTHER)[0]] == ["MISS", "HIT", "MISS"]
    gateway = geo(access="key", cache_shared=True)
    assert [get(gateway, key=KEY)[0], get(gateway, key=KEY)[0]] == ["MISS", "MISS"]
    gateway = geo(cache_shared=True)  # somebody has shown himself to the service: only what is public is for all
    assert [get(gateway, "/signed", key="own")[0] for _ in range(2)] == ["MISS", "MISS"]
    service.answer = lambda *_: (200, {"Cache-Control": "public, max-age=60"}, b"")
    assert [get(gateway, "/public", key=name)[0] for name in ("own", "another")] == ["MISS", "HIT"]
    service.answer = lambda *_: (200, {}, b"")
    assert [get(gateway, "/api", key=None, X_Api_Key="own")[0] for _ in range(2)] == ["MISS", "MISS"]


def test_who_loses_his_key_or_is_over_his_rate_gets_nothing_kept(geo: Any, behind: Any, service: Service) -> None:
    gateway = geo(access="key", cache_shared=True)
    assert [get(gateway, key=OTHER)[0], get(gateway, key=OTHER)[0]] == ["MISS", "HIT"]
    codes = Counter(ask(gateway, "GET", "/s/demo/geo/x", key=SLOW).status for _ in range(6))
    assert codes[429] >= 1
    version = gateway.status()["snapshot"]
    gateway.publish(_keys(version + 1, OTHER))
    assert ask(gateway, "GET", "/s/demo/geo/x", key=OTHER).status == 401
    gateway.publish(_keys(version + 2))
    assert get(gateway, key=OTHER)[0] == "HIT"
    geo(access="key", cache_shared=True, allow_from=["10.0.0.0/8"])
    assert ask(gateway, "GET", "/s/demo/geo/x", key=KEY).status == 404


def test_answers_to_post_are_kept_by_what_was_sent_where_the_route_says_so(geo: Any, service: Service) -> None:
    gateway = geo(cache_post=True)
    service.answer = lambda n, one: (200, {}, f"{n} {one.body.decode()}".encode())  # type: ignore[attr-defined]
    assert get(gateway, "/x", "POST", b"one") == ("MISS", b"1 one")
    assert get(gateway, "/x", "POST", b"two") == ("MISS", b"2 two")
    assert get(gateway, "/x", "POST", b"one") == ("HIT", b"1 one")
    assert get(gateway, "/x", "POST", b"one", Content_Type="text/plain") == ("MISS", b"3 one")
    assert get(gateway, "/x")[0] == "MISS"
    large = bytes(1024 * 1024 + 1)
    assert [get(gateway, "/x", "POST", large)[0] for _ in range(2)] == ["BYPASS", "BYPASS"]
    with gateway.connect() as connection:
        asked = request("POST", "/s/demo/geo/x", Transfer_Encoding="chunked") + b"3\r\none\r\n0\r\n\r\n"
        connection.sendall(asked.replace(b"POST", b"PUT"))
        service.answer = lambda *_: (200, {}, b"")
        assert read_answer(connection)[0].headers["x-cache"] == "BYPASS"


def test_who_changes_something_behind_an_address_sees_the_change(geo: Any, service: Service) -> None:
    gateway = geo()
    assert [get(gateway)[0], get(gateway, "/other")[0], get(gateway)[0]] == ["MISS", "MISS", "HIT"]
    for method in ("PUT", "POST", "DELETE"):
        assert get(gateway, "/x", method, b"")[0] == "BYPASS"
        assert [get(gateway)[0], get(gateway)[0], get(gateway, "/other")[0]] == ["MISS", "HIT", "HIT"]
    service.answer = lambda *_: (409, {}, b"")
    get(gateway, "/x", "PUT", b"")
    assert get(gateway)[0] == "HIT"


def test_callers_may_ask_past_what_is_kept_unless_the_route_says_no(geo: Any, service: Service) -> None:
    gateway = geo()
    assert [get(gateway)[0], get(gateway)[0]] == ["MISS", "HIT"]
    assert get(gateway, Cache_Control="no-cache") == ("MISS", b"answer 2")
    assert get(gateway) == ("HIT", b"answer 2")
    assert get(gateway, Cache_Control="no-store") == ("BYPASS", b"answer 3")
    assert get(gateway, Pragma="no-cache") == ("MISS", b"answer 4")
    assert get(gateway, Cache_Control="max-age=3600") == ("HIT", b"answer 4")
    assert get(gateway, Range="bytes=0-1")[0] == "BYPASS"
    assert get(gateway, X_HTTP_Method_Override="DELETE")[0] == "BYPASS"
    gateway = geo(cache_reload=False)
    assert [get(gateway)[0], get(gateway, Cache_Control="no-cache")[0]] == ["MISS", "HIT"]


def test_who_has_an_answer_already_is_told_so(geo: Any, service: Service) -> None:
    gateway = geo()
    date = "Thu, 01 Jan 2026 00:00:00 GMT"
    service.answer = lambda *_: (200, {"ETag": 'W/"7"', "Last-Modified": date, "Vary": "Accept"}, b"body")
    assert get(gateway, If_None_Match='"7"') == ("MISS", b"body")
    assert "if-none-match" not in service.headers[0]
    for more in ({"If_None_Match": '"6", "7"'}, {"If_None_Match": "*"}, {"If_Modified_Since": date}):
        answer = ask(gateway, "GET", "/s/demo/geo/x", **more)
        assert (answer.status, answer.headers["x-cache"], answer.headers["etag"]) == (304, "HIT", 'W/"7"')
    for more in ({"If_None_Match": '"8"'}, {"If_Modified_Since": "Wed, 31 Dec 2025 00:00:00 GMT"}):
        assert get(gateway, **more) == ("HIT", b"body")
    assert len(service.asked) == 1


def test_pages_of_several_origins_share_an_answer_and_each_may_read_it(geo: Any, service: Service) -> None:
    gateway = geo(cors_origins=["https://a.example", "https://b.example"])
    for origin in ("https://a.example", "https://b.example"):
        answer = ask(gateway, "GET", "/s/demo/geo/x", Origin=origin)
        assert answer.headers["access-control-allow-origin"] == origin
    assert len(service.asked) == 1


def test_a_herd_on_one_address_is_one_request_to_the_service(geo: Any, service: Service) -> None:
    gateway = geo()
    service.gate.clear()
    with ThreadPoolExecutor(200) as pool:
        answers = [pool.submit(get, gateway) for _ in range(200)]
        wait_for(lambda: _waiting(gateway) == 199)
        service.gate.set()
        told = Counter(one.result() for one in answers)
    assert told == {("MISS", b"answer 1"): 1, ("HIT", b"answer 1"): 199}
    assert service.asked == ["GET /x"]


def _waiting(gateway: Gateway) -> int:
    return int(_metric(gateway, "aimass_gateway_cache_waiting "))


def _metric(gateway: Gateway, start: str) -> float:
    told = ask(gateway, "GET", "/metrics").body.decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in told.splitlines() if line.startswith(start))


def test_who_waited_gets_an_answer_that_is_too_old_for_others_already(geo: Any, service: Service) -> None:
    gateway = geo(cache_s=AT_ONCE)
    service.gate.clear()
    with ThreadPoolExecutor(10) as pool:
        answers = [pool.submit(get, gateway) for _ in range(10)]
        wait_for(lambda: _waiting(gateway) == 9)
        service.gate.set()
        told = Counter(one.result() for one in answers)
    assert told == {("MISS", b"answer 1"): 1, ("HIT", b"answer 1"): 9}
    assert get(gateway) == ("EXPIRED", b"answer 2")


def test_a_service_is_asked_whether_an_answer_has_changed(geo: Any, service: Service) -> None:
    gateway = geo(cache_s=AT_ONCE)

    def answer(n: int, one: BaseHTTPRequestHandler) -> Told:
        if one.headers.get("if-none-match") == '"v1"':
            return 304, {"Cache-Control": "max-age=60", "X-Said": str(n), "ETag": '"v1"'}, b""
        return 200, {"ETag": '"v1"', "X-Said": str(n)}, b"long"

    service.answer = answer
    assert get(gateway) == ("MISS", b"long")
    again = ask(gateway, "GET", "/s/demo/geo/x")
    assert (again.status, again.headers["x-cache"], again.body) == (200, "REVALIDATED", b"long")
    assert (again.headers["x-said"], again.headers["cache-control"], again.headers["age"]) == ("2", "max-age=60", "0")
    assert get(gateway) == ("HIT", b"long")
    assert len(service.asked) == 2
    service.answer = lambda n, _: (200, {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}, f"own {n}".encode())
    assert [get(gateway, "/y"), get(gateway, "/y")] == [("MISS", b"own 3"), ("EXPIRED", b"own 4")]
    assert service.headers[-1]["if-modified-since"] == "Thu, 01 Jan 2026 00:00:00 GMT"


def test_an_older_answer_stands_in_while_the_service_fails(geo: Any, service: Service) -> None:
    gateway = geo(cache_s=AT_ONCE, cache_stale_s=600.0, retries=0)
    assert get(gateway) == ("MISS", b"answer 1")
    service.answer = lambda *_: (500, {}, b"broken")
    assert get(gateway) == ("STALE", b"answer 1")
    service.answer = lambda *_: (503, {}, b"sick")
    assert get(gateway) == ("STALE", b"answer 1")
    service.answer = lambda *_: (0, {}, b"")
    assert get(gateway) == ("STALE", b"answer 1")
    assert get(gateway, "/other")[0] == ""
    service.answer = lambda *_: (200, {}, b"well")
    assert get(gateway) == ("EXPIRED", b"well")
    geo(cache_s=AT_ONCE, cache_stale_s=600.0, retries=0, is_alone=True)
    assert get(gateway) == ("STALE", b"well")  # nobody is left to ask
    assert ask(gateway, "GET", "/s/demo/geo/other").status == 503


def test_an_older_answer_stands_in_no_longer_than_the_service_says(geo: Any, service: Service) -> None:
    gateway = geo(cache_s=AT_ONCE, cache_stale_s=600.0, retries=0)
    told = {"/none": "stale-if-error=0", "/must": "must-revalidate", "/later": "no-store"}
    service.answer = lambda _, one: (200, {"Cache-Control": told[one.path]} if one.path != "/later" else {}, b"")
    for path in told:
        assert get(gateway, path)[0] == "MISS"
    service.answer = lambda _, one: (500, {"Cache-Control": told[one.path]}, b"")
    for path in ("/none", "/must"):
        assert ask(gateway, "GET", f"/s/demo/geo{path}").status == 500
    service.answer = lambda _, one: (200, {"Cache-Control": told[one.path]}, b"")
    assert get(gateway, "/later")[0] == "EXPIRED"
    service.answer = lambda *_: (500, {}, b"")
    assert ask(gateway, "GET", "/s/demo/geo/later").status == 500


def test_an_older_answer_is_given_while_another_is_fetched(geo: Any, service: Service) -> None:
    gateway = geo(cache_s=AT_ONCE)
    service.answer = lambda n, _: (200, {"Cache-Control": "stale-while-revalidate=600"}, f"answer {n}".encode())
    assert get(gateway) == ("MISS", b"answer 1")
    service.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(get, gateway)
        wait_for(lambda: len(service.asked) == 2)
        assert [get(gateway) for _ in range(3)] == [("STALE", b"answer 1")] * 3
        service.gate.set()
        assert first.result() == ("EXPIRED", b"answer 2")


def test_an_answer_that_has_no_room_lets_everybody_ask(geo: Any, service: Service) -> None:
    gateway = geo(cache_bytes=64 << 20)
    service.answer = lambda *_: (200, {}, bytes((1 << 20) + 1))
    service.gate.clear()
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(get, gateway) for _ in range(5)]
        wait_for(lambda: _waiting(gateway) == 4)
        service.gate.set()
        assert {one.result()[0] for one in answers} == {"MISS"}
    assert len(service.asked) == 5


def test_when_the_first_one_fails_the_next_one_asks(geo: Any, service: Service) -> None:
    gateway = geo(retries=0)
    service.gate.clear()
    service.answer = lambda n, _: (0 if n <= 2 else 500 if n == 3 else 200, {}, f"answer {n}".encode())
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(ask, gateway, "GET", "/s/demo/geo/x") for _ in range(20)]
        wait_for(lambda: _waiting(gateway) == 19)
        service.gate.set()
        codes = Counter(one.result().status for one in answers)
    assert codes[500] == 1
    assert codes[200] >= 17
    assert len(service.asked) <= 5


def test_an_answer_that_cannot_be_kept_lets_everybody_ask(geo: Any, service: Service) -> None:
    gateway = geo()
    service.gate.clear()
    service.answer = lambda *_: (200, {"Cache-Control": "no-store"}, b"own")
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(get, gateway) for _ in range(20)]
        wait_for(lambda: _waiting(gateway) == 19)
        service.gate.set()
        assert {one.result() for one in answers} == {("MISS", b"own")}
    assert len(service.asked) == 20
    service.gate.clear()
    with ThreadPoolExecutor(5) as pool:  # the cache remembers that nobody should wait
        more = [pool.submit(get, gateway) for _ in range(5)]
        wait_for(lambda: len(service.asked) == 25)
        service.gate.set()
        assert {one.result() for one in more} == {("MISS", b"own")}


def test_who_asked_first_may_leave_or_read_slowly_without_harm_to_others(geo: Any, service: Service) -> None:
    gateway = geo()
    body = bytes(900_000)
    service.answer = lambda *_: (200, {}, body)
    service.gate.clear()
    first = gateway.connect()
    first.sendall(request("GET", "/s/demo/geo/x"))
    wait_for(lambda: len(service.asked) == 1)
    with ThreadPoolExecutor(5) as pool:
        others = [pool.submit(get, gateway) for _ in range(5)]
        wait_for(lambda: _waiting(gateway) == 5)
        first.close()
        wait_for(lambda: _metric(gateway, "aimass_gateway_connections ") <= 7)
        service.gate.set()
        assert {one.result() for one in others} == {("HIT", body)}
    assert service.asked == ["GET /x"]
    service.gate.clear()
    with gateway.connect() as slow:
        slow.sendall(request("GET", "/s/demo/geo/y"))
        wait_for(lambda: len(service.asked) == 2)
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(get, gateway, "/y")
            wait_for(lambda: _waiting(gateway) == 1)
            service.gate.set()
            assert other.result() == ("HIT", body)  # the slow one has read nothing
        assert read_answer(slow)[0].body == body


def test_when_all_have_left_the_service_is_left_alone(geo: Any, service: Service) -> None:
    gateway = geo()
    service.gate.clear()
    clients = [gateway.connect() for _ in range(3)]
    for client in clients:
        client.sendall(request("GET", "/s/demo/geo/x"))
    wait_for(lambda: _waiting(gateway) == 2)
    for client in clients:
        client.close()
    wait_for(lambda: _waiting(gateway) == 0 and _metric(gateway, "aimass_gateway_route_in_flight{") == 0)
    service.gate.set()
    assert get(gateway)[0] == "MISS"


def test_who_has_waited_as_long_as_the_route_waits_asks_himself(geo: Any, service: Service) -> None:
    gateway = geo(timeout_s=0.5, retries=0)
    service.gate.clear()
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(ask, gateway, "GET", "/s/demo/geo/x") for _ in range(3)]
        assert {one.result().status for one in answers} == {504}
    service.gate.set()


def test_large_answers_are_not_kept_and_the_least_used_make_room(geo: Any, service: Service) -> None:
    gateway = geo(cache_bytes=300_000)
    service.answer = lambda _, one: (200, {}, bytes(300_001 if one.path == "/large" else 200_000))
    assert [get(gateway, "/large")[0] for _ in range(2)] == ["MISS", "MISS"]
    before = _metric(gateway, "aimass_gateway_cache_evictions_total")
    for n in range(5):
        get(gateway, f"/{n}")
    assert get(gateway, "/0")[0] == "HIT"
    get(gateway, "/5")
    assert get(gateway, "/0")[0] == "HIT"
    assert get(gateway, "/1")[0] == "MISS"
    assert _metric(gateway, "aimass_gateway_cache_evictions_total") > before
    assert _metric(gateway, "aimass_gateway_cache_bytes ") <= 1 << 20
    geo()  # another route: nothing of the one before stays
    assert _metric(gateway, "aimass_gateway_cache_bytes ") == 0


def test_an_open_ended_large_answer_streams_on_and_frees_those_who_wait(geo: Any, service: Service) -> None:
    gateway = geo(cache_bytes=1000)
    service.answer = lambda *_: (200, {}, bytes(50_000))
    assert {told[1] for told in many(5, lambda: get(gateway))} == {bytes(50_000)}
    assert _metric(gateway, "aimass_gateway_buffered_bytes ") == 0


def test_changed_policies_and_clearing_begin_anew_on_all_workers(tmp_path: Path, service: Service) -> None:
    (tmp_path / "gateway").mkdir()
    gateways = [Gateway(tmp_path, worker=n, workers=2) for n in range(2)]
    gateways[0].publish(snapshot(1), wait=False)
    for one in gateways:
        one.start()
    services = Services(*gateways)
    try:
        mine = route("geo", **CACHE)

        def seen(path: str) -> list[str]:
            return [get(one, path)[0] for one in gateways]

        def publish(**policy: Any) -> None:
            services.publish([upstream("geo", service.port)], [{**mine, **policy}])

        publish()
        assert [seen("/a/1"), seen("/b"), seen("/a/1")] == [["MISS"] * 2, ["MISS"] * 2, ["HIT"] * 2]
        publish(cleared=[[2, "/a"]])
        assert [seen("/a/1"), seen("/b")] == [["MISS"] * 2, ["HIT"] * 2]
        publish(cleared=[[2, "/a"], [3, ""]])
        assert [seen("/a/1"), seen("/b")] == [["MISS"] * 2] * 2
        publish(cleared=[[2, "/a"], [3, ""]], timeout_s=11.0)
        assert seen("/b") == ["MISS"] * 2
        service.gate.clear()
        with ThreadPoolExecutor(2) as pool:  # what is under way while all is cleared is not given again
            before = [pool.submit(get, one, "/c") for one in gateways]
            wait_for(lambda: len([1 for text in service.asked if text == "GET /c"]) == 2)
            publish(cleared=[[4, ""]], timeout_s=11.0)
            service.gate.set()
            assert [one.result()[0] for one in before] == ["MISS"] * 2
        assert [seen("/c"), seen("/c")] == [["MISS"] * 2, ["HIT"] * 2]
    finally:
        for one in gateways:
            one.stop()


def test_what_was_kept_is_told(geo: Any, service: Service) -> None:
    gateway = geo(name="told")
    assert [get(gateway)[0], get(gateway)[0], get(gateway, method="PUT", body=b"")[0]] == ["MISS", "HIT", "BYPASS"]
    told = ask(gateway, "GET", "/metrics").body.decode()
    for result in ("hit", "miss", "bypass"):
        line = f'aimass_gateway_cache_requests_total{{result="{result}",route="told",workspace="demo"}} 1'
        assert line in told
    assert 'aimass_gateway_route_requests_total{code="200",consumer="",route="told",workspace="demo"} 3' in told


@pytest.mark.long
def test_whatever_clients_and_the_service_do_nobody_hangs_and_nothing_is_left_behind(
    geo: Any, service: Service
) -> None:
    gateway = geo(cache_s=0.05, cache_stale_s=0.1, cache_post=True, retries=1, cache_bytes=50_000, timeout_s=5.0)
    dice = random.Random(7)

    def answer(n: int, one: BaseHTTPRequestHandler) -> Told:
        kind, body = dice.random(), f"{one.path} {n} ".encode()
        if kind < 0.1:
            return 0, {}, b""
        if kind < 0.2:
            return dice.choice([500, 503, 404, 302]), {}, body
        if kind < 0.3:
            return 200, {"Cache-Control": dice.choice(["no-store", "max-age=0", "private, max-age=9"])}, body
        more = {"Vary": "X-Kind"} if kind < 0.5 else {"ETag": '"1"'} if kind < 0.7 else {}
        if more.get("ETag") and one.headers.get("if-none-match") == '"1"':
            return 304, more, b""
        return 200, more, body.ljust(dice.choice([10, 1000, 49_000, 60_000]))

    service.answer = answer

    with ThreadPoolExecutor(30) as pool:
        for one in [pool.submit(_restless, gateway, seed) for seed in range(30)]:
            one.result()
    for name in ("cache_waiting ", "buffered_bytes ", "route_in_flight{"):
        wait_for(lambda name=name: _metric(gateway, f"aimass_gateway_{name}") == 0)
    assert gateway.log.read_text().count("Traceback") == 0


def _restless(gateway: Gateway, seed: int) -> None:
    """Ask again and again, in all ways, and leave now and then without an answer."""
    mine = random.Random(seed)
    for _ in range(40):
        path = f"/{mine.randrange(3)}"
        more = {"X_Kind": str(mine.randrange(2))} | ({"Cache_Control": "no-cache"} if mine.random() < 0.05 else {})
        method, body = mine.choice([("GET", None), ("GET", None), ("HEAD", None), ("POST", b"q"), ("PUT", b"q")])
        with gateway.connect() as connection:
            connection.settimeout(30)
            connection.sendall(request(method, f"/s/demo/geo{path}", body, **more))
            if mine.random() < 0.2:
                continue
            told, _ = read_answer(connection, head=method == "HEAD")
            assert told.status in (200, 302, 404, 500, 502, 503), told.status
            if told.status == 200 and told.body:
                assert told.body.split(b" ")[0].decode() == path
