"""Live quality of a model that finds entities: how many it found exactly where the truth came back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl

from aimass.monitoring.children.rows import OUTPUT

ENTITIES = f"{OUTPUT}entities"
_DRAWS = 2_000
_Span = tuple[str, int, int]


def answers_of(frame: pl.LazyFrame) -> pl.LazyFrame | None:
    """Return the rows whose ``said`` and ``became`` are lists of entities; None where no model said entities."""
    kinds = frame.collect_schema()
    if ENTITIES not in kinds or kinds[ENTITIES] != pl.String:
        return None
    return frame.filter(pl.col(ENTITIES).is_not_null() & pl.col("truth").str.starts_with("[")).with_columns(
        pl.col(ENTITIES).alias("said"), pl.col("truth").alias("became")
    )


def measure_entities(rows: pl.DataFrame) -> dict[str, Any]:
    """Return the F1 over all entities, exact in type, start and end; a truth that is no list of entities counts for nothing.

    Examples
    --------
    >>> right, other = '[{"type":"city","start":3,"end":7}]', '[{"type":"city","start":3,"end":8}]'
    >>> found = measure_entities(pl.DataFrame({"said": [right, right, "[]"], "became": [right, other, "Oslo"]}))
    >>> found["f1"]["value"], found["f1"]["count"]
    (0.5, 2)
    """
    pairs = [(_spans(said), _spans(became)) for said, became in rows.select("said", "became").iter_rows()]
    known = [(own, true) for own, true in pairs if own is not None and true is not None]
    counts = np.array([(len(own & true), len(own), len(true)) for own, true in known], dtype=float).reshape(-1, 3)
    if not len(counts) or not counts[:, 1:].sum():
        return {}
    times = np.random.default_rng(0).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=_DRAWS)
    low, high = np.quantile(_f1(times @ counts), [0.025, 0.975])
    value = float(_f1(counts.sum(axis=0)[None])[0])
    return {"f1": {"value": value, "low": float(low), "high": float(high), "count": len(counts), "method": "bootstrap"}}


def _f1(counts: Any) -> Any:
    right, whole = counts[:, 0], counts[:, 1] + counts[:, 2]
    return 2 * right / np.maximum(whole, 1)


def _spans(written: str) -> set[_Span] | None:
    """Return entities without their texts and scores; None for what is no list of them."""
    try:
        return {(str(one["type"]), int(one["start"]), int(one["end"])) for one in json.loads(written)}
    except (ValueError, KeyError, TypeError):
        return None
