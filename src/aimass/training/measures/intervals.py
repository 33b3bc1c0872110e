"""How sure an AUC is: DeLong's variance, its paired test, and a bootstrap for more than two classes.

References
----------
DeLong, DeLong & Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating characteristic
curves: a nonparametric approach", Biometrics 44 (1988) 837-845; the fast form by ranks: Sun & Xu, "Fast implementation
of DeLong's algorithm", IEEE Signal Processing Letters 21 (2014) 1389-1393.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from aimass.training.measures.ranking import midranks
from aimass.training.measures.scores import macro_auc

LEVEL = 0.95
REPEATS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value with its interval."""

    value: float
    low: float
    high: float
    level: float = LEVEL
    method: str = "DeLong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two models on the same rows: candidate minus champion."""

    candidate: float
    champion: float
    difference: float
    low: float
    high: float
    p_value: float
    method: str


def paired(own: float, other: float, draws: Any, *, level: float, method: str) -> Comparison:
    """Compare two models by the differences that draws of the same rows gave.

    Examples
    --------
    >>> found = paired(2.0, 1.0, np.array([0.5, 1.0, 1.5, -0.5]), level=0.5, method="paired bootstrap")
    >>> found.difference, found.low, found.high, found.p_value
    (1.0, 0.25, 1.125, 0.5)
    """
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    tail = min((draws <= 0).mean(), (draws >= 0).mean())
    return Comparison(
        candidate=own,
        champion=other,
        difference=own - other,
        low=float(low),
        high=float(high),
        p_value=float(min(1.0, 2 * max(tail, 1 / len(draws)))),
        method=method,
    )


def delong(is_positive: Any, scores: Any) -> tuple[Any, Any]:
    """Return the AUC of each row of ``scores`` and the covariance matrix of the AUCs.

    Parameters
    ----------
    is_positive
        The truth, shape ``(n,)``.
    scores
        One or more models' scores of the same rows, shape ``(models, n)``.
    """
    positive, negative = scores[:, is_positive], scores[:, ~is_positive]
    m, n = positive.shape[1], negative.shape[1]
    within = np.array([midranks(row) for row in positive])
    without = np.array([midranks(row) for row in negative])
    overall = np.array([midranks(row) for row in np.hstack([positive, negative])])
    areas = overall[:, :m].sum(axis=1) / (m * n) - (m + 1) / (2 * n)
    by_positive = (overall[:, :m] - within) / n
    by_negative = 1 - (overall[:, m:] - without) / m
    covariance = np.atleast_2d(np.cov(by_positive)) / m + np.atleast_2d(np.cov(by_negative)) / n
    return areas, covariance


def auc_interval(truth: Any, probabilities: Any, *, seed: int = 0, level: float = LEVEL) -> Interval:
    """Return the ROC AUC with its interval: DeLong for two classes, a bootstrap of the rows for more.

    Parameters
    ----------
    truth
        Index of the true class per row.
    probabilities
        Shape ``(n, classes)``.
    """
    width = NormalDist().inv_cdf((1 + level) / 2)
    if probabilities.shape[1] == 2:  # noqa: PLR2004 two classes
        areas, covariance = delong(truth == 1, probabilities[:, 1][None, :])
        error = float(np.sqrt(covariance[0, 0]))
        low, high = max(0.0, areas[0] - width * error), min(1.0, areas[0] + width * error)
        return Interval(value=float(areas[0]), low=float(low), high=float(high), level=level)
    draws = np.array([macro_auc(truth[rows], probabilities[rows]) for rows in _resamples(truth, seed)])
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    value = macro_auc(truth, probabilities)
    return Interval(value=value, low=float(low), high=float(high), level=level, method="bootstrap")


def compare_auc(truth: Any, candidate: Any, champion: Any, *, seed: int = 0, level: float = LEVEL) -> Comparison:
    """Compare two models on the same rows: DeLong's paired test, or a paired bootstrap for more than two classes."""
    if candidate.shape[1] == 2:  # noqa: PLR2004 two classes
        return _compare_two(truth == 1, np.vstack([candidate[:, 1], champion[:, 1]]), level)
    draws = np.array(
        [macro_auc(truth[r], candidate[r]) - macro_auc(truth[r], champion[r]) for r in _resamples(truth, seed)]
    )
    own, other = macro_auc(truth, candidate), macro_auc(truth, champion)
    return paired(own, other, draws, level=level, method="paired bootstrap")


def _compare_two(is_positive: Any, scores: Any, level: float) -> Comparison:
    areas, covariance = delong(is_positive, scores)
    difference = float(areas[0] - areas[1])
    error = float(np.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])))
    width = NormalDist().inv_cdf((1 + level) / 2) * error
    p_value = 1.0 if error == 0 else 2 * (1 - NormalDist().cdf(abs(difference) / error))
    return Comparison(
        candidate=float(areas[0]),
        champion=float(areas[1]),
        difference=difference,
        low=difference - width,
        high=difference + width,
        p_value=float(p_value),
        method="DeLong paired",
    )


def _resamples(truth: Any, seed: int) -> list[Any]:
    """Draw rows with replacement within each class, so that no class is ever missing."""
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(truth == k) for k in np.unique(truth)]
    return [np.concatenate([rng.choice(group, len(group)) for group in groups]) for _ in range(REPEATS)]
