"""The graph of a detector: from the numbers of a picture to a JSON list of the objects in it, for all pictures of a batch at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import checker, helper

from aimass.models import Signature
from aimass.training.measures.objects import OBJECTS
from aimass.training.recipes.deep.images import Shape
from aimass.training.recipes.deep.weights import folded, norm_of, weights_of
from aimass.training.recipes.linear_tagger.nodes import SHARE, TEXT, WHOLE, Nodes, port
from aimass.training.recipes.torch_detector.net import LARGEST, SIDES, Plan
from aimass.training.recipes.torch_detector.reading import NOWHERE, TENTH, THOUSAND, Sureness, least_of

_OPSET, _IR = 21, 10


def graph_of(
    net: Any, plan: Plan, seen: tuple[Shape, Any, Any], told: tuple[Sequence[str], Sureness, Any], signature: Signature
) -> bytes:
    """Return the graph, whose input and output have the names of the signature.

    Parameters
    ----------
    seen
        The shape of pictures, and mean and spread of their channels.
    told
        The labels, how sure to be, and the parameters of the recipe.
    """
    nodes, given = Nodes(), signature.inputs[0]
    maps = _maps(nodes, net, plan, _planes(nodes, given.name, seen))
    said = _written(nodes, _peaks(nodes, plan, maps, told[2].most_objects), plan, told)
    nodes.nodes.append(helper.make_node("Identity", [said], [OBJECTS]))
    graph = helper.make_graph(
        nodes.nodes,
        "aimass",
        [port(given.name, SHARE, [None, (given.shape or (-1, 0))[1]])],
        [port(OBJECTS, TEXT, [None])],
        initializer=nodes.constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    checker.check_model(made)
    return made.SerializeToString()


def _planes(nodes: Nodes, given: str, seen: tuple[Shape, Any, Any]) -> str:
    """Return pictures as channels, rows and columns, in deviations from the mean of each channel."""
    shape, mean, spread = seen
    if shape.by_pixel:
        planes = nodes.add("Reshape", given, nodes.whole(-1, shape.height, shape.width, shape.channels))
        planes = nodes.add("Transpose", planes, perm=[0, 3, 1, 2])
    else:
        planes = nodes.add("Reshape", given, nodes.whole(-1, shape.channels, shape.height, shape.width))
    away = nodes.add("Sub", planes, nodes.constant(mean[:, None, None]))
    return nodes.add("Div", away, nodes.constant(spread[:, None, None]))


def _maps(nodes: Nodes, net: Any, plan: Plan, planes: str) -> tuple[str, str]:
    """Add the net; return its maps of labels, and of sides and key points."""
    tall, wide = plan.padded
    found = planes
    if (tall, wide) != (plan.rows, plan.columns):
        ends = nodes.whole(0, 0, 0, 0, 0, 0, tall - plan.rows, wide - plan.columns)
        found = nodes.add("Pad", planes, ends, nodes.constant(np.float32(0)))
    for part in net["down"]:
        found = nodes.add("Relu", _conv(nodes, part, found, stride=2))
    for block in net["fine"]:
        found = _around(nodes, block, found)
    far = nodes.add("Relu", _conv(nodes, net["deeper"], found, stride=2))
    for block in net["coarse"]:
        far = _around(nodes, block, far)
    far = _conv(nodes, net["narrow"], far)
    twice = nodes.constant(np.array([1, 1, 2, 2], dtype=np.float32))
    far = nodes.add(
        "Resize", far, "", twice, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    )
    found = nodes.add("Relu", nodes.add("Add", found, far))
    found = nodes.add("Relu", _conv(nodes, net["joined"], found))
    what, where = (nodes.add("Relu", _conv(nodes, net[name], found)) for name in ("what", "where"))
    return _plain_conv(nodes, what, weights_of(net["labels"])), _plain_conv(nodes, where, weights_of(net["places"]))


def _conv(nodes: Nodes, part: Any, given: str, stride: int = 1) -> str:
    return _plain_conv(nodes, given, folded(*weights_of(part["layer"]), norm_of(part["norm"])), stride)


def _plain_conv(nodes: Nodes, given: str, weights: tuple[Any, Any], stride: int = 1) -> str:
    weight, bias = (np.ascontiguousarray(one, dtype=np.float32) for one in weights)
    size = weight.shape[2]
    settings = {"kernel_shape": [size, size], "pads": [size // 2] * 4, "strides": [stride, stride]}
    return nodes.add("Conv", given, nodes.constant(weight), nodes.constant(bias), **settings)


def _around(nodes: Nodes, block: Any, given: str) -> str:
    inside = nodes.add("Relu", _conv(nodes, block["first"], given))
    return nodes.add("Relu", nodes.add("Add", given, _conv(nodes, block["second"], inside)))


def _peaks(nodes: Nodes, plan: Plan, maps: tuple[str, str], most: int) -> tuple[str, str, list[str]]:
    """Return logits and labels of the surest peaks, and in tenths of a pixel left, top, width, height and the key points of each."""
    (down, right), (labels, places) = plan.grid, maps
    area = down * right
    around = nodes.add("MaxPool", labels, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    peaks = nodes.add("Where", nodes.add("Equal", labels, around), labels, nodes.constant(np.float32(NOWHERE)))
    flat = nodes.add("Reshape", peaks, nodes.whole(-1, plan.labels * area))
    logits, best = nodes.several("TopK", 2, flat, nodes.whole(min(most, plan.labels * area)), axis=1)
    label = nodes.add("Div", best, nodes.constant(np.int64(area)))
    place = nodes.add("Mod", best, nodes.constant(np.int64(area)))
    rows = nodes.add("Transpose", nodes.add("Reshape", places, nodes.whole(-1, plan.outputs, area)), perm=[0, 2, 1])
    picked = nodes.add("GatherND", rows, nodes.add("Unsqueeze", place, nodes.whole(2)), batch_dims=1)
    width = nodes.constant(np.int64(right))
    middles = [_middle(nodes, nodes.add(kind, place, width), plan.stride) for kind in ("Mod", "Div")]
    ends = (plan.columns, plan.rows)
    sides = [_column(nodes, picked, at) for at in range(plan.outputs)]
    lengths = [
        _times(nodes, nodes.add("Exp", nodes.add("Min", one, nodes.constant(np.float32(LARGEST)))), plan.stride)
        for one in sides[:SIDES]
    ]
    low = [_tenths(nodes, nodes.add("Sub", middles[at], lengths[at]), ends[at], 1) for at in range(2)]
    far = [_tenths(nodes, nodes.add("Add", middles[at], lengths[2 + at]), ends[at]) for at in range(2)]
    one = nodes.constant(np.int64(1))
    size = [nodes.add("Max", nodes.add("Sub", end, start), one) for start, end in zip(low, far, strict=True)]
    points = [
        _tenths(nodes, nodes.add("Add", middles[at % 2], _times(nodes, sides[SIDES + at], plan.stride)), ends[at % 2])
        for at in range(2 * plan.points)
    ]
    return logits, label, [*low, *size, *points]


def _middle(nodes: Nodes, number: str, stride: int) -> str:
    half = nodes.add("Add", nodes.cast(number, SHARE), nodes.constant(np.float32(0.5)))
    return _times(nodes, half, stride)


def _times(nodes: Nodes, name: str, factor: int) -> str:
    return nodes.add("Mul", name, nodes.constant(np.float32(factor)))


def _column(nodes: Nodes, table: str, place: int) -> str:
    return nodes.add("Gather", table, nodes.constant(np.int64(place)), axis=2)


def _tenths(nodes: Nodes, pixels: str, end: int, before: int = 0) -> str:
    whole = nodes.add("Round", _times(nodes, pixels, TENTH))
    low, high = nodes.constant(np.float32(0)), nodes.constant(np.float32(end * TENTH - before))
    return nodes.cast(nodes.add("Clip", whole, low, high), WHOLE)


def _written(
    nodes: Nodes, peaks: tuple[str, str, list[str]], plan: Plan, told: tuple[Sequence[str], Sureness, Any]
) -> str:
    """Return the objects of each picture as one text; those that are not sure enough are left out."""
    (logits, label, numbers), (labels, sureness, params) = peaks, told
    line = nodes.add("Mul", logits, nodes.constant(np.float32(sureness.gain)))
    chance = nodes.add("Sigmoid", nodes.add("Add", line, nodes.constant(np.float32(sureness.offset))))
    thousandths = nodes.cast(nodes.add("Round", _times(nodes, chance, THOUSAND)), WHOLE)
    scores = nodes.text(*(json.dumps(number / THOUSAND) for number in range(THOUSAND + 1)))
    begins = nodes.text(*(f'{{"label":{json.dumps(name, ensure_ascii=False)},"x":' for name in labels))
    said = [nodes.add("Gather", begins, label)]
    between = ('"y":', '"width":', '"height":', '"score":')
    for number, name in zip(numbers[:SIDES], between, strict=True):
        said += [_decimal(nodes, number), nodes.text("," + name)]
    said.append(nodes.add("Gather", scores, thousandths))
    for point in range(plan.points):
        x, y = (_decimal(nodes, one) for one in numbers[SIDES + 2 * point : SIDES + 2 * point + 2])
        said += [nodes.text("],[" if point else ',"keypoints":[['), x, nodes.text(","), y]
    said.append(nodes.text("]]}" if plan.points else "}"))
    whole = said[0]
    for part in said[1:]:
        whole = nodes.add("StringConcat", whole, part)
    count = min(params.most_objects, plan.labels * plan.grid[0] * plan.grid[1])
    commas = nodes.constant(np.array([["", *[","] * (count - 1)]], dtype=object))
    whole = nodes.add("StringConcat", commas, whole)
    is_sure = nodes.add("GreaterOrEqual", thousandths, nodes.constant(np.int64(least_of(params.least_score))))
    shown = nodes.add("Where", is_sure, whole, nodes.text(""))
    joined = _joined(nodes, shown, count)
    return nodes.add("StringConcat", nodes.add("StringConcat", nodes.text("["), joined), nodes.text("]"))


def _decimal(nodes: Nodes, tenths: str) -> str:
    """Return tenths as text with one decimal."""
    ten = nodes.constant(np.int64(TENTH))
    before, behind = (nodes.cast(nodes.add(kind, tenths, ten), TEXT) for kind in ("Div", "Mod"))
    return nodes.add("StringConcat", nodes.add("StringConcat", before, nodes.text(".")), behind)


def _joined(nodes: Nodes, texts: str, count: int) -> str:
    """Join the texts of each picture: neighbours in pairs, until one is left."""
    while count > 1:
        even = count - count % 2
        left, right = (_columns(nodes, texts, start, even, 2) for start in (0, 1))
        pairs = nodes.add("StringConcat", left, right)
        if count % 2:
            pairs = nodes.add("Concat", pairs, _columns(nodes, texts, even, count), axis=1)
        texts, count = pairs, (count + 1) // 2
    return nodes.add("Squeeze", texts, nodes.whole(1))


def _columns(nodes: Nodes, table: str, start: int, end: int, step: int = 1) -> str:
    return nodes.add("Slice", table, nodes.whole(start), nodes.whole(end), nodes.whole(1), nodes.whole(step))
