"""What trees look at, for each window and each step ahead: lags from the origin and one season back, means, calendar, other lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aimass.training.measures.forecasts import Windows, is_ahead
from aimass.training.recipes.series.sight import HISTORY, Asked
from aimass.training.recipes.series.sums import Sums

LAST, SEASONS, SHORT = 6, 4, 3
HOUR_S, DAY_S, MONTH_S = 3600.0, 86_400.0, 2_629_746.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What is looked at, as far as history and calendar reach.

    Attributes
    ----------
    history, steps
        Known values, and values that come.
    season, seasons
        The season of the data, and all that the step has, as far as the history holds one of them.
    step_s
        Seconds of a step.
    """

    history: int
    steps: int
    season: int
    seasons: tuple[int, ...]
    step_s: float

    @classmethod
    def of(cls, truth: Windows, history: int) -> Looks:
        """Return what can be looked at of windows."""
        wanted = sorted({*truth.seasons, truth.season})
        seasons = tuple(one for one in wanted if 1 < one <= history)
        season = truth.season if truth.season <= history else 1
        return cls(history=history, steps=truth.steps, season=season, seasons=seasons, step_s=truth.step_s)

    def back(self, season: int, further: int = 0) -> Any:
        """Return the places of the same step some seasons ago; of the oldest season that is known where it reaches beyond."""
        steps = np.arange(self.steps)
        places = self.history + steps - season * (steps // season + 1 + further)
        return np.where(places < 0, places + season * -(places // season), places)

    def base(self, sums: Sums, lags: Any) -> Any:
        """Return what the trees correct: the mean of the newest seasons at the same step."""
        return self._mean(sums, [sums.take(lags, self.back(self.season, one)) for one in range(self._known())])

    def _known(self) -> int:
        return max(1, min(SEASONS, self.history // self.season))

    def names(self, asked: Asked) -> list[tuple[str, str]]:
        """Return what is looked at: name, and the input that it comes from."""
        found = [("step", "")]
        found += [(name, HISTORY) for name in self._of_lags()]
        found += [(name, name) for name in ("hour", "weekday", "month") if name in asked.calendar]
        for name in asked.others:
            found += [
                (f"{name} {what}", name) for what in (("now", "before", "mean") if is_ahead(name) else ("last", "mean"))
            ]
        return found

    def _of_lags(self) -> list[str]:
        found = [f"last {back}" for back in range(1, min(LAST, self.history) + 1)]
        found += ["mean of seasons", "mean of 4"]
        for season in self.seasons:
            found += [f"{season} back {one}" for one in range(self._reach(season))]
            found += [f"{season} back, {side}" for side in ("before", "after")]
            found += [f"mean of {season}"]
            found += [f"rise over {season}"] if self.history > season else []
            found += [f"rise of means of {season}"] if self.history >= 2 * season else []
        return found

    def _reach(self, season: int) -> int:
        return min(SEASONS if season == self.season else SHORT, self.history // season)

    def columns(self, sums: Sums, asked: Asked) -> list[Any]:
        """Return the columns, shape ``(n, steps)`` each, in the order of ``names``."""
        lags = sums.fine(asked.lags)
        zeros = np.zeros(self.steps, dtype=np.int64)
        steps = sums.plus(sums.times(sums.take(lags, zeros), 0.0), np.arange(1, self.steps + 1)[None])
        found = [steps, *self._lagged(sums, lags), *self._calendar(sums, asked)]
        for name, values in asked.others.items():
            fine = sums.fine(values)
            found += self._ahead(sums, fine) if is_ahead(name) else self._past(sums, fine)
        return found

    def _lagged(self, sums: Sums, lags: Any) -> list[Any]:
        length = self.history
        found = [self._wide(sums, lags, length - back) for back in range(1, min(LAST, length) + 1)]
        found.append(self.base(sums, lags))
        found.append(self._average(sums, lags, length - min(4, length), length))
        for season in self.seasons:
            place = self.back(season)
            found += [sums.take(lags, self.back(season, one)) for one in range(self._reach(season))]
            found += [sums.take(lags, np.clip(place + side, 0, length - 1)) for side in (-1, 1)]
            newest = self._average(sums, lags, length - season, length)
            found.append(newest)
            if length > season:
                found.append(
                    self._rise(sums, self._wide(sums, lags, length - 1), self._wide(sums, lags, length - 1 - season))
                )
            if length >= 2 * season:
                found.append(self._rise(sums, newest, self._average(sums, lags, length - 2 * season, length - season)))
        return found

    def _wide(self, sums: Sums, rows: Any, place: int) -> Any:
        """Return one column for every step."""
        return sums.take(rows, np.full(self.steps, place))

    def _average(self, sums: Sums, rows: Any, first: int, end: int) -> Any:
        """Return the mean of some columns, for every step."""
        return sums.take(
            sums.mean(sums.take(rows, np.arange(first, end)), end - first), np.zeros(self.steps, dtype=np.int64)
        )

    def _rise(self, sums: Sums, now: Any, before: Any) -> Any:
        return sums.plus(now, sums.times(before, -1.0))

    def _mean(self, sums: Sums, parts: list[Any]) -> Any:
        total = parts[0]
        for part in parts[1:]:
            total = sums.plus(total, part)
        return sums.over(total, len(parts))

    def _calendar(self, sums: Sums, asked: Asked) -> list[Any]:
        """Return hour, weekday and month of the moments that are forecast; each begins where that of the origin did."""
        zeros, steps = np.zeros(self.steps, dtype=np.int64), np.arange(1, self.steps + 1)[None] * self.step_s
        found: list[Any] = []
        days: Any = steps / DAY_S
        if "hour" in asked.calendar:
            hours = sums.plus(sums.take(asked.calendar["hour"], zeros), steps / HOUR_S)
            found.append(sums.floor(self._wrapped(sums, hours, 24)))
            days = sums.floor(sums.over(hours, 24))
        if "weekday" in asked.calendar:
            weekdays = sums.plus(sums.take(asked.calendar["weekday"], zeros), days)
            found.append(self._wrapped(sums, weekdays, 7))
        if "month" in asked.calendar:
            months = sums.plus(sums.take(asked.calendar["month"], zeros), steps / MONTH_S)
            found.append(self._wrapped(sums, months, 12))
        return found

    def _wrapped(self, sums: Sums, values: Any, length: int) -> Any:
        rounds = sums.floor(sums.over(values, length))
        return sums.plus(values, sums.times(rounds, -float(length)))

    def _ahead(self, sums: Sums, values: Any) -> list[Any]:
        """Return what is known of the moments that are forecast: at the step, at the one before, and in the mean."""
        steps = np.arange(self.steps)
        before = sums.take(values, np.maximum(steps - 1, 0))
        return [values, before, self._average(sums, values, 0, self.steps)]

    def _past(self, sums: Sums, values: Any) -> list[Any]:
        """Return the newest value of another list, and the mean of its newest season."""
        span = min(max(self.season, 4), self.history)
        return [
            self._wide(sums, values, self.history - 1),
            self._average(sums, values, self.history - span, self.history),
        ]
