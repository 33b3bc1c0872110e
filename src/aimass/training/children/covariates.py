"""Columns beside the target of a series: known ahead for the moments that are forecast, or known of the past alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Invalid
from aimass.training.errors import Unlearnable
from aimass.training.measures.forecasts import AHEAD, PAST


def covariates_of(rows: pl.DataFrame, known_ahead: tuple[str, ...], past: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the numbers of each row by the name of the input that they become, NaN where a cell is null.

    Examples
    --------
    >>> rows = pl.DataFrame({"holiday": [True, None]})
    >>> {name: values.tolist() for name, values in covariates_of(rows, ("holiday",), ("holiday",)).items()}
    {'holiday_ahead': [1.0, nan], 'holiday_history': [1.0, nan]}
    """
    found = {f"{name}{AHEAD}": _numbers(rows, name, "known_ahead") for name in known_ahead}
    return found | {f"{name}{PAST}": _numbers(rows, name, "past") for name in past}


def _numbers(rows: pl.DataFrame, name: str, field: str) -> Any:
    if name not in rows.columns:
        raise Invalid(f"there is no column {name!r}", field=field, value=name, allowed=rows.columns[:50])
    column = rows[name]
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise Unlearnable(
            f"column {name!r} holds {column.dtype}, and beside a series numbers and truth values are learned from",
            field=field,
            value=name,
            hint="turn it into numbers or truth values first, for example one column for each kind of day",
        )
    values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return np.where(np.isfinite(values), values, np.nan)
