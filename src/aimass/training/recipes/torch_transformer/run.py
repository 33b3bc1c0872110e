"""A transformer that reads the texts of one column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Failed, Invalid
from aimass.models import Candidate, Signature
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.deep.encoder import encoder, plain_weights, pooled, read
from aimass.training.recipes.deep.encodergraph import graph_of
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.loop import Task, answered, learn
from aimass.training.recipes.deep.pieces import FIRST, LAST, MASK, PAD, Pieces, Rules, found_in
from aimass.training.recipes.deep.textnet import Shape, TextNet
from aimass.training.recipes.deep.weights import class_weights
from aimass.training.recipes.protocol import RecipeContext, Table

_INNER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel:
    """A net that has learned, and how it reads."""

    net: Any
    column: str
    pieces: Pieces
    shape: Shape
    most: int
    pooling: str

    def inputs(self, features: pl.DataFrame) -> Any:
        """Return texts as rows of numbers of pieces, with 0 behind their ends."""
        rows = [self.pieces.encode(text, self.most) for text in features[self.column].fill_null("").to_list()]
        found = np.zeros((len(rows), max(map(len, rows), default=1)), dtype=np.int64)
        for place, row in enumerate(rows):
            found[place, : len(row)] = row
        return torch.as_tensor(found)

    def forward(self, numbers: Any) -> Any:
        """Return scores of classes."""
        vector = pooled(*read(self.net, self.shape.heads, numbers), self.pooling)
        return self.net["head"](self.net["dropout"](vector))


class TorchTransformer:
    """Attention over pieces of words, and a layer that names the class."""

    def fit(self, ctx: RecipeContext) -> TextModel:
        """Learn from the texts of the training part."""
        table, column = ctx.data("train"), column_of(ctx.signature)
        torch.manual_seed(ctx.seed)
        model = _begun(ctx, column, table.features[column].fill_null("").to_list())
        task = Task(
            net=model.net,
            forward=model.forward,
            loss=_loss(ctx, table.truth),
            inputs=model.inputs(table.features),
            truth=torch.as_tensor(table.truth),
            strata=table.truth,
            augment=hiding(ctx.params.masking, model.pieces),
        )
        learn(ctx, task)
        return model

    def predict(self, ctx: RecipeContext, model: TextModel, features: pl.DataFrame) -> Any:
        """Return probabilities in the order of the signature's classes."""
        scores = answered(model.net, model.forward, model.inputs(features)).astype(np.float64)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def evaluate(self, ctx: RecipeContext, model: TextModel, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: TextModel) -> Mapping[str, float] | None:
        """Return nothing: there is one input."""
        return None

    def package(self, ctx: RecipeContext, model: TextModel) -> Candidate:
        """Return the one way to write the net down."""
        net = TextNet(
            pieces=model.pieces,
            shape=model.shape,
            most=model.most,
            pooling=model.pooling,
            weights=plain_weights(model.net),
        )
        return Candidate(signature=ctx.signature, to_onnx=partial(graph_of, net, ctx.signature), to_python=_no_python)


def column_of(signature: Signature) -> str:
    """Return the one column of texts, or refuse other columns beside it."""
    texts = [one.name for one in signature.inputs if one.type == "string" and one.categories is None]
    if len(texts) != 1 or len(signature.inputs) != 1:
        raise Invalid(
            f"there are {len(texts)} columns of free text and {len(signature.inputs) - len(texts)} others to learn from",
            field="features",
            value=[one.name for one in signature.inputs][:20],
            allowed="one column of free text alone",
            hint="name the column of texts in 'features', or take text_linear, which reads texts beside other columns",
        )
    return texts[0]


def _begun(ctx: RecipeContext, column: str, texts: list[str]) -> TextModel:
    """Return a net that has learned nothing yet, with the pieces that occur in the texts."""
    params = ctx.params
    rules = Rules(folds=params.folds_case, strips=params.folds_case)
    pieces = found_in(texts, rules, params.vocabulary)
    shape = Shape(
        pieces=len(pieces.names),
        longest=params.length,
        width=params.width,
        inner=_INNER * params.width,
        heads=params.heads,
        layers=params.layers,
    )
    net = encoder(shape, params.dropout)
    net["head"] = torch.nn.Linear(shape.width, len(ctx.signature.classes))
    return TextModel(net=net, column=column, pieces=pieces, shape=shape, most=params.length, pooling=params.pooling)


def _loss(ctx: RecipeContext, truth: Any) -> Any:
    weight = class_weights(ctx.params.class_weight, truth, len(ctx.signature.classes))
    return torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=ctx.params.label_smoothing)


def hiding(share: float, pieces: Pieces) -> Callable[[Any], Any] | None:
    """Return what hides so many of the pieces of a batch, but never the ends of a text; None where none is to be hidden."""
    if not share:
        return None
    ends, mask = torch.as_tensor([pieces.number(name) for name in (PAD, FIRST, LAST)]), pieces.number(MASK)

    def hide(numbers: Any) -> Any:
        chosen = (torch.rand(numbers.shape) < share) & ~torch.isin(numbers, ends)
        return torch.where(chosen, mask, numbers)

    return hide


def _no_python() -> bytes:
    raise Failed("a net of torch is written as ONNX alone, and the exported file answers differently")


RUN = TorchTransformer()
