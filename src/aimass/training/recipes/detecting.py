"""An adapter from any measure of strangeness to a recipe that tells rows that are unlike the others.

The rows are seen as every recipe for tables sees them. What a detector finds strange is put between 0 and 1, so that the
share of the training rows that is named lies above a half; label and scores leave the graph in the shape of two classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn
from sklearn.pipeline import Pipeline

from aimass.kernel.errors import Failed
from aimass.models import Candidate, Signature
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.protocol import RecipeContext, Table
from aimass.training.recipes.tabular import (
    OPSET,
    STEP,
    TabularRecipe,
    graph_inputs,
    need_operators,
    prepared,
    renamed,
)

Graph = tuple[list[Any], list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """A fitted detector: its pipeline, the strangeness at which a row is flagged, and the spread around it."""

    pipeline: Pipeline
    threshold: float
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyRecipe:
    """A recipe made of a detector.

    Attributes
    ----------
    detector
        Makes the unfitted detector from the context; it has ``fit``.
    strangeness
        Of the fitted detector and inputs: one number per row, more is stranger.
    tail
        Of the fitted detector, the name of what the graph has computed, and the name for the strangeness: nodes and tensors.
    converts
        Whether the converter brings the detector into the graph before the tail; else the tail starts from the inputs.
    scales
        Whether numbers are scaled.
    """

    detector: Callable[[RecipeContext], Any]
    strangeness: Callable[[Any, Any], Any]
    tail: Callable[[Any, str, str], Graph]
    converts: bool = False
    scales: bool = False

    def fit(self, ctx: RecipeContext) -> Detected:
        """Learn from all training rows, whatever is known of them; what is known is for measuring alone."""
        frame = prepared(ctx.data("train").features, ctx.signature)
        columns, detector = TabularRecipe(estimator=self.detector, scales=self.scales).columns(frame, ctx), None
        inputs = np.asarray(columns.fit_transform(frame), dtype=np.float32)
        detector = self.detector(ctx)
        detector.fit(inputs[_drawn(len(inputs), ctx)])
        found = self.strangeness(detector, inputs)
        return Detected(
            pipeline=Pipeline([("columns", columns), (STEP, detector)]),
            threshold=float(np.quantile(found, 1 - ctx.params.contamination)),
            spread=float(found.std()) or 1.0,
        )

    def predict(self, ctx: RecipeContext, model: Detected, features: pl.DataFrame) -> Any:
        """Return how normal and how strange each row is, in sum 1; a row is flagged where the second is above a half."""
        inputs = np.asarray(
            model.pipeline.named_steps["columns"].transform(prepared(features, ctx.signature)), dtype=np.float32
        )
        found = self.strangeness(model.pipeline.named_steps[STEP], inputs)
        strange = 1 / (1 + np.exp(-np.clip((found - model.threshold) / model.spread, -50, 50)))
        return np.column_stack([1 - strange, strange])

    def evaluate(self, ctx: RecipeContext, model: Detected, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: Detected) -> Mapping[str, float] | None:
        """Return None: what is strange about a row differs from row to row."""
        del ctx, model

    def package(self, ctx: RecipeContext, model: Detected) -> Candidate:
        """Return the way to write the detector down."""
        return Candidate(
            signature=ctx.signature, to_onnx=lambda: self._graph(model, ctx.signature), to_python=_no_python
        )

    def _graph(self, model: Detected, signature: Signature) -> bytes:
        steps = model.pipeline if self.converts else Pipeline([("columns", model.pipeline.named_steps["columns"])])
        made: Any = convert_sklearn(steps, name="aimass", initial_types=graph_inputs(signature), target_opset=OPSET)
        graph, detector = made.graph, model.pipeline.named_steps[STEP]
        nodes, tensors = self.tail(detector, graph.output[-1].name, "detect/strangeness")
        more, values = _ends(model, signature)
        graph.node.extend([*nodes, *more])
        graph.initializer.extend([*tensors, *values])
        del graph.output[:]
        for output, kind in zip(signature.outputs, (TensorProto.STRING, TensorProto.FLOAT), strict=True):
            shape = [None] if kind == TensorProto.STRING else [None, len(signature.classes)]
            graph.output.append(helper.make_tensor_value_info(f"detect/{output.name}", kind, shape))
        need_operators(made)
        return renamed(made, signature)


def _drawn(rows: int, ctx: RecipeContext) -> Any:
    """Return the rows that the detector keeps: all, or as many as its parameters allow, drawn by the seed."""
    most = getattr(ctx.params, "rows", None)
    if most is None or rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(ctx.seed).choice(rows, most, replace=False))


def _ends(model: Detected, signature: Signature) -> Graph:
    """Return what turns strangeness into two scores and a label."""
    encoder = {"keys_int64s": [0, 1], "values_strings": list(signature.classes), "domain": "ai.onnx.ml"}
    nodes = [
        helper.make_node("Sub", ["detect/strangeness", "detect/threshold"], ["detect/above"]),
        helper.make_node("Div", ["detect/above", "detect/spread"], ["detect/spreads"]),
        helper.make_node("Sigmoid", ["detect/spreads"], ["detect/strange"]),
        helper.make_node("Sub", ["detect/one", "detect/strange"], ["detect/normal"]),
        helper.make_node("Concat", ["detect/normal", "detect/strange"], ["detect/probabilities"], axis=1),
        helper.make_node("ArgMax", ["detect/probabilities"], ["detect/place"], axis=1, keepdims=0),
        helper.make_node("LabelEncoder", ["detect/place"], ["detect/label"], **encoder),
    ]
    values = {"threshold": model.threshold, "spread": model.spread, "one": 1.0}
    return nodes, [tensor(f"detect/{name}", value) for name, value in values.items()]


def tensor(name: str, value: Any) -> Any:
    """Return a constant of a graph."""
    return numpy_helper.from_array(np.asarray(value, dtype=np.float32), name)


def _no_python() -> bytes:
    raise Failed("a detector is written as ONNX alone")
