from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnxruntime import InferenceSession

from aimass.gateway.plane.decode import decode, request_id
from aimass.gateway.plane.package import Package, read_package
from aimass.gateway.plane.runtimes.onnx import OnnxRuntime
from aimass.gateway.plane.runtimes.reader import Row
from aimass.gateway.plane.runtimes.single import SingleRow, unfolded
from aimass.infra.rows import BoundRow, fold
from tests.fixtures.gateway import CATEGORIES, DATATYPES, ROW, SIGNATURE, Gateway, infer, oip, write_package

TEXTS = {name for name, datatype in DATATYPES.items() if datatype == "BYTES"}


@pytest.fixture(scope="module")
def package(packages: dict[str, Path]) -> Package:
    return read_package(packages["one"])


@pytest.fixture(scope="module")
def runtime(package: Package) -> OnnxRuntime:
    runtime = OnnxRuntime(package)
    assert runtime.single is not None
    runtime.single.learn(orjson.dumps(oip()), oip(), 10.0)
    return runtime


@pytest.fixture(scope="module")
def bound(package: Package, runtime: OnnxRuntime) -> SingleRow:
    """The same path with a ready tensor for each category, nothing folded."""
    single = SingleRow(runtime.session, package, unfolded(package))
    single.learn(orjson.dumps(oip()), oip(), 1.0)
    return single


def test_a_row_path_goes_with_its_last_reference(package: Package) -> None:
    """It holds a session: what waits for a collection of circles keeps its memory long after the model left."""

    def living() -> int:
        return sum(type(one) in (BoundRow, SingleRow, InferenceSession) for one in gc.get_objects())

    gc.collect()
    before = living()
    gc.disable()
    try:
        loaded = OnnxRuntime(package)
        assert living() > before
        del loaded
        assert living() == before
    finally:
        gc.enable()


def taken_by(single: SingleRow, body: bytes) -> Row | None:
    """Read a row and bind it, as the cheap path does."""
    row = single.read(body)
    if row is not None:
        single.put(row)
    return row


ROWS = st.fixed_dictionaries(
    {
        "contract": st.sampled_from(CATEGORIES["contract"]),
        "internet": st.none() | st.sampled_from(CATEGORIES["internet"]),
        "tenure": st.integers(-(10**17), 10**17),
        "charges": st.none() | st.integers(-1000, 1000) | st.floats(-1e38, 1e38),
    }
)


@given(row=ROWS)
@settings(deadline=None)
def test_the_cheap_path_answers_like_the_general_one_to_the_last_bit(
    runtime: OnnxRuntime, bound: SingleRow, row: dict[str, Any]
) -> None:
    expected = runtime.run({name: [value] for name, value in row.items()})
    for single in (runtime.single, bound):
        assert single is not None
        taken = taken_by(single, orjson.dumps(oip([row])))
        assert taken is not None
        assert json.loads(b"{%b}" % taken.members) == {name: [value] for name, value in row.items()}
        assert json.loads(single.label(single.run())) == expected["label"][0]
        assert np.array_equal(single.first, expected["probabilities"][0])


def test_what_prepares_a_row_is_folded_out_of_the_graph(package: Package) -> None:
    assert package.model is not None
    folded = fold(package.model, TEXTS, set(DATATYPES) - TEXTS, "label")
    assert folded is not None
    ((_, vector),) = folded.vectors.items()
    assert [cell.word for cell in vector.cells] == [*CATEGORIES["contract"], *CATEGORIES["internet"], None, None]
    assert folded.words == ["No", "Yes"]
    assert len(folded.model) < len(package.model)


@pytest.mark.parametrize(
    "change",
    [
        {"contract": "Weekly"}, {"contract": None}, {"contract": ["One year"]}, {"contract": 1}, {"contract": True},
        {"tenure": 1.5}, {"tenure": True}, {"tenure": None}, {"tenure": 2**63}, {"charges": "1"}, {"charges": 1e39},
        {"charges": [1.0]}, {"charges": True},
    ],
)  # fmt: skip
def test_what_is_unusual_is_left_to_the_general_path(runtime: OnnxRuntime, change: dict[str, Any]) -> None:
    assert runtime.single is not None
    assert taken_by(runtime.single, orjson.dumps(oip([{**ROW, **change}]))) is None
    assert taken_by(runtime.single, orjson.dumps(oip())) is not None


WHOLE = orjson.dumps({"id": "a-1", **oip()})


