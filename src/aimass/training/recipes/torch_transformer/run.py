"""A transformer that reads the texts of one column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Failed, Invalid
from aimass.models import Candidate, Signature
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.deep.encoder import adapt, encoder, freeze, plain_weights, pooled, read, take_weights
from aimass.training.recipes.deep.encodergraph import graph_of, net_of
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.loop import Task, answered, learn
from aimass.training.recipes.deep.pieces import FIRST, LAST, MASK, PAD, Pieces, Rules, found_in
from aimass.training.recipes.deep.textnet import Shape, TextNet
from aimass.training.recipes.deep.weights import class_weights
from aimass.training.recipes.protocol import RecipeContext, Table

_INNER = 4
_ANEW, _BESIDE, _GENTLE = 0.002, 0.001, 0.0001  # sizes of steps


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
        if ctx.base is None:
            need_no_base(ctx)
            model, fixed = _begun(ctx, column, table.features[column].fill_null("").to_list()), frozenset[str]()
        else:
            model, fixed = _from_base(ctx, column, net_of(ctx.base))
        task = Task(
            net=model.net,
            forward=model.forward,
            loss=_loss(ctx, table.truth),
            inputs=model.inputs(table.features),
            truth=torch.as_tensor(table.truth),
            strata=table.truth,
            look=partial(self.predict, ctx, model),
            augment=hiding(ctx.params.masking, model.pieces),
            fixed=fixed,
        )
        learn(ctx, task, _plan(ctx))
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


def _from_base(ctx: RecipeContext, column: str, base: TextNet) -> tuple[TextModel, frozenset[str]]:
    """Return a net that knows what another one has learned, all but its classes; and the names of what stays as it is."""
    params = ctx.params
    net = encoder(base.shape, params.dropout)
    take_weights(net, base.weights)
    if params.tuning == "lora":
        adapt(net, params.rank, params.alpha)
    fixed = freeze(net, params.tuning, params.frozen_layers)
    net["head"] = torch.nn.Linear(base.shape.width, len(ctx.signature.classes))
    model = TextModel(
        net=net,
        column=column,
        pieces=base.pieces,
        shape=base.shape,
        most=min(params.length, base.shape.longest),
        pooling=params.pooling,
    )
    return model, fixed


def need_no_base(ctx: RecipeContext) -> None:
    """Refuse to begin anew where a model to start from is named, but not there."""
    if ctx.params.base is not None:
        raise Invalid(
            "the model to start from is not there",
            field="params.base",
            value=ctx.params.base,
            hint="only runs and studies start from a model of the library",
        )


def _plan(ctx: RecipeContext) -> Any:
    """Return how to learn: with steps of the size that is usual for what learns."""
    params = ctx.params
    usual = _ANEW if params.base is None else _GENTLE if params.tuning == "full" else _BESIDE
    return SimpleNamespace(**{**params.model_dump(), "learning_rate": params.learning_rate or usual})


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
