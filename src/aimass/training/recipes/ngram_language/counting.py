"""Interpolated Kneser-Ney: how often pieces followed each other, as the tables that a package looks up.

References
----------
Kneser & Ney, "Improved backing-off for m-gram language modeling", ICASSP 1995; Chen & Goodman, "An empirical study of smoothing
techniques for language modeling", TR-10-98, Harvard 1998, section 4.1.6: interpolated, with one discount for each length,
``n1 / (n1 + 2 n2)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from aimass.training.recipes.languages.bytepairs import END


def tables_of(
    texts: Sequence[Sequence[int]], size: int, order: int, least: int = 1, tell: Callable[[int], None] = lambda _: None
) -> dict[str, Any]:
    """Return the tables of ``Counted`` of the runtime but for those of vectors.

    Parameters
    ----------
    texts
        The pieces of each text.
    size, order
        How many pieces there are, and how many are looked at: the next one and ``order - 1`` before it.
    least
        How often a run of three pieces or more occurs at least to be kept; what is dropped goes to the shorter ones, so that
        chances still sum to 1.
    tell
        Is called with each length that is done.
    """
    row = np.concatenate([np.array([END, *pieces, END], dtype=np.uint64) for pieces in texts])
    lengths = np.array([len(pieces) + 2 for pieces in texts])
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(row))  # pieces from each place to the end of its text
    counted = [_runs(row, left, size, length) for length in range(1, order + 1)]
    tables: dict[str, Any] = {"base": _base(*_followed(counted, 1, size), size)}
    for length in range(2, order + 1):
        grams, counts = counted[-1] if length == order else _followed(counted, length, size)
        tables |= _level(grams, counts, size, length, least)
        tell(length)
    return tables


def _runs(row: Any, left: Any, size: int, length: int) -> tuple[Any, Any]:
    """Return every run of so many pieces inside a text, as one number, and how often it occurs."""
    places = np.flatnonzero(left >= length)
    number = np.zeros(len(places), dtype=np.uint64)
    for step in range(length):
        number = number * np.uint64(size) + row[places + step]
    return np.unique(number, return_counts=True)


def _followed(counted: Sequence[tuple[Any, Any]], length: int, size: int) -> tuple[Any, Any]:
    """Return runs of so many pieces, and before how many different pieces each occurs; at the beginning of a text how often."""
    longer, _ = counted[length]
    runs, counts = np.unique(longer % np.uint64(size**length), return_counts=True)
    if length == 1:
        return runs, counts
    own, often = counted[length - 1]
    begins = own // np.uint64(size ** (length - 1)) == END
    whole, many = np.append(runs, own[begins]), np.append(counts, often[begins])
    order = np.argsort(whole, kind="stable")
    return whole[order], many[order]


def _discount(counts: Any) -> float:
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())  # noqa: PLR2004 seen twice
    return once / (once + 2 * twice) if once and twice else 0.5


def _base(runs: Any, counts: Any, size: int) -> Any:
    """Return the chance of each piece without any context: what is taken from those that occur goes to all alike."""
    taken, total = _discount(counts), float(counts.sum())
    base = np.full(size, taken * len(runs) / total / size)
    base[runs.astype(np.int64)] += (counts - taken) / total
    return base.astype(np.float32)


def _level(grams: Any, counts: Any, size: int, length: int, least: int) -> dict[str, Any]:
    """Return the tables of runs of one length: what each adds, and what its context leaves to the shorter one."""
    taken = _discount(counts)
    contexts, where = np.unique(grams // np.uint64(size), return_inverse=True)
    totals = np.bincount(where, weights=counts)
    parts = (np.maximum(counts - taken, 0.0) / totals[where]).astype(np.float32)
    kept = counts >= (least if length > 2 else 1)  # noqa: PLR2004 pairs are always kept
    rests = 1.0 - np.bincount(where, weights=parts * kept, minlength=len(contexts))
    used = np.bincount(where, weights=kept, minlength=len(contexts)) > 0
    k = length - 1
    return {
        f"grams_{k}": grams[kept],
        f"parts_{k}": parts[kept],
        f"contexts_{k}": contexts[used],
        f"rests_{k}": rests[used].astype(np.float32),
    }
