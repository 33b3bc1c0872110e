"""What an answer costs: the exported file is timed as it will serve."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from aimass.models import Package, load_model

REPEATS = 60


def row_us(package: Package) -> float:
    """Return the microseconds that a package takes for one row: the median over its samples, with one thread."""
    columns: dict[str, list[Any]] = package.samples()["inputs"]
    model = load_model(package, threads=1)
    height = len(next(iter(columns.values())))
    rows = [{name: [values[place % height]] for name, values in columns.items()} for place in range(REPEATS)]
    model.predict(rows[0])  # the first one warms up
    taken: list[float] = []
    for row in rows:
        start = time.perf_counter()
        model.predict(row)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken)) * 1e6
