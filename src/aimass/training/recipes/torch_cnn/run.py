"""A convolutional net for images in one column of lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Failed, Invalid
from aimass.models import Candidate, Signature
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.deep.again import Lesson, like_shares, shrunk
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.images import Shape, augment_of, scale_of, shape_of
from aimass.training.recipes.deep.loop import Task, answered, learn
from aimass.training.recipes.deep.weights import class_weights, folded, norm_of, weights_of
from aimass.training.recipes.deep.written import Graph
from aimass.training.recipes.lists import column_of
from aimass.training.recipes.protocol import RecipeContext, Shrinking, Table

FLAT = 64  # positions behind the blocks up to which each counts for itself; more are averaged


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNet:
    """A net that has learned, and what an image is to it.

    Attributes
    ----------
    net
        Its layers by name: ``blocks``, ``hidden`` (absent without units) and ``out``.
    mean, spread
        Of each channel of the training images.
    """

    net: Any
    column: str
    shape: Shape
    mean: Any
    spread: Any

    def inputs(self, features: pl.DataFrame) -> Any:
        """Return images as a tensor, each channel in deviations from its mean."""
        planes = self.shape.planes(features[self.column].to_numpy())
        scaled = (planes - self.mean[:, None, None]) / self.spread[:, None, None]
        return torch.as_tensor(np.ascontiguousarray(scaled, dtype=np.float32))


class TorchCnn:
    """Convolutions, each block behind the other, and a layer that names the class."""

    def fit(self, ctx: RecipeContext) -> ImageNet:
        """Learn from the images of the training part."""
        table = ctx.data("train")
        column, length = column_of(ctx.signature)
        shape = shape_of(length, ctx.params)
        check_blocks(shape, ctx.params.blocks)
        mean, spread = scale_of(shape.planes(table.features[column].to_numpy()))
        torch.manual_seed(ctx.seed)
        net = layers(ctx.params, shape, len(ctx.signature.classes))
        model = ImageNet(net=net, column=column, shape=shape, mean=mean, spread=spread)
        task = Task(
            net=net,
            forward=partial(forward, net),
            loss=_loss(ctx, table.truth),
            inputs=model.inputs(table.features),
            truth=torch.as_tensor(table.truth),
            strata=table.truth,
            look=partial(self.predict, ctx, model),
            augment=augment_of(ctx.params),
        )
        learn(ctx, task)
        return model

    def predict(self, ctx: RecipeContext, model: ImageNet, features: pl.DataFrame) -> Any:
        """Return probabilities in the order of the signature's classes."""
        scores = answered(model.net, partial(forward, model.net), model.inputs(features)).astype(np.float64)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def evaluate(self, ctx: RecipeContext, model: ImageNet, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: ImageNet) -> Mapping[str, float] | None:
        """Return nothing: there is one input."""
        return None

    def package(self, ctx: RecipeContext, model: ImageNet) -> Candidate:
        """Return the one way to write the net down."""
        return Candidate(
            signature=ctx.signature,
            to_onnx=lambda: to_onnx(model, ctx.signature),
            to_python=_no_python,
        )

    def compress(self, ctx: RecipeContext, file: bytes, wish: Shrinking) -> bytes:
        """Return the graph of a net with less in it, which learned again from the same images."""
        truth = ctx.data("train").truth
        lesson = Lesson(
            loss=_loss(ctx, truth),
            truth=torch.as_tensor(truth),
            likeness=like_shares,
            augment=augment_of(ctx.params),
        )
        return shrunk(ctx, file, wish, lesson)


def _loss(ctx: RecipeContext, truth: Any) -> Any:
    weight = class_weights(ctx.params.class_weight, truth, len(ctx.signature.classes))
    return torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=ctx.params.label_smoothing)


def check_blocks(shape: Shape, blocks: int) -> None:
    """Refuse more blocks than an image can be halved."""
    most = min(shape.height, shape.width).bit_length() - 1
    if blocks > most:
        raise Invalid(
            f"an image of {shape.height} x {shape.width} can be halved {most} times",
            field="params.blocks",
            value=blocks,
            allowed=f"1 to {most}",
        )


