"""What is left out of a net: single weights by layers that can spare them, or whole channels with all that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.reading import LAYERS, WrittenNet, axes_of, weight_of

_LANES = 8


def mask_weights(written: WrittenNet, sparsity: float) -> None:
    """Leave out a share of the weights of all layers together; what was left out stays so.

    A weight counts by its square over the sum of the squares of those in its layer that are not smaller: layers of few
    weights, which count more, keep more of them, and no layer is left out as a whole. (Lee, Park, Mo, Ahn and Shin,
    "Layer-adaptive sparsity for the magnitude-based pruning", ICLR 2021.)
    """
    layers = written.layers()
    with torch.no_grad():
        scores = [shares(weight_of(part)) for part in layers]
        together = torch.cat([one.flatten() for one in scores])
        gone = min(round(sparsity * len(together)), len(together) - 1)
        if not gone:
            return
        most = torch.kthvalue(together, gone).values
        for part, score in zip(layers, scores, strict=True):
            part["mask"].data *= (
                (score > most) | (score == 1)
            ).float()  # the largest of a layer, which counts 1, stays


def shares(weights: Any) -> Any:
    """Return what each weight counts in its layer, from 0 to 1 for the largest."""
    squares = weights.flatten().double() ** 2
    ordered, places = torch.sort(squares, descending=True)
    found = torch.empty_like(squares)
    found[places] = ordered / torch.cumsum(ordered, 0).clamp_min(1e-300)
    return found.reshape(weights.shape)


@dataclass(slots=True, kw_only=True, eq=False)
class Channels:
    """Channels that can be left out only together: of the layers that write them, and of those that read them.

    Attributes
    ----------
    writers, readers
        Layers by part and kind.
    sums
        Parts that add a number to each channel.
    is_fixed
        Set for the inputs of the net and its answers.
    """

    writers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    readers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    sums: list[str] = field(default_factory=list[str])
    is_fixed: bool = False

    def take(self, other: Channels) -> None:
        """Join others, which are summed with these."""
        self.writers += other.writers
        self.readers += other.readers
        self.sums += other.sums
        self.is_fixed = self.is_fixed or other.is_fixed


def channels_of(written: WrittenNet) -> list[Channels]:
    """Return the channels of a net that may be left out."""
    found: list[Channels] = []
    of = {written.entry: Channels(is_fixed=True)}
    for step in written.steps:
        given = of[step.inputs[0]]
        if step.kind in LAYERS:
            given.readers.append((step.part, step.kind))
            of[step.output] = Channels(writers=[(step.part, step.kind)])
            found.append(of[step.output])
            continue
        if step.part:
            given.sums.append(step.part)
        for name in step.inputs[1:]:
            other = of[name]
            if other is not given:
                given.take(other)
                found = [one for one in found if one is not other]
                of = {key: given if one is other else one for key, one in of.items()}
        of[step.output] = given
    of[written.exit].is_fixed = True
    return [one for one in found if not one.is_fixed]


def cut_channels(written: WrittenNet, share: float) -> None:
    """Leave out a share of the channels of every layer but the last: those whose weights, on both sides, are smallest."""
    with torch.no_grad():
        for group in channels_of(written):
            counts = _counts(written, group)
            kept = torch.topk(counts, kept_of(len(counts), share)).indices
            _cut(written, group, torch.sort(kept).values, len(counts))


def kept_of(count: int, share: float) -> int:
    """Return how many channels stay: of 16 and more a multiple of eight, since processors take eight as fast as five.

    Examples
    --------
    >>> kept_of(32, 0.5), kept_of(32, 0.7), kept_of(64, 0.7), kept_of(10, 0.7), kept_of(2, 0.9)
    (16, 8, 16, 3, 1)
    """
    wished = count * (1 - share)
    if count < 2 * _LANES:
        return max(1, round(wished))
    return max(1, round(wished / _LANES)) * _LANES


def _counts(written: WrittenNet, group: Channels) -> Any:
    """Return what each channel counts: the squares of its weights, each layer with the same say."""
    part, kind = group.writers[0]
    width = written.net[part]["weight"].shape[axes_of(kind)[0]]
    sides = [(one, axes_of(kind)[0]) for one, kind in group.writers]
    sides += [(one, axes_of(kind)[1]) for one, kind in group.readers]
    total = torch.zeros(width, dtype=torch.float64)
    for one, axis in sides:
        weights = written.net[one]["weight"].detach().movedim(axis, 0).reshape(width, -1).double()
        squares = (weights**2).sum(1)
        total += squares / squares.mean().clamp_min(1e-300)
    return total


def _cut(written: WrittenNet, group: Channels, kept: Any, width: int) -> None:
    for part, kind in group.writers:
        _keep(written.net[part], ("weight", "mask"), axes_of(kind)[0], kept)
        _keep(written.net[part], ("bias",), 0, kept)
    for part in group.sums:
        _keep(written.net[part], ("bias",), -1, kept)
    for part, kind in group.readers:
        axis = axes_of(kind)[1]
        each = written.net[part]["weight"].shape[axis] // width  # places of one channel, which lie side by side
        places = (kept[:, None] * each + torch.arange(each)).flatten()
        _keep(written.net[part], ("weight", "mask"), axis, places)


def _keep(part: Any, names: Sequence[str], axis: int, places: Any) -> None:
    for name in names:
        if name in part:
            known = part[name]
            chosen = known.detach().index_select(axis % known.ndim, places).clone()
            part[name] = torch.nn.Parameter(chosen, requires_grad=known.requires_grad)
