"""Live quality of a model that predicts numbers: how far off it was where the truth came back."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from aimass.monitoring.children.rows import OUTPUT

VALUE = f"{OUTPUT}value"
Z = 1.959963984540054


def numbers_of(frame: pl.LazyFrame) -> pl.LazyFrame | None:
    """Return the rows with a predicted ``said`` and a true ``became`` number; None where no model said a number."""
    kinds = frame.collect_schema()
    if VALUE not in kinds or not kinds[VALUE].is_numeric():
        return None
    rows = frame.with_columns(
        pl.col(VALUE).cast(pl.Float64).alias("said"), pl.col("truth").cast(pl.Float64, strict=False).alias("became")
    )
    return rows.filter(pl.col("said").is_finite() & pl.col("became").is_finite())


def measure_numbers(rows: pl.DataFrame) -> dict[str, Any]:
    """Return the root of the mean squared error and the mean absolute one, in the unit of the target.

    Examples
    --------
    >>> found = measure_numbers(pl.DataFrame({"said": [1.0, 4.0, 3.0], "became": [1.0, 2.0, 4.0]}))
    >>> found["mae"]["value"], round(found["rmse"]["value"], 4)
    (1.0, 1.291)
    """
    off = rows["said"].to_numpy() - rows["became"].to_numpy()
    squared = _mean(off**2)
    return {
        "rmse": {**squared, **{name: float(np.sqrt(squared[name])) for name in ("value", "low", "high")}},
        "mae": _mean(np.abs(off)),
    }


def _mean(errors: Any) -> dict[str, Any]:
    """Return the mean of errors with its interval by the central limit theorem; errors are never below 0."""
    value = float(errors.mean())
    half = Z * float(errors.std(ddof=1)) / np.sqrt(len(errors)) if len(errors) > 1 else value
    return {
        "value": value,
        "low": max(0.0, value - half),
        "high": value + half,
        "count": len(errors),
        "method": "normal",
    }
