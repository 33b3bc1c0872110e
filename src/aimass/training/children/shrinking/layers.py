"""The layers of a graph whose weights can be changed: products and convolutions with constant weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from aimass.training.errors import Uncompressible

LEAST_OPSET = 13
LEAST_WEIGHTS = 64
LARGEST = 2**31 - 1
STANDARD = ("", "ai.onnx")
OPERATORS = frozenset({*STANDARD, "ai.onnx.ml"})
_RANKS = {"MatMul": (2,), "Gemm": (2,), "Conv": (3, 4, 5)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A node of a graph, and the constant that it multiplies with.

    Attributes
    ----------
    axis
        The axis of the weights that belongs to the outputs of the layer.
    """

    node: NodeProto
    name: str
    weights: Any
    axis: int


def read_graph(file: Path) -> onnx.ModelProto:
    """Read a model whole, with constants as initializers and a name for every node; refuse what no technique knows."""
    model = onnx.load(str(file))
    opset = next((one.version for one in model.opset_import if one.domain in STANDARD), 0)
    if opset < LEAST_OPSET:
        raise Uncompressible(f"its graph is of operator set {opset}; techniques need {LEAST_OPSET} or later")
    if model.ByteSize() > LARGEST:
        raise Uncompressible("its graph is larger than 2 GB")
    _lift_constants(model.graph)
    for place, node in enumerate(model.graph.node):
        node.name = f"{place}/{node.name or node.op_type}"
    return model


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of the standard operators of a graph."""
    return next(one.version for one in model.opset_import if one.domain in STANDARD)


def layers_of(model: onnx.ModelProto, kinds: Iterable[str] = ("MatMul", "Gemm", "Conv")) -> list[Layer]:
    """Return the layers of some kinds that are worth a change, or say that there is none."""
    wanted = list(kinds)
    fed = {value.name for value in model.graph.input}
    constants = {one.name: one for one in model.graph.initializer if one.name not in fed}
    found = [
        Layer(node=node, name=node.input[1], weights=numpy_helper.to_array(tensor), axis=_axis(node))
        for node in model.graph.node
        if node.domain in STANDARD and node.op_type in wanted
        if (tensor := constants.get(node.input[1])) is not None and _is_worth(node, tensor)
    ]
    if not found:
        known = " or ".join(filter(None, (", ".join(wanted[:-1]), wanted[-1])))
        raise Uncompressible(
            f"its graph has no {known} with {LEAST_WEIGHTS} or more constant 32 bit weights; it is made of "
            f"{_operators(model)}"
        )
    return found


def _is_worth(node: NodeProto, tensor: TensorProto) -> bool:
    is_number = tensor.data_type == TensorProto.FLOAT and len(tensor.dims) in _RANKS[node.op_type]
    return is_number and int(np.prod(tensor.dims)) >= LEAST_WEIGHTS


def _axis(node: NodeProto) -> int:
    return 0 if node.op_type == "Conv" or attribute(node, "transB", 0) else 1


def _operators(model: onnx.ModelProto) -> str:
    return ", ".join(sorted({node.op_type for node in model.graph.node})[:8])


def attribute(node: NodeProto, name: str, usual: Any) -> Any:
    """Return an attribute of a node, or what counts where it is not written."""
    return next((helper.get_attribute_value(one) for one in node.attribute if one.name == name), usual)


def distinct(layers: Sequence[Layer]) -> list[Layer]:
    """Return one layer per constant: layers may share their weights."""
    return list({layer.name: layer for layer in reversed(layers)}.values())[::-1]


def put_constant(model: onnx.ModelProto, name: str, value: Any) -> None:
    """Change the value of a constant."""
    for tensor in model.graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value), name))


def drop_unused(model: onnx.ModelProto) -> None:
    """Leave out constants that nothing reads, and operator sets that no node is of; the bodies of loops count too."""
    nodes = list(_all_nodes(model.graph))
    read = {name for node in nodes for name in node.input} | {one.name for one in model.graph.output}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    used = {node.domain for node in nodes} | {""}
    sets = [one for one in model.opset_import if one.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(sets)


def _all_nodes(graph: Any) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for body in (one.g for one in node.attribute if one.HasField("g")):
            yield from _all_nodes(body)


def _lift_constants(graph: Any) -> None:
    """Turn constant nodes into initializers, which is where techniques look for weights."""
    kept: list[NodeProto] = []
    for node in graph.node:
        value = attribute(node, "value", None) if node.op_type == "Constant" else None
        if value is None or node.domain not in STANDARD:
            kept.append(node)
            continue
        value.name = node.output[0]
        graph.initializer.append(value)
    del graph.node[:]
    graph.node.extend(kept)
