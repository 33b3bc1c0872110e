from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures.gateway import (
    KEY,
    Gateway,
    deployment,
    endpoint,
    infer,
    oip,
    read_answer,
    request,
    snapshot,
)


def raw(gateway: Gateway, data: bytes, *, half_close: bool = False) -> bytes:
    """Send bytes and read until the gateway closes, or has nothing more to say."""
    with gateway.connect() as connection:
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        connection.settimeout(1)
        found = b""
        try:
            while more := connection.recv(65536):
                found += more
        except TimeoutError:
            return found + b"<open>"
        return found


HEAD = b"POST /v2/models/churn/infer HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n"
MALFORMED = {
    "both framings": HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "length with a sign": HEAD + b"Content-Length: +3\r\n\r\nabc",
    "length as a list": HEAD + b"Content-Length: 3, 3\r\n\r\nabc",
    "unknown coding": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunk size is no number": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "chunk size with a sign": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
    "chunk longer than its size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "endless chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 20 + b"\r\n",
    "no host": b"GET /api HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /api HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "space before the colon": b"GET /api HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
    "folded header": b"GET /api HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
    "control letter in a header": b"GET /api HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40,
    "no version": b"GET /api\r\n\r\n",
    "bad target": b"GET api HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_gets_400_and_the_connection_ends(gateway: Gateway, name: str) -> None:
    found = raw(gateway, MALFORMED[name] + b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 400 ")
    assert found.count(b"HTTP/1.1 ") == 1
    assert b'"code":"bad_request"' in found
    assert b"Connection: close" in found
    assert not found.endswith(b"<open>")


def test_bare_line_feeds_do_not_start_a_request(gateway: Gateway) -> None:
    assert b"HTTP/1.1 200" not in raw(gateway, b"GET /healthz HTTP/1.1\nHost: a\n\n")


def test_a_head_over_its_limit_gets_431(gateway: Gateway) -> None:
    for data in (b"GET /" + b"a" * 40_000, request("GET", "/api", X_Long="a" * 40_000)):
        assert raw(gateway, data).startswith(b"HTTP/1.1 431 ")


def test_a_body_over_its_limit_gets_413_before_it_is_read(gateway: Gateway) -> None:
    data = request("POST", "/v2/models/churn/infer", b"x")[:-1].replace(b"Length: 1", b"Length: 2000000")
    found = raw(gateway, data)
    assert found.startswith(b"HTTP/1.1 413 ")
    assert b'"allowed":"at most 1048576 bytes"' in found


def test_a_chunked_body_over_its_limit_gets_413(gateway: Gateway) -> None:
    pieces = b"".join(b"10000\r\n" + b"x" * 65536 + b"\r\n" for _ in range(20))
    with gateway.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")
        answer, _ = read_answer(connection)
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert connection.recv(1) == b""


def test_a_refused_request_with_a_short_body_keeps_the_connection(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        connection.sendall(request("POST", "/v2/models/nothing/infer", oip()) + request("GET", "/healthz"))
        first, rest = read_answer(connection)
        second, _ = read_answer(connection, rest)
    assert (first.status, second.status) == (404, 200)


def test_a_chunked_inference_request_is_welcome(gateway: Gateway) -> None:
    import json

    body = json.dumps(oip(id="chunks")).encode()
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7))
    with gateway.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")
        assert read_answer(connection)[0].json()["id"] == "chunks"


def test_a_request_that_comes_byte_by_byte_is_answered(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        for byte in request("GET", "/healthz"):
            connection.sendall(bytes([byte]))
        assert read_answer(connection)[0].status == 200


def test_http_1_0_and_connection_close_end_the_connection(gateway: Gateway) -> None:
    old = raw(gateway, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert old.startswith(b"HTTP/1.1 200")
    assert not old.endswith(b"<open>")
    streamed = raw(gateway, b"GET /stream?mb=1 HTTP/1.0\r\n\r\n")
    assert len(streamed.partition(b"\r\n\r\n")[2]) == 1 << 20
    assert not raw(gateway, request("POST", "/v2/models/churn/infer", oip(), Connection="close")).endswith(b"<open>")


def test_a_client_that_half_closes_gets_its_answer(gateway: Gateway) -> None:
    data = request("POST", "/v2/models/churn/infer", oip(id="half"))
    found = raw(gateway, data, half_close=True)
    assert b'"half"' in found
    assert not found.endswith(b"<open>")


# -- time, and the number of connections


@pytest.fixture
def strict(tmp_path: Path, packages: dict[str, Path]) -> Any:
    limits = {"head_timeout_s": 0.5, "body_timeout_s": 0.5, "idle_timeout_s": 1.0}
    gateway = Gateway(tmp_path / "data", **limits)
    gateway.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    gateway.start()
    yield gateway
    gateway.stop()


def test_a_slow_head_and_a_slow_body_get_408(strict: Gateway) -> None:
    data = request("POST", "/v2/models/churn/infer", oip())
    for part in (data[:20], data[:-5]):
        with strict.connect() as connection:
            connection.sendall(part)
            answer, _ = read_answer(connection)
            assert (answer.status, answer.json()["code"]) == (408, "request_timeout")
            assert connection.recv(1) == b""


def test_a_slow_body_that_goes_on_is_not_cut(strict: Gateway) -> None:
    data = request("POST", "/v2/models/churn/infer", oip())
    with strict.connect() as connection:
        connection.sendall(data[:-10])
        for byte in data[-10:]:
            time.sleep(0.15)
            connection.sendall(bytes([byte]))
        assert read_answer(connection)[0].status == 200


def test_an_idle_connection_is_closed_without_a_word(strict: Gateway) -> None:
    with strict.connect() as connection:
        connection.sendall(request("GET", "/healthz"))
        assert read_answer(connection)[0].status == 200
        assert connection.recv(1) == b""


# -- anything at all

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def is_sound(found: bytes) -> bool:
    """No crash and no 5xx."""
    statuses = [part[:3] for part in found.split(b"HTTP/1.1 ")[1:]]
    return all(status[:1] in b"24" or status == b"100" for status in statuses)


@pytest.fixture(scope="module")
def target(gateway: Gateway) -> socket.socket:
    return gateway.connect()


@FUZZ
@given(data=st.binary(max_size=300))
def test_any_bytes_are_survived(gateway: Gateway, data: bytes) -> None:
    with gateway.connect() as connection:
        connection.sendall(data + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while more := connection.recv(65536):
            found += more
    assert is_sound(found)


@FUZZ
@given(where=st.integers(0, 400), what=st.binary(max_size=5), cut=st.integers(0, 5))
def test_a_request_with_a_few_bytes_changed_is_survived(gateway: Gateway, where: int, what: bytes, cut: int) -> None:
    whole = request("POST", "/v2/models/churn/infer", oip())
    with gateway.connect() as connection:
        connection.sendall(whole[:where] + what + whole[where + cut :])
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while more := connection.recv(65536):
            found += more
    assert is_sound(found)


@FUZZ
@given(
    which=st.integers(0, 3),
    field=st.sampled_from(["name", "shape", "datatype", "data", "parameters", "extra"]),
    value=JSON,
    more=st.dictionaries(st.sampled_from(["id", "outputs", "parameters", "inputs"]), JSON, max_size=1),
)
def test_any_json_in_a_request_gets_an_answer(
    gateway: Gateway, which: int, field: str, value: Any, more: dict[str, Any]
) -> None:
    document = oip()
    document["inputs"][which][field] = value
    answer = infer(gateway, {**document, **more})
    assert answer.status in (200, 400), answer.body


def test_after_all_of_this_the_gateway_still_serves_and_never_failed(gateway: Gateway) -> None:
    assert infer(gateway).status == 200
    assert "Traceback" not in gateway.log.read_text()
