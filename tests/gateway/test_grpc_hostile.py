"""gRPC on the open internet: who sends too much, too slowly, too often, or does not read; and the end of a worker."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from aimass.gateway.plane.rpc.codec import PROTO
from tests.fixtures.gateway import KEY, Gateway, deployment, endpoint, infer, key, snapshot, wait_for
from tests.gateway.test_grpc import Client, text_request, typed
from tests.gateway.test_streams import telling

MIB = 1024 * 1024
STRANGER, OTHER = "aim_" + "s" * 43, "aim_" + "p" * 43
INFER, STREAM = f"/{PROTO.service}/ModelInfer", f"/{PROTO.service}/ModelStreamInfer"


@contextmanager
def served(folder: Path, package: Path, **settings: Any) -> Iterator[Gateway]:
    gateway = Gateway(folder, grpc_port=0, **settings)
    gateway.publish(document(package))
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


def document(package: Path, version: int = 1) -> dict[str, Any]:
    found = snapshot(version, endpoint("churn", deployment(package)))
    for text, spec in ((STRANGER, key("stranger", workspace="elsewhere")), (OTHER, key("other"))):
        found["keys"][hashlib.sha256(text.encode()).hexdigest()] = spec
    return found


def resident(gateway: Gateway) -> int:
    return int(Path(f"/proc/{gateway.status()['pid']}/statm").read_text().split()[1]) * 4096


def peak(gateway: Gateway) -> int:
    status = Path(f"/proc/{gateway.status()['pid']}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def code_of(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    return error.code(), dict(error.trailing_metadata() or ()).get("aimass-code", "")


def is_served(gateway: Gateway) -> bool:
    client = Client(gateway)
    try:
        return bool(client.call("ModelInfer", request=typed()).outputs) and infer(gateway).status == 200
    finally:
        client.channel.close()


def is_served_again(gateway: Gateway) -> bool:
    """The same; a stream that is refused while cancelled ones are cleared away may be tried again."""
    try:
        return is_served(gateway)
    except grpc.RpcError:
        return False


def test_a_key_of_another_workspace_finds_nothing(packages: dict[str, Path], tmp_path: Path) -> None:
    with served(tmp_path, packages["one"]) as gateway:
        client = Client(gateway, STRANGER)
        missing = (grpc.StatusCode.NOT_FOUND, "unknown_endpoint")
        assert client.refused("ModelInfer", request=typed()) == missing
        assert client.refused("ModelMetadata", name="churn") == missing
        assert not client.call("RepositoryIndex").models
        (answer,) = client.stream(iter([typed()]))
        assert answer.infer_response.parameters["code"].string_param == "unknown_endpoint"


# -- too much


def test_what_nobody_may_send_is_not_taken_in(packages: dict[str, Path], tmp_path: Path) -> None:
    with served(tmp_path, packages["one"]) as gateway:
        before = peak(gateway)
        large = b"\0" * (16 * MIB)
        channels = [Client(gateway, None).channel for _ in range(20)]
        calls = [channel.unary_unary(INFER).future(large, timeout=60) for channel in channels]
        assert {call.exception(60).code() for call in calls} == {grpc.StatusCode.UNAUTHENTICATED}
        assert peak(gateway) - before < 60 * MIB
        assert is_served(gateway)


def test_large_requests_arrive_a_few_at_a_time(packages: dict[str, Path], tmp_path: Path) -> None:
    with served(tmp_path, packages["one"], max_buffered_bytes=64 * MIB) as gateway:
        before = peak(gateway)
        large = PROTO.ModelInferRequest(model_name="churn", raw_input_contents=[b"\0" * (16 * MIB)]).SerializeToString()
        clients = [Client(gateway) for _ in range(20)]
        calls = [c.channel.unary_unary(INFER).future(large, metadata=c.metadata, timeout=60) for c in clients]
        assert {call.exception(60).code() for call in calls} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert peak(gateway) - before < 200 * MIB
        assert is_served(gateway)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_that_is_too_large_is_refused_packed_or_not(
    packages: dict[str, Path], tmp_path: Path, compression: grpc.Compression
) -> None:
    with served(tmp_path, packages["one"]) as gateway:
        before = peak(gateway)
        client = Client(gateway)
        method = client.channel.unary_unary(INFER)
        code, _ = code_of(
            lambda: method(b"\0" * (200 * MIB), metadata=client.metadata, timeout=60, compression=compression)
        )
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert peak(gateway) - before < 100 * MIB
        assert is_served(gateway)


def test_metadata_have_a_largest_size(packages: dict[str, Path], tmp_path: Path) -> None:
    with served(tmp_path, packages["one"]) as gateway:
        client = Client(gateway)
        client.metadata.append(("x-long", "a" * 100_000))
        assert client.refused("ModelInfer", request=typed())[0] == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert is_served(gateway)


def test_calls_and_streams_have_a_largest_number(tmp_path: Path, short: Path) -> None:
    settings = {"grpc_port": 0, "max_rpcs": 3, "max_rpc_streams": 1}
    with telling(tmp_path, short / "m", settings=settings) as place:
        client, other = Client(place.gateway), Client(place.gateway)
        told = client.stream(iter([text_request("x", endless=10, pause_s=0.05)]))
        next(told)
        overloaded = (grpc.StatusCode.UNAVAILABLE, "overloaded")
        assert code_of(lambda: list(other.stream(iter([text_request("a b")])))) == overloaded
        method = other.channel.unary_unary(INFER)
        slow = text_request("a b", pause_s=1.0).SerializeToString()
        running = [method.future(slow, metadata=other.metadata, timeout=30) for _ in range(4)]
        codes = [call.exception(30) for call in running]
        assert {error.code() for error in codes if error} == {grpc.StatusCode.UNAVAILABLE}
        assert sum(error is None for error in codes) == 2
        client.running.cancel()
        wait_for(lambda: len(list(other.stream(iter([text_request("a b")])))) == 2)


def test_connections_have_a_largest_number(packages: dict[str, Path], tmp_path: Path) -> None:
    with served(tmp_path, packages["one"], max_rpc_connections=3) as gateway:
        first = Client(gateway)
        first.call("ServerLive")
        address = ("127.0.0.1", gateway.status()["grpc_port"])
        others = [socket.create_connection(address) for _ in range(10)]
        time.sleep(0.5)
        closed = 0
        for other in others:
            other.settimeout(2)
            try:
                while piece := other.recv(65536):
                    assert piece
                closed += 1
            except TimeoutError:
                continue
            except ConnectionResetError:
                closed += 1
        assert closed >= 8
        assert first.call("ServerLive").live
        for other in others:
            other.close()


def test_calls_that_are_cancelled_at_once_cost_nothing_later(packages: dict[str, Path], tmp_path: Path) -> None:
    with served(tmp_path, packages["one"]) as gateway:
        client = Client(gateway)
        client.call("ServerLive")
        method, data = client.channel.unary_unary(INFER), typed().SerializeToString()
        for _ in range(3000):
            method.future(data, metadata=client.metadata).cancel()
        wait_for(lambda: is_served_again(gateway))
        before = resident(gateway)
        for _ in range(3000):
            method.future(data, metadata=client.metadata).cancel()
        wait_for(lambda: is_served_again(gateway))
        assert resident(gateway) - before < 30 * MIB


# -- too slow


def never(stop: threading.Event) -> Iterator[bytes]:
    stop.wait()
    yield from ()


def test_a_request_that_does_not_arrive_is_given_up(packages: dict[str, Path], tmp_path: Path) -> None:
    with served(tmp_path, packages["one"], body_timeout_s=1) as gateway:
        client, stop = Client(gateway), threading.Event()
        method = client.channel.stream_unary(INFER)
        late = (grpc.StatusCode.DEADLINE_EXCEEDED, "request_timeout")
        assert code_of(lambda: method(never(stop), metadata=client.metadata, timeout=30)) == late
        stop.set()
        empty = (grpc.StatusCode.INVALID_ARGUMENT, "invalid_json")
        assert code_of(lambda: method(iter(()), metadata=client.metadata, timeout=30)) == empty


def test_who_sends_slowly_locks_nobody_else_out(packages: dict[str, Path], tmp_path: Path) -> None:
    with served(tmp_path, packages["one"], max_buffered_bytes=64 * MIB) as gateway:
        client, stop = Client(gateway), threading.Event()
        method = client.channel.stream_unary(INFER)
        calls = [method.future(never(stop), metadata=client.metadata) for _ in range(20)]
        time.sleep(0.5)
        assert Client(gateway, OTHER).call("ModelInfer", request=typed()).outputs
        for call in calls:
            call.cancel()
        stop.set()
        assert is_served(gateway)


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
def test_a_connection_that_says_nothing_of_use_is_closed(
    packages: dict[str, Path], tmp_path: Path, data: bytes
) -> None:
    with served(tmp_path, packages["one"], head_timeout_s=1) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.status()["grpc_port"])) as connection:
            connection.settimeout(15)
            connection.sendall(data)
            while connection.recv(65536):
                pass
        assert is_served(gateway)


def test_a_client_that_does_not_read_is_let_go(tmp_path: Path, short: Path) -> None:
    with telling(tmp_path, short / "r", settings={"grpc_port": 0, "write_timeout_s": 1}) as place:
        client = Client(place.gateway)
        answers = client.stream(iter([text_request("x", endless=100_000, log=place.log("lazy"))]))
        next(answers)
        wait_for(lambda: place.told("lazy") is not None)
        assert (place.told("lazy") or 0) < 300
        assert code_of(lambda: list(answers))[0] == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_deadline_of_the_client_ends_his_call_alone(tmp_path: Path, short: Path) -> None:
    with telling(tmp_path, short / "d", settings={"grpc_port": 0}) as place:
        client = Client(place.gateway)
        method = client.channel.unary_unary(INFER)
        slow = text_request("late", pause_s=1.5).SerializeToString()
        code, _ = code_of(lambda: method(slow, metadata=client.metadata, timeout=0.3))
        assert code == grpc.StatusCode.DEADLINE_EXCEEDED
        assert place.gateway.wait_for_record("late")["status"] == 200
        assert client.call("ModelInfer", request=text_request("a b")).outputs


# -- ends


def test_a_key_that_is_taken_back_ends_its_stream(packages: dict[str, Path], tmp_path: Path) -> None:
    with served(tmp_path, packages["one"]) as gateway:
        client, go_on = Client(gateway), threading.Event()

        def requests() -> Iterator[Any]:
            yield typed(id="1")
            go_on.wait(20)
            yield typed(id="2")

        answers = client.stream(requests())
        assert next(answers).infer_response.id == "1"
        found = document(packages["one"], 2)
        del found["keys"][hashlib.sha256(KEY.encode()).hexdigest()]
        gateway.publish(found)
        go_on.set()
        assert code_of(lambda: list(answers)) == (grpc.StatusCode.UNAUTHENTICATED, "unknown_key")


def test_a_stream_that_waits_for_requests_does_not_hold_up_the_end(packages: dict[str, Path], tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, grpc_port=0)
    gateway.publish(document(packages["one"]))
    gateway.start()
    client, stop = Client(gateway), threading.Event()

    def requests() -> Iterator[Any]:
        yield typed(id="1")
        stop.wait()

    answers = client.stream(requests())
    assert next(answers).infer_response.id == "1"
    began = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - began < 15
    assert code_of(lambda: list(answers)) == (grpc.StatusCode.UNAVAILABLE, "unavailable")
    stop.set()
