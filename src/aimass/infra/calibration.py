"""Measure a model: times of calls with few and many rows, and with several threads at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from aimass.infra.plans import INLINE_US, Timings

ROWS = (1, 8, 32, 128)
_EACH_S = 0.04
_MOST_S = 2.0
_LEAST_RUNS = 3


def measure(run: Callable[[dict[str, Any]], Any], samples: Mapping[str, Any], threads: int) -> Timings:
    """Time a model on its own samples; takes well under a second unless a single call does."""
    call_us: dict[int, float] = {}
    for rows in ROWS:
        last = max(call_us, default=0)
        if last and call_us[last] * rows / last > _MOST_S * 1e6:
            break
        call_us[rows] = _call_s(run, tiled(samples, rows)) * 1e6
    rates: dict[int, float] = {}
    if call_us[1] >= INLINE_US and call_us[1] < _MOST_S * 1e6:
        one = tiled(samples, 1)
        rates = {count: _rate(run, one, count) for count in range(1, max(1, threads) + 1)}
    return Timings(call_us=call_us, rows_per_s=rates)


def tiled(samples: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """Repeat samples to so many rows.

    Examples
    --------
    >>> tiled({"a": ["x", "y"]}, 3)
    {'a': ['x', 'y', 'x']}
    """
    found: dict[str, Any] = {}
    for name, values in samples.items():
        count = len(values)
        if isinstance(values, np.ndarray):
            found[name] = values[np.arange(rows) % count]
        else:
            found[name] = [values[number % count] for number in range(rows)]
    return found


def _call_s(run: Callable[[dict[str, Any]], Any], columns: dict[str, Any]) -> float:
    """Return the least time of several calls: whatever else happens on the machine only adds to it."""
    run(columns)
    best, runs, end = float("inf"), 0, time.perf_counter() + _EACH_S
    while runs < _LEAST_RUNS or time.perf_counter() < end:
        began = time.perf_counter()
        run(columns)
        best = min(best, time.perf_counter() - began)
        runs += 1
        if best * _LEAST_RUNS > _MOST_S:
            break
    return best


def _rate(run: Callable[[dict[str, Any]], Any], columns: dict[str, Any], count: int) -> float:
    """Return how many calls so many threads make in a second."""
    calls = [0] * count
    gate = threading.Barrier(count + 1)
    over = threading.Event()

    def work(number: int) -> None:
        gate.wait()
        while not over.is_set():
            run(columns)
            calls[number] += 1

    workers = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
    for worker in workers:
        worker.start()
    gate.wait()
    began = time.perf_counter()
    time.sleep(_EACH_S)
    while sum(calls) < _LEAST_RUNS * count and time.perf_counter() - began < _MOST_S:
        time.sleep(_EACH_S)
    over.set()
    for worker in workers:
        worker.join()
    return sum(calls) / (time.perf_counter() - began)
