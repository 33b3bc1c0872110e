"""Live quality of a policy: what came of its decisions, over all of them and action by action."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from aimass.monitoring.children.rows import OUTPUT

ACTION, PROPENSITY = f"{OUTPUT}action", f"{OUTPUT}propensity"
MOST_ACTIONS = 100
Z = 1.959963984540054


def decisions_of(frame: pl.LazyFrame) -> pl.LazyFrame | None:
    """Return the rows whose ``said`` is an action and whose ``became`` is a reward; None where no policy answered."""
    kinds = frame.collect_schema()
    if kinds.get(ACTION) != pl.String or PROPENSITY not in kinds:
        return None
    rows = frame.with_columns(
        pl.col(ACTION).alias("said"), pl.col("truth").cast(pl.Float64, strict=False).alias("became")
    )
    return rows.filter(pl.col("said").is_not_null() & pl.col("became").is_finite())


def measure_decisions(rows: pl.DataFrame) -> dict[str, Any]:
    """Return the mean reward of the decisions, and of each action: those that were taken most often.

    The mean over all is what the policy earns. Those of two actions are no comparison of the two: each was taken where the policy
    expected most of it.

    Examples
    --------
    >>> found = measure_decisions(pl.DataFrame({"said": ["call", "mail", "call"], "became": [1.0, 0.0, 3.0]}))
    >>> found["metrics"]["reward"]["count"], {name: one["value"] for name, one in found["rewards"].items()}
    (3, {'call': 2.0, 'mail': 0.0})
    """
    often = rows["said"].value_counts().sort(["count", "said"], descending=[True, False])["said"].head(MOST_ACTIONS)
    by_action = {name: rows.filter(pl.col("said") == name)["became"].to_numpy() for name in sorted(often)}
    return {
        "metrics": {"reward": _mean(rows["became"].to_numpy())},
        "rewards": {name: _mean(rewards) for name, rewards in by_action.items()},
    }


def _mean(rewards: Any) -> dict[str, Any]:
    """Return the mean with its interval by the central limit theorem; one reward alone tells no interval."""
    value = float(rewards.mean())
    half = Z * float(rewards.std(ddof=1)) / np.sqrt(len(rewards)) if len(rewards) > 1 else 0.0
    return {"value": value, "low": value - half, "high": value + half, "count": len(rewards), "method": "normal"}
