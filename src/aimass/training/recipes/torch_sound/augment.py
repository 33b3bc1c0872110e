"""What happens to clips while a net learns from them: they move, get noise, and parts of their pictures are hidden."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aimass.training.recipes.deep.engine import torch


def augment_of(params: Any, unit: float) -> Callable[[Any], Any] | None:
    """Return what moves clips and adds noise of some loudness to each; None where nothing of it is wished for."""
    most = round(params.shift_ms * params.sample_rate / 1000)
    if not (most or params.noise):
        return None

    def augment(clips: Any) -> Any:
        moved = shifted(clips, min(most, clips.shape[1])) if most else clips
        loud = unit * params.noise * torch.rand(len(moved), 1)
        return moved + loud * torch.randn_like(moved) if params.noise else moved

    return augment


def shifted(clips: Any, most: int) -> Any:
    """Move each clip by up to so many samples; what comes in at an end is silence."""
    count, samples = clips.shape
    wide = torch.nn.functional.pad(clips, (most, most))
    start = torch.randint(0, 2 * most + 1, (count,))
    return wide.gather(1, start[:, None] + torch.arange(samples)[None])


def hidden(pictures: Any, bands: int, moments: int) -> Any:
    """Hide neighbouring bands and moments of each picture, as many as chance says up to a limit; what is hidden is the mean.

    The masks of Park et al., "SpecAugment", 2019; half of a picture stays at least.
    """
    return _masked(_masked(pictures, 1, bands), 2, moments)


def _masked(pictures: Any, axis: int, most: int) -> Any:
    size = pictures.shape[axis]
    most = min(most, size // 2)
    if not most:
        return pictures
    width = torch.randint(0, most + 1, (len(pictures), 1))
    start = (torch.rand(len(pictures), 1) * (size - width + 1)).long()
    place = torch.arange(size)[None]
    is_hidden = (place >= start) & (place < start + width)
    return pictures.masked_fill(is_hidden.unsqueeze(3 - axis), 0.0)
