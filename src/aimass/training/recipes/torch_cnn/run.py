"""A convolutional net for images in one column of lists."""

from __future__ import annotations

from typing import Any

from aimass.kernel.errors import Invalid
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.imagenets import ImageRecipe
from aimass.training.recipes.deep.images import Shape
from aimass.training.recipes.deep.weights import inside_of, weights_of
from aimass.training.recipes.deep.written import Graph

FLAT = 64  # positions behind the blocks up to which each counts for itself; more are averaged


class Cnn:
    """Convolutions, each block behind the other, and a layer that names the class or the number."""

    def layers(self, params: Any, shape: Shape, outputs: int) -> Any:
        """Return the layers, with weights drawn by the seed that is set."""
        return layers(params, shape, outputs)

    def forward(self, net: Any, images: Any) -> Any:
        """Return scores of classes, or a number."""
        return forward(net, images)

    def write(self, graph: Graph, net: Any, shape: Shape) -> Any:
        """Write everything but the last layer, and return that one."""
        for block in net["blocks"]:
            _write_conv(graph, block["first"])
            before = graph.add("Relu")
            if "second" in block:
                _write_conv(graph, block["second"])
                graph.add("Relu")
                _write_conv(graph, block["third"])
                graph.add("Add", inputs=[before, graph.last])
                graph.add("Relu")
            graph.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        if (shape.height >> len(net["blocks"])) * (shape.width >> len(net["blocks"])) > FLAT:
            graph.add("GlobalAveragePool")
        graph.add("Flatten", axis=1)
        if "hidden" in net:
            graph.add("Gemm", inside_of(net["hidden"]), transB=1)
            graph.add("Relu")
        return weights_of(net["out"])


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


def layers(params: Any, shape: Shape, outputs: int) -> Any:
    """Return the layers, with weights drawn by the seed that is set."""
    check_blocks(shape, params.blocks)
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
    return nn.ModuleDict({**parts, "out": nn.Linear(width, outputs)})


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


def _write_conv(graph: Graph, part: Any) -> None:
    graph.add("Conv", inside_of(part), kernel_shape=[3, 3], pads=[1, 1, 1, 1])


RUN = ImageRecipe(Cnn())
