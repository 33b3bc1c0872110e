"""Cells that remember: GRU and LSTM of torch, and the nodes of a graph that say the same."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.series.sums import Nodes

Kind = Literal["gru", "lstm"]
_ORDER = {"gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}  # the gates of torch, in the order in which ONNX has them
_OPERATOR = {"gru": "GRU", "lstm": "LSTM"}


def cells(kind: Kind, inputs: int, units: int, *, layers: int = 1, both: bool = False, dropout: float = 0.0) -> Any:
    """Return layers of cells that read rows of moments, shape ``(n, moments, inputs)``; their weights are drawn by the seed that is set."""
    make = torch.nn.GRU if kind == "gru" else torch.nn.LSTM
    between = dropout if layers > 1 else 0.0
    return make(inputs, units, num_layers=layers, bidirectional=both, dropout=between, batch_first=True)


def last_of(layer: Any, rows: Any) -> Any:
    """Return what the cells remember at the end of each row: of the newest moment, and read backwards of the oldest."""
    said = layer(rows)[0]
    if not layer.bidirectional:
        return said[:, -1]
    units = layer.hidden_size
    return torch.cat([said[:, -1, :units], said[:, 0, units:]], dim=1)


def draw_cells(graph: Nodes, layer: Any, rows: str) -> str:
    """Add the nodes of the cells: from and to rows of moments."""
    kind: Kind = "gru" if isinstance(layer, torch.nn.GRU) else "lstm"
    last = graph.op("Transpose", rows, perm=[1, 0, 2])
    settings: dict[str, Any] = {"hidden_size": layer.hidden_size}
    if kind == "gru":
        settings["linear_before_reset"] = 1
    if layer.bidirectional:
        settings["direction"] = "bidirectional"
    for number in range(layer.num_layers):
        weights = [graph.constant(one) for one in _weights(layer, kind, number)]
        said = graph.op(_OPERATOR[kind], last, *weights, **settings)
        turned = graph.op("Transpose", said, perm=[0, 2, 1, 3])
        last = graph.op("Reshape", turned, graph.constant([0, 0, -1], np.int64))
    return graph.op("Transpose", last, perm=[1, 0, 2])


def draw_last(graph: Nodes, layer: Any, said: str) -> str:
    """Add the nodes that say what :func:`last_of` does, behind those of the cells."""
    newest = graph.op("Gather", said, graph.constant(-1, np.int64), axis=1)
    if not layer.bidirectional:
        return newest
    oldest = graph.op("Gather", said, graph.constant(0, np.int64), axis=1)
    units = layer.hidden_size
    forwards = graph.op("Gather", newest, graph.constant(np.arange(units), np.int64), axis=1)
    backwards = graph.op("Gather", oldest, graph.constant(np.arange(units, 2 * units), np.int64), axis=1)
    return graph.op("Concat", forwards, backwards, axis=1)


def draw_layer(graph: Nodes, layer: Any, rows: str) -> str:
    """Add the nodes of a layer of weights, for rows of any rank."""
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    return graph.op("Add", graph.op("MatMul", rows, graph.constant(weight.T)), graph.constant(bias))


def _weights(layer: Any, kind: Kind, number: int) -> tuple[Any, Any, Any]:
    """Return the weights of inputs, of what is remembered, and both biases, in the order of ONNX."""
    ends = ["", "_reverse"] if layer.bidirectional else [""]
    found = {
        name: np.stack([_ordered(getattr(layer, f"{name}_l{number}{end}"), kind) for end in ends])
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    return found["weight_ih"], found["weight_hh"], np.concatenate([found["bias_ih"], found["bias_hh"]], axis=1)


def _ordered(weight: Any, kind: Kind) -> Any:
    order = _ORDER[kind]
    gates = np.split(weight.detach().numpy(), len(order))
    return np.concatenate([gates[place] for place in order])
