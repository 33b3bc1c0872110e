"""Look into an ONNX file without running it: files it wants, operators it uses, inputs and outputs it has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from aimass.models.errors import BrokenPackage
from aimass.models.package import Column, Package, Signature, check_path
from aimass.models.shapes import FREE

OPERATORS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
BROUGHT = {
    "com.microsoft": frozenset({"Tokenizer"})
}  # by ONNX Runtime itself: cuts texts, in time linear in their length
_ELEMENTS = {
    "BYTES": "STRING", "BOOL": "BOOL", "FP16": "FLOAT16", "FP32": "FLOAT", "FP64": "DOUBLE",
    **{f"{sign}INT{bits}": f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
}  # fmt: skip


def check(package: Package, file: str) -> str:
    """Refuse a graph that reads outside its folder, brings own operators, or does not fit the signature.

    Returns
    -------
    str
        One sentence on what was found.
    """
    model = _read(package.folder / file)
    for path in external_paths(model):
        name = check_path(path)
        if name not in package.manifest.files:
            raise BrokenPackage(f"the graph reads {name!r}, which is not in the manifest", field="files", value=name)
    _check_operators(model)
    check_signature(model, package.manifest.signature)
    return f"{len(model.graph.node)} standard operators, no file outside the package"


def check_alone(path: Path) -> int:
    """Refuse a graph that reads any other file, or brings own operators; return how many operators it has.

    For runtimes in which a graph is one part of what answers, so that the signature is not that of the graph.
    """
    model = _read(path)
    if external_paths(model):
        raise BrokenPackage("the graph reads other files", field="files", value=external_paths(model)[:3])
    _check_operators(model)
    return len(model.graph.node)


def inputs_of(path: Path) -> dict[str, list[int]]:
    """Return the inputs of a graph with their sizes; those that are free are ``FREE``."""
    model = _read(path)
    constants = {tensor.name for tensor in model.graph.initializer}
    found = ((one.name, one.type.tensor_type.shape.dim) for one in model.graph.input if one.name not in constants)
    return {name: [dim.dim_value if dim.HasField("dim_value") else FREE for dim in dims] for name, dims in found}


def _check_operators(model: onnx.ModelProto) -> None:
    foreign = sorted(strange(model))
    if foreign:
        raise BrokenPackage(
            f"the graph uses operators of {foreign[0]!r}",
            field="operators",
            value=foreign[0],
            allowed=[*sorted(OPERATORS - {""}), *sorted(f"{d}.{name}" for d, some in BROUGHT.items() for name in some)],
            hint="export with standard ONNX operators",
        )


def _read(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as reason:
        raise BrokenPackage(f"{path.name!r} is no ONNX file", field="files", value=path.name) from reason
    if not model.graph.node:
        raise BrokenPackage(f"{path.name!r} holds no operators", field="files", value=path.name)
    return model


def messages(message: Any) -> Iterator[Any]:
    """Yield a protobuf message and every message inside it."""
    pending = [message]
    while pending:
        current = pending.pop()
        yield current
        for field, value in current.ListFields():
            if field.message_type is not None:
                pending.extend(value if field.is_repeated else [value])


def external_paths(model: onnx.ModelProto) -> list[str]:
    """Return the paths of all external data, wherever in the graph the tensor hides."""
    tensors = (part for part in messages(model) if isinstance(part, onnx.TensorProto))
    entries = (entry for tensor in tensors for entry in tensor.external_data)
    return [entry.value for entry in entries if entry.key == "location"]


def domains(model: onnx.ModelProto) -> Iterator[str]:
    """Yield the domain of every operator, function and operator set."""
    for part in messages(model):
        if isinstance(part, onnx.NodeProto | onnx.OperatorSetIdProto | onnx.FunctionProto):
            yield part.domain


def strange(model: onnx.ModelProto) -> Iterator[str]:
    """Yield the operators that no graph may have: a domain that is strange, or a known one's operator that is not allowed."""
    yield from set(domains(model)) - OPERATORS - set(BROUGHT)
    for part in messages(model):
        if isinstance(part, onnx.FunctionProto) and part.domain in BROUGHT:
            yield f"{part.domain}.{part.name}"
        if isinstance(part, onnx.NodeProto) and part.op_type not in BROUGHT.get(part.domain, (part.op_type,)):
            yield f"{part.domain}.{part.op_type}"


def check_signature(model: onnx.ModelProto, signature: Signature) -> None:
    """Refuse a graph whose inputs and outputs are not those of the signature."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = {i.name: i.type.tensor_type for i in model.graph.input if i.name not in constants}
    wanted = {column.name for column in signature.inputs}
    if set(inputs) != wanted:
        odd = min(set(inputs) ^ wanted)
        raise BrokenPackage(f"input {odd!r} is not in both signature and graph", field="signature.inputs", value=odd)
    for column in signature.inputs:
        _check_input(column, inputs[column.name])
    missing = {output.name for output in signature.outputs} - {output.name for output in model.graph.output}
    if missing:
        raise BrokenPackage(f"the graph has no output {min(missing)!r}", field="signature.outputs")


def _check_input(column: Column, port: Any) -> None:
    """Refuse an input of the graph that has another type or shape than the signature says."""
    element = column.element if column.shape is not None else "BYTES" if column.type == "string" else "FP32"
    if port.elem_type != onnx.TensorProto.DataType.Value(_ELEMENTS[element]):
        raise BrokenPackage(
            f"input {column.name!r} has another type in the graph", field=f"signature.inputs.{column.name}"
        )
    if column.shape is None or not port.HasField("shape"):
        return
    sizes = [dim.dim_value if dim.HasField("dim_value") else FREE for dim in port.shape.dim]
    fits = len(sizes) == len(column.shape)
    if not fits or any(size not in (FREE, wanted) for size, wanted in zip(sizes, column.shape, strict=True)):
        raise BrokenPackage(
            f"input {column.name!r} has shape {list(column.shape)} in the signature and {sizes} in the graph",
            field=f"signature.inputs.{column.name}.shape",
            value=list(column.shape),
            allowed=sizes,
        )
