"""An adapter from what is learned of windows to a recipe that forecasts.

How far off forecasts are is measured on the latest fifth of the training windows by a model that did not learn from them, for
each step ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl
from onnx import TensorProto, helper

from aimass.kernel.errors import Failed
from aimass.models import Candidate, Signature
from aimass.training.measures.bytask import measures_of
from aimass.training.measures.forecasts import OUTPUTS, Windows
from aimass.training.recipes.protocol import RecipeContext, Table
from aimass.training.recipes.series.sight import HISTORY, Asked, Eyes, draw_sight, learn_sizes, rooted, see
from aimass.training.recipes.series.sums import Nodes
from aimass.training.recipes.tabular import OPSET

HELD_BACK, LEAST_HELD_BACK = 0.2, 20


class Core(Protocol):
    """What was learned of windows that are counted in deviations."""

    def said(self, asked: Asked) -> Any:
        """Return the forecast in deviations, shape ``(n, steps)``."""
        ...

    def draw(self, graph: Nodes, asked: Asked) -> str:
        """Add the nodes that say the same, and return the name of what they say."""
        ...

    def shares(self, signature: Signature) -> Mapping[str, float]:
        """Return the weight of each input, in any unit."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecaster:
    """What was learned.

    Attributes
    ----------
    low, high
        Shape ``(steps,)``: what is added to the forecast, in deviations.
    """

    core: Core
    eyes: Eyes
    low: Any
    high: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastRecipe:
    """A recipe made of a way to learn windows.

    Attributes
    ----------
    learn
        Learns them from context, windows, what was asked and what came, both counted in deviations; windows are in the order of time.
    """

    learn: Callable[[RecipeContext, Windows, Asked, Any], Core]

    def fit(self, ctx: RecipeContext) -> Forecaster:
        """Learn from all training windows, and the ends of the intervals from the latest of them."""
        table = ctx.data("train")
        truth: Windows = table.truth
        eyes = learn_sizes(table.features, ctx.signature, _least(table))
        asked = see(table.features, ctx.signature, eyes)
        wanted = (rooted(truth.ahead, eyes.is_root) - asked.middle) / asked.spread
        low, high = self._ends(Half(ctx, 0), truth, asked, wanted)
        ctx.report(1, 2)
        core = self.learn(Half(ctx, 1), truth, asked, wanted)
        ctx.report(2, 2)
        return Forecaster(core=core, eyes=eyes, low=low, high=high)

    def _ends(self, ctx: RecipeContext, truth: Windows, asked: Asked, wanted: Any) -> tuple[Any, Any]:
        """Return how far below and above a forecast the values lie, by step ahead."""
        held = np.flatnonzero(truth.when >= np.quantile(truth.when, 1 - HELD_BACK))
        before = np.flatnonzero(truth.when + truth.steps <= truth.when[held].min())
        if min(len(held), len(before)) < LEAST_HELD_BACK:  # too few to hold some back: judged by what was learned from
            held = before = np.arange(len(truth))
        core = self.learn(ctx, truth[before], asked[before], wanted[before])
        off = wanted[held] - core.said(asked[held])
        outside = (1 - ctx.params.inside) / 2
        low, high = np.quantile(off, [outside, 1 - outside], axis=0)
        return np.minimum(low, 0.0), np.maximum(high, 0.0)

    def predict(self, ctx: RecipeContext, model: Forecaster, features: pl.DataFrame) -> Any:
        """Return forecasts, low ends and high ends beside each other, shape ``(rows, 3 * steps)``."""
        asked = see(features, ctx.signature, model.eyes)
        said = model.core.said(asked)
        ends = [said, said + model.low, said + model.high]
        found = np.concatenate([asked.middle + asked.spread * one for one in ends], axis=1)
        return np.maximum(found, 0.0) ** 2 if model.eyes.is_root else found

    def evaluate(self, ctx: RecipeContext, model: Forecaster, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: Forecaster) -> Mapping[str, float] | None:
        """Return the weight of each input, over all steps ahead."""
        shares = model.core.shares(ctx.signature)
        total = sum(shares.values())
        return {name: value / total if total else float(name == HISTORY) for name, value in shares.items()}

    def package(self, ctx: RecipeContext, model: Forecaster) -> Candidate:
        """Return the way to write the model down."""
        return Candidate(signature=ctx.signature, to_onnx=lambda: _graph(model, ctx.signature), to_python=_no_python)


class Half:
    """The context of one of two models in a row: the one that tells how far off forecasts are, and the one that answers.

    Parameters
    ----------
    whole
        The context of both.
    number
        Which of them it is, 0 or 1: each has checkpoints of its own, and the second alone tells a curve.
    """

    def __init__(self, whole: RecipeContext, number: int) -> None:
        self._whole, self._number = whole, number
        self.task, self.params, self.signature = whole.task, whole.params, whole.signature
        self.seed, self.threads, self.base = whole.seed, whole.threads, whole.base

    def data(self, part: str) -> Table:
        """Return the rows of a part."""
        return self._whole.data(part)

    def report(self, step: int, total: int, **metrics: float) -> None:
        """Tell the progress of both."""
        self._whole.report(self._number * total + step, 2 * total, **(metrics if self._number else {}))

    def look(self, step: int, total: int, answer: Callable[[pl.DataFrame], Any]) -> None:
        """Show nothing: windows that are counted in deviations are no rows that somebody could be answered."""

    def save(self, state: bytes, name: str = "recipe") -> None:
        """Commit a checkpoint of this model."""
        self._whole.save(state, f"{name}-{self._number}")

    def restore(self, name: str = "recipe") -> bytes | None:
        """Return the checkpoint of this model, or None."""
        return self._whole.restore(f"{name}-{self._number}")


def _least(table: Table) -> float:
    return min(float(table.features[HISTORY].to_numpy().min()), float(table.truth.ahead.min()))


def _graph(model: Forecaster, signature: Signature) -> bytes:
    """Return the graph: what was learned between two changes of the unit."""
    graph = Nodes()
    asked = draw_sight(graph, signature, model.eyes)
    said = model.core.draw(graph, asked)
    ends: dict[str, Any] = {"forecast": 0.0, "low": model.low, "high": model.high}
    for output in OUTPUTS:
        end = graph.op("Add", said, graph.constant(ends[output]))
        far = graph.op("Mul", end, asked.spread)
        if model.eyes.is_root:
            above = graph.op("Max", graph.op("Add", far, asked.middle), graph.constant(0.0))
            graph.op("Mul", above, above, output=output)
        else:
            graph.op("Add", far, asked.middle, output=output)
    inputs = [_port(one.name, one.shape[1] if one.shape else 1) for one in signature.inputs]
    outputs = [_port(name, len(model.low)) for name in OUTPUTS]
    drawn = helper.make_graph(graph.nodes, "aimass", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid(domain, number) for domain, number in OPSET.items()]
    return helper.make_model(drawn, opset_imports=opsets, ir_version=8).SerializeToString()


def _port(name: str, width: int) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])


def _no_python() -> bytes:
    raise Failed("a forecast is written as ONNX alone")
