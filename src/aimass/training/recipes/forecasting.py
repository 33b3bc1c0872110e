"""An adapter from weights of lags to a recipe that forecasts.

Where no training value is below 0, values are seen as their square roots: of counts, large ones vary more. Each history is
counted from its own mean in its own deviation, so that one model answers for series of any size, also for one that it
has never seen. Hour and weekday are known together: there is a Friday evening, not a Friday and an evening. How far off forecasts
are is measured on the latest fifth of the training windows by a model that did not learn from them, for each step ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from onnx import TensorProto, helper

from aimass.kernel.errors import Failed
from aimass.models import Candidate, Signature
from aimass.training.measures.bytask import measures_of
from aimass.training.measures.forecasts import OUTPUTS, Windows
from aimass.training.recipes.detecting import tensor
from aimass.training.recipes.protocol import RecipeContext, Table
from aimass.training.recipes.tabular import OPSET

HISTORY = "history"
HELD_BACK, LEAST_HELD_BACK = 0.2, 20
FLAT = 0.05  # of the usual deviation: a history that hardly moves makes no error a thousand deviations wide
HOURS, DAYS, MONTHS = 24, 7, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """A weighted sum of the inputs for each step ahead: weights of shape ``(inputs, steps)`` and what is added."""

    weights: Any
    offset: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecaster:
    """What was learned.

    Attributes
    ----------
    flat
        The least deviation that a history is counted in.
    low, high
        Shape ``(steps,)``: what is added to the forecast, in deviations.
    is_root
        Whether values are seen as their square roots, so that nothing below 0 is ever said.
    """

    lines: Lines
    flat: float
    low: Any
    high: Any
    is_root: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastRecipe:
    """A recipe made of lines.

    Attributes
    ----------
    lines
        Learns them from context, windows, inputs and what came, both counted in deviations; windows are in the order of time.
    """

    lines: Callable[[RecipeContext, Windows, Any, Any], Lines]

    def fit(self, ctx: RecipeContext) -> Forecaster:
        """Learn the lines from all training windows, and the ends of the intervals from the latest of them."""
        table = ctx.data("train")
        truth: Windows = table.truth
        is_root = _least(table) >= 0
        history = _seen(table.features[HISTORY].to_numpy(), is_root)
        flat = FLAT * float(np.median(history.std(axis=1))) or float(history.std()) or 1.0
        middle, spread = _level(history, flat)
        inputs = _inputs(table.features, ctx.signature, history, (middle, spread))
        wanted = (_seen(truth.ahead, is_root) - middle) / spread
        low, high = self._ends(ctx, truth, inputs, wanted)
        ctx.report(1, 2)
        lines = self.lines(ctx, truth, inputs, wanted)
        ctx.report(2, 2)
        return Forecaster(lines=lines, flat=flat, low=low, high=high, is_root=is_root)

    def _ends(self, ctx: RecipeContext, truth: Windows, inputs: Any, wanted: Any) -> tuple[Any, Any]:
        """Return how far below and above a forecast the values lie, by step ahead."""
        held = np.flatnonzero(truth.when >= np.quantile(truth.when, 1 - HELD_BACK))
        before = np.flatnonzero(truth.when + truth.steps <= truth.when[held].min())
        if min(len(held), len(before)) < LEAST_HELD_BACK:  # too few to hold some back: judged by what was learned from
            held = before = np.arange(len(truth))
        lines = self.lines(ctx, truth[before], inputs[before], wanted[before])
        off = wanted[held] - inputs[held] @ lines.weights - lines.offset
        outside = (1 - ctx.params.inside) / 2
        low, high = np.quantile(off, [outside, 1 - outside], axis=0)
        return np.minimum(low, 0.0), np.maximum(high, 0.0)

    def predict(self, ctx: RecipeContext, model: Forecaster, features: pl.DataFrame) -> Any:
        """Return forecasts, low ends and high ends beside each other, shape ``(rows, 3 * steps)``."""
        history = _seen(features[HISTORY].to_numpy(), model.is_root)
        level = _level(history, model.flat)
        middle, spread = level
        said = _inputs(features, ctx.signature, history, level) @ model.lines.weights + model.lines.offset
        ends = [said, said + model.low, said + model.high]
        found = np.concatenate([middle + spread * one for one in ends], axis=1)
        return np.maximum(found, 0.0) ** 2 if model.is_root else found

    def evaluate(self, ctx: RecipeContext, model: Forecaster, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: Forecaster) -> Mapping[str, float] | None:
        """Return the weight of each input, over all steps ahead; what two inputs tell together counts half for each."""
        weights = np.abs(model.lines.weights).sum(axis=1)
        shares = dict.fromkeys((column.name for column in ctx.signature.inputs), 0.0)
        for name, part in _owners(ctx.signature):
            names = name.split("&")
            for one in names:
                shares[one] += float(weights[part].sum()) / len(names)
        total = sum(shares.values()) or 1.0
        return {name: value / total for name, value in shares.items()}

    def package(self, ctx: RecipeContext, model: Forecaster) -> Candidate:
        """Return the way to write the lines down."""
        return Candidate(signature=ctx.signature, to_onnx=lambda: _graph(model, ctx.signature), to_python=_no_python)


def _least(table: Table) -> float:
    return min(float(table.features[HISTORY].to_numpy().min()), float(table.truth.ahead.min()))


def _seen(values: Any, is_root: bool) -> Any:
    return np.sqrt(np.maximum(values, 0.0, dtype=np.float64)) if is_root else np.asarray(values, dtype=np.float64)


def _level(history: Any, flat: float) -> tuple[Any, Any]:
    """Return mean and deviation of each history, shape ``(n, 1)``."""
    return history.mean(axis=1, keepdims=True), np.maximum(history.std(axis=1, keepdims=True), flat)


def _codes(signature: Signature) -> list[tuple[str, tuple[tuple[str, int, int], ...], int]]:
    """Return how the calendar becomes columns: name, inputs with the first value and the factor of each, and how many columns."""
    known = {column.name for column in signature.inputs}
    found: list[tuple[str, tuple[tuple[str, int, int], ...], int]] = []
    if {"hour", "weekday"} <= known:
        found.append(("hour&weekday", (("hour", 0, 1), ("weekday", 1, HOURS)), HOURS * DAYS))
    else:
        found += [("hour", (("hour", 0, 1),), HOURS)] if "hour" in known else []
        found += [("weekday", (("weekday", 1, 1),), DAYS)] if "weekday" in known else []
    return found + ([("month", (("month", 1, 1),), MONTHS)] if "month" in known else [])


def _inputs(features: pl.DataFrame, signature: Signature, history: Any, level: tuple[Any, Any]) -> Any:
    """Return the columns that are weighed: the history in deviations from its mean, and 1 where the calendar says so."""
    middle, spread = level
    columns = [(history - middle) / spread]
    for _, parts, count in _codes(signature):
        place = sum((features[name].to_numpy().astype(float) - first) * by for name, first, by in parts)
        columns.append((np.asarray(place)[:, None] == np.arange(count)[None]).astype(float))
    return np.concatenate(columns, axis=1)


def _owners(signature: Signature) -> list[tuple[str, slice]]:
    """Return which columns each input became."""
    end = next(one.shape[1] for one in signature.inputs if one.name == HISTORY and one.shape is not None)
    found = [(HISTORY, slice(0, end))]
    for name, _, count in _codes(signature):
        found.append((name, slice(end, end + count)))
        end += count
    return found


def _graph(model: Forecaster, signature: Signature) -> bytes:
    """Return the graph: one product of matrices between two changes of the unit."""
    node, seen = helper.make_node, "ahead/root" if model.is_root else HISTORY
    roots = [node("Max", [HISTORY, "ahead/zero"], ["ahead/whole"]), node("Sqrt", ["ahead/whole"], ["ahead/root"])]
    nodes = [
        *(roots if model.is_root else []),
        node("ReduceMean", [seen, "ahead/axis"], ["ahead/middle"], keepdims=1),
        node("Sub", [seen, "ahead/middle"], ["ahead/off"]),
        node("Mul", ["ahead/off", "ahead/off"], ["ahead/squares"]),
        node("ReduceMean", ["ahead/squares", "ahead/axis"], ["ahead/variance"], keepdims=1),
        node("Sqrt", ["ahead/variance"], ["ahead/deviation"]),
        node("Max", ["ahead/deviation", "ahead/flat"], ["ahead/spread"]),
        node("Div", ["ahead/off", "ahead/spread"], ["ahead/lags"]),
    ]
    values: dict[str, Any] = {"flat": model.flat, "weights": model.lines.weights}
    columns = ["ahead/lags"]
    for number, code in enumerate(_codes(signature)):
        more, constants = _calendar(code, f"code{number}")
        nodes, values = [*nodes, *more], values | constants
        columns.append(f"ahead/code{number}/columns")
    nodes += [
        node("Concat", columns, ["ahead/inputs"], axis=1),
        node("MatMul", ["ahead/inputs", "ahead/weights"], ["ahead/product"]),
    ]
    ends = {"forecast": 0.0, "low": model.low, "high": model.high}
    for output in OUTPUTS:
        values[f"{output}/offset"] = model.lines.offset + ends[output]
        nodes += [
            node("Add", ["ahead/product", f"ahead/{output}/offset"], [f"ahead/{output}/said"]),
            node("Mul", [f"ahead/{output}/said", "ahead/spread"], [f"ahead/{output}/far"]),
            node(
                "Add", [f"ahead/{output}/far", "ahead/middle"], [f"ahead/{output}/value" if model.is_root else output]
            ),
        ]
        if model.is_root:
            nodes += [
                node("Max", [f"ahead/{output}/value", "ahead/zero"], [f"ahead/{output}/above"]),
                node("Mul", [f"ahead/{output}/above"] * 2, [output]),
            ]
    if model.is_root:
        values["zero"] = 0.0
    constants = [tensor(f"ahead/{name}", value) for name, value in values.items()]
    constants.append(helper.make_tensor("ahead/axis", TensorProto.INT64, [1], [1]))
    inputs = [_port(one.name, one.shape[1] if one.shape else 1) for one in signature.inputs]
    outputs = [_port(name, model.lines.weights.shape[1]) for name in OUTPUTS]
    graph = helper.make_graph(nodes, "aimass", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", OPSET[""])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def _calendar(code: tuple[str, tuple[tuple[str, int, int], ...], int], name: str) -> tuple[list[Any], dict[str, Any]]:
    """Return the nodes that turn what the calendar says into columns, and their constants."""
    _, parts, count = code
    nodes: list[Any] = []
    values: dict[str, Any] = {f"{name}/places": np.arange(count)[None]}
    for number, (given, first, by) in enumerate(parts):
        at = f"{name}/part{number}"
        values |= {f"{at}/first": float(first), f"{at}/by": float(by)}
        nodes += [
            helper.make_node("Sub", [given, f"ahead/{at}/first"], [f"ahead/{at}/from0"]),
            helper.make_node("Mul", [f"ahead/{at}/from0", f"ahead/{at}/by"], [f"ahead/{at}/place"]),
        ]
    places = [f"ahead/{name}/part{number}/place" for number in range(len(parts))]
    nodes += [
        helper.make_node("Sum", places, [f"ahead/{name}/place"]),
        helper.make_node("Equal", [f"ahead/{name}/place", f"ahead/{name}/places"], [f"ahead/{name}/is"]),
        helper.make_node("Cast", [f"ahead/{name}/is"], [f"ahead/{name}/columns"], to=TensorProto.FLOAT),
    ]
    return nodes, values


def _port(name: str, width: int) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])


def _no_python() -> bytes:
    raise Failed("lines are written as ONNX alone")
