"""One row over gRPC takes a cheap way: what it reads and answers is what the general path would, byte for byte."""

from __future__ import annotations

import math
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aimass.gateway.plane.package import Package, read_package
from aimass.gateway.plane.payload import kept_inputs
from aimass.gateway.plane.rpc.codec import PROTO, read_request, write_answer
from aimass.gateway.plane.rpc.rows import MessageRows
from aimass.gateway.plane.rpc.wire import cut
from aimass.gateway.plane.runtimes.onnx import OnnxRuntime
from aimass.gateway.plane.runtimes.single import SingleRow
from aimass.kernel.errors import AimassError
from tests.fixtures.gateway import CATEGORIES, ROW, Gateway, deployment, endpoint, snapshot
from tests.gateway.test_grpc import Client

FIELDS = {"BYTES": "bytes_contents", "INT64": "int64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents"}
TYPES = {"BYTES": "S", "INT64": "<i8", "FP32": "<f4", "FP64": "<f8"}


class Known:
    """A model with what was learned of messages for it."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.runtime = OnnxRuntime(package)
        assert isinstance(self.runtime.single, SingleRow)
        self.single = self.runtime.single
        self.rows = MessageRows(self.single)


@pytest.fixture(scope="module")
def known(packages: dict[str, Path]) -> Known:
    return Known(read_package(packages["one"]))


def message(row: dict[str, Any], *, is_raw: bool, charges: str = "FP32", shape: Any = (1, 1), **more: Any) -> Any:
    request = PROTO.ModelInferRequest(model_name="churn", **more)
    for name, value in row.items():
        datatype = {"tenure": "INT64", "charges": charges}.get(name, "BYTES")
        tensor = request.inputs.add(name=name, datatype=datatype, shape=shape)
        if not is_raw:
            getattr(tensor.contents, FIELDS[datatype]).append(value.encode() if datatype == "BYTES" else value)
        elif datatype == "BYTES":
            request.raw_input_contents.append(len(value.encode()).to_bytes(4, "little") + value.encode())
        else:
            request.raw_input_contents.append(np.array([value], dtype=TYPES[datatype]).tobytes())
    return request


ROWS = st.fixed_dictionaries(
    {
        "contract": st.sampled_from(CATEGORIES["contract"]),
        "internet": st.sampled_from([one for one in CATEGORIES["internet"] if one]),
        "tenure": st.integers(-(2**40), 2**40),
        "charges": st.floats(width=32, allow_infinity=False) | st.floats(-1e6, 1e6),
    }
)
FORMS = st.fixed_dictionaries(
    {
        "is_raw": st.booleans(),
        "charges": st.sampled_from(["FP32", "FP64"]),
        "shape": st.sampled_from([(1,), (1, 1)]),
        "id": st.sampled_from(["", "a-1", "x" * 255]),
    }
)


LARGEST = {"is_raw": False, "charges": "FP32", "shape": (1,), "id": ""}


def general(known: Known, data: bytes) -> Any:
    return read_request(PROTO.ModelInferRequest.FromString(data), known.package, len(data))


def recorded(known: Known, asked: Any) -> Any:
    kept = kept_inputs(known.package, asked.decoded.values)
    return orjson.loads(orjson.dumps(kept, option=orjson.OPT_SERIALIZE_NUMPY))


@example(row={**ROW, "charges": 3.4028234663852886e38}, form=LARGEST, order=list(ROW))
@given(row=ROWS, form=FORMS, order=st.permutations(list(ROW)))
def test_a_row_is_read_and_answered_as_on_the_general_path(
    known: Known, row: dict[str, Any], form: dict[str, Any], order: list[str]
) -> None:
    data = message({name: row[name] for name in order}, **form).SerializeToString()
    parts = cut(data)
    assert parts is not None
    asked, read = general(known, data), known.rows.read(parts)
    assert read is not None
    assert (read.id.decode(), orjson.loads(b"{%b}" % read.members)) == (form["id"], recorded(known, asked))
    known.single.put(read)
    label = known.single.label(known.single.run())
    work: Any = SimpleNamespace(
        call=SimpleNamespace(endpoint=SimpleNamespace(name="")),
        deployment=SimpleNamespace(version=""),
        id="",
        asked=asked,
    )
    expected = write_answer(work, known.runtime.run(asked.decoded.values)).SerializeToString()
    assert known.rows.answer(label, known.single.first, is_raw=form["is_raw"]) == expected


def is_text(data: bytes) -> bool:
    """Whether the service, which looks at names first, leaves a message to this path."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@settings(max_examples=400)
