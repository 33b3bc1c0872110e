"""What all nets for images share: how they learn classes or numbers, from nothing or from another net, and are written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import polars as pl

from aimass.kernel.errors import Failed, Invalid
from aimass.models import Candidate, Signature
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.deep.again import Lesson, like_shares, shrunk
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.images import Shape, augment_of, scale_of, shape_of
from aimass.training.recipes.deep.loop import Task, answered, learn
from aimass.training.recipes.deep.started import Started
from aimass.training.recipes.deep.weights import class_weights
from aimass.training.recipes.deep.written import Graph
from aimass.training.recipes.lists import column_of
from aimass.training.recipes.protocol import RecipeContext, Shrinking, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Mean and spread of the numbers that a net learns; of classes they are 0 and 1."""

    mean: float = 0.0
    spread: float = 1.0

    @classmethod
    def of(cls, ctx: RecipeContext, truth: Any) -> Unit:
        """Return the unit of a training part."""
        if ctx.signature.classes:
            return cls()
        return cls(mean=float(np.mean(truth)), spread=float(np.std(truth)) or 1.0)


class Architecture(Protocol):
    """How the layers of a net follow on each other."""

    def layers(self, params: Any, shape: Shape, outputs: int) -> Any:
        """Return the layers, with weights drawn by the seed that is set; refuse what images are too small for."""
        ...

    def forward(self, net: Any, images: Any) -> Any:
        """Return scores of classes, or a number."""
        ...

    def write(self, graph: Graph, net: Any, shape: Shape) -> Any:
        """Write everything but the last layer, and return that one."""
        ...


class Model(Protocol):
    """A net for images that learns."""

    net: Any

    def inputs(self, features: pl.DataFrame) -> Any:
        """Return images as a tensor."""
        ...

    def forward(self, images: Any) -> Any:
        """Return scores of classes, or a number in deviations from the mean."""
        ...

    def written(self, signature: Signature, mean: float, spread: float) -> bytes:
        """Return the graph, from the list of numbers to the answers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNet:
    """A net that begins with nothing, and what an image is to it.

    Attributes
    ----------
    net
        Its layers by name, as its architecture has them.
    mean, spread
        Of each channel of the training images.
    """

    net: Any
    architecture: Architecture
    column: str
    shape: Shape
    mean: Any
    spread: Any

    def inputs(self, features: pl.DataFrame) -> Any:
        """Return images as a tensor, each channel in deviations from its mean."""
        planes = self.shape.planes(features[self.column].to_numpy())
        scaled = (planes - self.mean[:, None, None]) / self.spread[:, None, None]
        return torch.as_tensor(np.ascontiguousarray(scaled, dtype=np.float32))

    def forward(self, images: Any) -> Any:
        """Return scores of classes, or a number in deviations from the mean."""
        return self.architecture.forward(self.net, images)

    def written(self, signature: Signature, mean: float, spread: float) -> bytes:
        """Return the graph, from the list of numbers to the answers."""
        shape, graph = self.shape, Graph(self.column)
        if shape.by_pixel:
            graph.add("Reshape", [np.array([-1, shape.height, shape.width, shape.channels])])
            graph.add("Transpose", perm=[0, 3, 1, 2])
        else:
            graph.add("Reshape", [np.array([-1, shape.channels, shape.height, shape.width])])
        graph.add("Sub", [self.mean[:, None, None]])
        graph.add("Div", [self.spread[:, None, None]])
        weight, bias = self.architecture.write(graph, self.net, shape)
        graph.add("Gemm", [weight * spread, bias * spread + mean], transB=1)
        return graph.classes(signature) if signature.classes else graph.number(signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A net that has learned, and the unit of its answers."""

    model: Model
    unit: Unit


