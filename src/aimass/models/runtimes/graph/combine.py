"""Mean, vote and the tests of a switch, on arrays of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aimass.models.runtimes.graph.declared import Case

FloatArray = Any


def mean(values: Sequence[Any], weights: Sequence[float] | None) -> FloatArray:
    """Return the weighted mean.

    Examples
    --------
    >>> mean([np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])], [3, 1]).tolist()
    [[0.25, 0.75]]
    """
    stacked = np.stack([np.asarray(value, dtype=np.float64) for value in values])
    return np.average(stacked, axis=0, weights=weights).astype(np.float32)


def aligned(values: Any, have: Sequence[str], want: Sequence[str]) -> Any:
    """Return probabilities with their classes in another order."""
    array = np.asarray(values).reshape(-1, len(have))
    return array if tuple(have) == tuple(want) else array[:, [list(have).index(name) for name in want]]


def vote(values: Sequence[Any], weights: Sequence[float] | None) -> Any:
    """Return what most say; of those that are level, what the first of the voters says.

    Examples
    --------
    >>> vote([["a", "a"], ["b", "b"], ["b", "c"]], None).tolist()
    ['b', 'a']
    """
    votes = np.array([np.asarray(value, dtype=object).reshape(-1) for value in values], dtype=object)
    words, codes = np.unique(votes.ravel(), return_inverse=True)
    codes, places = codes.reshape(votes.shape), np.arange(votes.shape[1])
    counts = np.zeros((votes.shape[1], len(words)))
    for weight, mine in zip(weights or [1.0] * len(votes), codes, strict=True):
        counts[places, mine] += weight
    best = counts.max(axis=1, initial=0.0)
    chosen = codes[0].copy()
    for mine in codes[::-1]:
        chosen = np.where(counts[places, mine] == best, mine, chosen)
    return words[chosen]


def chosen(values: Any, cases: Sequence[Case]) -> Any:
    """Return for each row the number of the first case that it passes, and the number of cases for the rest.

    Examples
    --------
    >>> chosen([5, 50, None], [Case(test="below", value=10, then="small")]).tolist()
    [0, 1, 1]
    """
    column = list(np.asarray(values, dtype=object).reshape(-1))
    found = [next((n for n, case in enumerate(cases) if _passes(value, case)), len(cases)) for value in column]
    return np.array(found, dtype=np.intp)


def _passes(value: Any, case: Case) -> bool:
    if value is None:
        return False
    if case.test == "in":
        return value in case.value
    if case.test == "equals":
        return bool(value == case.value)
    return bool(value < case.value) if case.test == "below" else bool(value >= case.value)
