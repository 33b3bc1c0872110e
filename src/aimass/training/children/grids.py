"""Moments at equal distances: the step of series, their seasons, and what of the calendar a model may know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from aimass.kernel.errors import Invalid
from aimass.training.errors import Unlearnable

SECOND = 1_000_000
DAY, WEEK = 86_400 * SECOND, 7 * 86_400 * SECOND
LONGEST_SEASON = 1500
MONTH_S = 2_629_746.0  # of the Gregorian calendar, in the mean
_MONTH, _YEAR = 28 * DAY, 12
_EMPTY = 20  # moments for each row, beyond which the step is no step
_HINT = "bring the rows to equal distances first, for example with a query that sums them by hour"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Moments at equal distances.

    Attributes
    ----------
    unit
        What ``start`` and ``step`` count: microseconds since 1970, or months since the year 0.
    """

    unit: Literal["microseconds", "months"]
    start: int
    step: int

    def places(self, stamps: Any) -> Any:
        """Return the number of each moment, counted in steps from the first."""
        counted = _months(stamps) if self.unit == "months" else stamps
        return (counted - self.start) // self.step

    def moments(self, places: Any) -> Any:
        """Return the moments in seconds since 1970; of a month its first."""
        counted = self.start + np.asarray(places, dtype=np.int64) * self.step
        if self.unit == "microseconds":
            return counted / SECOND
        return (counted - 1970 * _YEAR).astype("datetime64[M]").astype("datetime64[s]").astype(np.int64)

    @property
    def step_s(self) -> float:
        """Return the seconds of a step; a month has a twelfth of a mean year."""
        return self.step * MONTH_S if self.unit == "months" else self.step / SECOND

    @property
    def seasons(self) -> tuple[int, ...]:
        """Return how many steps a day, a week or a year has, as far as the step divides them; short ones first.

        Examples
        --------
        >>> Grid(unit="microseconds", start=0, step=3600 * SECOND).seasons, Grid(unit="months", start=0, step=1).seasons
        ((24, 168), (12,))
        """
        if self.unit == "months":
            wanted = [_YEAR // self.step] if _YEAR % self.step == 0 else []
        else:
            wanted = [whole // self.step for whole in (DAY, WEEK) if whole % self.step == 0]
            wanted += [steps for step, steps in ((DAY, 365), (WEEK, 52)) if self.step == step]
        return tuple(steps for steps in wanted if 1 < steps <= LONGEST_SEASON)

    def calendar(self, steps: int) -> tuple[str, ...]:
        """Return what of the calendar can be learned from that many steps: a month only after two years."""
        if self.unit == "months":
            return ("month",) if steps * self.step >= 2 * _YEAR else ()
        found = ("hour",) if self.step < DAY else ()
        found += ("weekday",) if self.step <= DAY else ()
        return found + (("month",) if steps * self.step >= 2 * 365 * DAY else ())


def grid_of(stamps: Any, series: Any) -> Grid:
    """Return the moments of series, or refuse what has two rows for a moment, or no step.

    Parameters
    ----------
    stamps
        Microseconds since 1970 of each row.
    series
        The number of the series of each row.
    """
    order = np.lexsort((stamps, series))
    sorted_stamps, sorted_series = stamps[order], series[order]
    gaps = np.diff(sorted_stamps)[np.diff(sorted_series) == 0]
    if not len(gaps):
        raise Unlearnable("no series has two rows", field="time_column", hint="name the column of the series as group")
    _refuse_doubles(gaps, sorted_stamps, sorted_series)
    values, counts = np.unique(gaps, return_counts=True)
    step = int(values[counts.argmax()])
    grid = _of_months(stamps) if step >= _MONTH else None
    grid = grid or _of_step(stamps, step)
    cells = sum(np.ptp(grid.places(stamps[series == one])) + 1 for one in np.unique(series))
    if cells > _EMPTY * len(stamps):
        raise Unlearnable(
            f"{len(stamps)} rows lie on {cells} moments: most hold none", field="time_column", value=step, hint=_HINT
        )
    return grid


def _refuse_doubles(gaps: Any, stamps: Any, series: Any) -> None:
    count = int((gaps == 0).sum())
    if not count:
        return
    place = int(np.flatnonzero((np.diff(stamps) == 0) & (np.diff(series) == 0))[0])
    raise Unlearnable(
        f"{count} rows have the moment of another one of their series",
        field="time_column",
        value=str(np.datetime64(int(stamps[place]), "us")),
        hint="name the column that tells the series apart as group, or put the rows of a moment together first; times of a "
        "place with summer time have one hour twice, in UTC they have not",
    )


def _of_step(stamps: Any, step: int) -> Grid:
    off = (stamps - stamps.min()) % step
    odd = int((off != 0).sum())
    if odd:
        raise Unlearnable(
            f"{odd} of {len(stamps)} rows do not lie at equal distances of {step / SECOND:g} s",
            field="time_column",
            value=str(np.datetime64(int(stamps[np.flatnonzero(off)[0]]), "us")),
            hint=_HINT,
        )
    return Grid(unit="microseconds", start=int(stamps.min()), step=step)


def _of_months(stamps: Any) -> Grid | None:
    """Return a grid of months where every row has the same day of its month, or the last one."""
    moments = stamps.astype("datetime64[us]")
    days = moments.astype("datetime64[D]")
    ends = (days + 1).astype("datetime64[M]") != days.astype("datetime64[M]")
    into = moments - moments.astype("datetime64[M]").astype("datetime64[us]")
    if not (ends.all() or (into == into[0]).all()):
        return None
    months = np.unique(_months(stamps))
    return Grid(unit="months", start=int(months[0]), step=int(np.gcd.reduce(np.diff(months))))


def _months(stamps: Any) -> Any:
    return stamps.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) + 1970 * _YEAR


def stamps_of(times: pl.Series) -> Any:
    """Return moments in microseconds since 1970, or refuse what tells no moment."""
    if times.dtype.base_type() not in (pl.Date, pl.Datetime):
        raise Invalid(
            f"column {times.name!r} holds {times.dtype}, and forecasts need moments",
            field="time_column",
            value=times.name,
            allowed="dates, times, or text such as 2026-01-31T08:00:00",
        )
    return times.cast(pl.Datetime("us")).to_physical().to_numpy().astype(np.int64)


def calendar_of(times: pl.Series, names: tuple[str, ...]) -> list[pl.Series]:
    """Return what the calendar says of moments: hour from 0, weekday from 1 (Monday), month from 1.

    Examples
    --------
    >>> from datetime import datetime
    >>> [one.to_list() for one in calendar_of(pl.Series([datetime(2026, 11, 30, 14)]), ("hour", "weekday", "month"))]
    [[14], [1], [11]]
    """
    said = {"hour": times.dt.hour, "weekday": times.dt.weekday, "month": times.dt.month}
    whole = times.cast(pl.Datetime("us")) if times.dtype == pl.Date else times
    said["hour"] = whole.dt.hour
    return [said[name]().cast(pl.Int64).alias(name) for name in names]
