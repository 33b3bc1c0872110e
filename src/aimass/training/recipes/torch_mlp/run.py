"""A net for tables: the preprocessing of every recipe for tables, and behind it an estimator that torch learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
)
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.pipeline import Pipeline

from aimass.kernel.errors import Failed, Invalid
from aimass.models import Candidate
from aimass.training.recipes.beside import Beside
from aimass.training.recipes.deep.again import Lesson, like_shares, shrunk
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.heads import Heads
from aimass.training.recipes.deep.loop import Task, answered, learn
from aimass.training.recipes.deep.weights import class_weights, folded, norm_of, weights_of
from aimass.training.recipes.numberloss import large_from
from aimass.training.recipes.protocol import RecipeContext, Shrinking
from aimass.training.recipes.tabular import STEP, TabularRecipe, prepared

_GRAPH_OPSET, _ML_OPSET = 13, 2


class Net(BaseEstimator):
    """Layers in a row, learned with the parameters of a run."""

    def __init__(self, ctx: RecipeContext) -> None:
        self.ctx = ctx

    def _learn(self, inputs: Any, truth: Any, heads: Heads, loss: Any, look: Any, strata: Any = None) -> None:
        torch.manual_seed(self.ctx.seed)
        self.heads_ = heads
        self.net_ = layers(self.ctx.params, inputs.shape[1], heads.width)
        self.n_features_in_ = inputs.shape[1]
        loss, judge = heads.losses(loss, self.ctx.params.beside_weight, of_classes=strata is not None)
        task = Task(
            net=self.net_,
            forward=self.net_,
            loss=loss,
            judge=judge,
            inputs=torch.as_tensor(np.asarray(inputs, dtype=np.float32)),
            truth=heads.truth(truth),
            strata=strata,
            look=look,
        )
        learn(self.ctx, task)

    def _say(self, inputs: Any) -> Any:
        return self._say_all(inputs)[:, : self.heads_.main]

    def _say_all(self, inputs: Any) -> Any:
        return answered(self.net_, self.net_, torch.as_tensor(np.asarray(inputs, dtype=np.float32)))

    def answers_beside(self, inputs: Any) -> dict[str, Any]:
        """Return what it says of each further target."""
        return self.heads_.answers(self._say_all(inputs))

    def weights(self) -> list[tuple[Any, Any]]:
        """Return weights and bias of each layer, the batch norm behind it inside; of the last one the main outputs alone."""
        found: list[tuple[Any, Any]] = []
        parts = list(self.net_)
        for place, layer in enumerate(parts):
            if isinstance(layer, torch.nn.Linear):
                behind = parts[place + 1] if place + 1 < len(parts) else None
                norm = behind if isinstance(behind, torch.nn.BatchNorm1d) else None
                found.append(folded(*weights_of(layer), norm_of(norm)))
        weight, bias = found.pop()
        return [*found, (weight[: self.heads_.main], bias[: self.heads_.main])]


class NetClassifier(ClassifierMixin, Net):
    """Shares of classes."""

    def fit(self, inputs: Any, truth: Any, beside: Mapping[str, Beside] | None = None) -> NetClassifier:
        """Learn; ``truth`` holds the names of the classes, ``beside`` further targets."""
        self.classes_, codes = np.unique(np.asarray(truth), return_inverse=True)
        weight = class_weights(self.ctx.params.class_weight, codes, len(self.classes_))
        loss = torch.nn.CrossEntropyLoss(weight=weight)
        order = [list(self.classes_).index(name) for name in self.ctx.signature.classes]

        def look(rows: Any) -> Any:
            return self.predict_proba(rows)[:, order]

        heads = Heads(beside or {}, len(self.classes_))
        self._learn(inputs, torch.as_tensor(codes), heads, loss, look, codes)
        return self

    def predict_proba(self, inputs: Any) -> Any:
        """Return shares, in the order of ``classes_``."""
        scores = self._say(inputs).astype(np.float64)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def predict(self, inputs: Any) -> Any:
        """Return the name of the class with the largest share."""
        return self.classes_[self.predict_proba(inputs).argmax(axis=1)]


class NetRegressor(RegressorMixin, Net):
    """A number."""

    def fit(self, inputs: Any, truth: Any, beside: Mapping[str, Beside] | None = None) -> NetRegressor:
        """Learn numbers, in deviations from their mean; ``beside`` are further targets."""
        numbers = np.asarray(truth, dtype=np.float64)
        self.mean_, self.spread_ = float(numbers.mean()), float(numbers.std()) or 1.0
        scaled = torch.as_tensor(((numbers - self.mean_) / self.spread_).astype(np.float32))[:, None]
        loss = _loss_of_numbers(self.ctx.params, numbers, self.spread_)
        self._learn(inputs, scaled, Heads(beside or {}, 1), loss, self.predict)
        return self

    def predict(self, inputs: Any) -> Any:
        """Return numbers."""
        return self._say(inputs)[:, 0].astype(np.float64) * self.spread_ + self.mean_

    def weights(self) -> list[tuple[Any, Any]]:
        """Return weights and bias of each layer; the last one answers in the unit of the target."""
        *before, (weight, bias) = super().weights()
        return [*before, (weight * self.spread_, bias * self.spread_ + self.mean_)]


def _loss_of_numbers(params: Any, truth: Any, spread: float) -> Any:
    """Return what errors cost, in deviations of the target."""
    if params.loss == "huber":
        return torch.nn.HuberLoss(delta=large_from(truth, params.huber_at) / spread)
    return torch.nn.L1Loss() if params.loss == "absolute" else torch.nn.MSELoss()


def layers(params: Any, inputs: int, outputs: int) -> Any:
    """Return the layers, with weights drawn by the seed that is set."""
    nn, parts, width = torch.nn, list[Any](), inputs
    for _ in range(params.layers):
        parts += [nn.Linear(width, params.units)]
        parts += [nn.BatchNorm1d(params.units)] if params.batch_norm else []
        parts += [nn.ReLU()]
        parts += [nn.Dropout(params.dropout)] if params.dropout else []
        width = params.units
    return nn.Sequential(*parts, nn.Linear(width, outputs))


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Write a net as products, sums and rectifiers; then shares and the name of the largest, or the number."""
    net: Any = operator.raw_operator
    last = operator.inputs[0].full_name
    weights = net.weights()
    for place, (weight, bias) in enumerate(weights):
        product = _node(scope, container, "MatMul", [last, _tensor(scope, container, weight.T)])
        last = _node(scope, container, "Add", [product, _tensor(scope, container, bias)], version=14)
        if place < len(weights) - 1:
            last = _node(scope, container, "Relu", [last], version=14)
    if isinstance(net, NetRegressor):
        container.add_node(
            "Identity", [last], [operator.outputs[0].full_name], name=scope.get_unique_operator_name("net")
        )
        return
    label, shares = (one.full_name for one in operator.outputs)
    container.add_node("Softmax", [last], [shares], name=scope.get_unique_operator_name("net"), op_version=13, axis=1)
    place = _node(scope, container, "ArgMax", [shares], axis=1, keepdims=0)
    names = {"keys_int64s": list(range(len(net.classes_))), "values_strings": [str(one) for one in net.classes_]}
    unique = scope.get_unique_operator_name("net")
    container.add_node(
        "LabelEncoder", [place], [label], op_domain="ai.onnx.ml", op_version=_ML_OPSET, name=unique, **names
    )


