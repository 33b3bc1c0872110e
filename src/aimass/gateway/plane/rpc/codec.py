"""Between the messages of gRPC and what the data plane calls a request and an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aimass.gateway.plane.binary import DTYPES, strings, write_tensor
from aimass.gateway.plane.calls import Asked, Work
from aimass.gateway.plane.decode import MAX_ID, Inputs, Wanted
from aimass.gateway.plane.encode import NAMES
from aimass.gateway.plane.errors import DoubledOutput, InvalidJson, UnknownOutput, WrongShape, WrongType
from aimass.gateway.plane.package import Package
from aimass.gateway.plane.rpc.proto import ProtoFile

PROTO = ProtoFile(Path(__file__).with_name("open_inference.proto"))
FIELDS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
_NOTHING = memoryview(b"")
FINAL, WANTS_FINAL = "triton_final_response", "triton_enable_empty_final_response"


def read_request(request: Any, package: Package, size: int) -> Asked:
    """Check a request against the signature; ``size`` are the bytes that it came in."""
    if len(request.id) > MAX_ID:
        raise InvalidJson("the id is not a short text", field="id", allowed=f"text, at most {MAX_ID} letters")
    inputs = Inputs(package.columns)
    raws = request.raw_input_contents
    if raws and len(raws) != len(request.inputs):
        raise WrongShape(
            f"there are {len(raws)} raw_input_contents for {len(request.inputs)} inputs",
            field="raw_input_contents",
            value=len(raws),
            allowed=len(request.inputs),
        )
    for number, tensor in enumerate(request.inputs):
        if raws and tensor.HasField("contents") and tensor.contents.ByteSize():
            raise WrongShape(f"input {tensor.name!r} has both contents and raw_input_contents", field=tensor.name)
        data = memoryview(raws[number]) if raws else _raw_of(tensor)
        inputs.raw(tensor.name, tensor.datatype, list(tensor.shape), data)
    return Asked(
        id=request.id,
        decoded=inputs.decoded(),
        wanted=_wanted(request, [spec["name"] for spec in package.signature["outputs"]], is_raw=bool(raws)),
        parameters={name: parameter_of(value) for name, value in request.parameters.items()},
        size=size,
    )


def _raw_of(tensor: Any) -> memoryview:
    """Return typed contents as raw bytes, so that there is one way to check and to read them."""
    field = FIELDS.get(tensor.datatype)
    if field is None:
        if tensor.datatype == "FP16":
            raise WrongType(f"input {tensor.name!r}: FP16 comes as raw_input_contents only", field=tensor.name)
        return _NOTHING
    values = getattr(tensor.contents, field)
    if tensor.datatype == "BYTES":
        return memoryview(strings(values))
    try:
        return memoryview(np.array(list(values), dtype=DTYPES[tensor.datatype]).tobytes())
    except OverflowError as reason:
        raise WrongType(
            f"input {tensor.name!r} holds a number outside the range of {tensor.datatype}",
            field=tensor.name,
            allowed=tensor.datatype,
        ) from reason


def _wanted(request: Any, names: list[str], *, is_raw: bool) -> list[Wanted]:
    asked = [output.name for output in request.outputs] or names
    for name in asked:
        if name not in names:
            raise UnknownOutput(f"there is no output {name[:80]!r}", field="outputs", value=name, allowed=names)
    if len(set(asked)) != len(asked):
        raise DoubledOutput("an output is asked for twice", field="outputs", value=asked)
    return [Wanted(name=name, is_binary=is_raw) for name in asked]


def parameter_of(parameter: Any) -> Any:
    """Return the value of a parameter."""
    choice = parameter.WhichOneof("parameter_choice")
    return None if choice is None else getattr(parameter, choice)


def write_answer(work: Work, outputs: dict[str, Any]) -> Any:
    """Return the message of an answer: raw when the request was, or when a datatype has no other form."""
    answer = PROTO.ModelInferResponse(
        model_name=work.call.endpoint.name, model_version=work.deployment.version, id=work.id
    )
    arrays = [outputs[want.name] for want in work.asked.wanted]
    datatypes = [NAMES[array.dtype] for array in arrays]
    is_raw = "FP16" in datatypes or any(want.is_binary for want in work.asked.wanted)
    for want, array, datatype in zip(work.asked.wanted, arrays, datatypes, strict=True):
        output = answer.outputs.add(name=want.name, datatype=datatype, shape=array.shape)
        if is_raw:
            answer.raw_output_contents.append(write_tensor(array))
        else:
            values = array.ravel().tolist()
            texts = [str(value).encode() for value in values] if datatype == "BYTES" else values
            getattr(output.contents, FIELDS[datatype]).extend(texts)
    return answer
