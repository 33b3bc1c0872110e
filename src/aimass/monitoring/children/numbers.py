"""Live quality of a model that predicts numbers: how far off it was where the truth came back."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from aimass.monitoring.children.rows import OUTPUT

VALUE = f"{OUTPUT}value"
Z = 1.959963984540054
_DRAWS = 300


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
    """Return the errors by which numbers are measured on test rows, each with its interval.

    The root of the mean squared error, the mean and the median absolute error are in the unit of the target; R² is the share of the
    spread that is explained, absent where all that became true is the same; the mean absolute percentage error is a share, absent
    where a true value is 0.

    Examples
    --------
    >>> found = measure_numbers(pl.DataFrame({"said": [1.0, 4.0, 3.0], "became": [1.0, 2.0, 4.0]}))
    >>> found["mae"]["value"], round(found["rmse"]["value"], 4)
    (1.0, 1.291)
    """
    became = rows["became"].to_numpy()
    off = rows["said"].to_numpy() - became
    squared = _mean(off**2)
    found = {
        "rmse": {**squared, **{name: float(np.sqrt(squared[name])) for name in ("value", "low", "high")}},
        "mae": _mean(np.abs(off)),
        "median_ae": _median(np.abs(off)),
    }
    if len(off) > 1 and np.ptp(became) > 0:
        found["r2"] = _explained(off, became)
    if (became != 0).all():
        found["mape"] = _mean(np.abs(off / became))
    return found


def _median(errors: Any) -> dict[str, Any]:
    """Return the median with the two ordered errors between which it lies with 95 %, whatever their distribution."""
    ordered, count = np.sort(errors), len(errors)
    half = Z * np.sqrt(count) / 2
    low, high = max(0, int(np.floor(count / 2 - half))), min(count - 1, int(np.ceil(count / 2 + half)))
    return _told(float(np.median(errors)), (float(ordered[low]), float(ordered[high])), count, "order")


def _explained(off: Any, became: Any) -> dict[str, Any]:
    """Return the share of the spread that is explained, its interval by drawing rows."""
    rng, count = np.random.default_rng(0), len(off)
    columns = np.column_stack([off**2, became - became.mean(), (became - became.mean()) ** 2])
    means = np.array([columns[rng.integers(0, count, count)].mean(axis=0) for _ in range(_DRAWS)])
    spread = means[:, 2] - means[:, 1] ** 2
    drawn = 1 - means[spread > 0, 0] / spread[spread > 0]
    low, high = np.quantile(drawn, [0.025, 0.975])
    value = 1 - columns[:, 0].mean() / columns[:, 2].mean()
    return _told(float(value), (float(low), float(high)), count, "bootstrap")


def _told(value: float, bounds: tuple[float, float], count: int, method: str) -> dict[str, Any]:
    return {"value": value, "low": bounds[0], "high": bounds[1], "count": count, "method": method}


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
