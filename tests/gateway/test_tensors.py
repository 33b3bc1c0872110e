"""Models whose inputs are tensors: every datatype, several inputs and outputs, as JSON and as bytes, packed or not."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from aimass.gateway.plane.binary import read_tensor, write_tensor
from aimass.gateway.plane.decode import Wanted, decode
from aimass.gateway.plane.encode import encode
from aimass.gateway.plane.tensors import Tensor
from aimass.kernel.errors import Invalid
from tests.fixtures.gateway import Answer, Gateway, ask, deployment, endpoint, infer, snapshot, write_package
from tests.fixtures.tensors import (
    DTYPES,
    SHAPES,
    arrays,
    as_bytes,
    as_json,
    echo_graph,
    echo_package,
    kind_of,
    raw,
    read_output,
    spec,
)


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    root = tmp_path_factory.mktemp("echo")
    gateway = Gateway(root / "data")
    gateway.publish(snapshot(1, endpoint("echo", deployment(echo_package(root / "echo")))))
    gateway.start()
    yield gateway
    gateway.stop()


def outputs_of(answer: Answer) -> dict[str, Any]:
    """The outputs of an answer, however they came."""
    assert answer.status == 200, answer.body
    body = answer.body
    if answer.headers.get("content-encoding"):
        body = zlib.decompress(body, 47)
    size = int(answer.headers.get("inference-header-content-length", len(body)))
    document, tail = json.loads(body[:size]), memoryview(body)[size:]
    found: dict[str, Any] = {}
    for output in document["outputs"]:
        found[output["name"]] = read_output(output, tail)
        tail = tail[output.get("parameters", {}).get("binary_data_size", 0) :]
    assert not len(tail)
    return found


def assert_same(found: dict[str, Any], sent: dict[str, Any]) -> None:
    assert set(found) == {name.replace("in_", "out_") for name in sent}
    for name, array in sent.items():
        other = found[name.replace("in_", "out_")]
        assert other.shape == array.shape
        assert other.dtype == array.dtype
        assert np.array_equal(other, array), name


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("binary_out", [False, True])
def test_json_in(echo: Gateway, nested: bool, binary_out: bool) -> None:
    values = arrays(1)
    answer = infer(echo, as_json(values, nested=nested, parameters={"binary_data_output": binary_out}), name="echo")
    assert_same(outputs_of(answer), values)
    assert ("inference-header-content-length" in answer.headers) is binary_out


@pytest.mark.parametrize("binary_out", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_bytes_in(echo: Gateway, binary_out: bool, named: bool) -> None:
    values = arrays(2, rows=1)
    more: dict[str, Any] = {"parameters": {"binary_data_output": binary_out}}
    if named:
        more = {"outputs": [{"name": f"out_{d}", "parameters": {"binary_data": binary_out}} for d in SHAPES]}
    body, size = as_bytes(values, **more)
    answer = infer(echo, body, name="echo", Inference_Header_Content_Length=str(size))
    assert_same(outputs_of(answer), values)


def test_json_and_bytes_may_be_mixed_in_one_request_and_in_one_answer(echo: Gateway) -> None:
    values = arrays(3)
    names = list(values)
    body, size = as_bytes({name: values[name] for name in names[::2]})
    head = json.loads(body[:size])
    head["inputs"] += as_json({name: values[name] for name in names[1::2]})["inputs"]
    head["outputs"] = [{"name": f"out_{d}", "parameters": {"binary_data": i % 3 == 0}} for i, d in enumerate(SHAPES)]
    text = json.dumps(head).encode()
    answer = infer(echo, text + body[size:], name="echo", Inference_Header_Content_Length=str(len(text)))
    assert_same(outputs_of(answer), values)


@pytest.mark.parametrize(("coding", "packed"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
@pytest.mark.parametrize("binary", [False, True])
def test_bodies_are_packed_both_ways(echo: Gateway, coding: str, packed: Any, binary: bool) -> None:
    values = arrays(4, rows=50)
    body, size = as_bytes(values) if binary else (json.dumps(as_json(values)).encode(), None)
    headers = {"Content_Encoding": coding, "Accept_Encoding": coding}
    headers |= {"Inference_Header_Content_Length": str(size)} if size else {}
    answer = infer(echo, packed(body), name="echo", **headers)
    assert answer.headers["content-encoding"] == coding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert_same(outputs_of(answer), values)


def test_a_short_answer_and_one_for_a_client_that_wants_none_are_not_packed(gateway: Gateway, echo: Gateway) -> None:
    assert "content-encoding" not in infer(gateway, Accept_Encoding="gzip").headers
    values = as_json(arrays(5, rows=50))
    assert "content-encoding" not in infer(echo, values, name="echo", Accept_Encoding="gzip;q=0, br").headers


def test_metadata_names_datatypes_and_shapes(echo: Gateway) -> None:
    described = ask(echo, "GET", "/v2/models/echo").json()
    assert {i["name"]: (i["datatype"], i["shape"]) for i in described["inputs"]} == {
        f"in_{datatype}": (datatype, shape) for datatype, shape in SHAPES.items()
    }
    assert [o["shape"] for o in described["outputs"]] == list(SHAPES.values())


def test_a_record_keeps_small_tensors_and_names_large_ones(echo: Gateway) -> None:
    values = arrays(6, rows=2)
    infer(echo, as_json(values, id="kept"), name="echo")
    record = echo.wait_for_record("kept")
    assert record["rows"] == 2
    assert record["inputs"]["in_UINT16"] == [json.dumps(row.tolist()).replace(" ", "") for row in values["in_UINT16"]]
    assert record["inputs"]["in_INT64"] == [json.dumps(values["in_INT64"].tolist()).replace(" ", "")]
    big = json_request_of_images()
    infer(echo, big, name="echo")


def json_request_of_images() -> dict[str, Any]:
    values = arrays(7, rows=1)
    values["in_INT16"] = np.zeros((1, 400), dtype=np.int16)
    return as_json(values)


def changed(name: str, **parts: Any) -> dict[str, Any]:
    document = as_json(arrays(8, rows=2))
    next(i for i in document["inputs"] if i["name"] == name).update(parts)
    return document


@pytest.mark.parametrize(
    ("document", "code", "field"),
    [
        (changed("in_UINT8", shape=[2, 48]), "wrong_shape", "in_UINT8"),
        (changed("in_UINT8", shape=[2, 4, 4, 2]), "wrong_shape", "in_UINT8"),
        (changed("in_UINT8", shape=[3, 4, 4, 3]), "wrong_shape", "in_UINT8"),
        (changed("in_UINT8", shape=None), "wrong_shape", "in_UINT8"),
        (changed("in_UINT16", shape=[1, 2], data=[1, 2]), "wrong_shape", "in_UINT16"),
        (changed("in_UINT16", data=[[1, 2], [3]]), "wrong_shape", "in_UINT16"),
        (changed("in_UINT16", data=[[[1, 2], [3, 4]]]), "wrong_shape", "in_UINT16"),
        (changed("in_UINT16", data=[1, 2, 3]), "wrong_shape", "in_UINT16"),
        (changed("in_UINT16", data=None), "wrong_shape", "in_UINT16"),
        (changed("in_UINT16", data=[1, 2, 3, 70000]), "wrong_type", "in_UINT16"),
        (changed("in_UINT16", data=[1, 2, 3, -1]), "wrong_type", "in_UINT16"),
        (changed("in_UINT16", data=[1, 2, 3, 1.5]), "wrong_type", "in_UINT16"),
        (changed("in_UINT16", data=[1, 2, 3, True]), "wrong_type", "in_UINT16"),
        (changed("in_FP16", data=[1, 2, 3, 1e6]), "wrong_type", "in_FP16"),
        (changed("in_FP16", data=[1, 2, 3, None]), "wrong_type", "in_FP16"),
        (changed("in_BYTES", data=["a", "b", "c", 1]), "wrong_type", "in_BYTES"),
        (changed("in_BOOL", data=[1, 0]), "wrong_type", "in_BOOL"),
        (changed("in_FP32", datatype="FP64"), "unknown_datatype", "in_FP32"),
        (changed("in_FP32", datatype="BF16"), "unknown_datatype", "in_FP32"),
        (changed("in_INT16", shape=[2, 0], data=[]), "wrong_shape", "in_INT16"),
        (changed("in_INT16", shape=[2, 2**40]), "wrong_shape", "in_INT16"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_field(
    echo: Gateway, document: dict[str, Any], code: str, field: str
) -> None:
    answer = infer(echo, document, name="echo")
    assert (answer.status, answer.json()["code"], answer.json()["field"]) == (400, code, field), answer.body


def test_bfloat16_is_refused_with_the_way_out(echo: Gateway) -> None:
    assert "FP32" in infer(echo, changed("in_FP32", datatype="BF16"), name="echo").json()["hint"]


def test_a_huge_shape_over_a_few_bytes_is_refused(echo: Gateway) -> None:
    values = arrays(9, rows=1)
    body, size = as_bytes(values)
    head = json.loads(body[:size])
    tensor = next(i for i in head["inputs"] if i["name"] == "in_INT16")
    for shape in ([2**62, 2**62], [1, 2**63], [1, 10**30]):
        tensor["shape"] = shape
        text = json.dumps(head).encode()
        answer = infer(echo, text + body[size:], name="echo", Inference_Header_Content_Length=str(len(text)))
        assert (answer.status, answer.json()["code"]) == (400, "wrong_shape")


def test_a_graph_of_another_type_than_its_signature_is_not_loaded(alone: Gateway, tmp_path: Path) -> None:
    signature = {"inputs": [spec("in_FP32", "FP64", [-1, 2])], "outputs": [spec("out_FP32", "FP32", [-1, 2])]}
    package = write_package(tmp_path / "p", "model.onnx", echo_graph({"FP32": [-1, 2]}), signature=signature)
    alone.publish(snapshot(1, endpoint("bad", deployment(package))))
    alone.start()
    assert "FP64 in the signature" in alone.status()["errors"]["dep-champion"]


# -- codecs, whatever the numbers

TENSORS = {
    datatype: Tensor(name="x", kind=kind_of(datatype), datatype=datatype, shape=(-1, -1, 2)) for datatype in DTYPES
}


@st.composite
def tensors(draw: st.DrawFn) -> tuple[Tensor, Any]:
    datatype = draw(st.sampled_from(list(DTYPES)))
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 3)), 2)
    if datatype == "BYTES":
        texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
        flat = draw(st.lists(texts, min_size=shape[0] * shape[1] * 2, max_size=shape[0] * shape[1] * 2))
        array = np.empty(len(flat), dtype=object)
        array[:] = flat
        return TENSORS[datatype], array.reshape(shape)
    elements = None if not datatype.startswith("FP") else {"allow_nan": False, "allow_infinity": False}
    return TENSORS[datatype], draw(npst.arrays(DTYPES[datatype], shape, elements=elements))


@given(case=tensors(), nested=st.booleans())
@settings(deadline=None)
def test_json_and_bytes_are_the_same_tensor(case: tuple[Tensor, Any], nested: bool) -> None:
    tensor, array = case
    columns = {"x": tensor}
    head = {"name": "x", "datatype": tensor.datatype, "shape": list(array.shape)}
    text = json.dumps({"inputs": [{**head, "data": (array if nested else array.ravel()).tolist()}]})
    listed = decode(orjson.loads(text), None, columns).values["x"]
    data = raw(array)
    document = {"inputs": [{**head, "parameters": {"binary_data_size": len(data)}}]}
    taken = decode(document, memoryview(data), columns).values["x"]
    assert listed.dtype == taken.dtype == array.dtype
    assert listed.shape == taken.shape == array.shape
    assert listed.tolist() == taken.tolist() == array.tolist()


@given(case=tensors())
@settings(deadline=None)
def test_what_is_written_is_read_again(case: tuple[Tensor, Any]) -> None:
    _, array = case
    body, none = encode({}, {"y": array}, [Wanted(name="y", is_binary=False)])
    assert none is None
    assert read_output(json.loads(body)["outputs"][0]).tolist() == array.tolist()
    body, tail = encode({}, {"y": array}, [Wanted(name="y", is_binary=True)])
    assert tail is not None
    assert tail == raw(array) == write_tensor(array)
    assert read_output(json.loads(body)["outputs"][0], memoryview(tail)).tolist() == array.tolist()


@given(data=st.binary(max_size=64), datatype=st.sampled_from(list(DTYPES)), count=st.integers(1, 6))
@settings(deadline=None)
def test_bytes_are_a_tensor_or_refused(data: bytes, datatype: str, count: int) -> None:
    try:
        values = read_tensor("x", datatype, memoryview(data), count)
    except Invalid:
        return
    array = np.array(values, dtype=object) if datatype == "BYTES" else values
    assert (len(values), write_tensor(array)) == (count, data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    given_=st.fixed_dictionaries(
        {}, optional={"name": st.just("x") | JSON, "datatype": st.just("FP32") | JSON, "shape": JSON, "data": JSON,
                      "parameters": JSON}
    ),
    tail=st.none() | st.binary(max_size=32),
)  # fmt: skip
@settings(deadline=None)
def test_any_json_is_a_request_or_refused(given_: dict[str, Any], tail: bytes | None) -> None:
    try:
        decode({"inputs": [given_]}, None if tail is None else memoryview(tail), {"x": TENSORS["FP32"]})
    except Invalid:
        return
