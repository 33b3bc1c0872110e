"""A language model that is a net: it learns which piece follows those before it.

References
----------
Vaswani et al., "Attention is all you need", NeurIPS 2017; Press & Wolf, "Using the output embedding to improve language models", EACL
2017 (one matrix for both ends).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from aimass.models import FilesCandidate, Net, Pieces
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.loop import Task, learn
from aimass.training.recipes.languages.bytepairs import END, learn_pairs
from aimass.training.recipes.languages.packing import GRAPH, candidate_of, read_by, texts_of
from aimass.training.recipes.protocol import RecipeContext, Table
from aimass.training.recipes.torch_language.net import Shape, begun, graph_of, hidden_of, logits_of

NOTHING = -100  # is no piece: behind the end of a text


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageNet:
    """A net that has learned; it computes as the graph of its package does."""

    net: Any
    pieces: Pieces
    shape: Shape

    def run(self, wanted: list[str], given: Mapping[str, Any]) -> list[Any]:
        """Return the outputs that are wanted."""
        self.net.eval()
        with torch.no_grad():
            hidden = hidden_of(self.net, self.shape, torch.as_tensor(given["pieces"]))
            told = {"hidden": hidden, "logits": logits_of(self.net, hidden)}
        return [told[name].numpy() for name in wanted]


class TorchLanguage:
    """A decoder of a transformer."""

    def fit(self, ctx: RecipeContext) -> LanguageNet:
        """Learn the pieces, and then what follows what."""
        texts, chosen = texts_of(ctx.data("train").features), ctx.params
        pieces = Pieces(learn_pairs(texts, chosen.vocabulary))
        torch.manual_seed(ctx.seed)
        shape = Shape(
            pieces=pieces.size, context=chosen.context, layers=chosen.layers, width=chosen.width, heads=chosen.heads
        )
        net = begun(shape, chosen.dropout)
        given, truth = stretches([pieces.cut(text) for text in texts], chosen.context)
        task = Task(
            net=net,
            forward=lambda numbers: logits_of(net, hidden_of(net, shape, numbers)),
            loss=lambda said, true: torch.nn.functional.cross_entropy(
                said.flatten(0, 1), true.flatten(), ignore_index=NOTHING
            ),
            inputs=torch.as_tensor(given),
            truth=torch.as_tensor(truth),
        )
        learn(ctx, task)
        return LanguageNet(net=net, pieces=pieces, shape=shape)

    def predict(self, ctx: RecipeContext, model: LanguageNet, features: pl.DataFrame) -> Any:
        """Return bits, pieces and vector of each text."""
        del ctx
        return read_by(model.pieces, Net(model, model.shape.context), features)

    def evaluate(self, ctx: RecipeContext, model: LanguageNet, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: LanguageNet) -> None:
        """Say nothing: there is one column."""
        del ctx, model

    def package(self, ctx: RecipeContext, model: LanguageNet) -> FilesCandidate:
        """Return the graph of the net."""
        weights = {name: value.detach().numpy() for name, value in model.net.state_dict().items()}
        files = {GRAPH: graph_of(weights, model.shape)}
        return candidate_of(ctx, model.pieces, model.shape.width, files, context=model.shape.context)


def stretches(texts: Sequence[Sequence[int]], context: int) -> tuple[Any, Any]:
    """Return stretches of texts, and what follows each of their pieces; behind the end of a text comes nothing.

    Examples
    --------
    >>> given, truth = stretches([[65, 66]], 4)
    >>> given.tolist(), truth.tolist()
    ([[256, 65, 66, 256]], [[65, 66, 256, -100]])
    """
    given: list[list[int]] = []
    truth: list[list[int]] = []
    for pieces in texts:
        row = [END, *pieces, END]
        for start in range(0, len(row) - 1, context):
            some = row[start : start + context + 1]
            left = context - (len(some) - 1)
            given.append([*some[:-1], *[END] * left])
            truth.append([*some[1:], *[NOTHING] * left])
    return np.array(given, dtype=np.int64), np.array(truth, dtype=np.int64)


RUN = TorchLanguage()
