"""How well rows are put together, with a truth or without one.

References
----------
Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", Journal of Computational
and Applied Mathematics 20 (1987) 53-65; Davies & Bouldin, "A cluster separation measure", IEEE TPAMI 1 (1979) 224-227;
Calinski & Harabasz, "A dendrite method for cluster analysis", Communications in Statistics 3 (1974) 1-27; Hubert & Arabie,
"Comparing partitions", Journal of Classification 2 (1985) 193-218.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from aimass.training.measures.intervals import LEVEL, Comparison, Interval

MOST_ROWS = 2000
_TWO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Rows as points, which stand where other tasks have the truth.

    Attributes
    ----------
    space
        Shape ``(n, dimensions)``.
    features
        The rows themselves, to describe clusters by.
    names
        What is known of each row, or None.
    """

    space: Any
    features: Any
    names: Any = None

    def __len__(self) -> int:
        return len(self.space)

    def __getitem__(self, rows: Any) -> Points:
        names = None if self.names is None else self.names[rows]
        return Points(space=self.space[rows], features=self.features[rows], names=names)


def silhouettes(space: Any, labels: Any) -> Any:
    """Return, per row, how much nearer it is to its own cluster than to the next one: from -1 to 1; 0 where it is alone.

    Examples
    --------
    >>> silhouettes(np.array([[0.0], [1.0], [9.0], [10.0]]), np.array([0, 0, 1, 1])).round(3).tolist()
    [0.895, 0.882, 0.882, 0.895]
    """
    found, sizes = np.unique(labels, return_counts=True)
    if len(found) < _TWO:
        return np.zeros(len(labels))
    squares = (space**2).sum(axis=1)
    far = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * space @ space.T, 0.0))
    np.fill_diagonal(far, 0.0)
    sums = np.column_stack([far[:, labels == one].sum(axis=1) for one in found])
    own = np.searchsorted(found, labels)
    rows = np.arange(len(labels))
    inside = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    outside = means.min(axis=1)
    longer = np.maximum(inside, outside)
    values = np.divide(outside - inside, longer, out=np.zeros_like(inside), where=longer > 0)
    return np.where(sizes[own] > 1, values, 0.0)


def _judged(points: Points, said: Any) -> tuple[Points, Any]:
    """Return at most 2,000 rows, evenly chosen, and the cluster of each: distances of all pairs are looked at."""
    labels = np.asarray(said).argmax(axis=1)
    if len(points) <= MOST_ROWS:
        return points, labels
    rows = np.linspace(0, len(points) - 1, MOST_ROWS).round().astype(int)
    return points[rows], labels[rows]


def silhouette(points: Points, said: Any) -> float:
    """Return the mean silhouette of at most 2,000 rows; 0 where all rows are in one cluster."""
    chosen, labels = _judged(points, said)
    return float(silhouettes(chosen.space, labels).mean())


def cluster_scores(points: Points, said: Any) -> dict[str, float]:
    """Return every number of clusters.

    Parameters
    ----------
    points
        The rows.
    said
        How much each row belongs to each cluster, shape ``(n, clusters)``.

    Returns
    -------
    dict
        ``silhouette``; ``clusters``, how many hold rows; ``largest``, the share of the largest; ``davies_bouldin`` (less is
        better) and ``calinski_harabasz`` where there are two; ``adjusted_rand`` where names are known.
    """
    labels = np.asarray(said).argmax(axis=1)
    found, sizes = np.unique(labels, return_counts=True)
    scores = {
        "silhouette": silhouette(points, said),
        "clusters": float(len(found)),
        "largest": float(sizes.max() / len(labels)),
    }
    if _TWO <= len(found) < len(labels):
        scores |= _spreads(points.space, labels, found, sizes)
    if points.names is not None:
        scores["adjusted_rand"] = adjusted_rand(points.names, labels)
    return scores


