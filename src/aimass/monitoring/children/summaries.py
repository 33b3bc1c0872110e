"""Live quality of summaries: how much they have in common with what people wrote."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from aimass.models import rouge_l, rouge_n, words_of
from aimass.monitoring.children.rows import OUTPUT

SUMMARY = f"{OUTPUT}summary"
_DRAWS = 2_000
_NAMES = ("rouge_l", "rouge_1", "rouge_2")


def summaries_of(frame: pl.LazyFrame) -> pl.LazyFrame | None:
    """Return the rows whose ``said`` and ``became`` are summaries; None where no model said any."""
    if frame.collect_schema().get(SUMMARY) != pl.String:
        return None
    rows = frame.with_columns(pl.col(SUMMARY).alias("said"), pl.col("truth").alias("became"))
    return rows.filter(pl.col("said").is_not_null() & pl.col("became").is_not_null())


def measure_summaries(rows: pl.DataFrame) -> dict[str, Any]:
    """Return the mean ROUGE-L, ROUGE-1 and ROUGE-2 (F1) over the texts, each with its interval by drawing texts.

    Examples
    --------
    >>> found = measure_summaries(pl.DataFrame({"said": ["the cat", "no"], "became": ["The cat sat.", "yes"]}))
    >>> {name: round(one["value"], 2) for name, one in found.items()}, found["rouge_l"]["count"]
    ({'rouge_l': 0.4, 'rouge_1': 0.4, 'rouge_2': 0.33}, 2)
    """
    each = np.array([_overlap(words_of(said), words_of(became)) for said, became in _pairs(rows)], dtype=float)
    times = np.random.default_rng(0).multinomial(len(each), np.full(len(each), 1 / len(each)), size=_DRAWS)
    means = times @ each / len(each)
    ends = np.quantile(means, [0.025, 0.975], axis=0)
    told = zip(_NAMES, each.mean(axis=0), *ends, strict=True)
    same = {"count": len(each), "method": "bootstrap of texts"}
    return {
        name: {"value": float(value), "low": float(low), "high": float(high), **same} for name, value, low, high in told
    }


def _pairs(rows: pl.DataFrame) -> list[tuple[str, str]]:
    return list(rows.select("said", "became").iter_rows())


def _overlap(own: list[str], other: list[str]) -> tuple[float, float, float]:
    return rouge_l(own, other), rouge_n(own, other, 1), rouge_n(own, other, 2)
