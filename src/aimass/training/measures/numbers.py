"""How near predicted numbers come to the true ones, and how sure that is.

References
----------
Hyndman & Koehler, "Another look at measures of forecast accuracy", International Journal of Forecasting 22 (2006)
679-688, for what each of them hides; Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7
(1979) 1-26.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from aimass.training.measures.intervals import LEVEL, REPEATS, Comparison, Interval, paired

POINTS, BINS = 400, 10
_HISTOGRAM = 21
_MOST_DRAWN = 20_000


def rmse(truth: Any, predicted: Any) -> float:
    """Return the root of the mean squared error; in the unit of the target, large errors weigh most.

    Examples
    --------
    >>> rmse(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    1.4142135623730951
    """
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))


def r2(truth: Any, predicted: Any) -> float:
    """Return the share of the spread that is explained: 1 is perfect, 0 is no better than the mean; NaN without a spread."""
    spread = float(((truth - truth.mean()) ** 2).sum())
    return 1 - float(((predicted - truth) ** 2).sum()) / spread if spread else float("nan")


def number_scores(truth: Any, predicted: Any) -> dict[str, float]:
    """Return every number of a regression; those that the rows leave undefined are left out.

    Parameters
    ----------
    truth, predicted
        Shape ``(n,)``.

    Returns
    -------
    dict
        ``rmse``, ``mae`` and ``median_ae`` in the unit of the target; ``r2`` where the truth has a spread; ``mape``, a
        share, where no truth is 0.

    Examples
    --------
    >>> found = number_scores(np.array([2.0, 4.0]), np.array([1.0, 4.0]))
    >>> found["mae"], found["mape"], round(found["r2"], 3)
    (0.5, 0.25, 0.5)
    """
    off = np.abs(predicted - truth)
    found = {"rmse": rmse(truth, predicted), "mae": float(off.mean()), "median_ae": float(np.median(off))}
    explained = r2(truth, predicted)
    if np.isfinite(explained):
        found["r2"] = explained
    if not (truth == 0).any():
        found["mape"] = float((off / np.abs(truth)).mean())
    return found


def rmse_interval(truth: Any, predicted: Any, *, seed: int = 0, level: float = LEVEL) -> Interval:
    """Return the RMSE with its interval: a bootstrap of the rows, or the central limit theorem for very many."""
    squared = (np.asarray(predicted, dtype=float) - truth) ** 2
    value = float(np.sqrt(squared.mean()))
    if len(squared) > _MOST_DRAWN:
        half = NormalDist().inv_cdf((1 + level) / 2) * float(squared.std(ddof=1)) / np.sqrt(len(squared))
        low, high = np.sqrt(max(0.0, squared.mean() - half)), np.sqrt(squared.mean() + half)
        return Interval(value=value, low=float(low), high=float(high), level=level, method="normal")
    draws = np.sqrt([squared[rows].mean() for rows in _resamples(len(squared), seed)])
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value=value, low=float(low), high=float(high), level=level, method="bootstrap")


def compare_rmse(truth: Any, candidate: Any, champion: Any, *, seed: int = 0, level: float = LEVEL) -> Comparison:
    """Compare two models on the same rows by a paired bootstrap: candidate minus champion, so less than 0 is better."""
    first, second = ((np.asarray(one, dtype=float) - truth) ** 2 for one in (candidate, champion))
    own, other = float(np.sqrt(first.mean())), float(np.sqrt(second.mean()))
    if len(truth) > _MOST_DRAWN:
        return _compare_many(first, second, level)
    draws = np.array([np.sqrt(first[r].mean()) - np.sqrt(second[r].mean()) for r in _resamples(len(truth), seed)])
    return paired(own, other, draws, level=level, method="paired bootstrap")


def _compare_many(first: Any, second: Any, level: float) -> Comparison:
    """Compare squared errors of very many rows: each row's part in the difference of the roots, to first order."""
    own, other = float(np.sqrt(first.mean())), float(np.sqrt(second.mean()))
    parts = first / (2 * max(own, 1e-300)) - second / (2 * max(other, 1e-300))
    error = float(parts.std(ddof=1) / np.sqrt(len(parts)))
    width = NormalDist().inv_cdf((1 + level) / 2) * error
    return Comparison(
        candidate=own,
        champion=other,
        difference=own - other,
        low=own - other - width,
        high=own - other + width,
        p_value=1.0 if error == 0 else 2 * (1 - NormalDist().cdf(abs(own - other) / error)),
        method="paired normal",
    )


def _resamples(rows: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return (rng.integers(0, rows, rows) for _ in range(REPEATS))


def number_curves(truth: Any, predicted: Any) -> dict[str, Any]:
    """Return what a page about a regression shows.

    Returns
    -------
    dict
        ``pairs``: true and predicted of at most 400 rows, evenly chosen in the order of the truth; ``deciles``: mean
        prediction and mean truth per tenth of the rows by prediction; ``residuals``: ``edges`` and ``counts`` of predicted
        minus true, the outermost bins open.
    """
    order = np.argsort(truth, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, POINTS).round().astype(int))]
    tenths = [rows for rows in np.array_split(np.argsort(predicted, kind="stable"), BINS) if len(rows)]
    return {
        "pairs": {"true": truth[chosen].tolist(), "predicted": predicted[chosen].tolist()},
        "deciles": {
            "predicted": [float(predicted[rows].mean()) for rows in tenths],
            "observed": [float(truth[rows].mean()) for rows in tenths],
            "rows": [len(rows) for rows in tenths],
        },
        "residuals": _residuals(predicted - truth),
    }


def _residuals(off: Any) -> dict[str, Any]:
    """Count the residuals in bins around 0; one in a hundred at each end may lie outside of the edges."""
    reach = float(np.quantile(np.abs(off), 0.98)) or 1.0
    edges = np.linspace(-reach, reach, _HISTOGRAM + 1)
    counts = np.histogram(np.clip(off, -reach, reach), edges)[0]
    return {"edges": edges.tolist(), "counts": counts.tolist()}
