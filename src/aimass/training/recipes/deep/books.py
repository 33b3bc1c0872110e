"""Codebooks: few values that stand for many weights."""

from __future__ import annotations

from typing import Any

import numpy as np

_MOST_ROUNDS = 60


def codebook(values: Any, entries: int) -> Any:
    """Return at most so many values that stand for all, near each of them: one-dimensional k-means.

    Examples
    --------
    >>> codebook(np.array([0.9, 1.1, 5.0]), 2).tolist()
    [1.0, 5.0]
    """
    ordered = np.sort(np.asarray(values, dtype=float).ravel())
    known = np.unique(ordered)
    if len(known) <= entries:
        return known.astype(np.float32)
    centres = np.linspace(ordered[0], ordered[-1], entries)
    for _ in range(_MOST_ROUNDS):
        places = np.searchsorted((centres[1:] + centres[:-1]) / 2, ordered)
        counts = np.bincount(places, minlength=len(centres))
        sums = np.bincount(places, weights=ordered, minlength=len(centres))
        moved = np.where(counts > 0, sums / np.maximum(counts, 1), centres)
        if np.allclose(moved, centres, rtol=0, atol=1e-9):
            break
        centres = moved
    return centres.astype(np.float32)


def nearest(values: Any, centres: Any) -> Any:
    """Return the place of the nearest centre of each value."""
    return np.searchsorted((centres[1:].astype(float) + centres[:-1]) / 2, values)
