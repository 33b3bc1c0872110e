"""What a list of numbers looks like, in a few figures: what is watched where a model is asked with a history."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

FIGURES = ("level", "spread", "trend", "last", "jump", "missing")


def figures_of(column: pl.Series) -> pl.DataFrame:
    """Return figures of each list of numbers, null where a list has no number.

    Parameters
    ----------
    column
        Lists of numbers, oldest first; of different lengths by wish. A null in the place of a list has no figures.

    Returns
    -------
    polars.DataFrame
        ``<name>.level`` (mean), ``.spread`` (deviation), ``.trend`` (what a straight line rises from the first to the last place),
        ``.last`` (newest number), ``.jump`` (mean distance of numbers beside each other) and ``.missing`` (share of the places
        without a number).

    Examples
    --------
    >>> figures_of(pl.Series("history", [[1.0, 3.0, 5.0], [2.0, None, 2.0]])).select(pl.all().round(3)).row(0)
    (3.0, 1.633, 4.0, 5.0, 2.0, 0.0)
    >>> figures_of(pl.Series("history", [[1.0, 3.0, 5.0], [2.0, None, 2.0]]))["history.missing"].round(3).to_list()
    [0.0, 0.333]
    """
    lists = column.to_list()
    found = np.array([_figures(one) for one in lists], dtype=float).reshape(len(lists), len(FIGURES))
    return pl.DataFrame({f"{column.name}.{name}": found[:, place] for place, name in enumerate(FIGURES)}).with_columns(
        pl.all().fill_nan(None)
    )


def _figures(given: Any) -> tuple[float, ...]:
    if not given:
        return (np.nan,) * len(FIGURES)
    values = np.array([np.nan if one is None else one for one in given], dtype=float)
    known = np.isfinite(values)
    missing = 1 - float(known.mean())
    if not known.any():
        return (*(np.nan,) * (len(FIGURES) - 1), missing)
    told = values[known]
    places = np.flatnonzero(known) - np.flatnonzero(known).mean()
    square = float((places**2).sum())
    rise = float((places * told).sum()) / square * (len(values) - 1) if square else 0.0
    jump = float(np.abs(np.diff(told)).mean()) if len(told) > 1 else 0.0
    return float(told.mean()), float(told.std()), rise, float(told[-1]), jump, missing
