"""Time files against each other: in turns, so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

ROUNDS, CALLS = 40, 5
BATCHES = 40  # with a dozen the fastest of them is chance on a machine that others use too
WARM = 3
Predict = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Microseconds for one row and for a batch: the fastest, and the one in the middle."""

    row_us: float
    batch_us: float
    row_median_us: float
    batch_median_us: float


def timed(models: Sequence[Predict], row: Mapping[str, Any], batch: Mapping[str, Any]) -> list[Times]:
    """Time models on the same row and batch, each in every round, and in every round another one first."""
    rows = _in_turns(models, row, ROUNDS, CALLS)
    batches = _in_turns(models, batch, BATCHES, 1)
    return [
        Times(
            row_us=float(one.min()),
            batch_us=float(many.min()),
            row_median_us=float(np.median(one)),
            batch_median_us=float(np.median(many)),
        )
        for one, many in zip(rows, batches, strict=True)
    ]


def fastest_of(models: Sequence[Predict], batch: Mapping[str, Any]) -> int:
    """Return the place of the model that answers a batch in the least time."""
    return int(_in_turns(models, batch, BATCHES, 1).min(axis=1).argmin())


def _in_turns(models: Sequence[Predict], columns: Mapping[str, Any], rounds: int, calls: int) -> Any:
    """Return the microseconds of a call, shape ``(models, rounds)``."""
    taken = np.zeros((len(models), rounds))
    for predict in models:
        for _ in range(WARM):
            predict(columns)
    for number in range(rounds):
        for turn in range(len(models)):
            place = (turn + number) % len(models)
            start = time.perf_counter()
            for _ in range(calls):
                models[place](columns)
            taken[place, number] = (time.perf_counter() - start) / calls * 1e6
    return taken
