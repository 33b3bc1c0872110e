"""The net: attention over what came before, as torch learns it and as an ONNX graph that computes the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from aimass.training.recipes.deep.engine import torch

FAR = -1e9
WIDER = 4
_OPSET, _IR = 17, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a net."""

    pieces: int
    context: int
    layers: int
    width: int
    heads: int


def begun(shape: Shape, dropout: float) -> Any:
    """Return a net that has learned nothing."""
    nn, width = torch.nn, shape.width
    parts: dict[str, Any] = {
        "pieces": nn.Embedding(shape.pieces, width),
        "places": nn.Embedding(shape.context, width),
        "end": nn.LayerNorm(width),
        "dropout": nn.Dropout(dropout),
    }
    for part in ("pieces", "places"):
        nn.init.normal_(parts[part].weight, std=0.02)
    for layer in range(shape.layers):
        parts |= {
            f"{layer}_before": nn.LayerNorm(width),
            f"{layer}_three": nn.Linear(width, 3 * width),
            f"{layer}_out": nn.Linear(width, width),
            f"{layer}_between": nn.LayerNorm(width),
            f"{layer}_wide": nn.Linear(width, WIDER * width),
            f"{layer}_back": nn.Linear(WIDER * width, width),
        }
    return nn.ModuleDict(parts)


def hidden_of(net: Any, shape: Shape, numbers: Any) -> Any:
    """Return the state behind each piece, shape ``(rows, pieces, width)``."""
    rows, length = numbers.shape
    mask = torch.full((length, length), FAR).triu(1)
    state = net["dropout"](net["pieces"](numbers) + net["places"].weight[:length])
    for layer in range(shape.layers):
        three = net[f"{layer}_three"](net[f"{layer}_before"](state)).chunk(3, dim=-1)
        asked, known, told = (one.reshape(rows, length, shape.heads, -1).transpose(1, 2) for one in three)
        weights = (asked @ known.transpose(2, 3) / math.sqrt(shape.width // shape.heads) + mask).softmax(dim=-1)
        seen = (net["dropout"](weights) @ told).transpose(1, 2).reshape(rows, length, shape.width)
        state = state + net["dropout"](net[f"{layer}_out"](seen))
        inner = net[f"{layer}_wide"](net[f"{layer}_between"](state)).relu()
        state = state + net["dropout"](net[f"{layer}_back"](inner))
    return net["end"](state)


def logits_of(net: Any, hidden: Any) -> Any:
    """Return the scores of the next piece."""
    return hidden @ net["pieces"].weight.T


class _Graph:
    """Nodes and weights of a graph on its way."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(self, kind: str, *given: str, **how: Any) -> str:
        """Add a node; return the name of its output."""
        name = how.pop("name", f"n{len(self.nodes)}")
        self.nodes.append(helper.make_node(kind, list(given), [name], **how))
        return name

    def hold(self, values: Any, dtype: Any = np.float32) -> str:
        """Add numbers; return their name."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(values, dtype=dtype, order="C"), name))
        return name


def graph_of(weights: Mapping[str, Any], shape: Shape) -> bytes:
    """Return the net as a graph from ``pieces`` to ``logits`` and ``hidden``."""
    graph = _Graph()
    zero, one, last = graph.hold([0], np.int64), graph.hold([1], np.int64), graph.hold([2], np.int64)
    length = graph.add("Slice", graph.add("Shape", "pieces"), one, last, zero)
    pieces = graph.hold(weights["pieces.weight"])
    places = graph.add("Slice", graph.hold(weights["places.weight"]), zero, length, zero)
    mask = np.triu(np.full((shape.context, shape.context), FAR), 1)
    both = graph.add("Concat", length, length, axis=0)
    mask = graph.add("Slice", graph.hold(mask), graph.hold([0, 0], np.int64), both, graph.hold([0, 1], np.int64))
    state = graph.add("Add", graph.add("Gather", pieces, "pieces"), places)
    for layer in range(shape.layers):
        seen = _attended(graph, weights, shape, (layer, state, mask))
        state = graph.add("Add", state, _linear(graph, weights, f"{layer}_out", seen))
        inner = _linear(graph, weights, f"{layer}_wide", _normed(graph, weights, f"{layer}_between", state))
        state = graph.add("Add", state, _linear(graph, weights, f"{layer}_back", graph.add("Relu", inner)))
    hidden = _normed(graph, weights, "end", state, name="hidden")
    graph.add("MatMul", hidden, graph.add("Transpose", pieces, perm=[1, 0]), name="logits")
    made = helper.make_graph(
        graph.nodes,
        "language",
        [helper.make_tensor_value_info("pieces", TensorProto.INT64, ["rows", "length"])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", "length", shape.pieces]),
            helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["rows", "length", shape.width]),
        ],
        graph.weights,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    return model.SerializeToString()


def _attended(graph: _Graph, weights: Mapping[str, Any], shape: Shape, given: tuple[int, str, str]) -> str:
    """Add the attention of a layer; return what is seen."""
    layer, state, mask = given
    three = _linear(graph, weights, f"{layer}_three", _normed(graph, weights, f"{layer}_before", state))
    size = shape.width // shape.heads
    cut = graph.hold([0, 0, 3, shape.heads, size], np.int64)
    parts = graph.add("Transpose", graph.add("Reshape", three, cut), perm=[2, 0, 3, 1, 4])
    asked, known, told = (graph.add("Gather", parts, graph.hold(place, np.int64), axis=0) for place in (0, 1, 2))
    scores = graph.add("MatMul", asked, graph.add("Transpose", known, perm=[0, 1, 3, 2]))
    scores = graph.add("Add", graph.add("Mul", scores, graph.hold(1 / math.sqrt(size))), mask)
    seen = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), told)
    seen = graph.add("Transpose", seen, perm=[0, 2, 1, 3])
    return graph.add("Reshape", seen, graph.hold([0, 0, shape.width], np.int64))


def _linear(graph: _Graph, weights: Mapping[str, Any], name: str, given: str) -> str:
    product = graph.add("MatMul", given, graph.hold(weights[f"{name}.weight"].T))
    return graph.add("Add", product, graph.hold(weights[f"{name}.bias"]))


def _normed(graph: _Graph, weights: Mapping[str, Any], part: str, given: str, **how: Any) -> str:
    scale, bias = graph.hold(weights[f"{part}.weight"]), graph.hold(weights[f"{part}.bias"])
    return graph.add("LayerNormalization", given, scale, bias, axis=-1, epsilon=1e-5, **how)