def _spreads(space: Any, labels: Any, found: Any, sizes: Any) -> dict[str, float]:
    """Return Davies-Bouldin and Calinski-Harabasz, those that the rows leave undefined left out."""
    centres = np.array([space[labels == one].mean(axis=0) for one in found])
    off = [space[labels == one] - centre for one, centre in zip(found, centres, strict=True)]
    inside = np.array([np.sqrt((one**2).sum(axis=1)).mean() for one in off])
    apart = np.sqrt(((centres[:, None] - centres[None]) ** 2).sum(axis=2))
    np.fill_diagonal(apart, np.inf)
    scores: dict[str, float] = {}
    if apart.min() > 0:
        scores["davies_bouldin"] = float(((inside[:, None] + inside[None]) / apart).max(axis=1).mean())
    within = float(sum((one**2).sum() for one in off))
    if within > 0:
        between = float((sizes * ((centres - space.mean(axis=0)) ** 2).sum(axis=1)).sum())
        scores["calinski_harabasz"] = between / (len(found) - 1) / (within / (len(labels) - len(found)))
    return scores


def adjusted_rand(names: Any, labels: Any) -> float:
    """Return how well two ways to group rows agree: 1 is the same, 0 is what chance gives.

    Examples
    --------
    >>> adjusted_rand(["a", "a", "b", "b"], [1, 1, 0, 0])
    1.0
    >>> round(adjusted_rand(["a", "a", "b", "b"], [0, 1, 0, 1]), 3)
    -0.5
    """
    _, first = np.unique(names, return_inverse=True)
    _, second = np.unique(labels, return_inverse=True)
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1)
    pairs, rows, columns = (float((n * (n - 1) / 2).sum()) for n in (table, table.sum(axis=1), table.sum(axis=0)))
    whole = len(first) * (len(first) - 1) / 2
    expected = rows * columns / whole if whole else 0.0
    most = (rows + columns) / 2
    return 1.0 if most == expected else float((pairs - expected) / (most - expected))


def silhouette_interval(points: Points, said: Any, *, seed: int = 0, level: float = LEVEL) -> Interval:
    """Return the mean silhouette with its interval by the central limit theorem; clusters are taken as given."""
    del seed
    chosen, labels = _judged(points, said)
    values = silhouettes(chosen.space, labels)
    half = _width(level) * float(values.std(ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    value = float(values.mean())
    return Interval(value=value, low=max(-1.0, value - half), high=min(1.0, value + half), level=level, method="normal")


def compare_silhouette(
    points: Points, candidate: Any, champion: Any, *, seed: int = 0, level: float = LEVEL
) -> Comparison:
    """Compare two ways to group the same rows by the silhouettes of each row: candidate minus champion."""
    del seed
    first, second = (
        silhouettes(chosen.space, labels) for chosen, labels in (_judged(points, candidate), _judged(points, champion))
    )
    off = first - second
    error = float(off.std(ddof=1) / np.sqrt(len(off))) if len(off) > 1 else 0.0
    mean = float(off.mean())
    p_value = 1.0 if error == 0 else 2 * (1 - NormalDist().cdf(abs(mean) / error))
    return Comparison(
        candidate=float(first.mean()),
        champion=float(second.mean()),
        difference=mean,
        low=mean - _width(level) * error,
        high=mean + _width(level) * error,
        p_value=float(p_value),
        method="paired by rows",
    )


def _width(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


def cluster_curves(points: Points, said: Any, classes: Sequence[str]) -> dict[str, Any]:
    """Return what a page shows of each cluster: its rows, its mean silhouette, and what its columns hold.

    A column of numbers is told by its mean, any other by its most frequent value and the share of it.
    """
    labels = np.asarray(said).argmax(axis=1)
    chosen, judged = _judged(points, said)
    values = silhouettes(chosen.space, judged)
    shown = []
    for place, name in enumerate(classes):
        rows = np.flatnonzero(labels == place)
        mine = values[judged == place]
        shown.append(
            {
                "name": name,
                "rows": len(rows),
                "silhouette": float(mine.mean()) if len(mine) else None,
                "columns": {column.name: _told(column) for column in points.features[rows]} if len(rows) else {},
            }
        )
    return {"clusters": shown}


def _told(column: Any) -> dict[str, Any]:
    known = column.drop_nulls()
    if not len(known) or column.dtype.is_nested():
        return {}
    if column.dtype.is_numeric():
        return {"mean": float(known.mean())}
    counts = known.cast(str).value_counts().sort(["count", column.name], descending=[True, False])
    return {"most": counts[column.name][0], "share": int(counts["count"][0]) / len(column)}
