"""How likely the rows of one domain are in another: a ratio of densities by kernels, with bounded memory.

The estimate is RuLSIF (Yamada, Suzuki, Kanamori, Hachiya and Sugiyama, "Relative density-ratio estimation for robust distribution
comparison", Neural Computation 25(5), 2013), which is uLSIF (Kanamori, Hido and Sugiyama, JMLR 10, 2009) with a share of the new
domain mixed into the old one: so no row gets more than one over that share, however rare it is in the old domain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SHARE = 0.1
MOST_ROWS, MOST_CENTRES = 2000, 100
FOLDS = 5
WIDTHS, PENALTIES = (0.2, 0.35, 0.5, 0.7, 1.0, 1.5), (1e-3, 1e-2, 1e-1, 1.0)


def points_of(columns: Sequence[Mapping[str, Any]], features: Sequence[Mapping[Any, Any]]) -> Any:
    """Return rows of features as points: each known category of the texts, then the numbers; what is missing is NaN.

    Categories are found however a model gets them: as a number of their own, under a joined name, or as text.

    Examples
    --------
    >>> text = {"name": "t", "type": "string", "categories": ["a", "b"]}
    >>> points_of([text], [{("t", "a"): 1.0, ("t", "b"): 0.0}, {"t=a": 0.0, "t=b": 1.0}, {"t": "a"}]).tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    """
    texts = [(c["name"], one) for c in columns if c["type"] == "string" for one in c["categories"] or []]
    numbers = [c["name"] for c in columns if c["type"] != "string"]
    found = np.full((len(features), len(texts) + len(numbers)), np.nan)
    for place, row in enumerate(features):
        found[place, : len(texts)] = [_share(row, name, one) for name, one in texts]
        found[place, len(texts) :] = [row.get(name, np.nan) for name in numbers]
    return found


def _share(row: Mapping[Any, Any], name: str, category: str) -> float:
    for key in ((name, category), f"{name}={category}"):
        if key in row:
            return float(row[key])
    return float(row.get(name) == category)


def alike(source: Any, target: Any) -> tuple[Any, Any]:
    """Return both domains on one scale: numbers by the spread of both, categories as they are, the mean where nothing is known."""
    both = np.vstack([source, target])
    known = ~np.isnan(both)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, both, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (both - mean) ** 2, 0.0).sum(axis=0) / count)
    is_category = np.all(~known | (both == 0) | (both == 1), axis=0)
    scale = np.where(is_category | (spread == 0), 1.0, spread)
    return tuple((np.where(np.isnan(one), mean, one) - mean) / scale for one in (source, target))


def weights_of(source: Any, target: Any, seed: int) -> Any:
    """Return how much more likely each row of the source is in the target than in a mixture of both.

    The width of the kernels and the penalty are those that do best on rows that were left out.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = weights_of(rng.normal(0, 1, (400, 1)), rng.normal(1, 0.5, (200, 1)), 0)
    >>> bool(found.max() <= 1 / SHARE + 1), len(found)
    (True, 400)
    """
    rng = np.random.default_rng(seed)
    source, target = alike(source, target)
    centres = target[rng.permutation(len(target))[:MOST_CENTRES]]
    wide = float(np.median(np.sqrt(_squares(source, centres)))) or 1.0
    folds = rng.integers(0, FOLDS, len(source)), rng.integers(0, FOLDS, len(target))
    tried = [
        (missed, number, penalty)
        for number, width in enumerate(WIDTHS)
        for penalty, missed in _missed(_kernels(source, target, centres, wide * width), folds).items()
    ]
    _, number, penalty = min(tried)
    kernels = _kernels(source, target, centres, wide * WIDTHS[number])
    return kernels[0] @ solved(*_sums(*kernels), penalty)


def _sums(source: Any, target: Any) -> tuple[Any, Any]:
    """Return the mean products of the kernels in the mixture, and their means in the target."""
    square = SHARE * target.T @ target / len(target) + (1 - SHARE) * source.T @ source / len(source)
    return square, target.mean(axis=0)


def solved(square: Any, means: Any, penalty: float) -> Any:
    """Return how much each kernel counts: the least of half the mean square in the mixture, less the mean in the target."""
    return np.maximum(np.linalg.solve(square + penalty * np.eye(len(square)), means), 0.0)


def _missed(kernels: tuple[Any, Any], folds: tuple[Any, Any]) -> dict[float, float]:
    """Return by penalty how far off estimates are on rows that they did not see, up to what is the same for all."""
    (source, target), found = kernels, dict.fromkeys(PENALTIES, 0.0)
    for fold in range(FOLDS):
        here, there = folds[0] == fold, folds[1] == fold
        if here.all() or there.all() or not here.any() or not there.any():
            continue
        sums = _sums(source[~here], target[~there])
        for penalty in PENALTIES:
            counts = solved(*sums, penalty)
            old, new = source[here] @ counts, target[there] @ counts
            found[penalty] += float((SHARE * np.mean(new**2) + (1 - SHARE) * np.mean(old**2)) / 2 - np.mean(new))
    return found


def _kernels(source: Any, target: Any, centres: Any, width: float) -> tuple[Any, Any]:
    return tuple(np.exp(-_squares(one, centres) / (2 * width**2)) for one in (source, target))


def _squares(rows: Any, centres: Any) -> Any:
    found = (rows**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)[None] - 2 * rows @ centres.T
    return np.maximum(found, 0.0)


def drawn(weights: Any, count: int, seed: int) -> Any:
    """Return places of rows, each as often as its weight asks for, in an order of chance; none is off by more than one.

    Examples
    --------
    >>> sorted(drawn(np.array([0.0, 1.0, 3.0]), 4, 0).tolist())
    [1, 2, 2, 2]
    """
    rng = np.random.default_rng(seed)
    marks = np.cumsum(weights / weights.sum())
    found = np.searchsorted(marks, (np.arange(count) + rng.random()) / count)
    return rng.permutation(np.minimum(found, len(weights) - 1))


def worth(weights: Any) -> float:
    """Return how many rows of equal weight these are worth.

    Examples
    --------
    >>> worth(np.array([1.0, 1.0, 0.0]))
    2.0
    """
    return float(weights.sum() ** 2 / (weights**2).sum())
