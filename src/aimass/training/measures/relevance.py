"""How well rows are put in order within their lists: results of a search, offers to a customer.

References
----------
Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM Transactions on Information Systems 20 (2002)
422-446; the gain of 2^relevance - 1 after Burges et al., "Learning to rank using gradient descent", ICML 2005; equal scores
after McSherry & Najork, "Computing information retrieval performance measures efficiently in the presence of tied scores",
ECIR 2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from aimass.training.errors import Unlearnable
from aimass.training.measures.intervals import LEVEL, REPEATS, Comparison, Interval

DEPTH = 10
MOST_RELEVANT = 30
_SHOWN = 20
_MOST_DRAWN = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Rows of lists, which stand where other tasks have the truth.

    Attributes
    ----------
    relevance
        How much each row is wanted in its list, shape ``(n,)``: 0 is not at all.
    lists
        A whole number per row that names its list.
    """

    relevance: Any
    lists: Any

    def __len__(self) -> int:
        return len(self.relevance)

    def __getitem__(self, rows: Any) -> Lists:
        return Lists(relevance=self.relevance[rows], lists=self.lists[rows])


def ndcg_by_list(truth: Lists, scores: Any, depth: int = DEPTH) -> Any:
    """Return the normalised discounted cumulative gain of each list that holds a wanted row.

    A row gains ``2^relevance - 1``, discounted by the logarithm of its place; 1 is the best order of the list. Rows of equal
    score share the places that they take; where a score is no number, no gain is one.

    Parameters
    ----------
    truth
        Rows of lists.
    scores
        Shape ``(n,)``; higher ones come first.
    depth
        How many places count.

    Examples
    --------
    >>> truth = Lists(relevance=np.array([0.0, 2.0, 1.0, 0.0]), lists=np.array([7, 7, 7, 8]))
    >>> ndcg_by_list(truth, np.array([3.0, 2.0, 1.0, 0.0])).round(4).tolist()
    [0.659]
    >>> ndcg_by_list(truth, np.array([0.0, 2.0, 1.0, 0.0])).tolist()
    [1.0]
    """
    gains = 2.0 ** np.asarray(truth.relevance, dtype=float) - 1
    if not np.isfinite(scores).all():
        return np.full(len(np.unique(truth.lists[gains > 0])), np.nan)
    found = _gained(truth.lists, np.asarray(scores, dtype=float), gains, depth)
    best = _gained(truth.lists, gains, gains, depth)
    wanted = best > 0
    return found[wanted] / best[wanted]


def _gained(lists: Any, scores: Any, gains: Any, depth: int) -> Any:
    """Return the discounted gain of each list, in the order of their numbers."""
    order = np.lexsort((-scores, lists))
    lists, scores, gains = lists[order], scores[order], gains[order]
    is_first = np.append(True, np.diff(lists) != 0)
    starts = np.flatnonzero(is_first)
    places = np.arange(len(lists)) - np.repeat(starts, np.diff(np.append(starts, len(lists))))
    discounts = np.where(places < depth, 1 / np.log2(places + 2), 0.0)
    ties = np.flatnonzero(is_first | np.append(True, np.diff(scores) != 0))
    sizes = np.diff(np.append(ties, len(lists)))
    shared = np.add.reduceat(gains, ties) / sizes * np.add.reduceat(discounts, ties)
    return np.add.reduceat(shared, np.searchsorted(ties, starts))


def ndcg(truth: Lists, scores: Any, depth: int = DEPTH) -> float:
    """Return the mean gain of the lists; lists in which nothing is wanted say nothing of an order.

    Raises
    ------
    Unlearnable
        In no list a row is wanted.
    """
    found = ndcg_by_list(truth, scores, depth)
    if not len(found):
        raise Unlearnable(
            "no list of these rows holds a wanted one", field="target", value=0, allowed="a relevance above 0"
        )
    return float(found.mean())


def relevance_scores(truth: Lists, scores: Any) -> dict[str, float]:
    """Return every number of an order.

    Returns
    -------
    dict
        ``ndcg_10``, ``ndcg_5`` and ``ndcg_1``; ``over_chance``: where NDCG lies between a draw (0) and the best order (1);
        ``map`` and ``mrr``: mean average precision and mean reciprocal rank of the first wanted row, wanted being any
        relevance above 0; ``lists`` that hold a wanted row.

    Examples
    --------
    >>> truth = Lists(relevance=np.array([0.0, 1.0, 0.0, 1.0]), lists=np.array([0, 0, 1, 1]))
    >>> found = relevance_scores(truth, np.array([1.0, 2.0, 2.0, 1.0]))
    >>> found["mrr"], found["map"], found["lists"]
    (0.75, 0.75, 2.0)
    """
    value, drawn = ndcg(truth, scores), ndcg(truth, np.zeros(len(truth)))
    precise, first = _of_wanted(truth, np.asarray(scores, dtype=float))
    return {
        "ndcg_10": value,
        "ndcg_5": ndcg(truth, scores, 5),
        "ndcg_1": ndcg(truth, scores, 1),
        "over_chance": (value - drawn) / (1 - drawn) if drawn < 1 else 0.0,
        "map": precise,
        "mrr": first,
        "lists": float(len(np.unique(truth.lists[truth.relevance > 0]))),
    }


