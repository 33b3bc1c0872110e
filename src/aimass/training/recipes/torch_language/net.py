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
    """Return the net as a graph from ``pieces``, and the ``past`` that is known of those before, to ``logits`` and ``hidden``.

    ``added`` is what is known of the new pieces: keys and values of each layer. Put behind the past it makes the next step one of a
    single piece; a past without pieces is where texts begin.
    """
    graph = _Graph()
    zero, one, last = graph.hold([0], np.int64), graph.hold([1], np.int64), graph.hold([2], np.int64)
    before = graph.add("Slice", graph.add("Shape", "past"), zero, one, zero)
    total = graph.add("Add", before, graph.add("Slice", graph.add("Shape", "pieces"), one, last, zero))
    pieces = graph.hold(weights["pieces.weight"])
    places = graph.add("Slice", graph.hold(weights["places.weight"]), before, total, zero)
    mask = np.triu(np.full((shape.context, shape.context), FAR), 1)
    begin, end = graph.add("Concat", before, zero, axis=0), graph.add("Concat", total, total, axis=0)
    mask = graph.add("Slice", graph.hold(mask), begin, end, graph.hold([0, 1], np.int64))
    state = graph.add("Add", graph.add("Gather", pieces, "pieces"), places)
    added: list[str] = []
    for layer in range(shape.layers):
        seen = _attended(graph, weights, shape, (layer, state, mask, added))
        state = graph.add("Add", state, _linear(graph, weights, f"{layer}_out", seen))
        inner = _linear(graph, weights, f"{layer}_wide", _normed(graph, weights, f"{layer}_between", state))
        state = graph.add("Add", state, _linear(graph, weights, f"{layer}_back", graph.add("Relu", inner)))
    hidden = _normed(graph, weights, "end", state, name="hidden")
    graph.add("MatMul", hidden, graph.add("Transpose", pieces, perm=[1, 0]), name="logits")
    graph.add("Concat", *added, axis=1, name="added")
    return _made(graph, shape)


def _made(graph: _Graph, shape: Shape) -> bytes:
    parts, number = 2 * shape.layers, TensorProto.FLOAT
    made = helper.make_graph(
        graph.nodes,
        "language",
        [
            helper.make_tensor_value_info("pieces", TensorProto.INT64, ["rows", "length"]),
            helper.make_tensor_value_info("past", number, ["before", parts, "rows", shape.width]),
        ],
        [
            helper.make_tensor_value_info("logits", number, ["rows", "length", shape.pieces]),
            helper.make_tensor_value_info("hidden", number, ["rows", "length", shape.width]),
            helper.make_tensor_value_info("added", number, ["length", parts, "rows", shape.width]),
        ],
        graph.weights,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    return model.SerializeToString()


def _attended(graph: _Graph, weights: Mapping[str, Any], shape: Shape, given: tuple[int, str, str, list[str]]) -> str:
    """Add the attention of a layer, to new pieces and those before; return what is seen."""
    layer, state, mask, added = given
    three = _linear(graph, weights, f"{layer}_three", _normed(graph, weights, f"{layer}_before", state))
    size = shape.width // shape.heads
    cut = graph.hold([0, 0, 3, shape.heads, size], np.int64)
    parts = graph.add("Transpose", graph.add("Reshape", three, cut), perm=[2, 0, 3, 1, 4])
    asked = graph.add("Gather", parts, graph.hold(0, np.int64), axis=0)
    known = graph.add("Transpose", _with_past(graph, shape, (three, 2 * layer, added)), perm=[1, 2, 3, 0])
    told = graph.add("Transpose", _with_past(graph, shape, (three, 2 * layer + 1, added)), perm=[1, 2, 0, 3])
    scores = graph.add("MatMul", asked, known)
    scores = graph.add("Add", graph.add("Mul", scores, graph.hold(1 / math.sqrt(size))), mask)
    seen = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), told)
    seen = graph.add("Transpose", seen, perm=[0, 2, 1, 3])
    return graph.add("Reshape", seen, graph.hold([0, 0, shape.width], np.int64))


def _with_past(graph: _Graph, shape: Shape, given: tuple[str, int, list[str]]) -> str:
    """Return the keys or values of all pieces, ``(pieces, rows, heads, size)``, and note those of the new ones."""
    three, part, added = given
    begin = (1 + part % 2) * shape.width  # behind what is asked
    ends = [graph.hold([place], np.int64) for place in (begin, begin + shape.width, 2)]
    new = graph.add("Transpose", graph.add("Slice", three, *ends), perm=[1, 0, 2])
    added.append(graph.add("Unsqueeze", new, graph.hold([1], np.int64)))
    both = graph.add("Concat", graph.add("Gather", "past", graph.hold(part, np.int64), axis=1), new, axis=0)
    return graph.add("Reshape", both, graph.hold([0, 0, shape.heads, shape.width // shape.heads], np.int64))


def _linear(graph: _Graph, weights: Mapping[str, Any], name: str, given: str) -> str:
    product = graph.add("MatMul", given, graph.hold(weights[f"{name}.weight"].T))
    return graph.add("Add", product, graph.hold(weights[f"{name}.bias"]))


def _normed(graph: _Graph, weights: Mapping[str, Any], part: str, given: str, **how: Any) -> str:
    scale, bias = graph.hold(weights[f"{part}.weight"]), graph.hold(weights[f"{part}.bias"])
    return graph.add("LayerNormalization", given, scale, bias, axis=-1, epsilon=1e-5, **how)
