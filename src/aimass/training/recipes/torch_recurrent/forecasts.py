"""Forecasts by cells that remember: one layer reads the newest values, another goes through the steps ahead.

What is said of a step corrects the mean of the newest seasons at the same step, as boosted trees do it (decision 33), and goes by the
same looks; beside them it knows what the cells remember of the history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from aimass.models import Signature
from aimass.training.measures.forecasts import Windows, is_ahead
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.loop import Task, answered, learn
from aimass.training.recipes.deep.recurrent import cells, draw_cells, draw_last, draw_layer, last_of
from aimass.training.recipes.lag_boosting.looks import Looks
from aimass.training.recipes.protocol import RecipeContext
from aimass.training.recipes.series.sight import HISTORY, Asked
from aimass.training.recipes.series.sums import Arrays, Nodes, Sums

AT_ONCE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A net, and what it looks at.

    Attributes
    ----------
    net
        Its layers by name: ``past`` (cells), ``look`` (what a step sees), ``ahead`` (cells) and ``out``.
    read
        How many of the newest values the cells of the past read.
    mean, spread
        Of each look, on the training windows.
    """

    looks: Looks
    net: Any
    read: int
    mean: Any
    spread: Any

    def seen(self, asked: Asked) -> Any:
        """Return windows as rows of the net: the moments of the past, and behind them the looks at each step."""
        sums = Arrays()
        past = sums.stack(_moments(sums, asked, self.looks.history, self.read), self.read).reshape(len(asked), -1)
        ahead = (sums.stack(self.looks.columns(sums, asked), self.looks.steps) - self.mean) / self.spread
        return torch.as_tensor(np.concatenate([past, ahead.reshape(len(asked), -1)], axis=1))

    def forward(self, rows: Any) -> Any:
        """Return corrections, shape ``(n, steps)``."""
        net, steps, channels = self.net, self.looks.steps, self.net["past"].input_size
        cut = self.read * channels
        known = last_of(net["past"], rows[:, :cut].reshape(len(rows), self.read, channels))
        looks = torch.relu(net["look"](rows[:, cut:].reshape(len(rows), steps, -1)))
        beside = known[:, None].expand(-1, steps, -1)
        said = net["ahead"](net["dropout"](torch.cat([looks, beside], dim=2)))[0]
        return net["out"](said)[:, :, 0]

    def said(self, asked: Asked) -> Any:
        """Return the forecast in deviations."""
        parts = [asked[start : start + AT_ONCE] for start in range(0, len(asked), AT_ONCE)]
        found = [self._base(part) + answered(self.net, self.forward, self.seen(part)) for part in parts]
        return np.concatenate(found) if found else np.empty((0, self.looks.steps))

    def _base(self, asked: Asked) -> Any:
        sums = Arrays()
        return self.looks.base(sums, sums.fine(asked.lags))

    def draw(self, graph: Nodes, asked: Asked) -> str:
        """Add the nodes: both kinds of cells, and what they correct."""
        net, steps = self.net, self.looks.steps
        moments = _moments(graph, asked, self.looks.history, self.read)
        shape = graph.constant([-1, self.read, len(moments)], np.int64)
        past = graph.op("Reshape", graph.stack(moments, self.read), shape)
        known = draw_last(graph, net["past"], draw_cells(graph, net["past"], past))
        columns = self.looks.columns(graph, asked)
        off = graph.op("Sub", graph.stack(columns, steps), graph.constant(self.mean))
        rows = graph.op("Div", off, graph.constant(self.spread))
        ahead = graph.op("Reshape", rows, graph.constant([-1, steps, len(columns)], np.int64))
        looks = graph.op("Relu", draw_layer(graph, net["look"], ahead))
        wide = graph.op("Unsqueeze", known, graph.constant([1], np.int64))
        beside = graph.op("Tile", wide, graph.constant([1, steps, 1], np.int64))
        said = draw_cells(graph, net["ahead"], graph.op("Concat", looks, beside, axis=2))
        turned = graph.op("Squeeze", draw_layer(graph, net["out"], said), graph.constant([2], np.int64))
        return graph.plus(turned, self.looks.base(graph, graph.fine(asked.lags)))

    def shares(self, signature: Signature) -> Mapping[str, float]:
        """Return how heavily each input weighs where it comes in; the step ahead itself is no input."""
        found = dict.fromkeys([one.name for one in signature.inputs], 0.0)
        past = np.abs(self.net["past"].weight_ih_l0.detach().numpy()).mean(axis=0)
        weights = np.abs(self.net["look"].weight.detach().numpy()).mean(axis=0)
        others = [one.name for one in signature.inputs if one.shape is not None and one.name != HISTORY]
        names = [HISTORY, *(name for name in others if not is_ahead(name))]
        calendar = {one.name: None for one in signature.inputs if one.shape is None}
        asked = Asked(lags=None, middle=None, spread=None, calendar=calendar, others=dict.fromkeys(others))
        looked = [name for _, name in self.looks.names(asked)]
        for name, weight in [*zip(names, past, strict=True), *zip(looked, weights, strict=True)]:
            if name:
                found[name] += float(weight)
        return found


def _moments(sums: Sums, asked: Asked, history: int, read: int) -> list[Any]:
    """Return the newest values, and those of the other lists of the past, shape ``(n, read)`` each."""
    places = np.arange(history - read, history)
    past = [values for name, values in asked.others.items() if not is_ahead(name)]
    return [sums.take(sums.fine(values), places) for values in (asked.lags, *past)]


def learn_windows(ctx: RecipeContext, truth: Windows, asked: Asked, wanted: Any) -> Memory:
    """Learn all windows, or as many as wanted, drawn over all of them."""
    params, rows = ctx.params, np.arange(len(asked))
    if len(rows) > params.most_windows:
        rows = np.sort(np.random.default_rng(ctx.seed).choice(len(rows), params.most_windows, replace=False))
    asked, wanted = asked[rows], wanted[rows]
    looks, sums = Looks.of(truth, asked.lags.shape[1]), Arrays()
    columns = sums.stack(looks.columns(sums, asked), looks.steps)
    spread = columns.std(axis=0, dtype=np.float64)
    read = min(params.read, looks.history)
    torch.manual_seed(ctx.seed)
    model = Memory(
        looks=looks,
        net=_layers(params, len(_moments(sums, asked, looks.history, read)), columns.shape[1]),
        read=read,
        mean=columns.mean(axis=0, dtype=np.float64).astype(np.float32),
        spread=np.where(spread > 0, spread, 1.0).astype(np.float32),
    )
    off = wanted - looks.base(sums, sums.fine(asked.lags))
    task = Task(
        net=model.net,
        forward=model.forward,
        loss=torch.nn.L1Loss(),
        inputs=model.seen(asked),
        truth=torch.as_tensor(off.astype(np.float32)),
    )
    learn(ctx, task)
    return model


def _layers(params: Any, channels: int, looks: int) -> Any:
    nn, units = torch.nn, params.units
    wide = units * (2 if params.both_ways else 1)
    kept = {"layers": params.layers, "both": params.both_ways, "dropout": params.dropout}
    return nn.ModuleDict(
        {
            "past": cells(params.cell, channels, units, **kept),
            "look": nn.Linear(looks, units),
            "dropout": nn.Dropout(params.dropout),
            "ahead": cells(params.cell, units + wide, units, **kept),
            "out": nn.Linear(wide, 1),
        }
    )
