"""Classes of clips: a linear model of what patterns find in pictures of sounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression

from aimass.kernel.errors import Failed
from aimass.models import Candidate, Signature
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.deep.written import Graph
from aimass.training.recipes.lists import column_of
from aimass.training.recipes.protocol import RecipeContext, Table
from aimass.training.recipes.sound_kernels.patterns import Patterns, draw, numbers_of, write
from aimass.training.recipes.sounds.mel import Ear, ear_of, scale_of, unit_of

_PAIR = 2
_LEAST_SPREAD = 0.01  # of a number over the clips: less is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundModel:
    """What was learned.

    Attributes
    ----------
    mean, spread
        Of each band of the training pictures.
    weights, offsets
        Of the classifier, for numbers as the pictures give them: a row for each class.
    """

    column: str
    ear: Ear
    mean: Any
    spread: Any
    patterns: tuple[Patterns, ...]
    weights: Any
    offsets: Any

    def numbers(self, features: pl.DataFrame) -> Any:
        """Return what the patterns find in clips."""
        return _numbers(self.ear.pictures(features[self.column].to_numpy()), self)


class SoundKernels:
    """Kernels drawn by chance, and a linear classifier behind them."""

    def fit(self, ctx: RecipeContext) -> SoundModel:
        """Hear the clips of the training part, and learn what tells their classes."""
        table = ctx.data("train")
        column, samples = column_of(ctx.signature)
        clips = table.features[column].to_numpy()
        ear = replace(ear_of(samples, ctx.params), unit=unit_of(clips))
        pictures = ear.pictures(clips)
        ctx.report(1, 3)
        mean, spread = scale_of(pictures)
        found = SoundModel(
            column=column,
            ear=ear,
            mean=mean,
            spread=spread,
            patterns=draw(ctx.params.kernels, ear.bands, ear.moments, ctx.seed),
            weights=None,
            offsets=None,
        )
        numbers = _numbers(pictures, found)
        ctx.report(2, 3)
        weights, offsets = _learned(ctx, numbers.astype(np.float64), table.truth)
        ctx.report(3, 3)
        return replace(found, weights=weights.astype(np.float32), offsets=offsets.astype(np.float32))

    def predict(self, ctx: RecipeContext, model: SoundModel, features: pl.DataFrame) -> Any:
        """Return probabilities in the order of the signature's classes."""
        del ctx
        scores = (model.numbers(features) @ model.weights.T + model.offsets).astype(np.float64)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def evaluate(self, ctx: RecipeContext, model: SoundModel, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: SoundModel) -> Mapping[str, float] | None:
        """Return nothing: there is one input."""
        return None

    def clip_s(self, ctx: RecipeContext, model: SoundModel) -> float:
        """Return the seconds of a clip."""
        del ctx
        return model.ear.samples / model.ear.rate

    def package(self, ctx: RecipeContext, model: SoundModel) -> Candidate:
        """Return the one way to write the model down."""
        return Candidate(signature=ctx.signature, to_python=_no_python, to_onnx=lambda: to_onnx(model, ctx.signature))


def _numbers(pictures: Any, model: SoundModel) -> Any:
    return numbers_of((pictures - model.mean[:, None]) / model.spread[:, None], model.patterns)


def _learned(ctx: RecipeContext, numbers: Any, truth: Any) -> tuple[Any, Any]:
    """Return weights and offsets of the classes, for numbers that are not scaled."""
    mean, spread = numbers.mean(axis=0), numbers.std(axis=0)
    spread = np.maximum(spread, _LEAST_SPREAD)
    weight = None if ctx.params.class_weight == "none" else ctx.params.class_weight
    estimator = LogisticRegression(
        C=ctx.params.strength, max_iter=ctx.params.max_iterations, class_weight=weight, random_state=ctx.seed
    )
    estimator.fit((numbers - mean) / spread, truth)
    weights, offsets = estimator.coef_ / spread, estimator.intercept_
    if len(weights) < _PAIR:  # one score tells two classes: half of it for the one, half against the other
        weights, offsets = np.vstack([-weights, weights]) / 2, np.concatenate([-offsets, offsets]) / 2
    return weights, offsets - weights @ mean


def to_onnx(model: SoundModel, signature: Signature) -> bytes:
    """Write a model down: from the samples of a clip to label and probabilities."""
    graph = Graph(model.column)
    model.ear.write(graph)
    graph.add("Sub", [model.mean[:, None]])
    graph.add("Div", [model.spread[:, None]])
    write(graph, model.patterns)
    graph.add("Gemm", [model.weights, model.offsets], transB=1)
    return graph.classes(signature)


def _no_python() -> bytes:
    raise Failed("a model of sounds is written as ONNX alone, and the exported file answers differently")


RUN = SoundKernels()
