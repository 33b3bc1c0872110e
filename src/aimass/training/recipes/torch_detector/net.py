"""The net: a map of how likely the middle of each label is where, and for each place the sides of the box around it.

References
----------
Zhou, Wang & Krähenbühl, "Objects as points" (2019): a peak of a heat map is an object, so that no anchors are laid and no
boxes are compared. Liu et al., "Training-time-friendly network for real-time object detection" (AAAI 2020): all places near
the middle learn the distances to the four sides, weighted by how near they are. Rezatofighi et al., "Generalized intersection
over union" (CVPR 2019): the loss of a box.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aimass.training.measures.objects import Scenes
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.images import moved_by

SIDES = 4
FIXED = 5  # numbers of an object before its key points: label, x, y, width, height
LARGEST = 6.0  # logarithm of the longest side, in strides
_NEAR = 0.54 / 6  # spread of a peak for each pixel of a side
_LEAST_NEAR = 0.4  # in strides
_BOX_WEIGHT, _POINT_WEIGHT = 2.0, 4.0
_RARE = 2.2  # a place holds an object with a chance of 1 in 10 before anything was learned


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Sizes that layers, loss and graph share.

    Attributes
    ----------
    rows, columns
        Of a picture.
    labels, points
        How many labels there are, and key points of an object.
    """

    rows: int
    columns: int
    stride: int
    labels: int
    points: int

    @property
    def padded(self) -> tuple[int, int]:
        """Return rows and columns that can be halved as often as the net does."""
        step = 2 * self.stride
        return -(-self.rows // step) * step, -(-self.columns // step) * step

    @property
    def grid(self) -> tuple[int, int]:
        """Return the places that may be the middle of an object: down, and to the right."""
        return self.padded[0] // self.stride, self.padded[1] // self.stride

    @property
    def outputs(self) -> int:
        """Return the numbers of a place that tell box and key points."""
        return SIDES + 2 * self.points


def layers(params: Any, plan: Plan, channels: int) -> Any:
    """Return the layers, with weights drawn by the seed that is set."""
    nn, width = torch.nn, params.filters
    down, inside = nn.ModuleList(), channels
    for place in range(plan.stride.bit_length() - 1):
        width = params.filters * (1 if place == 0 else 2)
        down.append(_conv(inside, width, stride=2))
        inside = width
    wide = 2 * width
    parts = {
        "down": down,
        "fine": nn.ModuleList(_block(width) for _ in range(params.depth)),
        "deeper": _conv(width, wide, stride=2),
        "coarse": nn.ModuleList(_block(wide) for _ in range(params.depth)),
        "narrow": _conv(wide, width, size=1),
        "joined": _conv(width, width),
        "what": _conv(width, width),
        "where": _conv(width, width),
        "labels": nn.Conv2d(width, plan.labels, 1),
        "places": nn.Conv2d(width, plan.outputs, 1),
    }
    nn.init.constant_(parts["labels"].bias, -_RARE)
    nn.init.normal_(parts["places"].weight, std=0.01)
    nn.init.zeros_(parts["places"].bias)
    return nn.ModuleDict(parts)


def _conv(inside: int, outside: int, *, stride: int = 1, size: int = 3) -> Any:
    nn = torch.nn
    layer = nn.Conv2d(inside, outside, size, stride=stride, padding=size // 2, bias=False)
    return nn.ModuleDict({"layer": layer, "norm": nn.BatchNorm2d(outside)})


def _block(width: int) -> Any:
    return torch.nn.ModuleDict({"first": _conv(width, width), "second": _conv(width, width)})


def forward(net: Any, plan: Plan, images: Any) -> Any:
    """Return the maps: of labels, as logits, and behind them of sides and key points; shape ``(n, labels + outputs, down, right)``."""
    relu = torch.nn.functional.relu
    tall, wide = plan.padded
    found = torch.nn.functional.pad(images, (0, wide - plan.columns, 0, tall - plan.rows))
    for part in net["down"]:
        found = relu(_through(part, found))
    for block in net["fine"]:
        found = _around(block, found)
    far = relu(_through(net["deeper"], found))
    for block in net["coarse"]:
        far = _around(block, far)
    far = torch.nn.functional.interpolate(_through(net["narrow"], far), scale_factor=2, mode="nearest")
    found = relu(_through(net["joined"], relu(found + far)))
    labels = net["labels"](relu(_through(net["what"], found)))
    return torch.cat([labels, net["places"](relu(_through(net["where"], found)))], dim=1)


def _through(part: Any, values: Any) -> Any:
    return part["norm"](part["layer"](values))


def _around(block: Any, values: Any) -> Any:
    relu = torch.nn.functional.relu
    return relu(values + _through(block["second"], relu(_through(block["first"], values))))


def truth_of(scenes: Scenes, labels: list[str], points: int) -> Any:
    """Return objects as a tensor: label (-1: no object), x, y, width, height, then x, y and whether it is seen of each key point."""
    numbers = {name: number for number, name in enumerate(labels)}
    most = max((len(some) for some in scenes.things), default=0)
    found = np.zeros((len(scenes), max(most, 1), FIXED + 3 * points), dtype=np.float32)
    found[:, :, 0] = -1
    for row, some in enumerate(scenes.things):
        for place, one in enumerate(some):
            seen = [(0.0, 0.0, 0.0) if at is None else (*at, 1.0) for at in one.points]
            seen += [(0.0, 0.0, 0.0)] * (points - len(seen))
            found[row, place, :FIXED] = (numbers[one.label], one.x, one.y, one.width, one.height)
            found[row, place, FIXED:] = [value for point in seen for value in point]
    return torch.as_tensor(found)


def loss_of(plan: Plan, maps: Any, truth: Any) -> Any:
    """Return how far maps are from the objects that are there."""
    is_there, label = truth[..., 0] >= 0, truth[..., 0].clamp(min=0).long()
    near = _nearness(plan, truth) * is_there[..., None, None]  # (n, objects, down, right)
    count = is_there.sum().clamp(min=1)
    heat = near.new_zeros((len(maps), plan.labels, *plan.grid))
    heat = heat.scatter_reduce(1, label[..., None, None].expand_as(near), near, "amax")
    loss = _focal(maps[:, : plan.labels], heat) / count
    weight, owner = near.max(dim=1)
    weight = torch.where(weight > 0.1, weight, 0.0)  # noqa: PLR2004 what is farther off learns another object's box, or none
    total = weight.sum().clamp(min=1e-6)
    index = owner.flatten(1)[..., None].expand(-1, -1, truth.shape[2])
    mine = truth.gather(1, index).transpose(1, 2).unflatten(2, plan.grid)  # what each place is nearest to
    across, down = _middles(plan)
    told = maps[:, plan.labels :]
    sides = told[:, :SIDES].clamp(max=LARGEST).exp() * plan.stride
    wanted = torch.stack(
        [across - mine[:, 1], down - mine[:, 2], mine[:, 1] + mine[:, 3] - across, mine[:, 2] + mine[:, 4] - down],
        dim=1,
    )
    loss = loss + _BOX_WEIGHT * (_apart(sides, wanted) * weight).sum() / total
    if plan.points:
        loss = loss + _POINT_WEIGHT * _points_apart(plan, told[:, SIDES:], mine, weight) / total
    return loss


def _nearness(plan: Plan, truth: Any) -> Any:
    """Return how near each place is to the middle of each object: 1 at the place that holds it."""
    down, right = plan.grid
    middle = (truth[..., 1:3] + truth[..., 3:5] / 2) / plan.stride
    at = middle.floor()
    at = torch.stack([at[..., 0].clamp(0, right - 1), at[..., 1].clamp(0, down - 1)], dim=-1)
    spread = (truth[..., 3:5] * _NEAR / plan.stride).clamp(min=_LEAST_NEAR)
    across = (torch.arange(right) - at[..., 0:1]) / spread[..., 0:1]
    along = (torch.arange(down) - at[..., 1:2]) / spread[..., 1:2]
    return torch.exp(-(along[..., :, None] ** 2 + across[..., None, :] ** 2) / 2)


def _middles(plan: Plan) -> tuple[Any, Any]:
    """Return the pixels in the middle of each place: across, and down."""
    down, right = plan.grid
    across = (torch.arange(right) + 0.5)[None, :] * plan.stride
    return across.expand(down, right), ((torch.arange(down) + 0.5)[:, None] * plan.stride).expand(down, right)


def _focal(logits: Any, heat: Any) -> Any:
    """Return the loss of the heat map: what is easy counts little, and near a middle a wrong peak counts less."""
    sure, unsure = torch.nn.functional.logsigmoid(logits), torch.nn.functional.logsigmoid(-logits)
    chance = torch.sigmoid(logits)
    is_middle = heat == 1
    right = (1 - chance) ** 2 * sure
    wrong = (1 - heat) ** 4 * chance**2 * unsure
    return -torch.where(is_middle, right, wrong).sum()


def _apart(said: Any, true: Any) -> Any:
    """Return 1 - GIoU of boxes around the same place, given by the distances to their sides."""
    shared_wide = torch.minimum(said[:, 0], true[:, 0]) + torch.minimum(said[:, 2], true[:, 2])
    shared_tall = torch.minimum(said[:, 1], true[:, 1]) + torch.minimum(said[:, 3], true[:, 3])
    shared = shared_wide.clamp(min=0) * shared_tall.clamp(min=0)
    own = (said[:, 0] + said[:, 2]) * (said[:, 1] + said[:, 3])
    whole = own + (true[:, 0] + true[:, 2]) * (true[:, 1] + true[:, 3]) - shared
    hull_wide = torch.maximum(said[:, 0], true[:, 0]) + torch.maximum(said[:, 2], true[:, 2])
    hull_tall = torch.maximum(said[:, 1], true[:, 1]) + torch.maximum(said[:, 3], true[:, 3])
    hull = (hull_wide * hull_tall).clamp(min=1e-6)
    return 1 - shared / whole.clamp(min=1e-6) + (hull - whole) / hull


def _points_apart(plan: Plan, told: Any, mine: Any, weight: Any) -> Any:
    """Return how far key points are off, in sides of their object."""
    across, down = _middles(plan)
    side = torch.sqrt((mine[:, 3] * mine[:, 4]).clamp(min=1.0))
    total = told.new_zeros(())
    for point in range(plan.points):
        x, y, seen = (mine[:, FIXED + 3 * point + place] for place in range(3))
        off = (across + told[:, 2 * point] * plan.stride - x).abs() + (
            down + told[:, 2 * point + 1] * plan.stride - y
        ).abs()
        total = total + (off / side * seen * weight).sum()
    return total / plan.points


def together_of(params: Any, plan: Plan) -> Any:
    """Return what moves, mirrors and blurs a batch of pictures with their objects; None where nothing of it is wished for."""
    if not (params.shift or params.flip or params.noise):
        return None

    def together(images: Any, truth: Any) -> tuple[Any, Any]:
        truth = truth.clone()
        if params.shift:
            images, truth = _shifted(images, truth, params.shift)
        if params.flip:
            images, truth = _mirrored(images, truth, plan.columns)
        if params.noise:
            images = images + params.noise * torch.randn_like(images)
        return images, _inside(truth, plan)

    return together


def _shifted(images: Any, truth: Any, most: int) -> tuple[Any, Any]:
    down, right = torch.randint(0, 2 * most + 1, (2, len(images)))
    across, along = (most - right).float()[:, None], (most - down).float()[:, None]
    truth[..., 1] += across
    truth[..., 2] += along
    truth[..., FIXED::3] += across[..., None]
    truth[..., FIXED + 1 :: 3] += along[..., None]
    return moved_by(images, most, down, right), truth


def _mirrored(images: Any, truth: Any, columns: int) -> tuple[Any, Any]:
    chosen = torch.rand(len(images)) < 0.5  # noqa: PLR2004 half of them
    truth[..., 1] = torch.where(chosen[:, None], columns - truth[..., 1] - truth[..., 3], truth[..., 1])
    return torch.where(chosen[:, None, None, None], images.flip(3), images), truth


def _inside(truth: Any, plan: Plan) -> Any:
    """Cut boxes at the edges of their picture; an object whose middle went out is there no more, nor a point that went out."""
    low, far = truth[..., 1:3], truth[..., 1:3] + truth[..., 3:5]
    ends = truth.new_tensor([plan.columns, plan.rows])
    middle = (low + far) / 2
    is_out = ((middle < 0) | (middle >= ends)).any(dim=-1)
    cut = torch.minimum(low.clamp(min=0), ends - 1)
    size = (torch.minimum(far, ends) - cut).clamp(min=1)
    label = torch.where(is_out, -1.0, truth[..., 0])
    points = truth[..., FIXED:].clone()
    across, down = points[..., 0::3], points[..., 1::3]
    is_in = (across >= 0) & (across <= plan.columns) & (down >= 0) & (down <= plan.rows)
    points[..., 2::3] *= is_in
    return torch.cat([label[..., None], cut, size, points], dim=-1)
