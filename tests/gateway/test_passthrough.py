from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.fixtures.asgi_control import ControlServer
from tests.fixtures.gateway import Gateway, ask, infer, oip, read_answer, request, snapshot, wait_for


def test_everything_else_is_answered_by_control(gateway: Gateway) -> None:
    answer = ask(gateway, "PUT", "/api/v1/things?x=%20y", b"body", X_Custom="1")
    body = answer.json()
    assert (answer.status, answer.headers["x-from"]) == (200, "control")
    assert (body["method"], body["path"], body["query"], body["size"]) == ("PUT", "/api/v1/things", "x=%20y", 4)
    assert ["x-custom", "1"] in body["headers"]
    assert ["host", "gateway.test"] in body["headers"]


# -- the four cases of a connection that carries both (each was wrong in a tunnel that decides per connection)


def test_a_head_in_two_segments_is_passed_through_whole(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        data = request("GET", "/api/split", X_First="1", X_Second="2")
        connection.sendall(data[:60])
        time.sleep(0.1)
        connection.sendall(data[60:])
        answer, rest = read_answer(connection)
    assert answer.json()["path"] == "/api/split"
    assert {"x-first", "x-second"} <= {name for name, _ in answer.json()["headers"]}
    assert rest == b""


def test_inference_and_a_foreign_request_in_one_segment_get_two_replies(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        connection.sendall(request("POST", "/v2/models/churn/infer", oip(id="a")) + request("GET", "/api/b"))
        first, rest = read_answer(connection)
        second, rest = read_answer(connection, rest)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert (first.json()["id"], second.json()["path"], rest) == ("a", "/api/b", b"")


def test_inference_after_a_foreign_request_on_one_connection_is_answered_by_the_gateway(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        connection.sendall(request("GET", "/api/x"))
        assert read_answer(connection)[0].headers["x-from"] == "control"
        connection.sendall(request("POST", "/v2/models/churn/infer", oip(), key="aim_wrong"))
        answer, _ = read_answer(connection)
    assert (answer.status, answer.json()["code"], "x-from" in answer.headers) == (401, "unknown_key", False)


def test_a_foreign_request_after_inference_on_one_connection_is_answered_by_control(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        connection.sendall(request("POST", "/v2/models/churn/infer", oip(id="c")))
        assert read_answer(connection)[0].json()["id"] == "c"
        connection.sendall(request("GET", "/api/y"))
        assert read_answer(connection)[0].headers["x-from"] == "control"


def test_pipelined_requests_are_answered_in_order(gateway: Gateway) -> None:
    kinds = [
        ("GET", f"/api/{n}", None) if n % 2 else ("POST", "/v2/models/churn/infer", oip(id=str(n))) for n in range(40)
    ]
    with gateway.connect() as connection:
        connection.sendall(b"".join(request(*kind) for kind in kinds))
        rest, found = b"", []
        for _ in kinds:
            answer, rest = read_answer(connection, rest)
            found.append(answer.json().get("id") or answer.json()["path"].rpartition("/")[2])
    assert found == [str(n) for n in range(40)]


# -- heads


def test_what_a_client_says_about_itself_is_replaced(gateway: Gateway) -> None:
    lies = {
        "X_Forwarded_For": "6.6.6.6",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_User": "root",
        "Forwarded": "for=1",
    }
    body = ask(gateway, "GET", "/api", **lies, Connection="X-Hop, keep-alive", X_Hop="1", TE="trailers").json()
    headers = dict(body["headers"])
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-host"] == "gateway.test"
    assert not {"x-forwarded-user", "forwarded", "x-hop", "te", "connection"} & set(headers)


def test_an_absolute_target_loses_its_host(gateway: Gateway) -> None:
    assert ask(gateway, "GET", "http://elsewhere/api/z?q=1").json()["path"] == "/api/z"
    assert ask(gateway, "GET", "http://elsewhere/v2/health/live").json() == {"live": True}


def test_head_and_204_have_no_body_and_keep_the_connection(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        connection.sendall(request("HEAD", "/api/h"))
        answer, rest = read_answer(connection, head=True)
        assert (answer.status, rest) == (200, b"")
        assert int(answer.headers["content-length"]) > 0
        connection.sendall(request("GET", "/nothing"))
        answer, rest = read_answer(connection, rest)
        assert (answer.status, rest) == (204, b"")
        connection.sendall(request("GET", "/api/again"))
        assert read_answer(connection)[0].json()["path"] == "/api/again"


# -- bodies

BIG = bytes(range(256)) * 4096 * 50


def test_50_mb_go_up_with_a_length(gateway: Gateway) -> None:
    body = ask(gateway, "POST", "/api/upload", BIG).json()
    assert (body["size"], body["sha256"]) == (len(BIG), hashlib.sha256(BIG).hexdigest())


def test_50_mb_go_up_in_chunks(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        connection.sendall(request("POST", "/api/upload", Transfer_Encoding="chunked"))
        for at in range(0, len(BIG), 300_001):
            piece = BIG[at : at + 300_001]
            connection.sendall(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\nTrailer: x\r\n\r\n" + request("GET", "/api/after"))
        answer, rest = read_answer(connection)
        assert answer.json()["sha256"] == hashlib.sha256(BIG).hexdigest()
        assert read_answer(connection, rest)[0].json()["path"] == "/api/after"


@pytest.mark.parametrize("query", ["mb=50", "mb=50&length=1"])
def test_50_mb_come_down(gateway: Gateway, query: str) -> None:
    answer = ask(gateway, "GET", f"/stream?{query}")
    assert ("content-length" in answer.headers) == ("length" in query)
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(BIG).digest()


def memory_kib(gateway: Gateway) -> int:
    assert gateway.process is not None
    with Path(f"/proc/{gateway.process.pid}/status").open() as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def test_a_slow_reader_holds_control_back_and_not_in_memory(gateway: Gateway) -> None:
    before = memory_kib(gateway)
    with gateway.connect() as connection:
        connection.sendall(request("GET", "/stream?mb=200"))
        time.sleep(1.5)
        assert memory_kib(gateway) - before < 20_000
        assert len(read_answer(connection)[0].body) == 200 << 20


def test_a_slow_control_holds_the_client_back(gateway: Gateway) -> None:
    before = memory_kib(gateway)
    with gateway.connect() as connection:
        connection.settimeout(1.5)
        connection.sendall(request("GET", "/wait", b"x" * 10)[:-10].replace(b"Length: 10", b"Length: 300000000"))
        with pytest.raises(TimeoutError):
            connection.sendall(b"x" * 300_000_000)
        assert memory_kib(gateway) - before < 20_000


def _send_all(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(data)


def test_an_early_answer_arrives_although_the_upload_goes_on(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        connection.sendall(request("POST", "/early", b"x" * 10)[:-10].replace(b"Length: 10", b"Length: 3000000"))
        upload = threading.Thread(target=_send_all, args=(connection, b"x" * 3_000_000))
        upload.start()
        assert read_answer(connection)[0].status == 413
        upload.join()


def test_expect_100_continue_is_answered_before_the_body(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        data = request("POST", "/api/upload", b"12345", Expect="100-continue")
        connection.sendall(data[:-5])
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"12345")
        assert read_answer(connection)[0].json()["size"] == 5


# -- ends


def test_a_websocket_echoes_through_the_gateway(gateway: Gateway) -> None:
    with connect(f"ws://127.0.0.1:{gateway.port}/ws", max_size=1 << 22) as socket:
        for text in ("hello", "x" * 500_000, "客户"):
            socket.send(text)
            assert socket.recv() == "echo " + text


def test_a_client_that_leaves_ends_the_work_in_control(gateway: Gateway, control: ControlServer) -> None:
    state = control.app.state
    wait_for(lambda: state.waiting == 0)
    before = state.disconnected
    with gateway.connect() as connection:
        connection.sendall(request("GET", "/wait"))
        wait_for(lambda: state.waiting == 1)
    wait_for(lambda: state.disconnected == before + 1)


def test_without_control_inference_goes_on_and_the_rest_says_why(alone: Gateway, short: object) -> None:
    alone.publish(snapshot(1, control_socket=f"{short}/absent.sock"))
    alone.start()
    problem = ask(alone, "GET", "/api/v1/x", Accept="application/json")
    assert (problem.status, problem.json()["code"]) == (503, "control_gone")
    page = ask(alone, "GET", "/", Accept="text/html,*/*")
    assert page.status == 503
    assert page.headers["content-type"].startswith("text/html")
    assert b"tries again" in page.body
    upload = ask(alone, "POST", "/api/v1/x", b"x" * 5_000_000)
    assert upload.status == 503
    assert ask(alone, "GET", "/healthz").json()["snapshot"] == 1
    assert ask(alone, "GET", "/readyz").status == 503


def test_control_may_be_restarted_while_connections_to_it_are_kept(alone: Gateway, short: object) -> None:
    path = Path(f"{short}/again.sock")
    control = ControlServer(path).start()
    alone.publish(snapshot(1, control_socket=str(path)))
    alone.start()
    with alone.connect() as connection:
        connection.sendall(request("GET", "/api/1"))
        assert read_answer(connection)[0].status == 200
        control.stop()
        connection.sendall(request("GET", "/api/2"))
        assert read_answer(connection)[0].status == 503
        control = ControlServer(path).start()
        connection.sendall(request("GET", "/api/3"))
        assert read_answer(connection)[0].status == 200
    control.stop()


def test_readyz_is_answered_by_control_once_a_snapshot_is_applied(gateway: Gateway) -> None:
    assert ask(gateway, "GET", "/readyz").json()["path"] == "/readyz"
    assert ask(gateway, "GET", "/healthz").json()["role"] == "gateway"


def test_inference_does_not_wait_for_a_slow_foreign_request(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        connection.sendall(request("GET", "/wait"))
        started = time.monotonic()
        assert infer(gateway).status == 200
        assert time.monotonic() - started < 2
        connection.shutdown(socket.SHUT_RDWR)
