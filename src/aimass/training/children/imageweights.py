"""Weights of residual nets by the names of torchvision or of Hugging Face, and how pictures were scaled for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from aimass.kernel.errors import Invalid
from aimass.training.recipes.deep.residual import Block, Convolution, Residual

CONFIG, SCALE, TENSORS = "config.json", "preprocessor_config.json", "model.safetensors"
KIND = "resnet"
_TINY = 1e-5  # that norms of either layout add to what they divide by
_SIDES = range(32, 513)
_CHANNELS, _MOST_CLASSES, _LONGEST_NAME = (1, 3), 65_536, 200
_MOST = 1e6  # of a mean or a deviation; what is no number is not less
_STEM, _WIDE = 7, 3  # sides of convolutions
_USUAL = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "size": 224}  # as torchvision tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a library names the parts of a residual net: ``{s}`` is a stage, ``{b}`` a block of it, ``{c}`` a convolution."""

    stem: tuple[str, str]
    path: tuple[str, str]
    around: tuple[str, str]
    last: str
    first: int  # from which stages and convolutions are counted


TORCHVISION = Layout(
    stem=("conv1", "bn1"),
    path=("layer{s}.{b}.conv{c}", "layer{s}.{b}.bn{c}"),
    around=("layer{s}.{b}.downsample.0", "layer{s}.{b}.downsample.1"),
    last="fc",
    first=1,
)
_IN, _OUT = "resnet.embedder.embedder", "resnet.encoder.stages.{s}.layers.{b}"
HUGGING_FACE = Layout(
    stem=(f"{_IN}.convolution", f"{_IN}.normalization"),
    path=(f"{_OUT}.layer.{{c}}.convolution", f"{_OUT}.layer.{{c}}.normalization"),
    around=(f"{_OUT}.shortcut.convolution", f"{_OUT}.shortcut.normalization"),
    last="classifier.1",
    first=0,
)


def residual_from(
    config: Mapping[str, Any] | None, scale: Mapping[str, Any] | None, tensors: Mapping[str, Any]
) -> Residual:
    """Return the net that an archive holds, or say what is missing, of another size, or unknown."""
    layout = _layout(tensors)
    told = {} if config is None else config
    if layout is HUGGING_FACE:
        need_config(config)
        if scale is None:
            raise Invalid(
                f"there is no {SCALE} in the upload",
                field="files",
                hint="it says by which mean and deviation pictures were scaled for these weights",
            )
    if "auto_map" in told:
        raise Invalid("the weights want a program of their own", field=f"{CONFIG}: auto_map", hint="it is never run")
    taken = _Taken(tensors)
    stem = taken.convolution(layout.stem, _STEM, None, 2)
    blocks, depths, widths = _blocks(taken, layout, told, stem)
    if layout is HUGGING_FACE:
        _need_sizes(told, depths, widths, blocks)
    weight = taken.tensor(f"{layout.last}.weight", (None, widths[-1]))
    bias = taken.tensor(f"{layout.last}.bias", (len(weight),))
    taken.need_nothing_left()
    if stem.weight.shape[1] not in _CHANNELS or not 2 <= len(weight) <= _MOST_CLASSES:  # noqa: PLR2004 one is none
        raise Invalid(
            "pictures or classes have sizes that cannot be read", field=TENSORS, value=list(stem.weight.shape)
        )
    return Residual(
        **_scale(_USUAL if scale is None else scale, int(stem.weight.shape[1])),
        stem=stem,
        blocks=blocks,
        weight=weight,
        bias=bias,
        classes=_classes(told, len(weight)),
    )


def _layout(tensors: Mapping[str, Any]) -> Layout:
    for layout in (TORCHVISION, HUGGING_FACE):
        if f"{layout.stem[0]}.weight" in tensors:
            return layout
    raise Invalid(
        "the names of the tensors are those of no net that can be read",
        field=TENSORS,
        value=sorted(tensors)[:3],
        allowed=[f"{layout.stem[0]}.weight" for layout in (TORCHVISION, HUGGING_FACE)],
        hint="residual nets of torchvision and of Hugging Face can be read without a tokenizer",
    )


