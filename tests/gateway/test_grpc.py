"""The Open Inference Protocol over gRPC: every method, both forms of contents, codes, streams, limits and the drain."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass.gateway.plane.package import read_package
from aimass.gateway.plane.rpc.codec import PROTO, read_request
from aimass.kernel.errors import Invalid
from tests.fixtures.gateway import (
    DATATYPES,
    EXPIRED,
    KEY,
    ROW,
    SLOW,
    VIEWER,
    Gateway,
    ask,
    deployment,
    endpoint,
    infer,
    key,
    oip,
    snapshot,
    wait_for,
)
from tests.fixtures.tensors import SHAPES, arrays, echo_package, raw
from tests.gateway.test_streams import telling

OWNER = "aim_" + "o" * 43


@pytest.fixture(scope="module")
def gateway(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("rpc"), grpc_port=0)
    gateway.publish(document(packages, echo_package(tmp_path_factory.mktemp("echo") / "echo")))
    gateway.start()
    yield gateway
    gateway.stop()


def document(packages: dict[str, Path], echo: Path) -> dict[str, Any]:
    found = snapshot(
        1,
        endpoint("churn", deployment(packages["one"])),
        endpoint("other", deployment(packages["two"], "other", version=3)),
        endpoint("echo", deployment(echo, "echo", model="echo")),
        endpoint("small", deployment(packages["one"], "small"), max_body_bytes=200),
    )
    found["keys"][hashlib.sha256(OWNER.encode()).hexdigest()] = key("owner", edit=["other"])
    return found


class Client:
    """A client that sends messages of the protocol."""

    def __init__(self, gateway: Gateway, text: str | None = KEY) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{gateway.status()['grpc_port']}")
        self.metadata = [("authorization", f"Bearer {text}")] if text else []

    def call(self, name: str, /, **fields: Any) -> Any:
        request = fields.pop("request", None) or getattr(PROTO, f"{name}Request")(**fields)
        answer, self.info = self.channel.unary_unary(f"/{PROTO.service}/{name}").with_call(
            request.SerializeToString(), metadata=self.metadata, timeout=30, wait_for_ready=True
        )
        return getattr(PROTO, f"{name}Response").FromString(answer)

    def refused(self, name: str, /, **fields: Any) -> tuple[grpc.StatusCode, str]:
        """The code of a refusal, and our own code in its trailing metadata."""
        with pytest.raises(grpc.RpcError) as caught:
            self.call(name, **fields)
        error: Any = caught.value
        return error.code(), dict(error.trailing_metadata()).get("aimass-code", "")

    def stream(self, requests: Iterator[Any]) -> Iterator[Any]:
        method = self.channel.stream_stream(f"/{PROTO.service}/ModelStreamInfer")
        self.running = method((r.SerializeToString() for r in requests), metadata=self.metadata, timeout=60)
        for answer in self.running:
            yield PROTO.ModelStreamInferResponse.FromString(answer)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    client = Client(gateway)
    yield client
    client.channel.close()


def typed(rows: list[dict[str, Any]] | None = None, name: str = "churn", **more: Any) -> Any:
    """A request in the fields of its datatypes."""
    rows = rows or [ROW]
    request = PROTO.ModelInferRequest(model_name=name, **more)
    fields = {"BYTES": "bytes_contents", "INT64": "int64_contents", "FP32": "fp32_contents"}
    for column, datatype in DATATYPES.items():
        tensor = request.inputs.add(name=column, datatype=datatype, shape=[len(rows), 1])
        values = [row[column].encode() if datatype == "BYTES" else row[column] for row in rows]
        getattr(tensor.contents, fields[datatype]).extend(values)
    return request


def raws(values: dict[str, Any], name: str = "echo", **more: Any) -> Any:
    """A request whose values are raw bytes."""
    request = PROTO.ModelInferRequest(model_name=name, **more)
    for input_, array in values.items():
        request.inputs.add(name=input_, datatype=input_.removeprefix("in_"), shape=array.shape)
        request.raw_input_contents.append(raw(array))
    return request


# -- what is told


def test_health_needs_no_key(gateway: Gateway) -> None:
    client = Client(gateway, None)
    assert client.call("ServerLive").live
    assert client.call("ServerReady").ready
    told = client.call("ServerMetadata")
    assert told.name == "aimass"
    assert {"binary_tensor_data", "model_repository", "statistics"} <= set(told.extensions)


def test_models_are_described_as_over_http(client: Client) -> None:
    assert client.call("ModelReady", name="churn").ready
    told = client.call("ModelMetadata", name="churn")
    assert (told.platform, list(told.versions)) == ("onnxruntime_onnx", ["1"])
    assert (told.inputs[0].name, told.inputs[0].datatype, list(told.inputs[0].shape)) == ("contract", "BYTES", [-1, 1])
    config = client.call("ModelConfig", name="echo").config
    assert [list(i.dims) for i in config.input] == list(SHAPES.values())
    assert config.input[1].data_type == 2
    assert list(config.version_policy.specific.versions) == [1]
    assert list(client.call("ModelMetadata", name="other", version="3").versions) == ["3"]


def test_the_index_and_statistics(client: Client) -> None:
    client.call("ModelInfer", request=typed())
    (found,) = client.call("ModelStatistics", name="churn").model_stats
    assert found.inference_count >= 1
    assert found.inference_stats.success.ns > 0
    assert [(one.type, one.byte_size > 0) for one in found.memory_usage] == [("CPU", True)]
    assert {one.name for one in client.call("ModelStatistics").model_stats} == {"churn", "other", "echo", "small"}
    index = client.call("RepositoryIndex", ready=True).models
    assert ("churn", "1", "READY") in {(one.name, one.version, one.state) for one in index}


def test_who_may_edit_loads_and_unloads(gateway: Gateway, client: Client) -> None:
    denied = (grpc.StatusCode.PERMISSION_DENIED, "no_edit")
    assert client.refused("RepositoryModelUnload", model_name="other") == denied
    owner = Client(gateway, OWNER)
    owner.call("RepositoryModelUnload", model_name="other")
    try:
        assert not client.call("ModelReady", name="other").ready
        answer = client.refused("ModelInfer", request=typed(name="other"))
        assert answer == (grpc.StatusCode.UNAVAILABLE, "unloaded")
    finally:
        owner.call("RepositoryModelLoad", model_name="other")
    assert client.call("ModelReady", name="other").ready


# -- inference


def test_typed_contents_are_answered_like_json(gateway: Gateway, client: Client) -> None:
    rows = [ROW, {**ROW, "contract": "Month-to-month", "tenure": 3}]
    answer = client.call("ModelInfer", request=typed(rows, id="g-1"))
    label, probabilities = infer(gateway, oip(rows)).json()["outputs"]
    assert (answer.model_name, answer.model_version, answer.id) == ("churn", "1", "g-1")
    assert [o.name for o in answer.outputs] == ["label", "probabilities"]
    assert [text.decode() for text in answer.outputs[0].contents.bytes_contents] == label["data"]
    assert list(answer.outputs[1].contents.fp32_contents) == pytest.approx(probabilities["data"], abs=1e-6)
    assert list(answer.outputs[1].shape) == [2, 2]
    assert not answer.raw_output_contents
    trailing = dict(client.info.trailing_metadata())
    assert (trailing["x-aimass-model"], trailing["x-aimass-revision"]) == ("churn/1", "rev-champion-1")
    record = gateway.wait_for_record("g-1")
    assert (record["status"], record["rows"], record["outputs"]["label"]) == (200, 2, label["data"])


def test_raw_contents_of_every_datatype_come_back_raw(client: Client) -> None:
    values = arrays(11, rows=2)
    answer = client.call("ModelInfer", request=raws(values))
    assert [o.name for o in answer.outputs] == [f"out_{datatype}" for datatype in SHAPES]
    assert list(answer.raw_output_contents) == [raw(array) for array in values.values()]
    assert [list(o.shape) for o in answer.outputs] == [list(array.shape) for array in values.values()]


def test_only_the_requested_outputs_come_back(client: Client) -> None:
    request = typed()
    request.outputs.add(name="probabilities")
    assert [o.name for o in client.call("ModelInfer", request=request).outputs] == ["probabilities"]
    request.outputs.add(name="probabilities")
    assert client.refused("ModelInfer", request=request)[1] == "doubled_output"
    request = typed()
    request.outputs.add(name="logits")
    assert client.refused("ModelInfer", request=request)[1] == "unknown_output"


def test_a_version_may_be_named(client: Client) -> None:
    assert client.call("ModelInfer", request=typed(name="other", model_version="3")).model_version == "3"
    unknown = (grpc.StatusCode.NOT_FOUND, "unknown_version")
    assert client.refused("ModelInfer", request=typed(name="other", model_version="9")) == unknown


def changed(**parts: Any) -> Any:
    """A request whose third input is changed."""
    request = typed()
    tensor = request.inputs[2]
    for name, value in parts.items():
        if name == "contents":
            tensor.contents.Clear()
            getattr(tensor.contents, value[0]).extend(value[1])
        elif name == "shape":
            tensor.shape[:] = value
        else:
            setattr(tensor, name, value)
    return request


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (changed(name="zip"), "unknown_input"),
        (changed(name="contract"), "doubled_input"),
        (changed(datatype="BF16"), "unknown_datatype"),
        (changed(datatype="BYTES"), "unknown_datatype"),
        (changed(shape=[2, 1]), "wrong_shape"),
        (changed(shape=[-1, 1]), "wrong_shape"),
        (changed(shape=[1, 1, 1]), "wrong_shape"),
        (changed(contents=("int64_contents", [1, 2])), "wrong_shape"),
        (changed(contents=("fp32_contents", [1.0])), "wrong_shape"),
        (changed(datatype="INT8", contents=("int_contents", [300])), "wrong_type"),
        (changed(datatype="FP16"), "wrong_type"),
        (typed([{**ROW, "contract": "Weekly"}]), "unseen_category"),
        (typed(id="x" * 300), "invalid_json"),
    ],
)
def test_what_breaks_the_signature_is_an_invalid_argument(client: Client, request_: Any, code: str) -> None:
    assert client.refused("ModelInfer", request=request_) == (grpc.StatusCode.INVALID_ARGUMENT, code)


def test_nan_in_typed_contents_is_a_null_of_a_nullable_column(client: Client) -> None:
    assert client.call("ModelInfer", request=typed([{**ROW, "charges": float("nan")}])).outputs
    request = changed(datatype="FP32", contents=("fp32_contents", [float("nan")]))
    assert client.refused("ModelInfer", request=request)[1] == "null_refused"


def test_raw_and_typed_contents_exclude_each_other(client: Client) -> None:
    request = typed()
    request.raw_input_contents.extend([b"", b"", b"", b""])
    assert client.refused("ModelInfer", request=request)[1] == "wrong_shape"
    request = raws(arrays(12))
    del request.raw_input_contents[-1]
    assert client.refused("ModelInfer", request=request)[1] == "wrong_shape"


def test_bytes_that_are_no_message_are_an_invalid_argument(client: Client) -> None:
    method = client.channel.unary_unary(f"/{PROTO.service}/ModelInfer")
    with pytest.raises(grpc.RpcError) as caught:
        method(b"\xff\xff\xff", metadata=client.metadata, timeout=30)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_method_that_is_not_served_is_unimplemented(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        client.channel.unary_unary(f"/{PROTO.service}/TraceSetting")(b"", metadata=client.metadata, timeout=30)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


# -- keys and limits


@pytest.mark.parametrize("text", [None, "aim_" + "x" * 43, EXPIRED])
def test_no_key_an_unknown_and_an_expired_one(gateway: Gateway, text: str | None) -> None:
    unauthenticated = (grpc.StatusCode.UNAUTHENTICATED, "unknown_key")
    assert Client(gateway, text).refused("ModelInfer", request=typed()) == unauthenticated
    assert Client(gateway, text).refused("ModelMetadata", name="churn") == unauthenticated


def test_a_key_may_come_as_x_api_key(gateway: Gateway) -> None:
    client = Client(gateway, None)
    client.metadata = [("x-api-key", KEY)]
    assert client.call("ModelInfer", request=typed()).outputs


def test_what_a_key_may_not_use_and_what_is_not_there(gateway: Gateway, client: Client) -> None:
    denied = (grpc.StatusCode.PERMISSION_DENIED, "no_use")
    assert Client(gateway, VIEWER).refused("ModelInfer", request=typed()) == denied
    missing = (grpc.StatusCode.NOT_FOUND, "unknown_endpoint")
    assert client.refused("ModelInfer", request=typed(name="chrun")) == missing


def test_rate_and_size_are_limited_as_over_http(gateway: Gateway, client: Client) -> None:
    slow = Client(gateway, SLOW)
    found = set()
    for _ in range(4):
        try:
            slow.call("ModelInfer", request=typed())
        except grpc.RpcError as reason:
            error: Any = reason
            found.add((error.code(), dict(error.trailing_metadata())["retry-after"]))
    assert found == {(grpc.StatusCode.RESOURCE_EXHAUSTED, "1")}
    too_large = (grpc.StatusCode.RESOURCE_EXHAUSTED, "body_too_large")
    assert client.refused("ModelInfer", request=typed([ROW] * 20, name="small")) == too_large


def test_calls_are_counted_as_over_http(gateway: Gateway, client: Client) -> None:
    client.refused("ModelInfer", request=typed(name="chrun"))
    client.call("ModelInfer", request=typed())
    shown = ask(gateway, "GET", "/metrics").body.decode()
    assert 'aimass_gateway_rpc_refused_total{code="unknown_endpoint"}' in shown
    assert 'aimass_gateway_requests_total{code="200",consumer="shop",endpoint="churn"' in shown


# -- streams


def test_a_trace_comes_and_is_answered_as_metadata(gateway: Gateway, client: Client) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    client.call("ModelInfer", request=typed(id="untraced"))
    assert "traceresponse" not in dict(client.info.trailing_metadata())
    client.metadata = [*client.metadata, ("traceparent", f"00-{trace}-00f067aa0ba902b7-01")]
    for rows in (1, 2):
        client.call("ModelInfer", request=typed([ROW] * rows, id=f"traced-{rows}"))
        assert dict(client.info.trailing_metadata())["traceresponse"].startswith(f"00-{trace}-")
        assert gateway.wait_for_record(f"traced-{rows}")["trace"] == trace


def test_the_requests_of_a_stream_are_answered_in_order(client: Client) -> None:
    wrong = changed(name="zip")
    wrong.id = "2"
    requests = [typed(id="1"), wrong, typed(name="chrun", id="3"), typed(id="4")]
    answers = list(client.stream(iter(requests)))
    assert [answer.infer_response.id for answer in answers] == ["1", "2", "3", "4"]
    assert [bool(answer.error_message) for answer in answers] == [False, True, True, False]
    assert answers[0].infer_response.parameters["triton_final_response"].bool_param
    assert answers[1].infer_response.parameters["code"].string_param == "unknown_input"


def test_a_stream_without_a_key_is_refused(gateway: Gateway) -> None:
    client = Client(gateway, None)
    with pytest.raises(grpc.RpcError) as caught:
        list(client.stream(iter([typed()])))
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


def text_request(text: str, **parameters: Any) -> Any:
    request = PROTO.ModelInferRequest(model_name="churn", id=text)
    tensor = request.inputs.add(name="text_input", datatype="BYTES", shape=[1])
    tensor.contents.bytes_contents.append(text.encode())
    for name, value in parameters.items():
        kind = {bool: "bool_param", int: "int64_param", float: "double_param", str: "string_param"}[type(value)]
        setattr(request.parameters[name], kind, value)
    return request


def test_a_model_that_streams_answers_in_chunks(tmp_path: Path, short: Path) -> None:
    with telling(tmp_path, short / "g", settings={"grpc_port": 0}) as place:
        client = Client(place.gateway)
        requests = [text_request("the sun is up", triton_enable_empty_final_response=True), text_request("again")]
        answers = [answer.infer_response for answer in client.stream(iter(requests))]
        texts = [b"".join(a.outputs[0].contents.bytes_contents) if a.outputs else None for a in answers]
        assert texts == [b"the", b" sun", b" is", b" up", None, b"again"]
        finals = [answer.parameters["triton_final_response"].bool_param for answer in answers]
        assert finals == [False, False, False, False, True, False]
        assert client.call("ModelConfig", name="churn").config.model_transaction_policy.decoupled
        whole = client.call("ModelInfer", request=text_request("a b"))
        assert list(whole.outputs[0].contents.bytes_contents) == [b"a b"]
        (first, last) = client.stream(iter([text_request("a b c", fails_at=1)]))
        assert (first.error_message, "out of words" in last.error_message) == ("", True)


def test_a_client_that_leaves_a_stream_ends_the_model_s_work(tmp_path: Path, short: Path) -> None:
    with telling(tmp_path, short / "h", settings={"grpc_port": 0}) as place:
        client = Client(place.gateway)
        answers = client.stream(iter([text_request("x", endless=10, log=place.log("left"))]))
        next(answers)
        client.running.cancel()
        wait_for(lambda: place.told("left") is not None)


# -- the server


def test_a_stopping_gateway_finishes_its_calls(tmp_path: Path, short: Path) -> None:
    with telling(tmp_path, short / "i", settings={"grpc_port": 0}) as place:
        client = Client(place.gateway)
        found: list[Any] = []
        request = text_request("a b c d", pause_s=0.3)
        thread = threading.Thread(target=lambda: found.append(client.call("ModelInfer", request=request)))
        thread.start()
        time.sleep(0.5)
        place.gateway.stop()
        thread.join(20)
        assert list(found[0].outputs[0].contents.bytes_contents) == [b"a b c d"]
        place.gateway.start()


def test_a_port_that_is_taken_leaves_http_alone(gateway: Gateway, packages: dict[str, Path], tmp_path: Path) -> None:
    other = Gateway(tmp_path, grpc_port=gateway.status()["grpc_port"])
    other.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    other.start()
    try:
        assert infer(other).status == 200
        assert other.status()["grpc_port"] == 0
        assert "cannot be used for gRPC" in other.log.read_text()
    finally:
        other.stop()


def test_without_the_port_grpc_is_not_even_loaded(alone: Gateway, packages: dict[str, Path]) -> None:
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    alone.start()
    assert infer(alone).status == 200
    assert "cygrpc" not in Path(f"/proc/{alone.status()['pid']}/maps").read_text()


def test_a_gateway_with_grpc_stays_below_100_mb(gateway: Gateway, client: Client) -> None:
    for seed in range(50):
        client.call("ModelInfer", request=raws(arrays(seed, rows=20)))
    smaps = Path(f"/proc/{gateway.status()['pid']}/smaps_rollup").read_text()
    (pss,) = [int(line.split()[1]) for line in smaps.splitlines() if line.startswith("Pss:")]
    assert pss < 100 * 1024


# -- codecs, whatever the bytes


@given(data=st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_are_a_request_or_refused(packages: dict[str, Path], data: bytes) -> None:
    from google.protobuf.message import DecodeError

    package = read_package(packages["one"])
    try:
        read_request(PROTO.ModelInferRequest.FromString(data), package, len(data))
    except (DecodeError, Invalid):
        return


FIELDS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip


@pytest.fixture(scope="module")
def without_half(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The package that gives back every datatype but FP16, which has no typed contents."""
    package = read_package(echo_package(tmp_path_factory.mktemp("codec") / "echo"))
    columns = {name: column for name, column in package.columns.items() if name != "in_FP16"}
    return SimpleNamespace(columns=columns, signature=package.signature)


@given(seed=st.integers(0, 2**16), rows=st.integers(1, 3))
@settings(deadline=None, max_examples=30)
def test_typed_and_raw_contents_are_the_same_tensors(without_half: Any, seed: int, rows: int) -> None:
    values = {name: array for name, array in arrays(seed, rows).items() if name != "in_FP16"}
    request = PROTO.ModelInferRequest()
    for name, array in values.items():
        datatype = name.removeprefix("in_")
        tensor = request.inputs.add(name=name, datatype=datatype, shape=array.shape)
        flat = array.ravel().tolist()
        contents = [text.encode() for text in flat] if datatype == "BYTES" else flat
        getattr(tensor.contents, FIELDS[datatype]).extend(contents)
    found = read_request(request, without_half, 0).decoded.values
    whole = read_request(raws(values), without_half, 0).decoded.values
    for name, array in values.items():
        assert array.tolist() == whole[name].tolist() == found[name].tolist()
        assert array.dtype == whole[name].dtype == found[name].dtype
