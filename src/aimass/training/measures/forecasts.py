"""How near forecasts come to what came, for each step ahead, and how sure that is.

References
----------
Hyndman & Koehler, "Another look at measures of forecast accuracy", International Journal of Forecasting 22 (2006) 679-688;
Makridakis, "Accuracy measures: theoretical and practical concerns", International Journal of Forecasting 9 (1993) 527-529;
Kuensch, "The jackknife and the bootstrap for general stationary observations", Annals of Statistics 17 (1989) 1217-1241.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aimass.training.measures.intervals import LEVEL, REPEATS, Comparison, Interval, paired

AHEAD, PAST = (
    "_ahead",
    "_history",
)  # what follows the name of a column beside the target, of the moments that come or are known
OUTPUTS = ("forecast", "low", "high")
LEAST_BLOCKS = 10
SHOWN_POINTS = 400
ROUNDING = 1e-6  # a file of 32 bit answers the naive forecast itself to seven digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """What came after each row that was asked, which stands where other tasks have the truth.

    Attributes
    ----------
    ahead
        Shape ``(n, steps)``: the values that came.
    naive
        The same shape: the value of the same place one season before.
    scale
        Shape ``(n,)``: how far apart values one season apart are on the training rows of the series, in the mean.
    when
        Shape ``(n,)``: the moment of the last value that was known, counted in steps; rows are in its order.
    series
        Shape ``(n,)``: the number of the series in ``names``.
    season
        Steps of a season, 1 where there is none.
    moments
        Turns moments counted in steps into seconds since 1970.
    seasons
        All seasons that the step may have, whichever is the strongest.
    step_s
        Seconds of a step, of months in the mean.
    """

    ahead: Any
    naive: Any
    scale: Any
    when: Any
    series: Any
    names: tuple[str, ...]
    season: int
    moments: Callable[[Any], Any]
    seasons: tuple[int, ...] = ()
    step_s: float = 3600.0

    def __len__(self) -> int:
        return len(self.ahead)

    def __getitem__(self, rows: Any) -> Windows:
        fields = ("ahead", "naive", "scale", "when", "series")
        return replace(self, **{name: getattr(self, name)[rows] for name in fields})

    @property
    def steps(self) -> int:
        """Return how many steps are looked ahead."""
        return self.ahead.shape[1]


def is_ahead(name: str) -> bool:
    """Tell whether an input holds values of the moments that are forecast.

    Examples
    --------
    >>> is_ahead("holiday_ahead"), is_ahead("visitors_history")
    (True, False)
    """
    return name.endswith(AHEAD)


def parts_of(said: Any) -> tuple[Any, Any, Any]:
    """Return forecasts, low ends and high ends out of what a model says.

    Parameters
    ----------
    said
        Shape ``(n, 3 * steps)``.

    Examples
    --------
    >>> [part.tolist() for part in parts_of(np.array([[5.0, 6.0, 4.0, 4.5, 7.0, 8.0]]))]
    [[[5.0, 6.0]], [[4.0, 4.5]], [[7.0, 8.0]]]
    """
    forecast, low, high = np.split(np.asarray(said, dtype=float), len(OUTPUTS), axis=1)
    return forecast, low, high


def mase(truth: Windows, said: Any) -> float:
    """Return the mean absolute error, each counted in the ``scale`` of its series: below 1 is better than last season."""
    return float(_scaled(truth, parts_of(said)[0]).mean())


def _scaled(truth: Windows, forecast: Any) -> Any:
    """Return the scaled absolute error of each row, the mean over its steps."""
    return np.abs(forecast - truth.ahead).mean(axis=1) / truth.scale


def forecast_scores(truth: Windows, said: Any) -> dict[str, float]:
    """Return every number of forecasts.

    Returns
    -------
    dict
        ``mase``; ``skill``, the share of the seasonal naive forecast's error on the same rows that is saved: 0 is no better,
        1 is perfect; ``smape``, a share from 0 to 2, 0 where forecast and truth are both 0; ``rmse`` and ``mae`` in the unit of
        the target; ``coverage``, the share of the values that came between low and high.
    """
    forecast, low, high = parts_of(said)
    off = forecast - truth.ahead
    size = np.abs(forecast) + np.abs(truth.ahead)
    shares = np.divide(2 * np.abs(off), size, out=np.zeros_like(size), where=size > 0)
    own, naive = mase(truth, said), float(_scaled(truth, truth.naive).mean())
    skill = 1 - own / naive if naive > 0 else float(own == 0)
    return {
        "mase": own,
        "skill": 0.0 if abs(skill) < ROUNDING else skill,
        "smape": float(shares.mean()),
        "rmse": float(np.sqrt((off**2).mean())),
        "mae": float(np.abs(off).mean()),
        "coverage": float(((low <= truth.ahead) & (truth.ahead <= high)).mean()),
    }


def _blocks(truth: Windows) -> Any:
    """Return the block of time of each row, from 0: rows that look at the same values mostly share one."""
    first, last = int(truth.when.min()), int(truth.when.max())
    length = max(truth.steps, truth.season)
    length = max(1, min(length, (last - first + 1) // LEAST_BLOCKS))
    return np.unique((truth.when - first) // length, return_inverse=True)[1]


def _drawn(truth: Windows, errors: Any, seed: int) -> Any:
    """Return the mean of each row of errors, shape ``(k, n)``, in every draw of whole blocks: shape ``(k, draws)``."""
    blocks = _blocks(truth)
    count = int(blocks.max()) + 1
    sums = np.array([np.bincount(blocks, one, minlength=count) for one in errors])
    rows = np.bincount(blocks, minlength=count)
    chosen = np.random.default_rng(seed).integers(0, count, (REPEATS, count))
    return sums[:, chosen].sum(axis=2) / rows[chosen].sum(axis=1)


def mase_interval(truth: Windows, said: Any, *, seed: int = 0, level: float = LEVEL) -> Interval:
    """Return the MASE with its interval: a bootstrap of blocks of time, since rows beside each other look at the same values."""
    errors = _scaled(truth, parts_of(said)[0])
    low, high = np.quantile(_drawn(truth, errors[None], seed)[0], [(1 - level) / 2, (1 + level) / 2])
    return Interval(
        value=float(errors.mean()), low=float(low), high=float(high), level=level, method="bootstrap of blocks of time"
    )


def compare_mase(truth: Windows, candidate: Any, champion: Any, *, seed: int = 0, level: float = LEVEL) -> Comparison:
    """Compare two models on the same rows, by the same draws: candidate minus champion, so less than 0 is better."""
    errors = np.array([_scaled(truth, parts_of(one)[0]) for one in (candidate, champion)])
    own, other = (float(value) for value in errors.mean(axis=1))
    first, second = _drawn(truth, errors, seed)
    return paired(own, other, first - second, level=level, method="paired bootstrap of blocks of time")


def forecast_curves(truth: Windows, said: Any) -> dict[str, Any]:
    """Return what a page about forecasts shows.

    Returns
    -------
    dict
        ``ahead``: by step ahead the mean absolute error of the model and of the seasonal naive forecast, and the share of the
        values between low and high; ``shown``: of the first series, forecasts that follow each other, with what came;
        ``season`` and ``naive_mase``.
    """
    forecast, low, high = parts_of(said)
    inside = (low <= truth.ahead) & (truth.ahead <= high)
    return {
        "ahead": {
            "mae": np.abs(forecast - truth.ahead).mean(axis=0).tolist(),
            "naive": np.abs(truth.naive - truth.ahead).mean(axis=0).tolist(),
            "coverage": inside.mean(axis=0).tolist(),
        },
        "shown": _shown(truth, forecast, low, high),
        "season": truth.season,
        "naive_mase": float(_scaled(truth, truth.naive).mean()),
    }


def _shown(truth: Windows, forecast: Any, low: Any, high: Any) -> dict[str, Any]:
    """Return forecasts of one series that begin where the one before ends, the newest ones, with the moments they are for."""
    most = max(1, SHOWN_POINTS // truth.steps)
    mine = np.flatnonzero(truth.series == truth.series[0])
    chosen: list[int] = []
    for row in mine[::-1].tolist():
        if len(chosen) < most and (not chosen or truth.when[row] + truth.steps <= truth.when[chosen[-1]]):
            chosen.append(row)
    rows = np.array(chosen[::-1])
    at = truth.when[rows][:, None] + np.arange(1, truth.steps + 1)
    told = {"true": truth.ahead, "forecast": forecast, "low": low, "high": high}
    return {
        "series": truth.names[int(truth.series[0])],
        "at": [float(one) for one in truth.moments(at.ravel())],
        **{name: values[rows].ravel().tolist() for name, values in told.items()},
    }
