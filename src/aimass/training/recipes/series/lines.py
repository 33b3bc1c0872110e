"""Weighted sums of lags and calendar, one for each step ahead. Hour and weekday are known together: there is a Friday evening."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto

from aimass.models import Signature
from aimass.training.measures.forecasts import Windows
from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.series.sight import HISTORY, Asked, length_of, listed
from aimass.training.recipes.series.sums import Nodes

HOURS, DAYS, MONTHS = 24, 7, 12
Code = tuple[str, tuple[tuple[str, int, int], ...], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """A weighted sum of the inputs for each step ahead: weights of shape ``(inputs, steps)`` and what is added."""

    weights: Any
    offset: Any

    def said(self, asked: Asked) -> Any:
        """Return the forecast in deviations."""
        return inputs_of(asked) @ self.weights + self.offset

    def draw(self, graph: Nodes, asked: Asked) -> str:
        """Add the nodes: one product of matrices."""
        codes = [_draw_code(graph, code) for code in _codes(asked.calendar)]
        columns = [graph.cast(asked.lags), *codes, *(graph.cast(values) for values in asked.others.values())]
        product = graph.op("MatMul", graph.op("Concat", *columns, axis=1), graph.constant(self.weights))
        return graph.op("Add", product, graph.constant(self.offset))

    def shares(self, signature: Signature) -> Mapping[str, float]:
        """Return the weight of each input, over all steps ahead; what two inputs tell together counts half for each."""
        weights = np.abs(self.weights).sum(axis=1)
        shares = dict.fromkeys((column.name for column in signature.inputs), 0.0)
        for name, part in _owners(signature):
            names = name.split("&") if name == "hour&weekday" else [name]
            for one in names:
                shares[one] += float(weights[part].sum()) / len(names)
        return shares


def lines_by(learn: Callable[[RecipeContext, Windows, Any, Any], Lines]) -> Callable[..., Lines]:
    """Return a way to learn windows by one to learn a matrix: context, windows, inputs and what came, both in deviations."""

    def learned(ctx: RecipeContext, truth: Windows, asked: Asked, wanted: Any) -> Lines:
        return learn(ctx, truth, inputs_of(asked), wanted)

    return learned


def _codes(calendar: Mapping[str, Any]) -> list[Code]:
    """Return how the calendar becomes columns: name, inputs with the first value and the factor of each, and how many columns."""
    found: list[Code] = []
    if {"hour", "weekday"} <= set(calendar):
        found.append(("hour&weekday", (("hour", 0, 1), ("weekday", 1, HOURS)), HOURS * DAYS))
    else:
        found += [("hour", (("hour", 0, 1),), HOURS)] if "hour" in calendar else []
        found += [("weekday", (("weekday", 1, 1),), DAYS)] if "weekday" in calendar else []
    return found + ([("month", (("month", 1, 1),), MONTHS)] if "month" in calendar else [])


def inputs_of(asked: Asked) -> Any:
    """Return the columns that are weighed: the lags, 1 where the calendar says so, and the lists beside the history."""
    columns = [asked.lags]
    for _, parts, count in _codes(asked.calendar):
        place = sum((asked.calendar[name] - first) * by for name, first, by in parts)
        columns.append((np.asarray(place) == np.arange(count)[None]).astype(float))
    columns += list(asked.others.values())
    return np.concatenate(columns, axis=1)


def _owners(signature: Signature) -> list[tuple[str, slice]]:
    """Return which columns each input became."""
    counts = [(HISTORY, length_of(signature))]
    counts += [(name, count) for name, _, count in _codes({one.name: one for one in signature.inputs if not one.shape})]
    counts += [(one.name, one.shape[1]) for one in listed(signature) if one.shape is not None]
    found, end = [], 0
    for name, count in counts:
        found.append((name, slice(end, end + count)))
        end += count
    return found


def _draw_code(graph: Nodes, code: Code) -> str:
    """Add the nodes that turn what the calendar says into columns."""
    _, parts, count = code
    places: list[str] = []
    for name, first, by in parts:
        from_first = graph.op("Sub", name, graph.constant(float(first)))
        places.append(graph.op("Mul", from_first, graph.constant(float(by))))
    place = graph.op("Sum", *places)
    return graph.cast(graph.op("Equal", place, graph.constant(np.arange(count)[None])), TensorProto.FLOAT)
