"""Distances between two samples: population stability index, Kolmogorov-Smirnov and chi-square.

References
----------
Kullback & Leibler, "On Information and Sufficiency" (1951). Smirnov, "Table for estimating the goodness of fit of
empirical distributions" (1948), with the small-sample correction of Stephens (1970). Pearson (1900).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtrc, kolmogorov

FLOOR = 1e-4
BINS = 10
MAX_CATEGORIES = 30
_MIN_EXPECTED = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A statistic and how often it would be at least as large if nothing had moved."""

    name: str
    statistic: float
    p_value: float


def stability_index(expected: Any, actual: Any, *, floor: float = FLOOR) -> float:
    """Measure how far one histogram has moved from another.

    The population stability index is the symmetric Kullback-Leibler divergence of the two normalised histograms: 0 for
    equal shares, without bound above. Common practice reads less than 0.1 as stable and more than 0.2 as drift; those
    limits belong to the alert rule that uses the value.

    Parameters
    ----------
    expected, actual
        Counts over the same bins, shape ``(n_bins,)``.
    floor
        Smallest share a bin may have; it keeps empty bins finite.

    Examples
    --------
    >>> round(stability_index(np.array([50, 50]), np.array([80, 20])), 4)
    0.4159
    """
    if expected.shape != actual.shape:
        msg = f"histograms must share their bins: {expected.shape} and {actual.shape}"
        raise ValueError(msg)
    if not expected.sum() or not actual.sum():
        msg = "a histogram without observations has no shares"
        raise ValueError(msg)
    p = np.maximum(expected / expected.sum(), floor)
    q = np.maximum(actual / actual.sum(), floor)
    return float(np.sum((q - p) * np.log(q / p)))


def edges_of(values: Any, bins: int = BINS) -> Any:
    """Return the inner edges of bins that hold equal shares of the values; few distinct values get a bin each.

    Examples
    --------
    >>> edges_of(np.array([0.0, 1.0, 1.0, 0.0])).tolist()
    [0.5]
    >>> edges_of(np.arange(101.0), bins=4).tolist()
    [25.0, 50.0, 75.0]
    """
    distinct = np.unique(values)
    if len(distinct) <= bins:
        return (distinct[:-1] + distinct[1:]) / 2
    return np.unique(np.quantile(values, np.arange(1, bins) / bins))


def histogram(values: Any, edges: Any) -> Any:
    """Count values into bins that are open below and closed above, the outer ones without end.

    Examples
    --------
    >>> histogram(np.array([0.0, 1.0, 1.5, 9.0]), np.array([1.0, 2.0])).tolist()
    [2, 1, 1]
    """
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)


def ks_test(first: Any, second: Any) -> Test:
    """Compare two samples of numbers by the largest distance of their distribution functions.

    Examples
    --------
    >>> ks_test(np.arange(100.0), np.arange(100.0) + 50).statistic
    0.5
    """
    first, second = np.sort(first), np.sort(second)
    both = np.concatenate([first, second])
    below = [np.searchsorted(sample, both, side="right") / len(sample) for sample in (first, second)]
    distance = float(np.abs(below[0] - below[1]).max())
    root = np.sqrt(len(first) * len(second) / (len(first) + len(second)))
    return Test(name="ks", statistic=distance, p_value=float(kolmogorov((root + 0.12 + 0.11 / root) * distance)))


def chi_square_test(expected: Any, actual: Any) -> Test | None:
    """Compare two rows of counts; rare categories are put together first. None when less than two are left.

    Examples
    --------
    >>> found = chi_square_test(np.array([50, 50]), np.array([80, 20]))
    >>> round(found.statistic, 3), round(found.p_value, 6)
    (19.78, 9e-06)
    """
    table = _without_rare(np.array([expected, actual], dtype=float))
    if table.shape[1] <= 1 or not table.sum(axis=1).all():
        return None
    wanted = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    statistic = float(((table - wanted) ** 2 / wanted).sum())
    return Test(name="chi2", statistic=statistic, p_value=float(chdtrc(table.shape[1] - 1, statistic)))


def _without_rare(table: Any) -> Any:
    """Put columns together whose expected count is below 5 in a row, as the approximation needs it."""
    table = table[:, table.sum(axis=0) > 0]
    smallest = table.sum(axis=1).min() * table.sum(axis=0) / table.sum()
    rare = smallest < _MIN_EXPECTED
    if rare.sum() > 1:
        table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    return table