def _of_wanted(truth: Lists, scores: Any) -> tuple[float, float]:
    """Return mean average precision and mean reciprocal rank; of equal scores the rows that are not wanted come first."""
    wanted = truth.relevance > 0
    order = np.lexsort((wanted, -scores, truth.lists))
    lists, hits = truth.lists[order], wanted[order]
    starts = np.flatnonzero(np.append(True, np.diff(lists) != 0))
    sizes = np.diff(np.append(starts, len(lists)))
    places = np.arange(len(lists)) - np.repeat(starts, sizes) + 1
    before = np.cumsum(hits) - np.repeat(np.cumsum(hits)[starts] - hits[starts], sizes)
    totals = np.add.reduceat(hits.astype(float), starts)
    precise = np.add.reduceat(np.where(hits, before / places, 0.0), starts)
    first = np.maximum.reduceat(np.where(hits, 1 / places, 0.0), starts)
    has = totals > 0
    return float((precise[has] / totals[has]).mean()), float(first[has].mean())


def ndcg_interval(truth: Lists, scores: Any, *, seed: int = 0, level: float = LEVEL) -> Interval:
    """Return NDCG with its interval: a bootstrap of the lists, or the central limit theorem for very many."""
    ndcg(truth, scores)
    found = ndcg_by_list(truth, scores)
    low, high, method = _bounds(found, seed, level)
    return Interval(value=float(found.mean()), low=max(0.0, low), high=min(1.0, high), level=level, method=method)


def compare_ndcg(truth: Lists, candidate: Any, champion: Any, *, seed: int = 0, level: float = LEVEL) -> Comparison:
    """Compare two orders of the same lists, pair by pair: candidate minus champion."""
    ndcg(truth, candidate)
    own, other = ndcg_by_list(truth, candidate), ndcg_by_list(truth, champion)
    apart = own - other
    low, high, method = _bounds(apart, seed, level)
    error = float(apart.std(ddof=1) / np.sqrt(len(apart))) if len(apart) > 1 else 0.0
    mean = float(apart.mean())
    return Comparison(
        candidate=float(own.mean()),
        champion=float(other.mean()),
        difference=mean,
        low=low,
        high=high,
        p_value=1.0 if error == 0 else 2 * (1 - NormalDist().cdf(abs(mean) / error)),
        method=f"paired {method}",
    )


def _bounds(values: Any, seed: int, level: float) -> tuple[float, float, str]:
    if len(values) > _MOST_DRAWN:
        half = NormalDist().inv_cdf((1 + level) / 2) * float(values.std(ddof=1)) / np.sqrt(len(values))
        return float(values.mean()) - half, float(values.mean()) + half, "normal"
    rng = np.random.default_rng(seed)
    draws = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(REPEATS)]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high), "bootstrap"


def relevance_curves(truth: Lists, scores: Any, classes: Sequence[str]) -> dict[str, Any]:
    """Return what a page about an order shows.

    Returns
    -------
    dict
        ``order``, with ``depth`` (1 to 20), ``ndcg`` at each and ``drawn``, that of a draw; ``wanted``, the mean relevance at
        each place, beside ``best``, that of the best order; and ``sizes``, how many lists have how many rows.
    """
    del classes
    depths = list(range(1, _SHOWN + 1))
    sizes, counts = np.unique(np.unique(truth.lists, return_counts=True)[1], return_counts=True)
    return {
        "order": {
            "depth": depths,
            "ndcg": [ndcg(truth, scores, depth) for depth in depths],
            "drawn": [ndcg(truth, np.zeros(len(truth)), depth) for depth in depths],
            "wanted": _by_place(truth, np.asarray(scores, dtype=float)),
            "best": _by_place(truth, truth.relevance),
            "sizes": [[int(size), int(count)] for size, count in zip(sizes, counts, strict=True)][:200],
        }
    }


def _by_place(truth: Lists, scores: Any) -> list[float]:
    """Return the mean relevance at each of the first places, over the lists that are so long."""
    order = np.lexsort((-scores, truth.lists))
    lists = truth.lists[order]
    starts = np.flatnonzero(np.append(True, np.diff(lists) != 0))
    places = np.arange(len(lists)) - np.repeat(starts, np.diff(np.append(starts, len(lists))))
    relevance = truth.relevance[order]
    return [float(relevance[places == place].mean()) for place in range(_SHOWN) if (places == place).any()]