def layers(params: Any, shape: Shape, classes: int) -> Any:
    """Return the layers, with weights drawn by the seed that is set."""
    nn = torch.nn
    blocks, inside, outside = nn.ModuleList(), shape.channels, params.filters
    for _ in range(params.blocks):
        block = {"first": _conv(params, inside, outside)}
        if params.residual:
            block |= {"second": _conv(params, outside, outside), "third": _conv(params, outside, outside)}
        blocks.append(nn.ModuleDict(block))
        inside, outside = outside, outside * 2
    places = (shape.height >> params.blocks) * (shape.width >> params.blocks)
    width = inside * (places if places <= FLAT else 1)
    parts = {"blocks": blocks, "dropout": nn.Dropout(params.dropout)}
    if params.units:
        norm = {"norm": nn.BatchNorm1d(params.units)} if params.batch_norm else {}
        parts["hidden"] = nn.ModuleDict({"layer": nn.Linear(width, params.units), **norm})
        width = params.units
    return nn.ModuleDict({**parts, "out": nn.Linear(width, classes)})


def _conv(params: Any, inside: int, outside: int) -> Any:
    nn = torch.nn
    layer = nn.Conv2d(inside, outside, 3, padding=1, bias=not params.batch_norm)
    return nn.ModuleDict({"layer": layer, **({"norm": nn.BatchNorm2d(outside)} if params.batch_norm else {})})


def forward(net: Any, images: Any) -> Any:
    """Return scores of classes."""
    relu, pool = torch.nn.functional.relu, torch.nn.functional.max_pool2d
    for block in net["blocks"]:
        images = relu(_through(block["first"], images))
        if "second" in block:
            images = relu(images + _through(block["third"], relu(_through(block["second"], images))))
        images = pool(images, 2)
    is_flat = images.shape[2] * images.shape[3] <= FLAT
    found = images.flatten(1) if is_flat else images.mean((2, 3))
    if "hidden" in net:
        found = relu(_through(net["hidden"], found))
    return net["out"](net["dropout"](found))


def _through(part: Any, values: Any) -> Any:
    found = part["layer"](values)
    return part["norm"](found) if "norm" in part else found


def to_onnx(model: ImageNet, signature: Signature) -> bytes:
    """Write a net down: from the list of numbers to label and probabilities."""
    shape, graph = model.shape, Graph(model.column)
    if shape.by_pixel:
        graph.add("Reshape", [np.array([-1, shape.height, shape.width, shape.channels])])
        graph.add("Transpose", perm=[0, 3, 1, 2])
    else:
        graph.add("Reshape", [np.array([-1, shape.channels, shape.height, shape.width])])
    graph.add("Sub", [model.mean[:, None, None]])
    graph.add("Div", [model.spread[:, None, None]])
    for block in model.net["blocks"]:
        _write_conv(graph, block["first"])
        before = graph.add("Relu")
        if "second" in block:
            _write_conv(graph, block["second"])
            graph.add("Relu")
            _write_conv(graph, block["third"])
            graph.add("Add", inputs=[before, graph.last])
            graph.add("Relu")
        graph.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    sides = (shape.height >> len(model.net["blocks"])) * (shape.width >> len(model.net["blocks"]))
    if sides > FLAT:
        graph.add("GlobalAveragePool")
    graph.add("Flatten", axis=1)
    if "hidden" in model.net:
        _write_layer(graph, model.net["hidden"])
        graph.add("Relu")
    _write_layer(graph, {"layer": model.net["out"]})
    return graph.classes(signature)


def _inside(part: Any) -> tuple[Any, Any]:
    norm = part["norm"] if "norm" in part else None  # noqa: SIM401 a module of torch has no get
    return folded(*weights_of(part["layer"]), norm_of(norm))


def _write_conv(graph: Graph, part: Any) -> None:
    graph.add("Conv", _inside(part), kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def _write_layer(graph: Graph, part: Any) -> None:
    graph.add("Gemm", _inside(part), transB=1)


def _no_python() -> bytes:
    raise Failed("a net of torch is written as ONNX alone, and the exported file answers differently")


RUN = TorchCnn()