@given(start=st.integers(0, len(WHOLE)), length=st.integers(0, 12), put=st.binary(max_size=12))
@example(start=WHOLE.find(b"12]"), length=2, put=b"012")
@example(start=WHOLE.find(b"56.95"), length=5, put=b"1_0")
@example(start=WHOLE.find(b"56.95"), length=5, put=b"NaN")
@example(start=WHOLE.find(b"a-1"), length=3, put=b'"')
@settings(deadline=None, max_examples=400)
def test_a_changed_request_is_never_taken_for_something_else(
    package: Package, runtime: OnnxRuntime, start: int, length: int, put: bytes
) -> None:
    single = runtime.single
    assert single is not None
    single.learn(WHOLE, orjson.loads(WHOLE), float("inf"))
    body = WHOLE[:start] + put + WHOLE[start + length :]
    taken = taken_by(single, body)
    if taken is not None:
        document = orjson.loads(body)
        assert decode(document, None, package.columns).values == json.loads(b"{%b}" % taken.members)
        assert request_id(document) == taken.id.decode()


@pytest.mark.parametrize(
    "style",
    [
        json.dumps,
        lambda document: json.dumps({"id": "x-9", **document}),
        lambda document: json.dumps({"inputs": document["inputs"][::-1]}, ensure_ascii=False),
        lambda document: json.dumps({"inputs": [dict(sorted(t.items(), reverse=True)) for t in document["inputs"]]}),
    ],
)
def test_a_client_s_own_way_to_write_is_learned(package: Package, style: Any) -> None:
    single = OnnxRuntime(package).single
    assert single is not None
    body = style(oip()).encode()
    assert taken_by(single, body) is None
    single.learn(body, json.loads(body), 10.0)
    taken = taken_by(single, style(oip([{**ROW, "contract": "Two year", "tenure": 71}])).encode())
    assert taken is not None
    assert json.loads(b"{%b}" % taken.members) == {
        n: [v] for n, v in {**ROW, "contract": "Two year", "tenure": 71}.items()
    }


@pytest.mark.parametrize(
    "document",
    [
        {**oip(), "id": "after"},
        {**oip(), "parameters": {}},
        {"inputs": [{**tensor, "parameters": {}} for tensor in oip()["inputs"]]},
        {"inputs": [{**tensor, "data": [tensor["data"]]} for tensor in oip()["inputs"]]},
        {"inputs": [{**tensor, "x": '"data":['} for tensor in oip()["inputs"]]},
    ],
)
def test_what_cannot_be_read_by_its_layout_is_not_learned(package: Package, document: dict[str, Any]) -> None:
    single = OnnxRuntime(package).single
    assert single is not None
    body = orjson.dumps(document)
    single.learn(body, document, 10.0)
    assert taken_by(single, body) is None


def test_open_texts_have_no_cheap_path_but_are_served(packages: dict[str, Path], tmp_path: Path) -> None:
    signature = json.loads(json.dumps(SIGNATURE))
    signature["inputs"][0]["categories"] = None
    data = (packages["one"] / "model.onnx").read_bytes()
    package = read_package(write_package(tmp_path / "open", "model.onnx", data, signature=signature))
    runtime = OnnxRuntime(package)
    assert runtime.single is None
    assert runtime.run({name: [value] for name, value in ROW.items()})["label"][0] in ("Yes", "No")


def test_a_category_that_the_encoder_does_not_know_is_all_zeros(packages: dict[str, Path], tmp_path: Path) -> None:
    signature = json.loads(json.dumps(SIGNATURE))
    signature["inputs"][1]["categories"].append("Satellite")
    data = (packages["one"] / "model.onnx").read_bytes()
    runtime = OnnxRuntime(read_package(write_package(tmp_path / "more", "model.onnx", data, signature=signature)))
    row = {**ROW, "internet": "Satellite"}
    assert runtime.single is not None
    runtime.single.learn(orjson.dumps(oip()), oip(), 10.0)
    assert taken_by(runtime.single, orjson.dumps(oip([row]))) is not None
    runtime.single.run()
    assert np.array_equal(runtime.single.first, runtime.run({n: [v] for n, v in row.items()})["probabilities"][0])


def test_the_record_of_the_cheap_path_is_that_of_the_general_path(gateway: Gateway) -> None:
    dense = infer(gateway, orjson.dumps(oip()))
    wide = infer(gateway, json.dumps(oip(), indent=2).encode())
    first, second = (gateway.wait_for_record(answer.json()["id"]) for answer in (dense, wide))
    changing = {"id", "t", "trace", "latency_us"}
    assert {k: v for k, v in first.items() if k not in changing} == {
        k: v for k, v in second.items() if k not in changing
    }
    assert dense.json()["outputs"] == wide.json()["outputs"]