@given(row=ROWS, form=FORMS, seed=st.integers(0, 2**32), cuts=st.integers(0, 3))
def test_a_message_that_was_damaged_is_never_taken_for_another(
    known: Known, row: dict[str, Any], form: dict[str, Any], seed: int, cuts: int
) -> None:
    dice, data = random.Random(seed), bytearray(message(row, **form).SerializeToString())
    for _ in range(cuts + 1):
        at = dice.randrange(len(data))
        if dice.random() < 0.7:
            data[at] = dice.randrange(256)
        elif dice.random() < 0.5:
            del data[at : at + dice.randrange(1, 6)]
        else:
            data[at:at] = dice.randbytes(dice.randrange(1, 6))
        if not data:
            return
    parts = cut(bytes(data))
    read = None if parts is None else known.rows.read(parts)
    if parts is None or read is None or not is_text(parts.name + parts.version):
        return
    asked = general(known, bytes(data))
    assert orjson.loads(b"{%b}" % read.members) == recorded(known, asked)
    assert (read.id.decode(), bool(parts.raws)) == (asked.id, asked.wanted[0].is_binary)
    assert [want.name for want in asked.wanted] == list(known.single.names)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_cut_as_the_protocol_does_or_left_alone(data: bytes) -> None:
    parts = cut(data)
    try:
        request = PROTO.ModelInferRequest.FromString(data)
    except DecodeError:
        return
    if parts is not None:
        assert (parts.name.decode(), parts.version.decode()) == (request.model_name, request.model_version)
        assert parts.raws == list(request.raw_input_contents)
        assert len(parts.inputs) == len(request.inputs)


@pytest.mark.parametrize(
    "change",
    [
        {"contract": "Three years"},
        {"charges": math.inf},
        {"charges": 1e300},
    ],
)
def test_what_the_general_path_refuses_or_counts_is_left_to_it(known: Known, change: dict[str, Any]) -> None:
    for is_raw in (True, False):
        data = message({**ROW, **change}, is_raw=is_raw, charges="FP64").SerializeToString()
        parts = cut(data)
        assert parts is not None
        assert known.rows.read(parts) is None


@pytest.mark.parametrize("fields", [{"outputs": ["label"]}, {"outputs": ["probabilities", "label"]}])
def test_other_outputs_are_left_to_the_general_path(known: Known, fields: dict[str, Any]) -> None:
    request = message(ROW, is_raw=False)
    for name in fields["outputs"]:
        request.outputs.add(name=name)
    parts = cut(request.SerializeToString())
    assert parts is not None
    assert known.rows.read(parts) is None
    both = message(ROW, is_raw=False)
    for name in ("label", "probabilities"):
        both.outputs.add(name=name)
    parts = cut(both.SerializeToString())
    assert parts is not None
    assert known.rows.read(parts) is not None


def test_what_is_remembered_has_a_limit(known: Known) -> None:
    tensor = message(ROW, is_raw=False).inputs[0].SerializeToString()
    rest = [one.SerializeToString() for one in message(ROW, is_raw=False).inputs[1:]]
    for number in range(3000):
        strange = tensor + b"\xaa\x06\x02%c%c" % divmod(number, 128)  # a field that nobody knows
        parts = SimpleNamespace(id=b"", inputs=[strange, *rest], outputs=(), raws=[])
        assert known.rows.read(parts) is not None  # type: ignore[arg-type]
    assert len(known.rows._entries) <= 1024


def test_both_ways_give_the_same_answer_record_and_metadata(alone: Gateway, packages: dict[str, Path]) -> None:
    gateway = Gateway(alone.data, grpc_port=0)
    gateway.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    gateway.start()
    try:
        client = Client(gateway)
        for is_raw in (True, False):
            told: list[Any] = []
            for way in ("quick", "general"):
                request = message(ROW, is_raw=is_raw, id=f"{way:{'x'}<200}-{is_raw}")
                if way == "general":
                    request.parameters["note"].string_param = "x"
                answer = client.call("ModelInfer", request=request)
                answer.id = ""
                record = gateway.wait_for_record(request.id)
                kept = {name: record[name] for name in record if name not in {"id", "t", "latency_us"}}
                told.append((answer.SerializeToString(), dict(client.info.trailing_metadata()), kept))
            assert told[0] == told[1]
        client.channel.close()
    finally:
        gateway.stop()


def test_a_refused_row_has_the_code_of_the_general_path(known: Known) -> None:
    data = message({**ROW, "charges": math.nan}, is_raw=True).SerializeToString()
    parts = cut(data)
    assert parts is not None
    try:
        general(known, data)
    except AimassError:
        assert known.rows.read(parts) is None
    else:
        assert known.rows.read(parts) is not None
