"""Images in a column of lists: their height, width and channels, and what happens to them while they are learned from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

from aimass.kernel.errors import Invalid
from aimass.training.recipes.deep.engine import torch

_USUAL = (1, 3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How the numbers of a list are an image; ``by_pixel`` when those of a pixel lie side by side."""

    height: int
    width: int
    channels: int
    by_pixel: bool = True

    def planes(self, numbers: Any) -> Any:
        """Return rows of numbers as arrays of channels, rows and columns."""
        if not self.by_pixel:
            return numbers.reshape(-1, self.channels, self.height, self.width)
        return numbers.reshape(-1, self.height, self.width, self.channels).transpose(0, 3, 1, 2)


def shape_of(length: int, params: Any) -> Shape:
    """Return the shape of images of so many numbers: what was named, and else square.

    Examples
    --------
    >>> from types import SimpleNamespace as Named
    >>> shape_of(3072, Named(height=None, width=None, channels=None, order="pixels"))
    Shape(height=32, width=32, channels=3, by_pixel=True)
    >>> shape_of(200, Named(height=10, width=None, channels=1, order="planes")).width
    20
    """
    for channels in _USUAL if params.channels is None else (params.channels,):
        sides = _sides(length // channels, params.height, params.width) if length % channels == 0 else None
        if sides is not None:
            return Shape(height=sides[0], width=sides[1], channels=channels, by_pixel=params.order == "pixels")
    if params.height and params.width and not params.channels and length % (params.height * params.width) == 0:
        channels = length // (params.height * params.width)
        return Shape(height=params.height, width=params.width, channels=channels, by_pixel=params.order == "pixels")
    raise Invalid(
        f"{length} numbers are no image of these sizes",
        field="params.height",
        value=length,
        hint="name height, width and channels: their product is the count of numbers in each list",
    )


def _sides(area: int, height: int | None, width: int | None) -> tuple[int, int] | None:
    """Return height and width of so many pixels: what is named, what follows from it, and else both alike."""
    known = height or width or isqrt(area)
    tall = height or (known if width is None else area // known)
    wide = width or (known if height is None else area // known)
    return (tall, wide) if tall * wide == area else None


def scale_of(planes: Any) -> tuple[Any, Any]:
    """Return mean and spread of each channel over the training images; a channel of one colour has the spread 1."""
    mean, spread = planes.mean(axis=(0, 2, 3), dtype=np.float64), planes.std(axis=(0, 2, 3), dtype=np.float64)
    return mean.astype(np.float32), np.where(spread > 0, spread, 1.0).astype(np.float32)


def augment_of(params: Any) -> Callable[[Any], Any] | None:
    """Return what moves, mirrors and blurs a batch of images by chance; None where nothing of it is wished for."""
    if not (params.shift or params.flip or params.noise):
        return None

    def augment(images: Any) -> Any:
        moved = _moved(images, params.shift) if params.shift else images
        if params.flip:
            chosen = torch.rand(len(moved)) < 0.5  # noqa: PLR2004 half of them
            moved = torch.where(chosen[:, None, None, None], moved.flip(3), moved)
        return moved + params.noise * torch.randn_like(moved) if params.noise else moved

    return augment


def _moved(images: Any, most: int) -> Any:
    """Move each image by up to so many pixels."""
    return moved_by(images, most, *torch.randint(0, 2 * most + 1, (2, len(images))))


def moved_by(images: Any, most: int, down: Any, right: Any) -> Any:
    """Move each image, up by ``down - most`` and to the left by ``right - most``; what comes in at a side is what lay there."""
    count, channels, height, width = images.shape
    wide = torch.nn.functional.pad(images, (most, most, most, most), mode="replicate")
    rows = torch.arange(height)[None] + down[:, None]
    columns = torch.arange(width)[None] + right[:, None]
    whose, planes = torch.arange(count)[:, None, None, None], torch.arange(channels)[None, :, None, None]
    return wide[whose, planes, rows[:, None, :, None], columns[:, None, None, :]]
