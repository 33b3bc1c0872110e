"""Classes and numbers of sequences: columns of lists of one length, each a channel, read moment by moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from onnx import TensorProto, helper

from aimass.kernel.errors import Failed, Invalid
from aimass.models import Candidate, Signature
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.loop import Task, answered, learn
from aimass.training.recipes.deep.recurrent import cells, draw_cells, draw_last, draw_layer, last_of
from aimass.training.recipes.deep.weights import class_weights
from aimass.training.recipes.protocol import RecipeContext, Table
from aimass.training.recipes.series.sums import Nodes
from aimass.training.recipes.tabular import OPSET

LABEL, SHARES, VALUE = "label", "probabilities", "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceNet:
    """A net that has learned, and what a list is to it.

    Attributes
    ----------
    net
        Its layers by name: ``cells`` and ``out``.
    mean, spread
        Of each channel of the training rows.
    middle, scale
        What an answer of 0 and 1 means in the unit of the target; 0 and 1 for classes.
    """

    net: Any
    columns: tuple[str, ...]
    mean: Any
    spread: Any
    middle: float = 0.0
    scale: float = 1.0

    def inputs(self, features: pl.DataFrame) -> Any:
        """Return rows of moments, each channel in deviations from its mean."""
        return torch.as_tensor((_channels(features, self.columns) - self.mean) / self.spread)

    def forward(self, rows: Any) -> Any:
        """Return scores of classes, or a number in deviations."""
        return self.net["out"](self.net["dropout"](last_of(self.net["cells"], rows)))


def _channels(features: pl.DataFrame, columns: tuple[str, ...]) -> Any:
    return np.stack([features[name].to_numpy().astype(np.float32) for name in columns], axis=2)


def columns_of(signature: Signature) -> tuple[str, ...]:
    """Return the columns of lists, or refuse lists of different lengths and other columns beside them."""
    lengths = {one.name: one.shape[1] for one in signature.inputs if one.shape is not None}
    if len(lengths) != len(signature.inputs) or len(set(lengths.values())) != 1:
        raise Invalid(
            f"there are {len(lengths)} columns of lists, of {len(set(lengths.values()))} lengths, and "
            f"{len(signature.inputs) - len(lengths)} others to learn from",
            field="features",
            value=[one.name for one in signature.inputs][:20],
            allowed="columns of lists of one length, a column for each channel",
            hint="name those columns in 'features'",
        )
    return tuple(lengths)


class Sequences:
    """Cells over the moments of each list, and a layer behind what they remember at its end."""

    def fit(self, ctx: RecipeContext) -> SequenceNet:
        """Learn from the lists of the training part."""
        table, columns = ctx.data("train"), columns_of(ctx.signature)
        found, classes = _channels(table.features, columns), len(ctx.signature.classes)
        spread = found.std(axis=(0, 1))
        numbers = np.asarray(table.truth, dtype=np.float64)
        torch.manual_seed(ctx.seed)
        model = SequenceNet(
            net=_layers(ctx.params, len(columns), classes or 1),
            columns=columns,
            mean=found.mean(axis=(0, 1)),
            spread=np.where(spread > 0, spread, 1.0).astype(np.float32),
            middle=0.0 if classes else float(numbers.mean()),
            scale=1.0 if classes else float(numbers.std()) or 1.0,
        )
        weight = class_weights(ctx.params.class_weight, table.truth, classes) if classes else None
        scaled = ((numbers - model.middle) / model.scale).astype(np.float32)[:, None]
        task = Task(
            net=model.net,
            forward=model.forward,
            loss=torch.nn.CrossEntropyLoss(weight=weight) if classes else torch.nn.MSELoss(),
            inputs=model.inputs(table.features),
            truth=torch.as_tensor(table.truth if classes else scaled),
            strata=table.truth if classes else None,
            look=partial(self.predict, ctx, model),
        )
        learn(ctx, task)
        return model

    def predict(self, ctx: RecipeContext, model: SequenceNet, features: pl.DataFrame) -> Any:
        """Return probabilities in the order of the signature's classes, or numbers."""
        said = answered(model.net, model.forward, model.inputs(features)).astype(np.float64)
        if not ctx.signature.classes:
            return said[:, 0] * model.scale + model.middle
        shares = np.exp(said - said.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def evaluate(self, ctx: RecipeContext, model: SequenceNet, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: SequenceNet) -> Mapping[str, float] | None:
        """Return how heavily each channel weighs where it comes in."""
        del ctx
        weights = np.abs(model.net["cells"].weight_ih_l0.detach().numpy()).sum(axis=0)
        return dict(zip(model.columns, (weights / weights.sum()).tolist(), strict=True))

    def package(self, ctx: RecipeContext, model: SequenceNet) -> Candidate:
        """Return the one way to write the net down."""
        return Candidate(signature=ctx.signature, to_onnx=partial(_graph, model, ctx.signature), to_python=_no_python)


def _layers(params: Any, channels: int, outputs: int) -> Any:
    width = params.units * (2 if params.both_ways else 1)
    kept = {"layers": params.layers, "both": params.both_ways, "dropout": params.dropout}
    parts = {"cells": cells(params.cell, channels, params.units, **kept)}
    parts |= {"dropout": torch.nn.Dropout(params.dropout), "out": torch.nn.Linear(width, outputs)}
    return torch.nn.ModuleDict(parts)


def _graph(model: SequenceNet, signature: Signature) -> bytes:
    """Return the graph: from a list for each channel to label and probabilities, or the number."""
    graph = Nodes()
    end = graph.constant([-1], np.int64)
    channels = [graph.op("Unsqueeze", name, end) for name in model.columns]
    off = graph.op("Sub", graph.op("Concat", *channels, axis=2), graph.constant(model.mean))
    rows = graph.op("Div", off, graph.constant(model.spread))
    layer = model.net["cells"]
    said = draw_layer(graph, model.net["out"], draw_last(graph, layer, draw_cells(graph, layer, rows)))
    if signature.classes:
        graph.op("Softmax", said, output=SHARES, axis=1)
        place = graph.op("ArgMax", SHARES, axis=1, keepdims=0)
        keys = {"keys_int64s": list(range(len(signature.classes))), "values_strings": list(signature.classes)}
        graph.op("LabelEncoder", place, output=LABEL, domain="ai.onnx.ml", **keys)
        outputs = [
            _port(LABEL, TensorProto.STRING, [None]),
            _port(SHARES, TensorProto.FLOAT, [None, len(signature.classes)]),
        ]
    else:
        far = graph.op("Add", graph.op("Mul", said, graph.constant(model.scale)), graph.constant(model.middle))
        graph.op("Reshape", far, end, output=VALUE)
        outputs = [_port(VALUE, TensorProto.FLOAT, [None])]
    inputs = [_port(one.name, TensorProto.FLOAT, [None, *(one.shape or (-1, 1))[1:]]) for one in signature.inputs]
    drawn = helper.make_graph(graph.nodes, "aimass", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid(domain, number) for domain, number in OPSET.items()]
    return helper.make_model(drawn, opset_imports=opsets, ir_version=8).SerializeToString()


def _port(name: str, kind: int, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def _no_python() -> bytes:
    raise Failed("a net of torch is written as ONNX alone, and the exported file answers differently")
