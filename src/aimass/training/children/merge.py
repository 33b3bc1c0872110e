"""Join the graphs of several models into one that answers with all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from aimass.models import Signature
from aimass.training.children.weights import CLIP, Shares, Stack


def merged(graphs: Sequence[bytes], combiner: Shares | Stack, signature: Signature) -> bytes:
    """Return one graph with the inputs of the members, whose answers are combined as told.

    Parameters
    ----------
    graphs
        ONNX models with the same inputs and outputs.
    combiner
        How their answers become one.
    signature
        What goes in and comes out, of each member and of the whole.
    """
    models = [onnx.load_from_string(graph) for graph in graphs]
    answer = "probabilities" if signature.classes else signature.outputs[0].name
    nodes: list[Any] = []
    tensors: list[Any] = []
    opsets: dict[str, int] = {}
    for place, model in enumerate(models):
        _prefix(model.graph, f"m{place}/")
        nodes += model.graph.node
        tensors += model.graph.initializer
        for used in model.opset_import:
            opsets[used.domain] = max(opsets.get(used.domain, 1), used.version)
    answers = [f"m{place}/{answer}" for place in range(len(models))]
    more, given = _combined(answers, combiner, answer)
    nodes += more
    tensors += given
    if signature.classes:
        nodes += _labels(answer, signature.classes)
        opsets["ai.onnx.ml"] = max(opsets.get("ai.onnx.ml", 1), 2)
    outputs = [_output(model, name) for model in models[:1] for name in [o.name for o in signature.outputs]]
    graph = helper.make_graph(nodes, "aimass", list(models[0].graph.input), outputs, initializer=tensors)
    opset = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    made = helper.make_model(graph, opset_imports=opset, ir_version=max(model.ir_version for model in models))
    onnx.checker.check_model(made)
    return made.SerializeToString()


def _prefix(graph: Any, mark: str) -> None:
    """Give everything but the inputs a name of its own, in the bodies of loops too."""
    inputs = {value.name for value in graph.input}

    def name(old: str) -> str:
        return old if not old or old in inputs else f"{mark}{old}"

    _renamed(graph, name, mark)


def _renamed(graph: Any, name: Callable[[str], str], mark: str) -> None:
    for node in graph.node:
        node.name = f"{mark}{node.name}"
        node.input[:] = [name(one) for one in node.input]
        node.output[:] = [name(one) for one in node.output]
        for body in (attribute.g for attribute in node.attribute if attribute.HasField("g")):
            for value in (*body.input, *body.output):
                value.name = name(value.name)
            _renamed(body, name, mark)
    for tensor in graph.initializer:
        tensor.name = name(tensor.name)


def _combined(answers: Sequence[str], combiner: Shares | Stack, output: str) -> tuple[list[Any], list[Any]]:
    if isinstance(combiner, Stack):
        return _stacked(answers, combiner, output)
    tensors = [_tensor(f"weight/{place}", weight) for place, weight in enumerate(combiner.weights)]
    parts = [f"weighted/{place}" for place in range(len(answers))]
    nodes = [
        helper.make_node("Mul", [answer, tensor.name], [part])
        for answer, tensor, part in zip(answers, tensors, parts, strict=True)
    ]
    if not combiner.offset:
        return [*nodes, helper.make_node("Sum", parts, [output])], tensors
    tensors.append(_tensor("offset", combiner.offset))
    nodes += [helper.make_node("Sum", parts, ["sum"]), helper.make_node("Add", ["sum", "offset"], [output])]
    return nodes, tensors


def _stacked(answers: Sequence[str], stack: Stack, output: str) -> tuple[list[Any], list[Any]]:
    tensors = [
        _tensor("stack/least", CLIP),
        _tensor("stack/most", 1.0),
        _tensor("stack/matrix", stack.matrix),
        _tensor("stack/offset", stack.offset),
    ]
    nodes = [
        helper.make_node("Concat", list(answers), ["stack/all"], axis=1),
        helper.make_node("Clip", ["stack/all", "stack/least", "stack/most"], ["stack/clipped"]),
        helper.make_node("Log", ["stack/clipped"], ["stack/logarithms"]),
        helper.make_node("MatMul", ["stack/logarithms", "stack/matrix"], ["stack/product"]),
        helper.make_node("Add", ["stack/product", "stack/offset"], ["stack/scores"]),
        helper.make_node("Softmax", ["stack/scores"], [output], axis=1),
    ]
    return nodes, tensors


def _labels(probabilities: str, classes: Sequence[str]) -> list[Any]:
    """Name the class with the largest probability."""
    keys = list(range(len(classes)))
    encoder = {"keys_int64s": keys, "values_strings": list(classes), "domain": "ai.onnx.ml"}
    return [
        helper.make_node("ArgMax", [probabilities], ["label/place"], axis=1, keepdims=0),
        helper.make_node("LabelEncoder", ["label/place"], ["label"], **encoder),
    ]


def _tensor(name: str, values: Any) -> Any:
    return numpy_helper.from_array(np.asarray(values, dtype=np.float32), name)


def _output(model: Any, name: str) -> Any:
    found = next(value for value in model.graph.output if value.name == name)
    if found.type.tensor_type.elem_type == TensorProto.STRING:
        return helper.make_tensor_value_info(name, TensorProto.STRING, [None])
    return found
