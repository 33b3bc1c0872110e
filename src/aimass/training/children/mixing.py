"""Rows to tell apart where nobody knows which ones are strange."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import polars as pl

from aimass.training.errors import Unlearnable
from aimass.training.recipes.protocol import Table

LEAST_COLUMNS = 2


def mixed(features: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return as many rows whose values come from other rows, column by column, drawn by the seed.

    Each column holds what it held, so a mixed row is strange by what stands together in it. A column is drawn in the same
    way whatever stands beside it.

    Examples
    --------
    >>> found = mixed(pl.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]}), 7)
    >>> sorted(found["a"]), sorted(found["b"])
    ([1, 2, 3], ['x', 'y', 'z'])
    """
    if features.width < LEAST_COLUMNS:
        raise Unlearnable(
            "one column alone cannot be mixed into strange rows",
            field="features",
            value=features.columns,
            allowed="2 columns",
            hint="add columns, or name a target that tells the anomalies that are known",
        )
    return features.select(
        features[name][np.random.default_rng([seed, crc32(name.encode())]).permutation(features.height)]
        for name in features.columns
    )


def judged(table: Table, seed: int) -> Table:
    """Return rows with as many mixed ones behind them, which count as anomalies."""
    rows = table.features.height
    features = pl.concat([table.features, mixed(table.features, seed)])
    return Table(features=features, truth=np.repeat(np.array([0, 1], dtype=np.int64), rows))