@dataclass(frozen=True, slots=True)
class ImageRecipe:
    """Classes or numbers of the images in one column of lists."""

    architecture: Architecture

    def fit(self, ctx: RecipeContext) -> Learned:
        """Learn from the images of the training part."""
        table, unit = ctx.data("train"), Unit.of(ctx, ctx.data("train").truth)
        column, length = column_of(ctx.signature)
        torch.manual_seed(ctx.seed)
        if ctx.base is None:
            need_no_base(ctx)
            model: Any = self._begun(ctx, column, table.features[column].to_numpy())
            fixed = frozenset[str]()
        else:
            model = Started(ctx.base, column, length, _outputs(ctx), ctx.params.dropout)
            model.need_shape(ctx.params)
            fixed = model.freeze(ctx.params)
        learned = Learned(model=model, unit=unit)
        task = Task(
            net=model.net,
            forward=model.forward,
            loss=_loss(ctx, table.truth),
            inputs=model.inputs(table.features),
            truth=_truth(ctx, table.truth, unit),
            strata=table.truth if ctx.signature.classes else None,
            look=partial(self.predict, ctx, learned),
            augment=augment_of(ctx.params),
            fixed=fixed,
        )
        learn(ctx, task)
        return learned

    def _begun(self, ctx: RecipeContext, column: str, numbers: Any) -> ImageNet:
        shape = shape_of(numbers.shape[1], ctx.params)
        mean, spread = scale_of(shape.planes(numbers))
        net = self.architecture.layers(ctx.params, shape, _outputs(ctx))
        return ImageNet(net=net, architecture=self.architecture, column=column, shape=shape, mean=mean, spread=spread)

    def predict(self, ctx: RecipeContext, model: Learned, features: pl.DataFrame) -> Any:
        """Return probabilities in the order of the signature's classes, or numbers."""
        said = answered(model.model.net, model.model.forward, model.model.inputs(features)).astype(np.float64)
        if not ctx.signature.classes:
            return said[:, 0] * model.unit.spread + model.unit.mean
        shares = np.exp(said - said.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def evaluate(self, ctx: RecipeContext, model: Learned, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: Learned) -> Mapping[str, float] | None:
        """Return nothing: there is one input."""
        return None

    def package(self, ctx: RecipeContext, model: Learned) -> Candidate:
        """Return the one way to write the net down."""
        unit = model.unit
        return Candidate(
            signature=ctx.signature,
            to_onnx=partial(model.model.written, ctx.signature, unit.mean, unit.spread),
            to_python=_no_python,
        )

    def compress(self, ctx: RecipeContext, file: bytes, wish: Shrinking) -> bytes:
        """Return the graph of a net with less in it, which learned again from the same images."""
        truth = ctx.data("train").truth
        unit = Unit.of(ctx, truth)
        lesson = Lesson(
            loss=_loss(ctx, truth),
            truth=_truth(ctx, truth, unit),
            likeness=like_shares if ctx.signature.classes else torch.nn.MSELoss(),
            augment=augment_of(ctx.params),
            mean=unit.mean,
            spread=unit.spread,
        )
        return shrunk(ctx, file, wish, lesson)


def _outputs(ctx: RecipeContext) -> int:
    return len(ctx.signature.classes) or 1


def _truth(ctx: RecipeContext, truth: Any, unit: Unit) -> Any:
    if ctx.signature.classes:
        return torch.as_tensor(truth)
    return torch.as_tensor(((truth - unit.mean) / unit.spread).astype(np.float32))[:, None]


def _loss(ctx: RecipeContext, truth: Any) -> Callable[[Any, Any], Any]:
    if not ctx.signature.classes:
        return torch.nn.MSELoss()
    weight = class_weights(ctx.params.class_weight, truth, len(ctx.signature.classes))
    return torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=ctx.params.label_smoothing)


def need_no_base(ctx: RecipeContext) -> None:
    """Refuse to begin anew where a model to start from is named, but not there."""
    if ctx.params.base is not None:
        raise Invalid(
            "the model to start from is not there",
            field="params.base",
            value=ctx.params.base,
            hint="only runs and studies start from a model of the library",
        )


def _no_python() -> bytes:
    raise Failed("a net of torch is written as ONNX alone, and the exported file answers differently")
