"""A residual net for images in one column of lists."""

from __future__ import annotations

from typing import Any

from aimass.kernel.errors import Invalid
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.imagenets import ImageRecipe
from aimass.training.recipes.deep.images import Shape
from aimass.training.recipes.deep.weights import inside_of, weights_of
from aimass.training.recipes.deep.written import Graph

_LARGE = 4  # by what the large stem makes an image smaller


class ResNet:
    """Stages of residual blocks of two convolutions (He, Zhang, Ren and Sun, "Deep residual learning", 2015)."""

    def layers(self, params: Any, shape: Shape, outputs: int) -> Any:
        """Return the layers, with weights drawn by the seed that is set."""
        check_stages(shape, params)
        nn, inside = torch.nn, params.filters
        is_large = params.stem == "large"
        parts = {"stem": _conv(shape.channels, inside, 7 if is_large else 3, 2 if is_large else 1)}
        stages = nn.ModuleList()
        for number in range(params.stages):
            outside, stage = params.filters * 2**number, nn.ModuleList()
            for place in range(params.depth):
                stage.append(_block(inside, outside, 2 if number and not place else 1))
                inside = outside
            stages.append(stage)
        return nn.ModuleDict(
            {**parts, "stages": stages, "dropout": nn.Dropout(params.dropout), "out": nn.Linear(inside, outputs)}
        )

    def forward(self, net: Any, images: Any) -> Any:
        """Return scores of classes, or a number."""
        relu = torch.nn.functional.relu
        found = relu(_through(net["stem"], images))
        if _is_large(net):
            found = torch.nn.functional.max_pool2d(found, 3, 2, 1)
        for stage in net["stages"]:
            for block in stage:
                beside = _through(block["around"], found) if "around" in block else found
                found = relu(beside + _through(block["second"], relu(_through(block["first"], found))))
        return net["out"](net["dropout"](found.mean((2, 3))))

    def write(self, graph: Graph, net: Any, shape: Shape) -> Any:
        """Write everything but the last layer, and return that one."""
        _write(graph, net["stem"])
        graph.add("Relu")
        if _is_large(net):
            graph.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        for stage in net["stages"]:
            for block in stage:
                before = graph.last
                _write(graph, block["first"])
                graph.add("Relu")
                said = _write(graph, block["second"])
                beside = _write(graph, block["around"], before) if "around" in block else before
                graph.add("Add", inputs=[beside, said])
                graph.add("Relu")
        graph.add("GlobalAveragePool")
        graph.add("Flatten", axis=1)
        return weights_of(net["out"])


def check_stages(shape: Shape, params: Any) -> None:
    """Refuse more stages than an image can be halved."""
    side = min(shape.height, shape.width) // (_LARGE if params.stem == "large" else 1)
    if side < 1 << (params.stages - 1):
        raise Invalid(
            f"an image of {shape.height} x {shape.width} is too small for {params.stages} stages behind a {params.stem} stem",
            field="params.stages",
            value=params.stages,
            allowed=f"1 to {max(1, side.bit_length())}",
        )


def _conv(inside: int, outside: int, size: int, stride: int) -> Any:
    nn = torch.nn
    layer = nn.Conv2d(inside, outside, size, stride=stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return nn.ModuleDict({"layer": layer, "norm": nn.BatchNorm2d(outside)})


def _block(inside: int, outside: int, stride: int) -> Any:
    """Return a block that begins as nothing but what goes around it."""
    parts = {"first": _conv(inside, outside, 3, stride), "second": _conv(outside, outside, 3, 1)}
    torch.nn.init.zeros_(parts["second"]["norm"].weight)
    if stride > 1 or inside != outside:
        parts["around"] = _conv(inside, outside, 1, stride)
    return torch.nn.ModuleDict(parts)


def _through(part: Any, values: Any) -> Any:
    return part["norm"](part["layer"](values))


def _is_large(net: Any) -> bool:
    return net["stem"]["layer"].stride[0] > 1


def _write(graph: Graph, part: Any, given: str | None = None) -> str:
    layer, inputs = part["layer"], None if given is None else [given]
    size, stride, around = layer.kernel_size[0], layer.stride[0], layer.padding[0]
    return graph.add("Conv", inside_of(part), inputs, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[around] * 4)


RUN = ImageRecipe(ResNet())
