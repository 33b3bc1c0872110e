"""W3C Trace Context at a real gateway worker: taken over, begun, replaced where it is invalid, passed on, answered, recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.fixtures.gateway import ROW, Gateway, ask, deployment, endpoint, infer, oip, read_answer, request, snapshot
from tests.fixtures.upstreams import Server, Services, route, upstream

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{ID}-{SPAN}-01"
ANSWERED = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-(0[0-3])")
INVALID = {
    "short": PARENT[:-1],
    "upper": PARENT.upper(),
    "no id": f"00-{'0' * 32}-{SPAN}-01",
    "no span": f"00-{ID}-{'0' * 16}-01",
    "version ff": f"ff-{ID}-{SPAN}-01",
    "long for version 00": f"{PARENT}-01",
    "text": "hello",
}


@pytest.fixture(scope="module")
def behind(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Server]]:
    gateway, server = Gateway(tmp_path_factory.mktemp("traced")), Server()
    gateway.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    gateway.start()
    Services(gateway).publish([upstream("geo", server.port)], [route("geo")])
    yield gateway, server
    gateway.stop()
    server.stop()


def answered(answer: Any) -> str:
    """Return the trace id of an answer."""
    found = ANSWERED.fullmatch(answer.headers["traceresponse"])
    assert found is not None, answer.headers
    return found[1]


@pytest.mark.parametrize("body", [orjson.dumps(oip()), orjson.dumps(oip([ROW, ROW]))], ids=["cheap", "general"])
def test_an_inference_request_is_recorded_and_answered_in_its_trace(behind: Any, body: bytes) -> None:
    gateway, _ = behind
    answer = infer(gateway, body, Traceparent=PARENT, Tracestate="a=1")
    assert answered(answer) == ID
    assert gateway.wait_for_record(answer.json()["id"])["trace"] == ID
    bare = infer(gateway, body)
    assert "traceresponse" not in bare.headers
    assert gateway.wait_for_record(bare.json()["id"])["trace"] == ""


def test_each_request_of_a_connection_has_the_trace_it_brought(behind: Any) -> None:
    gateway, _ = behind
    body = orjson.dumps(oip())
    with gateway.connect() as connection:
        for number in range(1, 9):
            wanted = f"{number:032x}"
            head = {"TraceParent": f"00-{wanted}-{SPAN}-00"} if number % 2 else {}
            connection.sendall(request("POST", "/v2/models/churn/infer", body, **head))
            answer = read_answer(connection)[0]
            assert (answer.status, "traceresponse" in answer.headers) == (200, bool(head))
            assert gateway.wait_for_record(answer.json()["id"])["trace"] == (answered(answer) if head else "")
            assert not head or answered(answer) == wanted


def test_requests_in_one_segment_keep_their_traces_apart(behind: Any) -> None:
    gateway, _ = behind
    ids = [f"{number:032x}" for number in range(1, 6)]
    one = [request("GET", "/v2/health/live", traceparent=f"00-{i}-{SPAN}-01", tracestate="a=1") for i in ids]
    with gateway.connect() as connection:
        connection.sendall(b"".join(one))
        rest, found = b"", []
        for _ in ids:
            answer, rest = read_answer(connection, rest)
            found.append(answered(answer))
    assert found == ids


@pytest.mark.parametrize("parent", INVALID.values(), ids=INVALID)
def test_an_invalid_trace_is_replaced_and_its_state_dropped(behind: Any, parent: str) -> None:
    gateway, _ = behind
    answer = ask(gateway, "GET", "/s/demo/geo/", traceparent=parent, tracestate="a=1")
    headers = answer.json()["headers"]
    assert ANSWERED.fullmatch(headers["traceparent"])
    assert headers["traceparent"][3:35] == answered(answer) not in parent.lower()
    assert "tracestate" not in headers


def test_two_parents_are_none(behind: Any) -> None:
    gateway, _ = behind
    lines = f"GET /s/demo/geo/ HTTP/1.1\r\nHost: a\r\ntraceparent: {PARENT}\r\nTRACEPARENT: {PARENT}\r\n\r\n"
    with gateway.connect() as connection:
        connection.sendall(lines.encode())
        assert answered(read_answer(connection)[0]) != ID


def test_a_service_gets_the_trace_with_the_span_of_the_gateway(behind: Any) -> None:
    gateway, _ = behind
    answer = ask(gateway, "GET", "/s/demo/geo/", Traceparent=f"cc-{ID}-{SPAN}-05-later", Tracestate="a=1, b@c=2")
    headers = answer.json()["headers"]
    assert answer.headers["traceresponse"] == headers["traceparent"]
    assert headers["traceparent"].startswith(f"00-{ID}-")
    assert headers["traceparent"].endswith("-01")
    assert SPAN not in headers["traceparent"]
    assert headers["tracestate"] == "a=1,b@c=2"
    bare = ask(gateway, "GET", "/s/demo/geo/", tracestate="a=1").json()["headers"]
    assert ANSWERED.fullmatch(bare["traceparent"])
    assert "tracestate" not in bare


@pytest.mark.parametrize("path", ["/nothing", "/s/demo/none", "/v2/models/none", "/healthz", "/metrics"])
def test_every_answer_tells_its_trace_refusals_too(behind: Any, path: str) -> None:
    gateway, _ = behind
    assert answered(ask(gateway, "GET", path, traceparent=PARENT)) == ID


def test_a_request_to_a_service_or_to_control_begins_a_trace_where_none_came(behind: Any) -> None:
    gateway, _ = behind
    first, second = (ask(gateway, "GET", "/s/demo/geo/") for _ in range(2))
    assert answered(first) == first.json()["headers"]["traceparent"][3:35] != answered(second)
    answered(ask(gateway, "GET", "/api"))


def test_a_folded_line_is_refused_and_not_glued_to_the_one_before(behind: Any) -> None:
    gateway, server = behind
    seen = len(server.heads)
    lines = f"GET /s/demo/geo/ HTTP/1.1\r\nHost: a\r\nX-A: 1\r\ntraceparent: {PARENT}\r\n folded\r\n\r\n"
    with gateway.connect() as connection:
        connection.sendall(lines.encode())
        answer = read_answer(connection)[0]
    assert (answer.status, len(server.heads)) == (400, seen)
