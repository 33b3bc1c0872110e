"""K-means by scikit-learn; its graph is one product of matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from aimass.kernel.errors import Failed
from aimass.models import Candidate, Signature
from aimass.training.errors import Unlearnable
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.detecting import tensor
from aimass.training.recipes.protocol import RecipeContext, Table
from aimass.training.recipes.tabular import (
    OPSET,
    TabularRecipe,
    graph_inputs,
    need_operators,
    owners_of,
    prepared,
    renamed,
)

REACH = 10.0  # deviations from the mean that count at most: one wild value draws no centre to itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Centres:
    """What was learned.

    Attributes
    ----------
    columns
        The fitted preprocessing.
    centres, weights
        Shapes ``(clusters, dimensions)`` and ``(clusters,)``: where they lie, and the share of the rows around each.
    spread
        Mean square of the distance to the nearest centre.
    """

    columns: ColumnTransformer
    centres: Any
    weights: Any
    spread: float


class KMeansRecipe:
    """Rows around centres."""

    def fit(self, ctx: RecipeContext) -> Centres:
        """Learn centres from the training rows."""
        frame, wanted = prepared(ctx.data("train").features, ctx.signature), ctx.params.clusters
        columns = TabularRecipe(estimator=_no_estimator, scales=True).columns(frame, ctx)
        inputs = _near(columns.fit_transform(frame))
        if len(np.unique(inputs, axis=0)) < wanted:
            raise Unlearnable(
                f"fewer than {wanted} training rows differ",
                field="params.clusters",
                value=wanted,
                hint="take fewer clusters, or add columns",
            )
        found: Any = KMeans(wanted, n_init=ctx.params.starts, random_state=ctx.seed).fit(inputs)
        shares = np.bincount(found.labels_, minlength=wanted) / len(inputs)
        order = np.lexsort((*found.cluster_centers_.T[::-1], -shares))  # the largest is the first
        spread = float(found.inertia_) / len(inputs)
        return Centres(
            columns=columns, centres=found.cluster_centers_[order], weights=shares[order], spread=spread or 1.0
        )

    def predict(self, ctx: RecipeContext, model: Centres, features: pl.DataFrame) -> Any:
        """Return how much each row belongs to each cluster, in sum 1; the nearest centre has most."""
        inputs = _near(model.columns.transform(prepared(features, ctx.signature)))
        squares = ((inputs[:, None, :] - model.centres[None]) ** 2).sum(axis=2) / model.spread
        shares = np.exp(squares.min(axis=1, keepdims=True) - squares)
        return shares / shares.sum(axis=1, keepdims=True)

    def evaluate(self, ctx: RecipeContext, model: Centres, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: Centres) -> Mapping[str, float] | None:
        """Return how much of the distances between the centres each input makes."""
        middle = model.weights @ model.centres
        weights = model.weights @ (model.centres - middle) ** 2
        owners, total = owners_of(model.columns, ctx.signature), float(weights.sum()) or 1.0
        return {
            column.name: float(weights[[owner == column.name for owner in owners]].sum()) / total
            for column in ctx.signature.inputs
        }

    def package(self, ctx: RecipeContext, model: Centres) -> Candidate:
        """Return the way to write the centres down."""
        return Candidate(signature=ctx.signature, to_onnx=lambda: _graph(model, ctx.signature), to_python=_no_python)


def _near(inputs: Any) -> Any:
    return np.clip(np.asarray(inputs, dtype=np.float64), -REACH, REACH)


def _graph(model: Centres, signature: Signature) -> bytes:
    """Return the graph: what is left of the squared distances when the square of the row, the same for all, is left out."""
    made: Any = convert_sklearn(
        Pipeline([("columns", model.columns)]), name="aimass", initial_types=graph_inputs(signature), target_opset=OPSET
    )
    graph, classes = made.graph, list(signature.classes)
    encoder = {"keys_int64s": list(range(len(classes))), "values_strings": classes, "domain": "ai.onnx.ml"}
    graph.node.extend(
        [
            helper.make_node("Max", [graph.output[0].name, "centre/least"], ["centre/above"]),
            helper.make_node("Min", ["centre/above", "centre/most"], ["centre/inputs"]),
            helper.make_node("MatMul", ["centre/inputs", "centre/matrix"], ["centre/product"]),
            helper.make_node("Add", ["centre/product", "centre/offset"], ["centre/scores"]),
            helper.make_node("Softmax", ["centre/scores"], ["centre/probabilities"], axis=1),
            helper.make_node("ArgMax", ["centre/probabilities"], ["centre/place"], axis=1, keepdims=0),
            helper.make_node("LabelEncoder", ["centre/place"], ["centre/label"], **encoder),
        ]
    )
    values = {
        "least": -REACH,
        "most": REACH,
        "matrix": 2 * model.centres.T / model.spread,
        "offset": -(model.centres**2).sum(axis=1) / model.spread,
    }
    graph.initializer.extend([tensor(f"centre/{name}", value) for name, value in values.items()])
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("centre/label", TensorProto.STRING, [None]))
    graph.output.append(helper.make_tensor_value_info("centre/probabilities", TensorProto.FLOAT, [None, len(classes)]))
    need_operators(made)
    return renamed(made, signature)


def _no_estimator(_: RecipeContext) -> None:
    """Make none: the preprocessing alone is wanted."""


def _no_python() -> bytes:
    raise Failed("centres are written as ONNX alone")


RUN = KMeansRecipe()
