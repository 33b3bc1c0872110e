"""Patterns drawn by chance, looked for in pictures of sounds at all moments.

Kernels that nobody learned, of several lengths and dilations, and of each what is largest and how much stands out: a linear model
of that is as good as far slower ones (Dempster, Petitjean and Webb, "ROCKET", 2020). Theirs lie on a series; these cover some
neighbouring bands of a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aimass.training.recipes.deep.written import Graph

LENGTHS, DILATIONS, HEIGHTS = (7, 11), (1, 2, 4), (5, 9, 13)
OUTSTANDING = 1.0
_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """Kernels of one length and dilation: ``weights`` of shape (kernels, bands, moments)."""

    weights: Any
    dilation: int

    def seen(self, pictures: Any) -> Any:
        """Return how alike pictures and kernels are at each moment: (pictures, kernels, moments)."""
        length = self.weights.shape[2]
        moments = pictures.shape[2] - (length - 1) * self.dilation
        found: Any = 0
        for place in range(length):
            start = place * self.dilation
            found = found + self.weights[:, :, place] @ pictures[:, :, start : start + moments]
        return found


def draw(count: int, bands: int, moments: int, seed: int) -> tuple[Patterns, ...]:
    """Draw kernels, as many of each length and dilation that fits into so many moments."""
    chance = np.random.default_rng(seed)
    fitting = [(length, wide) for wide in DILATIONS for length in LENGTHS if (length - 1) * wide < moments]
    shares = [len(part) for part in np.array_split(np.arange(count), len(fitting))]
    return tuple(
        Patterns(weights=_kernels(chance, share, bands, length), dilation=wide)
        for (length, wide), share in zip(fitting, shares, strict=True)
        if share
    )


def _kernels(chance: Any, count: int, bands: int, length: int) -> Any:
    """Return kernels without a mean, of length 1, on a few bands each."""
    found = np.zeros((count, bands, length))
    for kernel in found:
        height = min(int(chance.choice(HEIGHTS)), bands)
        first = int(chance.integers(0, bands - height + 1))
        drawn = chance.normal(size=(height, length))
        drawn -= drawn.mean()
        kernel[first : first + height] = drawn / np.linalg.norm(drawn)
    return found.astype(np.float32)


def numbers_of(pictures: Any, patterns: Sequence[Patterns]) -> Any:
    """Return what is told of each picture: mean and largest of each band; largest and outstanding part of each kernel."""
    parts = [_numbers(pictures[at : at + _AT_ONCE], patterns) for at in range(0, max(len(pictures), 1), _AT_ONCE)]
    return np.concatenate(parts)


def _numbers(pictures: Any, patterns: Sequence[Patterns]) -> Any:
    found = [pictures.mean(axis=2), pictures.max(axis=2)]
    for one in patterns:
        seen = one.seen(pictures)
        found += [seen.max(axis=2), np.maximum(seen - OUTSTANDING, 0).mean(axis=2)]
    return np.concatenate(found, axis=1)


def write(graph: Graph, patterns: Sequence[Patterns]) -> None:
    """Write the way from pictures to these numbers at the end of a graph."""
    pictures, found = graph.last, []

    def pooled(kind: str, of: str) -> None:
        found.append(graph.add(kind, [np.array([2])], inputs=[of], keepdims=0))

    pooled("ReduceMean", pictures)
    pooled("ReduceMax", pictures)
    for one in patterns:
        width = one.weights.shape[2]
        seen = graph.add("Conv", [one.weights], inputs=[pictures], kernel_shape=[width], dilations=[one.dilation])
        pooled("ReduceMax", seen)
        graph.add("Sub", [np.array(OUTSTANDING, dtype=np.float32)], inputs=[seen])
        pooled("ReduceMean", graph.add("Relu"))
    graph.add("Concat", inputs=found, axis=1)
