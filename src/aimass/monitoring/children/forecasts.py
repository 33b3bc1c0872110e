"""Live quality of forecasts: how far off they were where the values came back, with gaps and all."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl

from aimass.monitoring.children.rows import OUTPUT

FORECAST = f"{OUTPUT}forecast"
_DRAWS = 2_000


def forecasts_of(frame: pl.LazyFrame) -> pl.LazyFrame | None:
    """Return the rows whose ``said`` and ``became`` are lists of numbers; None where no model said a forecast.

    A record keeps a list as one text where the gateway wrote it, and else among what fits no column.
    """
    kinds = frame.collect_schema()
    places = [pl.col("misfit").str.json_path_match(f"$.{FORECAST}")]
    if kinds.get(FORECAST) == pl.String:
        places.insert(0, pl.col(FORECAST))
    rows = frame.with_columns(pl.coalesce(places).alias("said"), pl.col("truth").alias("became"))
    return rows.filter(pl.col("said").str.starts_with("[") & pl.col("became").str.starts_with("["))


def measure_forecasts(rows: pl.DataFrame, baseline: dict[str, float] | None = None) -> dict[str, Any]:
    """Return the errors over all values that came back, each with its interval.

    The mean absolute error and the root of the mean squared one are in the unit of the series. MASE counts the first in the error
    that last season's values make on the training rows; what that is tell MASE and MAE of the test rows, so it is absent where
    they are. A truth may be shorter than its forecast and may hold nulls; one that is longer counts for nothing.

    Examples
    --------
    >>> rows = pl.DataFrame({"said": ["[1.0,2.0,3.0]", "[4.0,4.0]", "[1]"], "became": ["[2, null, 5]", "[4]", "[1, 2]"]})
    >>> found = measure_forecasts(rows, {"mae": 3.0, "mase": 1.5})
    >>> {name: round(one["value"], 4) for name, one in found.items()}, found["mae"]["count"]
    ({'mae': 1.0, 'rmse': 1.291, 'mase': 0.5}, 2)
    """
    pairs = [(_numbers(said), _numbers(became)) for said, became in rows.select("said", "became").iter_rows()]
    errors = [off for own, true in pairs if own and true and len(off := _off(own, true))]
    if not errors:
        return {}
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.array([(np.abs(off).sum(), (off**2).sum(), len(off)) for off in errors])
        times = np.random.default_rng(0).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=_DRAWS)
        drawn, whole = times @ sums, sums.sum(axis=0)
        found = {
            "mae": _told(drawn[:, 0] / drawn[:, 2], whole[0] / whole[2], len(sums)),
            "rmse": _told(np.sqrt(drawn[:, 1] / drawn[:, 2]), np.sqrt(whole[1] / whole[2]), len(sums)),
        }
    found = {name: one for name, one in found.items() if np.isfinite([one["value"], one["low"], one["high"]]).all()}
    scale = _scale(baseline or {})
    if scale and "mae" in found:
        parts = {name: found["mae"][name] / scale for name in ("value", "low", "high")}
        found["mase"] = {**found["mae"], **parts}
    return found


def _scale(baseline: dict[str, float]) -> float:
    """Return the error that MASE counts in: of several series that of the test rows together; 0 where nothing tells it."""
    mae, mase = baseline.get("mae", 0.0), baseline.get("mase", 0.0)
    return mae / mase if mase > 0 and mae > 0 else 0.0


def _told(drawn: Any, value: Any, count: int) -> dict[str, Any]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    method = "bootstrap of forecasts"
    return {"value": float(value), "low": float(low), "high": float(high), "count": count, "method": method}


def _off(own: list[float | None], true: list[float | None]) -> Any:
    """Return the errors of the steps whose value is known; none where more came than was forecast."""
    if len(true) > len(own):
        return np.empty(0)
    known = [(a, b) for a, b in zip(own, true, strict=False) if a is not None and b is not None]
    return np.array([a - b for a, b in known], dtype=float)


def _numbers(written: str) -> list[float | None] | None:
    """Return a list of numbers and nulls; None for anything else."""
    try:
        found = json.loads(written)
        if not all(one is None or type(one) in (int, float) for one in found):
            return None
        numbers = [None if one is None else float(one) for one in found]
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
    return numbers if all(one is None or np.isfinite(one) for one in numbers) else None
