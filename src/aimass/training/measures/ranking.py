"""How well scores rank: ROC AUC, average precision, and the curves behind them."""

from __future__ import annotations

from typing import Any

import numpy as np

POINTS = 200


def midranks(values: Any) -> Any:
    """Return the ranks from 1, ties sharing their middle rank.

    Examples
    --------
    >>> midranks(np.array([10.0, 20.0, 20.0, 30.0])).tolist()
    [1.0, 2.5, 2.5, 4.0]
    """
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[where.ravel()].astype(float)


def roc_auc(is_positive: Any, scores: Any) -> float:
    """Return the chance that a positive row scores above a negative one, ties counting half.

    Examples
    --------
    >>> roc_auc(np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    positives = int(is_positive.sum())
    negatives = len(is_positive) - positives
    if not positives or not negatives:
        return float("nan")
    ranks = midranks(np.asarray(scores, dtype=float))
    return float((ranks[is_positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def counts_by_threshold(is_positive: Any, scores: Any) -> tuple[Any, Any, Any]:
    """Return true positives, false positives and the thresholds that give them, highest threshold first."""
    order = np.argsort(-np.asarray(scores, dtype=float), kind="stable")
    ranked = np.asarray(scores, dtype=float)[order]
    hits = np.asarray(is_positive, dtype=float)[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    true = np.cumsum(hits)[ends]
    return true, 1 + ends - true, ranked[ends]


def average_precision(is_positive: Any, scores: Any) -> float:
    """Return the area under the precision-recall steps.

    Examples
    --------
    >>> round(average_precision(np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8])), 4)
    0.8333
    """
    if not is_positive.any():
        return float("nan")
    true, false, _ = counts_by_threshold(is_positive, scores)
    gained = np.diff(np.concatenate([[0.0], true])) / true[-1]
    return float((gained * true / (true + false)).sum())


def roc_curve(is_positive: Any, scores: Any) -> dict[str, list[float]]:
    """Return the ROC curve, thinned to at most 200 points."""
    true, false, thresholds = counts_by_threshold(is_positive, scores)
    keep = _thin(len(thresholds))
    return {
        "false_positive_rate": [0.0, *(false[keep] / max(false[-1], 1)).tolist()],
        "true_positive_rate": [0.0, *(true[keep] / max(true[-1], 1)).tolist()],
        "threshold": [1.0, *thresholds[keep].tolist()],
    }


def pr_curve(is_positive: Any, scores: Any) -> dict[str, list[float]]:
    """Return the precision-recall curve, thinned to at most 200 points."""
    true, false, thresholds = counts_by_threshold(is_positive, scores)
    keep = _thin(len(thresholds))
    return {
        "recall": (true[keep] / max(true[-1], 1)).tolist(),
        "precision": (true[keep] / (true[keep] + false[keep])).tolist(),
        "threshold": thresholds[keep].tolist(),
    }


def _thin(points: int) -> Any:
    return np.unique(np.linspace(0, points - 1, POINTS).round().astype(int))