def _node(
    scope: Any, container: Any, kind: str, inputs: list[str], version: int = _GRAPH_OPSET, **settings: Any
) -> str:
    output = scope.get_unique_variable_name("net")
    name = scope.get_unique_operator_name("net")
    container.add_node(kind, inputs, [output], op_version=version, name=name, **settings)
    return output


def _tensor(scope: Any, container: Any, values: Any) -> str:
    name = scope.get_unique_variable_name("weights")
    values = np.asarray(values, dtype=np.float32)
    container.add_initializer(name, TensorProto.FLOAT, list(values.shape), values.ravel().tolist())
    return name


def _one_number(operator: Any) -> None:
    operator.outputs[0].type = FloatTensorType([operator.inputs[0].type.shape[0], 1])


update_registered_converter(
    NetClassifier,
    "AimassNetClassifier",
    calculate_linear_classifier_output_shapes,
    _convert,
    options={"zipmap": [True, False, "columns"], "nocl": [True, False]},
)
update_registered_converter(NetRegressor, "AimassNetRegressor", _one_number, _convert)


def _estimator(ctx: RecipeContext) -> Net:
    return NetClassifier(ctx) if ctx.task == "classification" else NetRegressor(ctx)


def _beside(ctx: RecipeContext) -> dict[str, Any]:
    """Return the further targets of the rows to learn from, or refuse rows that do not have them."""
    found = ctx.data("train").beside
    missing = [name for name in ctx.params.beside if name not in found]
    if missing:
        raise Invalid(
            f"the rows to learn from do not tell {missing[0]!r}",
            field="params.beside",
            value=missing[0],
            allowed=sorted(found),
            hint="a student learns what its teacher answers: leave out beside",
        )
    return {"beside": found}


def _no_python() -> bytes:
    raise Failed("a net of torch is written as ONNX alone, and the exported file answers differently")


class NetRecipe(TabularRecipe):
    """A recipe for tables whose model is a net: there is no way to write it down but ONNX."""

    def package(self, ctx: RecipeContext, model: Pipeline) -> Candidate:
        """Return the one way to write the pipeline down."""
        return replace(super().package(ctx, model), to_python=_no_python)

    def answers_beside(self, ctx: RecipeContext, model: Pipeline, features: pl.DataFrame) -> Mapping[str, Any]:
        """Return what the net says of each further target."""
        columns, net = model.named_steps["columns"], model.named_steps[STEP]
        return net.answers_beside(columns.transform(prepared(features, ctx.signature)))

    def compress(self, ctx: RecipeContext, file: bytes, wish: Shrinking) -> bytes:
        """Return the graph of a net with less in it, which learned again from the same rows."""
        truth = ctx.data("train").truth
        return shrunk(ctx, file, wish, _of_classes(ctx, truth) if ctx.signature.classes else _of_numbers(ctx, truth))


def _of_classes(ctx: RecipeContext, truth: Any) -> Lesson:
    weight = class_weights(ctx.params.class_weight, truth, len(ctx.signature.classes))
    return Lesson(loss=torch.nn.CrossEntropyLoss(weight=weight), truth=torch.as_tensor(truth), likeness=like_shares)


def _of_numbers(ctx: RecipeContext, truth: Any) -> Lesson:
    mean, spread = float(truth.mean()), float(truth.std()) or 1.0
    scaled = torch.as_tensor(((truth - mean) / spread).astype(np.float32))[:, None]
    loss = _loss_of_numbers(ctx.params, truth, spread)
    return Lesson(loss=loss, truth=scaled, likeness=torch.nn.MSELoss(), mean=mean, spread=spread)


RUN = NetRecipe(estimator=_estimator, options=_beside, scales=True)
