"""Windows of series: the values that are known when a forecast is asked for, and those that came after.

A window lies in the part of the values that came, which all lie in one; what is known may reach back into earlier parts, as it does
where a forecast is served. A moment without a value is never filled: windows that touch one are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

from aimass.models import Column, Output, Signature
from aimass.training.children.assigning import PARTS, times_of
from aimass.training.children.covariates import covariates_of
from aimass.training.children.grids import Grid, calendar_of, grid_of, stamps_of
from aimass.training.children.targets import target_of
from aimass.training.errors import Unlearnable
from aimass.training.measures.forecasts import OUTPUTS, Windows, is_ahead

FORECASTING = "forecasting"
HISTORY = "history"
MOST_WINDOWS = 20_000
LEAST_HISTORY, SHARE_OF_HISTORY = 8, 4
CLEARLY = 0.95
NONE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series at every moment from its first to its last.

    Attributes
    ----------
    first
        The place of its first moment.
    values
        NaN where a moment has no value.
    parts
        The number of the part of each moment, -1 where it is in none.
    rows
        The row of each moment, -1 where there is none.
    """

    first: int
    values: Any
    parts: Any
    rows: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """Series, laid out on the moments that they share; what is learned of them here comes from training rows alone.

    Attributes
    ----------
    columns
        By the name of an input the number of each row: of what is known beside the target.
    """

    grid: Grid
    names: tuple[str, ...]
    lines: tuple[Line, ...]
    times: pl.Series
    season: int
    scales: Any
    learned: int
    columns: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def history_for(self, steps: int) -> int:
        """Return how many values a question holds unless somebody says it: two seasons, or the steps ahead if those are more."""
        wanted = max(2 * self.season, steps, LEAST_HISTORY)
        return max(2, self.season, min(wanted, self.learned // SHARE_OF_HISTORY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Windows as rows: what is asked, what came, in which part that lies, and the row of the last value that is known."""

    features: pl.DataFrame
    truth: Windows
    parts: pl.Series
    places: Any
    notes: tuple[str, ...]

    def of(self, part: str) -> Cut:
        """Return the windows of one part."""
        mine = np.flatnonzero((self.parts == part).to_numpy())
        return replace(
            self,
            features=self.features[mine],
            truth=self.truth[mine],
            parts=self.parts[mine],
            places=self.places[mine],
        )


def lay(
    rows: pl.DataFrame,
    parts: pl.Series,
    *,
    target: str,
    time: str,
    series: str | None,
    beside: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
) -> Laid:
    """Lay the rows of a dataset version out as series, or refuse rows that are none; ``beside`` is known ahead, and of the past."""
    times = times_of(rows[time])
    values = target_of(rows, target, FORECASTING).cast(pl.Float64).fill_null(float("nan")).to_numpy()
    names, codes = _named(rows, series)
    known = times.is_not_null().to_numpy()
    where = np.flatnonzero(known)
    stamps = stamps_of(times.filter(known))
    grid = grid_of(stamps, codes[where])
    numbers = parts.replace_strict({name: code for code, name in enumerate(PARTS)}, default=NONE).to_numpy()
    places, mine = grid.places(stamps), codes[where]
    lines = tuple(_line(places[mine == one], where[mine == one], values, numbers) for one in range(len(names)))
    season = _season_of(grid, lines)
    learned = max(int((line.parts == 0).sum()) for line in lines)
    return Laid(
        grid=grid,
        names=names,
        lines=lines,
        times=times,
        season=season,
        scales=_scales(lines, season),
        learned=learned,
        columns=covariates_of(rows, *beside),
    )


def _named(rows: pl.DataFrame, series: str | None) -> tuple[tuple[str, ...], Any]:
    """Return the names of the series, and the number of the series of each row."""
    if series is None:
        return ("",), np.zeros(rows.height, dtype=np.int64)
    column = rows[series].cast(pl.String)
    if column.null_count():
        raise Unlearnable(
            f"{column.null_count()} rows name no series", field="group_column", value=series, hint="repair these rows"
        )
    names = column.unique().sort().to_list()
    codes = column.replace_strict({name: code for code, name in enumerate(names)}, return_dtype=pl.Int64)
    return tuple(names), codes.to_numpy()


def _line(places: Any, rows: Any, values: Any, parts: Any) -> Line:
    if not len(places):
        return Line(first=0, values=np.full(1, np.nan), parts=np.full(1, NONE), rows=np.full(1, NONE))
    first, length = int(places.min()), int(np.ptp(places)) + 1
    line = Line(
        first=first,
        values=np.full(length, np.nan),
        parts=np.full(length, NONE),
        rows=np.full(length, NONE, dtype=np.int64),
    )
    at = places - first
    line.values[at], line.parts[at], line.rows[at] = values[rows], parts[rows], rows
    return line


def _apart(lines: tuple[Line, ...], season: int) -> list[float]:
    """Return how far apart training values one season apart are, in the mean of each series; NaN where there are none."""
    found: list[float] = []
    for line in lines:
        learned = np.where(line.parts == 0, line.values, np.nan)
        off = np.abs(learned[season:] - learned[:-season]) if len(learned) > season else learned[:0]
        known = off[np.isfinite(off)]
        found.append(float(known.mean()) if len(known) else float("nan"))
    return found


def _season_of(grid: Grid, lines: tuple[Line, ...]) -> int:
    """Return the season whose naive forecast errs least on the training rows, of those that these hold twice; else 1.

    A longer one has to err clearly less: by chance alone one of two that are as good is a little better.
    """
    longest = max(int((line.parts == 0).sum()) for line in lines)
    found, least = 1, float("inf")
    for season in grid.seasons:
        apart = np.array(_apart(lines, season))
        error = float(np.nanmean(apart)) if np.isfinite(apart).any() else float("inf")
        if 2 * season <= longest and error < CLEARLY * least:
            found, least = season, error
    return found


def _scales(lines: tuple[Line, ...], season: int) -> Any:
    """Return the unit of the errors of each series; one without training rows, or that repeats itself, has the mean of the others."""
    found = np.array(_apart(lines, season))
    usable = np.isfinite(found) & (found > 0)
    if not usable.any():
        raise Unlearnable(
            "every value is the one of a season before: there is nothing left to forecast",
            field="target",
            hint="check the target, or collect more rows",
        )
    return np.where(usable, found, found[usable].mean())


def cut(
    laid: Laid, *, steps: int, history: int, least: int | None = None, inputs: tuple[str, ...] | None = None
) -> Cut:
    """Cut windows, in the order of time, at most 20,000 of each part.

    Parameters
    ----------
    steps
        Values that come.
    history
        Values that are known.
    least
        Values that must be there before the first that comes, where models of different length meet on the same windows.
    inputs
        What a model takes; all that can be learned where None.
    """
    back = max(history, laid.season, least or 0)
    found = [_of_line(line, steps, back, laid.columns) for line in laid.lines]
    when = np.concatenate([line.first + ends for line, (ends, _, _) in zip(laid.lines, found, strict=True)])
    numbers = np.concatenate([np.full(len(ends), number) for number, (ends, _, _) in enumerate(found)])
    parts = np.concatenate([mine for _, mine, _ in found])
    order = _chosen(parts, np.lexsort((numbers, when)))
    ends = np.concatenate([ends for ends, _, _ in found])
    truth, known, places = _values(laid, (ends[order], numbers[order]), steps, history)
    names = inputs or (HISTORY, *laid.grid.calendar(laid.learned), *laid.columns)
    columns = [pl.Series(HISTORY, known, dtype=pl.Array(pl.Float32, history))] if len(known) else []
    columns += calendar_of(laid.times[places], tuple(name for name in names if name not in (HISTORY, *laid.columns)))
    for name in laid.columns if len(known) else ():
        columns.append(_beside(laid, name, (ends[order], numbers[order]), steps if is_ahead(name) else history))
    missed = sum(missing for _, _, missing in found)
    notes = [f"{missed} windows left out: they touch a moment without a value"] if missed else []
    if len(order) < len(when):
        notes.append(f"{len(order)} of {len(when)} windows taken, at even distances: at most {MOST_WINDOWS} of a part")
    return Cut(
        features=pl.DataFrame(columns).select(names) if len(known) else pl.DataFrame(),
        truth=truth,
        parts=pl.Series("part", [PARTS[code] for code in parts[order]], dtype=pl.String),
        places=places,
        notes=tuple(notes),
    )


def _beside(laid: Laid, name: str, asked: tuple[Any, Any], width: int) -> pl.Series:
    """Return what is known beside the target: of the moments that come, or of those that are known."""
    ends, numbers = asked
    found = np.empty((len(ends), width), dtype=np.float32)
    for number, line in enumerate(laid.lines):
        mine = numbers == number
        if mine.any():
            first = ends[mine] + 1 - (0 if is_ahead(name) else width)
            found[mine] = sliding_window_view(_along(line, laid.columns[name]), width)[first]
    return pl.Series(name, found, dtype=pl.Array(pl.Float32, width))


def _along(line: Line, values: Any) -> Any:
    """Return numbers of rows at the moments of a series."""
    return np.where(line.rows == NONE, np.nan, values[line.rows])


def _lacks(gaps: Any) -> Any:
    """Return how many moments before each one are a gap."""
    return np.concatenate([[0], np.cumsum(gaps)])


def _of_line(line: Line, steps: int, back: int, columns: Mapping[str, Any]) -> tuple[Any, Any, int]:
    """Return the last known moment of each window of a series, its part, and how many windows lack a value."""
    ends = np.arange(back - 1, len(line.values) - steps)
    if not len(ends):
        return ends, np.empty(0, dtype=np.int64), 0
    lacking = _lacks(np.isnan(line.values))
    whole = lacking[ends + steps + 1] == lacking[ends + 1 - back]
    for name, values in columns.items():
        lacking = _lacks(np.isnan(_along(line, values)))
        first, end = (ends + 1, ends + steps + 1) if is_ahead(name) else (ends + 1 - back, ends + 1)
        whole &= lacking[end] == lacking[first]
    first, last = line.parts[ends + 1], line.parts[ends + steps]
    lies = (first == last) & (first != NONE)
    return ends[whole & lies], first[whole & lies], int((lies & ~whole).sum())


def _chosen(parts: Any, order: Any) -> Any:
    """Return the windows to take, in order: all of a part, or so many at even distances."""
    kept = np.zeros(len(parts), dtype=bool)
    for code in range(len(PARTS)):
        mine = order[parts[order] == code]
        if len(mine) > MOST_WINDOWS:
            mine = mine[np.linspace(0, len(mine) - 1, MOST_WINDOWS).round().astype(int)]
        kept[mine] = True
    return order[kept[order]]


def _values(laid: Laid, asked: tuple[Any, Any], steps: int, history: int) -> tuple[Windows, Any, Any]:
    """Return what came, what was known, and the row of the last value that was known."""
    ends, numbers = asked
    count, season = len(ends), laid.season
    ahead, naive = np.empty((count, steps)), np.empty((count, steps))
    known, places = np.empty((count, history), dtype=np.float32), np.empty(count, dtype=np.int64)
    when = np.empty(count, dtype=np.int64)
    before = season * (np.arange(steps) // season + 1) - np.arange(
        1, steps + 1
    )  # how far the value of last season lies back
    for number, line in enumerate(laid.lines):
        mine = numbers == number
        if not mine.any():
            continue
        at = ends[mine]
        ahead[mine] = sliding_window_view(line.values, steps)[at + 1]
        known[mine] = sliding_window_view(line.values, history)[at + 1 - history]
        naive[mine] = line.values[at[:, None] - before[None]]
        places[mine], when[mine] = line.rows[at], line.first + at
    truth = Windows(
        ahead=ahead,
        naive=naive,
        scale=laid.scales[numbers],
        when=when,
        series=numbers,
        names=laid.names,
        season=season,
        moments=laid.grid.moments,
        seasons=laid.grid.seasons,
        step_s=laid.grid.step_s,
    )
    return truth, known, places


def signature_of_windows(features: pl.DataFrame, steps: int) -> Signature:
    """Describe windows: lists of known values, what the calendar says of the last one, and three lists of what may come."""
    inputs = tuple(
        Column(name=name, type="float", shape=(-1, features.schema[name].size))  # type: ignore[attr-defined]  an array
        if isinstance(features.schema[name], pl.Array)
        else Column(name=name, type="integer")
        for name in features.columns
    )
    return Signature(inputs=inputs, outputs=tuple(Output(name=one, type="float", shape=(-1, steps)) for one in OUTPUTS))
