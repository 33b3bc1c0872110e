"""By which plan the requests of a model are run, and what the model's own times say about it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Execution = Literal["inline", "threads", "batched"]
INLINE_US = 100.0
_WORTH_BATCHING = 0.7
_STILL_FALLS = 0.9
_WORTH_A_THREAD = 1.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the requests of a model are run.

    Attributes
    ----------
    lanes
        How many batches may be in flight at once, each in a thread of its own; 0 for one at a time in the loop itself.
    max_rows
        Most rows of a batch; 1 where requests are never put together. A single request may have more.
    """

    lanes: int = 1
    max_rows: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """What was measured on this machine.

    Attributes
    ----------
    call_us
        Rows of a call to its microseconds; calls that would have taken too long are missing.
    rows_per_s
        Threads to the rows they answered in a second, one row at a time.
    """

    call_us: Mapping[int, float]
    rows_per_s: Mapping[int, float] = field(default_factory=dict[int, float])


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How requests are run, and why."""

    execution: Execution
    plan: Plan
    reason: str


def choose(timings: Timings) -> Choice:
    """Choose how a model is run.

    A model that answers a row in less than 100 microseconds runs where the request is read: a hop to a thread would
    cost more. A slower one whose time for a row falls in company is batched, and one for which company brings nothing
    gets as many threads as help.

    Examples
    --------
    >>> choose(Timings(call_us={1: 6.0, 8: 16.0, 32: 46.0})).execution
    'inline'
    >>> choose(Timings(call_us={1: 900.0, 8: 1000.0, 32: 1400.0})).plan
    Plan(lanes=1, max_rows=32)
    >>> choose(Timings(call_us={1: 550.0, 8: 4500.0}, rows_per_s={1: 1800.0, 2: 3100.0})).plan
    Plan(lanes=2, max_rows=1)
    """
    one = timings.call_us[1]
    gain = timings.call_us.get(8, 8 * one) / 8 / one
    is_batched = gain < _WORTH_BATCHING
    most = _most_rows(timings.call_us) if is_batched else 1
    if one < INLINE_US:
        return Choice(
            execution="inline",
            plan=Plan(lanes=0, max_rows=most),
            reason=f"one row takes {one:.0f} µs, less than a hop to a thread is worth",
        )
    if is_batched:
        reason = f"a row takes {one:.0f} µs alone and {gain * one:.0f} µs in company of eight"
        return Choice(execution="batched", plan=Plan(lanes=1, max_rows=most), reason=reason)
    lanes = _lanes(timings.rows_per_s)
    reason = (
        f"a row takes {one:.0f} µs, alone or in company; {lanes} {'thread does' if lanes == 1 else 'threads do'} best"
    )
    return Choice(execution="threads", plan=Plan(lanes=lanes, max_rows=1), reason=reason)


def _most_rows(call_us: Mapping[int, float]) -> int:
    """Return the largest batch in which the time of a row still falls."""
    best = 1
    for rows in sorted(call_us)[1:]:
        if call_us[rows] / rows > _STILL_FALLS * call_us[best] / best:
            break
        best = rows
    return best


def _lanes(rates: Mapping[int, float]) -> int:
    """Return the fewest threads beyond which another one brings nothing.

    Examples
    --------
    >>> _lanes({1: 1000.0, 2: 1900.0, 3: 2000.0}), _lanes({})
    (2, 1)
    """
    best = 1
    for count in sorted(rates)[1:]:
        if rates[count] < _WORTH_A_THREAD * rates[best]:
            break
        best = count
    return best


def machine() -> str:
    """Return what the times depend on: the number and kind of processors."""
    model = ""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        model = ""
    return f"{os.cpu_count() or 1} x {model or 'processor'}"
