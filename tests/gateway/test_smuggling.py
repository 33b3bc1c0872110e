"""What two readers of one stream could understand in two ways is refused, and answers keep the order of requests."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.gateway import (
    KEY,
    Gateway,
    ModelWorker,
    ask,
    deployment,
    endpoint,
    oip,
    read_answer,
    request,
    snapshot,
)

HEAD = b"POST /v2/models/churn/infer HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n"
SECOND = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n"


def everything(gateway: Gateway, data: bytes) -> bytes:
    """Send bytes and our end of the stream; return all that comes back."""
    with gateway.connect() as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while more := connection.recv(1 << 16):
            found += more
        return found


REFUSED = {
    "CL and TE": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nZ\r\nQ",
    "TE and CL": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nX",
    "TE twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE twice, one unknown": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n\r\n0\r\n\r\n",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "identity": HEAD + b"Transfer-Encoding: identity\r\n\r\n",
    "xchunked": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "vertical tab before chunked": HEAD + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "no-break space before chunked": HEAD + b"Transfer-Encoding: \xa0chunked\r\n\r\n0\r\n\r\n",
    "space before the colon": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "tab before the colon": HEAD + b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "TE on a folded line": HEAD + b"X: 1\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE folded": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "CL twice, equal": HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "CL twice": HEAD + b"Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc",
    "CL as a list": HEAD + b"Content-Length: 3, 3\r\n\r\nabc",
    "CL in hex": HEAD + b"Content-Length: 0x3\r\n\r\nabc",
    "CL negative": HEAD + b"Content-Length: -1\r\n\r\n",
    "CL empty": HEAD + b"Content-Length:\r\n\r\n",
    "CL beyond 64 bits": HEAD + b"Content-Length: 18446744073709551617\r\n\r\nabc",
    "CL with an underscore": HEAD + b"Content-Length: 1_0\r\n\r\nabc",
    "CL folded": HEAD + b"Content-Length: 3\r\n 0\r\n\r\nabc",
    "bare LF between headers": b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "bare LF after the request line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare CR in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rY: b\r\n\r\n",
    "bare CR before the end": b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r 2\r\n\r\n",
    "NUL in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "NUL in a name": b"GET / HTTP/1.1\r\nHost: a\r\nX\x00: b\r\n\r\n",
    "NUL in the address": b"GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n",
    "DEL in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n",
    "no name": b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: a\r\nAAAA\r\n\r\n",
    "a strange letter in a name": b"GET / HTTP/1.1\r\nHost: a\r\nX(: x\r\n\r\n",
    "Host is a list": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "Host is a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "Host with a user": b"GET / HTTP/1.1\r\nHost: me@a\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another protocol": b"GET / RTSP/1.0\r\nHost: a\r\n\r\n",
    "a shout": b"SOURCE / ICE/1.0\r\nHost: a\r\n\r\n",
    "version in small letters": b"GET / http/1.1\r\nHost: a\r\n\r\n",
    "space after the version": b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "space in the address": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "a byte beyond ASCII in the address": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "unknown method": b"SMUGGLE / HTTP/1.1\r\nHost: a\r\n\r\n",
    "method in small letters": b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "authority as address": b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "address of another kind": b"GET mailto:a@b HTTP/1.1\r\nHost: a\r\n\r\n",
    "a port that is none": b"GET http://b:99999/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "star": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "a reply": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_ambiguous_or_wrong_gets_400_and_hides_no_second_request(gateway: Gateway, name: str) -> None:
    found = everything(gateway, REFUSED[name] + SECOND)
    assert found.startswith(b"HTTP/1.1 400 "), found
    if name != "star":
        assert found.count(b"HTTP/1.1 ") == 1, found


CHUNKS = {
    "no end of line after the data": b"3\r\nabc0\r\n\r\n",
    "line feed alone after the size": b"3\nabc\r\n0\r\n\r\n",
    "line feed alone in an extension": b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "carriage return alone in an extension": b"3;a\rb\r\nabc\r\n0\r\n\r\n",
    "line feed alone after the data": b"3\r\nabc\n0\r\n\r\n",
    "size with 0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "size with a plus": b"+3\r\nabc\r\n0\r\n\r\n",
    "size with an underscore": b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "size after a space": b" 3\r\nabc\r\n0\r\n\r\n",
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "size beyond 64 bits": b"ffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "an extension without end": b"3;" + b"a" * 5000 + b"\r\nabc\r\n0\r\n\r\n",
    "many extensions": (b"1;" + b"a" * 4000 + b"\r\nx\r\n") * 6 + b"0\r\n\r\n",
    "many trailers": b"0\r\n" + b"X: 1\r\n" * 5000 + b"\r\n",
    "line feed alone in a trailer": b"0\r\nX: 1\nY: 2\r\n\r\n",
}


@pytest.mark.parametrize("address", [b"/v2/models/churn/infer", b"/api/upload"])
@pytest.mark.parametrize("name", CHUNKS)
def test_malformed_chunks_get_400_and_hide_no_second_request(gateway: Gateway, name: str, address: bytes) -> None:
    head = HEAD.replace(b"/v2/models/churn/infer", address) + b"Transfer-Encoding: chunked\r\n\r\n"
    found = everything(gateway, head + CHUNKS[name] + SECOND)
    assert found.startswith(b"HTTP/1.1 400 "), found
    assert found.count(b"HTTP/1.1 ") == 1, found


def test_a_huge_chunk_size_takes_no_memory_and_ends_at_the_limit(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffff\r\n" + b"x" * 1_100_000)
        answer, _ = read_answer(connection)
    assert (answer.status, answer.json()["code"]) == (413, "body_too_large")


def test_extensions_trailers_and_zeros_before_a_size_are_welcome(gateway: Gateway) -> None:
    body = json.dumps(oip(id="chunks")).encode()
    chunks = b"000%x;name=value;x\r\n%b\r\n0;last\r\nX-Sum: 1\r\n\r\n" % (len(body), body)
    found = everything(gateway, HEAD + b"Transfer-Encoding: Chunked\r\n\r\n" + chunks + SECOND)
    assert found.count(b"HTTP/1.1 200") == 2


def test_an_upgrade_to_http_2_or_anything_but_a_websocket_is_not_taken_up(gateway: Gateway) -> None:
    h2c = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2_Settings": "AAMAAABkAAQAAP__"}
    with gateway.connect() as connection:
        connection.sendall(
            request("GET", "/api/x", **h2c) + request("POST", "/v2/models/churn/infer", oip(id="i"), **h2c)
        )
        first, rest = read_answer(connection)
        second, _ = read_answer(connection, rest)
    assert (first.status, second.status) == (200, 200)
    assert not {"upgrade", "connection", "http2-settings"} & {name for name, _ in first.json()["headers"]}


@pytest.mark.parametrize("hidden", [b"x-forwarded-for", b"X-Forwarded-For", b"Content-Length", b"Host"])
def test_what_a_connection_header_names_is_dropped_but_never_what_we_say_ourselves(
    gateway: Gateway, hidden: bytes
) -> None:
    head = b"POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: keep-alive, %b\r\n\r\nabc" % hidden
    with gateway.connect() as connection:
        connection.sendall(head)
        answer, _ = read_answer(connection)
    headers = dict(answer.json()["headers"])
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert (headers["content-length"], answer.json()["size"]) == ("3", 3)


# -- addresses


ADDRESSES = [
    "/v2/models/churn%2finfer",
    "/v2/models/%2e%2e/%2e%2e/api/x",
    "/v2/models/../../api/x",
    "/v2/models/churn/%2e%2e/infer",
    "/v2/models/churn%00/infer",
    "/v2/models/churn%ff/infer",
    "/v2/models/churn%",
    "/v2/models/churn%2",
    "/v2/models/%252e%252e/infer",
    "/v2/models/churn/versions/%00/infer",
    "/v2//",
    "/v2/%00",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_tricks_in_an_address_of_inference_find_nothing(gateway: Gateway, address: str) -> None:
    answer = ask(gateway, "POST", address, oip())
    assert answer.status in (404, 405), answer.body
    assert "x-from" not in answer.headers


@pytest.mark.parametrize(
    "address", ["/%76%32/models", "//v2/models", "/./v2/models", "/api/../v2/models", "/V2/models"]
)
def test_an_address_that_is_not_ours_goes_on_as_it_was_written(gateway: Gateway, address: str) -> None:
    with gateway.connect() as connection:
        connection.sendall(request("GET", address + "?a=%00%2e"))
        answer, _ = read_answer(connection)
    assert answer.headers["x-from"] == "control"
    assert answer.json()["query"] == "a=%00%2e"


def test_a_long_address_gets_414(gateway: Gateway) -> None:
    for address in ("/api/" + "a" * 9000, "/v2/models/" + "a" * 9000, "/api?q=" + "%41" * 3000):
        answer = ask(gateway, "GET", address)
        assert (answer.status, answer.json()["code"]) == (414, "target_too_long")
    assert ask(gateway, "GET", "/api/" + "a" * 8000).status == 200


def test_too_many_headers_get_431(gateway: Gateway) -> None:
    for count in (101, 5000):
        found = everything(gateway, b"GET /api HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * count + b"\r\n" + SECOND)
        assert found.startswith(b"HTTP/1.1 431 ")
        assert found.count(b"HTTP/1.1 ") == 1
        assert b'"code":"head_too_large"' in found


# -- pipelining


@pytest.fixture(scope="module")
def mixed(packages: dict[str, Path], short: Path, gateway: Gateway) -> Iterator[Gateway]:
    """The gateway with an endpoint whose model runs in a process of its own."""
    path = short / "mixed" / "s"
    worker = ModelWorker(packages["python"], path)
    gateway.publish(
        snapshot(
            2,
            endpoint("churn", deployment(packages["one"])),
            endpoint("isolated", deployment(packages["python"], "iso", runtime="python", socket=str(path))),
            control_socket=gateway.control_socket,
        )
    )
    yield gateway
    worker.stop()


def test_answers_keep_the_order_of_a_pipeline_whatever_answers_them(mixed: Gateway) -> None:
    body = oip()
    pipeline = [
        (request("POST", "/v2/models/isolated/infer", oip(id="1")), 200),
        (request("POST", "/v2/models/churn/infer", oip(id="2")), 200),
        (request("HEAD", "/api/3"), 200),
        (request("POST", "/v2/models/churn/infer", {"inputs": []}), 400),
        (request("POST", "/v2/models/isolated/infer", {"inputs": []}), 400),
        (request("HEAD", "/v2/models/nothing"), 404),
        (request("POST", "/v2/models/nothing/infer", body), 404),
        (request("GET", "/api/7"), 200),
        (request("POST", "/v2/models/churn/infer", body, key="aim_wrong"), 401),
        (request("POST", "/api/upload", b"x" * 100, Expect="100-continue"), 200),
        (request("POST", "/v2/models/isolated/infer", oip(id="10"), Expect="100-continue"), 200),
        (request("GET", "/nothing"), 204),
        (request("DELETE", "/v2/models/churn/infer"), 405),
        (request("POST", "/v2/models/isolated/infer", oip(id="13")), 200),
        (request("GET", "/v2/health/live"), 200),
    ]
    data = b"".join(part for part, _ in pipeline)
    for size in (len(data), 1000, 37):
        with mixed.connect() as connection:
            for at in range(0, len(data), size):
                connection.sendall(data[at : at + size])
            rest, found = b"", []
            for part, status in pipeline:
                answer, rest = read_answer(connection, rest, head=part.startswith(b"HEAD"))
                assert answer.status == status, (part, answer.body)
                found.append(answer)
            assert rest == b""
        assert [found[n].json()["id"] for n in (0, 1, 10, 13)] == ["1", "2", "10", "13"]
        assert found[7].json()["path"] == "/api/7"


def test_a_broken_request_in_a_pipeline_ends_it_after_the_answers_before_it(mixed: Gateway) -> None:
    before = request("POST", "/v2/models/isolated/infer", oip(id="a")) + request("GET", "/api/b")
    found = everything(mixed, before + b"GET / HTTP/1.1\r\nHost : a\r\n\r\n" + SECOND)
    statuses = [part[:3] for part in found.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"200", b"400"]


def test_a_client_that_pipelines_without_end_and_never_reads_is_held_back(gateway: Gateway) -> None:
    one = request("GET", "/v2/health/live") * 100
    with gateway.connect() as connection:
        connection.settimeout(1.0)
        with pytest.raises(TimeoutError):
            for _ in range(100_000):
                connection.sendall(one)
        text = ask(gateway, "GET", "/metrics").body.decode()
        held = next(line for line in text.splitlines() if line.startswith("aimass_gateway_buffered_bytes "))
        # One turn of the loop reads a socket at most 32 times and answers all of it before it hears that nobody reads:
        # a few megabytes, of the nearly one gigabyte that this client would send.
        assert 0 < float(held.split()[1]) < 8_000_000
    time.sleep(0.1)
    assert ask(gateway, "GET", "/v2/health/live").status == 200
