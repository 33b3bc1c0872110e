"""How windows are seen: counted from their own level, so that one model answers for series of any size.

Where no training value is below 0, values are seen as their square roots: of counts, large ones vary more. A history is counted
from its mean in its deviation, both rounded (the deviation to an eighth of an octave), so that a graph comes to the same numbers
whatever the order in which it adds. Other columns are counted from their mean and in their deviation on the training windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from onnx import TensorProto

from aimass.models import Column, Signature
from aimass.training.recipes.series.sums import Nodes

HISTORY = "history"
FLAT = 0.05  # of the usual deviation: a history that hardly moves makes no error a thousand deviations wide
OF_LEVEL, OCTAVE, MOST = 64.0, 8, 400
_SPREADS = np.float64(2.0) ** (np.arange(-MOST, MOST + 1) / OCTAVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """What was learned of sizes.

    Attributes
    ----------
    flat
        The least deviation that a history is counted in.
    is_root
        Whether values are seen as their square roots, so that nothing below 0 is ever said.
    others
        Mean and deviation of each list beside the history.
    """

    flat: float
    is_root: bool
    others: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Windows as they are seen: arrays, or the names of what flows through a graph.

    Attributes
    ----------
    lags
        Shape ``(n, history)``: known values in deviations from their mean, in 64 bits.
    middle, spread
        Shape ``(n, 1)``: the level that they are counted from, and in.
    calendar
        Shape ``(n, 1)`` each: hour, weekday and month of the newest known value.
    others
        Shape ``(n, history)`` or ``(n, steps)``: lists beside the history, in deviations, in 64 bits.
    """

    lags: Any
    middle: Any
    spread: Any
    calendar: Mapping[str, Any]
    others: Mapping[str, Any]

    def __getitem__(self, rows: Any) -> Asked:
        return replace(
            self,
            lags=self.lags[rows],
            middle=self.middle[rows],
            spread=self.spread[rows],
            calendar={name: values[rows] for name, values in self.calendar.items()},
            others={name: values[rows] for name, values in self.others.items()},
        )

    def __len__(self) -> int:
        return len(self.lags)


def length_of(signature: Signature) -> int:
    """Return how many known values a question holds."""
    return next(one.shape[1] for one in signature.inputs if one.name == HISTORY and one.shape is not None)


def listed(signature: Signature) -> list[Column]:
    """Return the lists beside the history."""
    return [one for one in signature.inputs if one.shape is not None and one.name != HISTORY]


def learn_sizes(features: pl.DataFrame, signature: Signature, least: float) -> Eyes:
    """Learn from training windows how sizes are counted; ``least`` is the least value in them."""
    is_root = least >= 0
    deviations = rooted(features[HISTORY].to_numpy(), is_root).std(axis=1)
    others: dict[str, tuple[float, float]] = {}
    for one in listed(signature):
        values = features[one.name].to_numpy().astype(np.float64)
        others[one.name] = float(values.mean()), float(values.std()) or 1.0
    flat = FLAT * float(np.median(deviations)) or float(deviations.mean()) or 1.0
    return Eyes(flat=flat, is_root=is_root, others=others)


def rooted(values: Any, is_root: bool) -> Any:
    """Return values as they are seen."""
    exact = np.asarray(values, dtype=np.float64)
    return np.sqrt(np.maximum(exact, 0.0)) if is_root else exact


def see(features: pl.DataFrame, signature: Signature, eyes: Eyes) -> Asked:
    """Return windows as they are seen."""
    seen = rooted(features[HISTORY].to_numpy(), eyes.is_root)
    mean = seen.mean(axis=1, keepdims=True)
    off = seen - mean
    deviation = np.maximum(np.sqrt((off * off).mean(axis=1, keepdims=True)), eyes.flat)
    spread = _SPREADS[(np.clip(np.rint(np.log(deviation) * (OCTAVE / np.log(2.0))), -MOST, MOST) + MOST).astype(int)]
    middle = np.rint(mean / spread * OF_LEVEL) * (spread / OF_LEVEL)
    others = {
        name: (features[name].to_numpy().astype(np.float64) - average) / scale
        for name, (average, scale) in eyes.others.items()
    }
    calendar = {
        one.name: features[one.name].to_numpy().astype(np.float32)[:, None]
        for one in signature.inputs
        if one.shape is None
    }
    return Asked(lags=(seen - middle) / spread, middle=middle, spread=spread, calendar=calendar, others=others)


def draw_sight(graph: Nodes, signature: Signature, eyes: Eyes) -> Asked:
    """Add the nodes that see windows as :func:`see` does."""

    def exact(value: Any) -> str:
        return graph.constant(value, np.float64)

    axis = graph.constant([1], np.int64)
    seen = graph.cast(HISTORY, TensorProto.DOUBLE)
    if eyes.is_root:
        seen = graph.op("Sqrt", graph.op("Max", seen, exact(0.0)))
    mean = graph.op("ReduceMean", seen, axis, keepdims=1)
    off = graph.op("Sub", seen, mean)
    squares = graph.op("ReduceMean", graph.op("Mul", off, off), axis, keepdims=1)
    deviation = graph.op("Max", graph.op("Sqrt", squares), exact(eyes.flat))
    octaves = graph.op("Round", graph.op("Mul", graph.op("Log", deviation), exact(OCTAVE / np.log(2.0))))
    bounded = graph.op("Max", graph.op("Min", octaves, exact(MOST)), exact(-MOST))
    place = graph.cast(graph.op("Add", bounded, exact(MOST)), TensorProto.INT64)
    spread = graph.op("Gather", exact(_SPREADS), place, axis=0)
    counted = graph.op("Round", graph.op("Mul", graph.op("Div", mean, spread), exact(OF_LEVEL)))
    middle = graph.op("Mul", counted, graph.op("Div", spread, exact(OF_LEVEL)))
    lags = graph.op("Div", graph.op("Sub", seen, middle), spread)
    others: dict[str, str] = {}
    for name, (average, scale) in eyes.others.items():
        from_mean = graph.op("Sub", graph.cast(name, TensorProto.DOUBLE), exact(average))
        others[name] = graph.op("Div", from_mean, exact(scale))
    calendar = {one.name: one.name for one in signature.inputs if one.shape is None}
    return Asked(lags=lags, middle=graph.cast(middle), spread=graph.cast(spread), calendar=calendar, others=others)
