"""How well several labels a row are told, and how sure that is.

What a model says has a column of probabilities for each label, and where it also chooses, beside them a column of 0 and 1 for
each. Measures of the probabilities alone need no threshold: average precision, ROC AUC, ranking loss and coverage.

References
----------
Tsoumakas, Katakis & Vlahavas, "Mining multi-label data", Data Mining and Knowledge Discovery Handbook (2010) 667-685; Lipton,
Elkan & Naryanaswamy, "Optimal thresholding of classifiers to maximize F1 measure", ECML PKDD (2014) 225-239, for why a
threshold is not to choose a label of which nothing is known for every row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aimass.training.measures.intervals import LEVEL, REPEATS, Comparison, Interval, paired
from aimass.training.measures.ranking import average_precision, counts_by_threshold, pr_curve, roc_auc

MOST_CHOSEN = 2
_DRAWN_CELLS = 200_000_000


def beside(probabilities: Any, thresholds: Any) -> Any:
    """Return probabilities, and beside them 1 for each label that is chosen.

    Examples
    --------
    >>> beside(np.array([[0.25, 0.75]]), np.array([0.5, 0.5])).tolist()
    [[0.25, 0.75, 0.0, 1.0]]
    """
    given = np.asarray(probabilities, dtype=float)
    chosen = given.astype(np.float32) >= np.asarray(thresholds, dtype=np.float32)
    return np.hstack([given, chosen.astype(float)])


def _parts(truth: Any, said: Any) -> tuple[Any, Any]:
    """Return the probabilities, and which labels are chosen; None where nothing is."""
    count = truth.shape[1]
    return said[:, :count], said[:, count:] > 0 if said.shape[1] > count else None


def best_thresholds(truth: Any, probabilities: Any) -> Any:
    """Return from which probability each label is chosen, so that its F1 on these rows is largest.

    No label is chosen for more than twice as many rows as have it: where a model knows little of a label, choosing it for
    every row would have the largest F1.

    Examples
    --------
    >>> truth = np.array([[True], [True], [False], [False]])
    >>> best_thresholds(truth, np.array([[0.9], [0.6], [0.5], [0.1]])).tolist()
    [0.550000011920929]
    """
    found = [_threshold(truth[:, k], probabilities[:, k]) for k in range(truth.shape[1])]
    return np.array(found, dtype=np.float32)


def _threshold(has: Any, given: Any) -> float:
    hits, others, values = counts_by_threshold(has, given)
    f1 = np.where(hits + others <= MOST_CHOSEN * has.sum(), 2 * hits / (hits + others + has.sum()), -1.0)
    best = int(f1.argmax())
    if f1[best] < 0:  # one answer for so many rows that choosing it is no choice
        return float(np.nextafter(np.float32(values[0]), np.float32(np.inf)))
    below = values[best + 1] if best + 1 < len(values) else 0.0
    return float((values[best] + below) / 2)


def macro_ap(truth: Any, said: Any) -> float:
    """Return the mean over the labels of their average precision; labels that no row has say nothing.

    Examples
    --------
    >>> truth = np.array([[True, False], [False, True], [True, False]])
    >>> macro_ap(truth, np.array([[0.9, 0.2], [0.1, 0.8], [0.4, 0.3]]))
    1.0
    """
    given, _ = _parts(truth, said)
    return _mean([average_precision(truth[:, k], given[:, k]) for k in range(truth.shape[1])])


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def label_scores(truth: Any, said: Any) -> dict[str, float]:
    """Return every number of a model of several labels.

    Parameters
    ----------
    truth
        Whether each row has each label, shape ``(n, labels)``.
    said
        Probabilities, and beside them those that are chosen; without these what needs them is left out.

    Returns
    -------
    dict
        ``macro_ap``, ``micro_ap``, ``roc_auc`` (mean over the labels), ``ranking_loss``, ``coverage_error``; of what is
        chosen ``macro_f1``, ``micro_f1``, ``hamming_loss``, ``subset_accuracy`` and ``labels_per_row``.
    """
    given, chosen = _parts(truth, said)
    columns = range(truth.shape[1])
    found = {
        "macro_ap": macro_ap(truth, given),
        "micro_ap": average_precision(truth.ravel(), given.ravel()),
        "roc_auc": _mean([roc_auc(truth[:, k], given[:, k]) for k in columns]),
        "ranking_loss": ranking_loss(truth, given),
        "coverage_error": coverage_error(truth, given),
    }
    if chosen is None:
        return found
    hits, wanted = (truth & chosen).sum(axis=0), truth.sum(axis=0) + chosen.sum(axis=0)
    each = np.divide(2.0 * hits, wanted, out=np.zeros(len(hits)), where=wanted > 0)
    return found | {
        "macro_f1": float(each.mean()),
        "micro_f1": float(2 * hits.sum() / wanted.sum()) if wanted.sum() else 0.0,
        "hamming_loss": float((truth != chosen).mean()),
        "subset_accuracy": float((truth == chosen).all(axis=1).mean()),
        "labels_per_row": float(chosen.sum(axis=1).mean()),
    }


def ranking_loss(truth: Any, given: Any) -> float:
    """Return the mean share of pairs of a label that a row has and one that it has not which stand the wrong way round.

    Ties count as wrong; rows that have every label or none have no pairs, and count as 0.

    Examples
    --------
    >>> ranking_loss(np.array([[True, False, False]]), np.array([[0.5, 0.7, 0.1]]))
    0.5
    """
    losses = np.zeros(len(truth))
    for row, (has, values) in enumerate(zip(truth, given, strict=True)):
        mine, others = values[has], np.sort(values[~has])
        if len(mine) and len(others):
            losses[row] = (len(others) - np.searchsorted(others, mine, side="left")).sum() / (len(mine) * len(others))
    return float(losses.mean())


def coverage_error(truth: Any, given: Any) -> float:
    """Return how many labels of the best order have to be read, on average, until none that the row has is missing.

    Examples
    --------
    >>> coverage_error(np.array([[True, False, False]]), np.array([[0.5, 0.7, 0.1]]))
    2.0
    """
    least = np.where(truth, given, np.inf).min(axis=1, keepdims=True)
    return float((given >= least).sum(axis=1).mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """The rows of one label by falling probability: which have it, and where rows of one probability end."""

    rows: Any
    hits: Any
    ends: Any

    @classmethod
    def of(cls, has: Any, given: Any) -> _Order:
        rows = np.argsort(-given, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(given[rows])), len(rows) - 1)
        return cls(rows=rows, hits=has[rows].astype(float), ends=ends)

    def precision(self, counts: Any) -> float:
        """Return the average precision where each row is there as often as ``counts`` says; NaN where none has the label."""
        mine = counts[self.rows]
        true, all_ = np.cumsum(mine * self.hits)[self.ends], np.cumsum(mine)[self.ends]
        if not true[-1]:
            return float("nan")
        gained = np.diff(true, prepend=0.0)
        return float((gained * true / np.maximum(all_, 1)).sum() / true[-1])


def _orders(truth: Any, given: Any) -> list[_Order]:
    return [_Order.of(truth[:, k], given[:, k]) for k in np.flatnonzero(truth.any(axis=0))]


def _counts(cells: int, rows: int, seed: int) -> list[Any]:
    """Draw rows with replacement: how often each is there, by draw; fewer draws of very many rows and labels."""
    rng = np.random.default_rng(seed)
    draws = int(np.clip(_DRAWN_CELLS // max(cells, 1), 100, REPEATS))
    return [np.bincount(rng.integers(0, rows, rows), minlength=rows) for _ in range(draws)]


def macro_ap_interval(truth: Any, said: Any, *, seed: int = 0, level: float = LEVEL) -> Interval:
    """Return the macro average precision with its interval: a bootstrap of the rows."""
    orders = _orders(truth, _parts(truth, said)[0])
    draws = [_mean([one.precision(counts) for one in orders]) for counts in _counts(truth.size, len(truth), seed)]
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value=macro_ap(truth, said), low=float(low), high=float(high), level=level, method="bootstrap")


def compare_macro_ap(truth: Any, candidate: Any, champion: Any, *, seed: int = 0, level: float = LEVEL) -> Comparison:
    """Compare two models on the same rows by a paired bootstrap: candidate minus champion, so more than 0 is better."""
    own, other = (_orders(truth, _parts(truth, said)[0]) for said in (candidate, champion))
    draws = np.array(
        [
            _mean([one.precision(counts) for one in own]) - _mean([one.precision(counts) for one in other])
            for counts in _counts(2 * truth.size, len(truth), seed)
        ]
    )
    values = macro_ap(truth, candidate), macro_ap(truth, champion)
    return paired(*values, draws[np.isfinite(draws)], level=level, method="paired bootstrap")


def label_curves(truth: Any, said: Any, labels: Sequence[str]) -> dict[str, Any]:
    """Return what a page about several labels shows.

    Returns
    -------
    dict
        ``labels``: for each label ``name``, ``rows`` that have it, ``chosen``, ``precision``, ``recall``, ``f1``, ``ap`` and
        ``roc_auc``, null where not defined, the most frequent first; ``per_row``: how many rows have, and are given, how many
        labels; ``pr``: precision and recall over all labels at once.
    """
    given, chosen = _parts(truth, said)
    picked = np.zeros_like(truth) if chosen is None else chosen
    order = np.argsort(-truth.sum(axis=0), kind="stable")
    most = int(max(truth.sum(axis=1).max(initial=0), picked.sum(axis=1).max(initial=0)))
    counted = [np.bincount(one.sum(axis=1), minlength=most + 1).tolist() for one in (truth, picked)]
    return {
        "labels": [_one(labels[k], truth[:, k], given[:, k], picked[:, k]) for k in map(int, order)],
        "per_row": {"true": counted[0], "chosen": counted[1]},
        "pr": pr_curve(truth.ravel(), given.ravel()),
    }


def _one(name: str, has: Any, given: Any, chosen: Any) -> dict[str, Any]:
    hits, taken, rows = int((has & chosen).sum()), int(chosen.sum()), int(has.sum())
    measured = {"ap": average_precision(has, given), "roc_auc": roc_auc(has, given)}
    return {
        "name": name,
        "rows": rows,
        "chosen": taken,
        "precision": hits / taken if taken else None,
        "recall": hits / rows if rows else None,
        "f1": 2 * hits / (taken + rows) if taken + rows else None,
        **{key: value if np.isfinite(value) else None for key, value in measured.items()},
    }
