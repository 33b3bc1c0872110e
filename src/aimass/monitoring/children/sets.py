"""Live quality where a row has several labels: what was chosen against what became true, each number with its 95 % interval."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import polars as pl

_DRAWS = 1000


def is_of_sets(rows: pl.DataFrame) -> bool:
    """Tell whether the labels of rows are sets, as records write them: JSON lists.

    Examples
    --------
    >>> is_of_sets(pl.DataFrame({"label": ['["love"]', "[]"]})), is_of_sets(pl.DataFrame({"label": ["love"]}))
    (True, False)
    """
    if "label" not in rows.columns:
        return False
    known = rows["label"].drop_nulls()
    return bool(len(known)) and all(_names(text) is not None for text in known.head(_DRAWS).unique())


def _names(text: str) -> list[str] | None:
    if not (text.startswith("[") and text.endswith("]")):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return [str(name) for name in found]


def told_sets(truth: pl.Series, joined_by: str) -> pl.Series:
    """Return sets of labels, as feedback wrote them, as lists or as texts with something between the labels.

    Examples
    --------
    >>> told = pl.Series(['["love", "war"]', "[]", "war"])
    >>> told_sets(told, "; ").to_list(), told_sets(told, "").to_list()
    (['love; war', '', 'war'], [['love', 'war'], [], ['war']])
    """
    sets = [names if (names := _names(text)) is not None else [text] for text in truth]
    if joined_by:
        return pl.Series([joined_by.join(names) for names in sets], dtype=pl.String)
    return pl.Series(sets, dtype=pl.List(pl.String))


def measure_sets(rows: pl.DataFrame) -> dict[str, Any]:
    """Return labels and metrics of rows with several labels.

    Parameters
    ----------
    rows
        With ``label`` and ``truth``, JSON lists; a truth that is none counts as one label.

    Returns
    -------
    dict
        ``classes`` and ``labels`` (truth by label); ``right``: how many rows have all their labels right; ``metrics``: ``f1`` over
        all labels at once.
    """
    said = [set(_names(text) or ()) for text in rows["label"]]
    true = [set(told) if (told := _names(text)) is not None else {text} for text in rows["truth"]]
    hits = np.array([len(one & other) for one, other in zip(said, true, strict=True)])
    sizes = np.array([len(one) + len(other) for one, other in zip(said, true, strict=True)])
    counted = Counter(name for one in true for name in one)
    return {
        "classes": sorted(set().union(*said, *true)),
        "positive": None,
        "labels": dict(sorted(counted.items())),
        "confusion": [],
        "right": sum(one == other for one, other in zip(said, true, strict=True)),
        "metrics": {"f1": _f1(hits, sizes)},
    }


def _f1(hits: Any, sizes: Any) -> dict[str, Any]:
    """Return F1 over all labels at once, its interval by drawing rows."""
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, len(hits), len(hits)) for _ in range(_DRAWS)]
    values = [2 * hits[rows].sum() / max(sizes[rows].sum(), 1) for rows in drawn]
    low, high = np.quantile(values, [0.025, 0.975])
    value = float(2 * hits.sum() / max(sizes.sum(), 1))
    return {"value": value, "low": float(low), "high": float(high), "count": len(hits), "method": "bootstrap"}