def need_config(config: Mapping[str, Any] | None) -> None:
    """Refuse what says that it is another net."""
    told = {} if config is None else config
    for name, wanted, absent in (("model_type", KIND, None), ("hidden_act", "relu", "relu")):
        if told.get(name, absent) != wanted:
            raise Invalid(
                f"{CONFIG} has the {name} {told.get(name)!r}",
                field=f"{CONFIG}: {name}",
                value=told.get(name),
                allowed=[wanted],
                hint="nets of the form of ResNet can be read",
            )


class _Taken:
    """Tensors that are taken one by one, each once; what is left at the end belongs to another net."""

    def __init__(self, tensors: Mapping[str, Any]) -> None:
        self._left = dict(tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def tensor(self, name: str, sizes: Sequence[int | None]) -> Any:
        """Return a tensor of those sizes; None is any."""
        if name not in self._left:
            raise Invalid(f"weight {name!r} is missing", field=TENSORS, value=name)
        value = np.asarray(self._left.pop(name))
        fits = value.ndim == len(sizes) and all(
            one >= 1 and wanted in (None, one) for one, wanted in zip(value.shape, sizes, strict=True)
        )
        if not fits or value.dtype.kind != "f":
            raise Invalid(
                f"weight {name!r} has the sizes {list(value.shape)}",
                field=TENSORS,
                value=list(value.shape),
                allowed=["any" if one is None else one for one in sizes],
                hint="numbers of 64, 32 or 16 bits, for the sizes of its neighbours",
            )
        value = value.astype(np.float32)
        if not np.isfinite(value).all():
            raise Invalid(f"weight {name!r} has numbers that are not finite", field=TENSORS, value=name)
        return value

    def convolution(self, names: tuple[str, str], side: int, inputs: int | None, stride: int) -> Convolution:
        """Return a convolution with its norm."""
        weight = self.tensor(f"{names[0]}.weight", (None, inputs, side, side))
        ends = ("running_mean", "running_var", "weight", "bias")
        mean, variance, gain, offset = (self.tensor(f"{names[1]}.{end}", (len(weight),)) for end in ends)
        self._left.pop(f"{names[1]}.num_batches_tracked", None)
        if (variance < 0).any():
            raise Invalid(f"weight {names[1]}.running_var is negative", field=TENSORS, value=names[1])
        norm = (mean, np.sqrt(variance.astype(np.float64) + _TINY), gain, offset)
        return Convolution(weight=weight, norm=norm, stride=stride)

    def need_nothing_left(self) -> None:
        """Refuse tensors that nothing was made of."""
        if self._left:
            name = min(self._left)[:200]
            raise Invalid(
                f"weight {name!r} belongs to no part of a residual net",
                field=TENSORS,
                value=name,
                hint="nets of the form of ResNet can be read",
            )


def _blocks(
    taken: _Taken, layout: Layout, told: Mapping[str, Any], stem: Convolution
) -> tuple[tuple[Block, ...], list[int], list[int]]:
    """Return the blocks, how many each stage has, and how many channels behind each."""
    found: list[Block] = []
    depths: list[int] = []
    widths: list[int] = []
    inside = len(stem.weight)
    for stage in count():
        begun = len(found)
        for place in count():
            at = {"s": stage + layout.first, "b": place}
            if f"{_named(layout.path, at, layout.first)[0]}.weight" not in taken:
                break
            halves = place == 0 and (stage > 0 or told.get("downsample_in_first_stage") is True)
            block = _block(
                taken, layout, at, (inside, 2 if halves else 1, told.get("downsample_in_bottleneck") is True)
            )
            found.append(block)
            inside = len(block.path[-1].weight)
        if len(found) == begun:
            break
        depths.append(len(found) - begun)
        widths.append(inside)
    if not found:
        raise Invalid("the net has no residual block", field=TENSORS)
    return tuple(found), depths, widths


def _named(names: tuple[str, str], at: Mapping[str, int], convolution: int = 0) -> tuple[str, str]:
    one, other = (name.format(**at, c=convolution) for name in names)
    return one, other


def _block(taken: _Taken, layout: Layout, at: Mapping[str, int], sizes: tuple[int, int, bool]) -> Block:
    inside, stride, is_early = sizes
    names = [_named(layout.path, at, layout.first + number) for number in range(3)]
    is_narrow = f"{names[2][0]}.weight" in taken  # a narrow convolution between two of single pixels
    sides = (1, _WIDE, 1) if is_narrow else (_WIDE, _WIDE)
    halving = 1 if is_narrow and not is_early else 0
    path: list[Convolution] = []
    for place, side in enumerate(sides):
        before = len(path[-1].weight) if path else inside
        path.append(taken.convolution(names[place], side, before, stride if place == halving else 1))
    around = None
    name = _named(layout.around, at)
    if f"{name[0]}.weight" in taken:
        around = taken.convolution(name, 1, inside, stride)
    outside = len(path[-1].weight)
    goes_around = inside if around is None else len(around.weight)
    if goes_around != outside or (around is None and stride > 1):
        raise Invalid(
            f"what goes around block {at['b']} of stage {at['s']} has other sizes than the block",
            field=TENSORS,
            value=goes_around,
            allowed=outside,
        )
    return Block(path=tuple(path), around=around)


def _need_sizes(told: Mapping[str, Any], depths: list[int], widths: list[int], blocks: Sequence[Block]) -> None:
    """Refuse a config that says other sizes than the tensors have."""
    kind = "basic" if len(blocks[0].path) == 2 else "bottleneck"  # noqa: PLR2004 of two convolutions
    wanted = {"depths": depths, "hidden_sizes": widths, "layer_type": kind}
    for name, value in wanted.items():
        if told.get(name) != value:
            raise Invalid(
                f"{CONFIG} has the {name} {told.get(name)!r}",
                field=f"{CONFIG}: {name}",
                value=told.get(name),
                allowed=value,
                hint="the tensors have other sizes",
            )


def _scale(told: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """Return height, width, and mean and spread of each channel in the numbers of a picture, 0 to 255."""
    height, width = _size(told)
    factor = told.get("rescale_factor", 1 / 255) if told.get("do_rescale", True) else 1.0
    normal = bool(told.get("do_normalize", True))
    mean = told.get("image_mean") if normal else [0.0] * channels
    spread: Any = told.get("image_std") if normal else [1.0] * channels
    for name, numbers in (("image_mean", mean), ("image_std", spread), ("rescale_factor", [factor] * channels)):
        if not _are_numbers(numbers, channels, is_positive=name != "image_mean"):
            raise Invalid(
                f"{SCALE} has the {name} {numbers!r}"[:300],
                field=f"{SCALE}: {name}",
                allowed=f"{channels} finite numbers",
            )
    return {
        "height": height,
        "width": width,
        "mean": np.array(mean, dtype=np.float64) / factor,
        "spread": np.array(spread, dtype=np.float64) / factor,
    }


def _are_numbers(found: Any, size: int, *, is_positive: bool) -> bool:
    if not isinstance(found, list) or len(found) != size:
        return False
    return all(type(one) in (int, float) and abs(one) < _MOST and (one > 0 or not is_positive) for one in found)


def _size(told: Mapping[str, Any]) -> tuple[int, int]:
    """Return height and width of the pictures that a net reads: what is cut out in the end, where something is."""
    is_cut = told.get("do_center_crop") is True and "crop_size" in told
    name = "crop_size" if is_cut else "size"
    found = told.get(name)
    sides = (found, found)
    if isinstance(found, dict):
        edge = found.get("shortest_edge")
        sides = (found.get("height", edge), found.get("width", edge))
    if not all(type(side) is int and side in _SIDES for side in sides):
        raise Invalid(
            f"{SCALE} has the {name} {found!r}"[:300],
            field=f"{SCALE}: {name}",
            allowed=f"height and width, {_SIDES.start} to {_SIDES.stop - 1}",
        )
    height, width = sides
    return int(height or 0), int(width or 0)


def _classes(told: Mapping[str, Any], size: int) -> tuple[str, ...]:
    """Return the names of the classes; their numbers where none are told, and behind names that come twice."""
    names = told.get("id2label")
    if names is None:
        return tuple(str(number) for number in range(size))
    if not isinstance(names, dict) or set(names) != {str(number) for number in range(size)}:
        raise Invalid(
            f"{CONFIG} names other classes than the last layer tells apart", field=f"{CONFIG}: id2label", allowed=size
        )
    found: dict[str, None] = {}
    for number in range(size):
        name = names[str(number)]
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
            raise Invalid(f"{CONFIG} has a class without a name", field=f"{CONFIG}: id2label", value=number)
        found[f"{name} ({number})" if name in found else name] = None
    if len(found) != size:
        raise Invalid(f"{CONFIG} has classes of one name", field=f"{CONFIG}: id2label")
    return tuple(found)
