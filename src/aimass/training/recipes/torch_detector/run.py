"""A convolutional net that finds objects in pictures of one column of lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Failed, Invalid
from aimass.models import Candidate
from aimass.training.measures.bytask import measures_of
from aimass.training.measures.objects import Scenes, Thing
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.images import Shape, scale_of, shape_of
from aimass.training.recipes.deep.loop import Task, answered, held_out, learn
from aimass.training.recipes.lists import column_of
from aimass.training.recipes.protocol import RecipeContext, Table
from aimass.training.recipes.torch_detector.graph import graph_of
from aimass.training.recipes.torch_detector.net import Plan, forward, layers, loss_of, together_of, truth_of
from aimass.training.recipes.torch_detector.reading import PLAIN, Peaks, Sureness, peaks_of, sureness_of, written

_BEYOND = 1.0  # pixels that tools for marking let a box reach beyond its picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A net that has learned, and what a picture is to it."""

    net: Any
    plan: Plan
    column: str
    shape: Shape
    mean: Any
    spread: Any
    labels: tuple[str, ...]
    sureness: Sureness = PLAIN

    def inputs(self, features: pl.DataFrame) -> Any:
        """Return pictures as a tensor, each channel in deviations from its mean."""
        planes = self.shape.planes(features[self.column].to_numpy())
        scaled = (planes - self.mean[:, None, None]) / self.spread[:, None, None]
        return torch.as_tensor(np.ascontiguousarray(scaled, dtype=np.float32))

    def peaks(self, inputs: Any, most: int) -> Peaks:
        """Return the surest peaks of each picture."""
        return peaks_of(answered(self.net, partial(forward, self.net, self.plan), inputs), self.plan, most)


class TorchDetector:
    """A heat map of middles, and for each place the box around it."""

    def fit(self, ctx: RecipeContext) -> Detector:
        """Learn from the pictures of the training part; how sure to be from those of it that were held out."""
        table = ctx.data("train")
        truth: Scenes = table.truth
        model = _blank(ctx, table)
        check_inside(truth, model.shape)
        task = Task(
            net=model.net,
            forward=partial(forward, model.net, model.plan),
            loss=partial(loss_of, model.plan),
            inputs=model.inputs(table.features),
            truth=truth_of(truth, list(model.labels), model.plan.points),
            together=together_of(ctx.params, model.plan),
        )
        learn(ctx, task)
        _, watched = held_out(task, ctx.params, ctx.seed)
        if not len(watched):
            return model
        peaks = model.peaks(task.inputs[watched], ctx.params.most_objects)
        return replace(model, sureness=sureness_of(peaks, truth[watched], model.labels))

    def predict(self, ctx: RecipeContext, model: Detector, features: pl.DataFrame) -> Any:
        """Return the objects of each picture, written as a package answers them."""
        peaks = model.peaks(model.inputs(features), ctx.params.most_objects)
        return written(peaks, model.labels, model.sureness, ctx.params.least_score)

    def evaluate(self, ctx: RecipeContext, model: Detector, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: Detector) -> None:
        """Say nothing: there is one input."""
        del ctx, model

    def package(self, ctx: RecipeContext, model: Detector) -> Candidate:
        """Return the one way to write it down: a graph that also picks the boxes and writes them."""
        seen, told = (model.shape, model.mean, model.spread), (model.labels, model.sureness, ctx.params)
        return Candidate(
            signature=ctx.signature,
            to_onnx=lambda: graph_of(model.net, model.plan, seen, told, ctx.signature),
            to_python=_no_python,
        )


def _blank(ctx: RecipeContext, table: Table) -> Detector:
    """Return a net that has not learned yet."""
    column, length = column_of(ctx.signature)
    shape, truth, params = shape_of(length, ctx.params), table.truth, ctx.params
    if params.flip and truth.points:
        raise Invalid(
            "pictures with key points are not mirrored: what is on the left of an object would be on its right",
            field="params.flip",
            value=True,
            allowed=False,
        )
    labels = tuple(truth.labels())
    if not labels:
        raise Invalid(
            "the pictures to learn from show no object", field="target", value=len(truth), hint="mark more pictures"
        )
    mean, spread = scale_of(shape.planes(table.features[column].to_numpy()))
    stride = 2**params.halvings
    if stride * 2 > min(shape.height, shape.width):
        raise Invalid(
            f"a picture of {shape.height} x {shape.width} is too small to be halved {params.halvings} times and once more",
            field="params.halvings",
            value=params.halvings,
        )
    plan = Plan(rows=shape.height, columns=shape.width, stride=stride, labels=len(labels), points=truth.points)
    torch.manual_seed(ctx.seed)
    net = layers(params, plan, shape.channels)
    return Detector(net=net, plan=plan, column=column, shape=shape, mean=mean, spread=spread, labels=labels)


def check_inside(truth: Scenes, shape: Shape) -> None:
    """Refuse objects that reach out of their picture."""
    for some in truth.things:
        for one in some:
            if one.x + one.width > shape.width + _BEYOND or one.y + one.height > shape.height + _BEYOND:
                raise Invalid(
                    f"an object {_told(one)} reaches out of its picture of {shape.width} x {shape.height} pixels",
                    field="target",
                    value=list(one[:5]),
                    allowed="x + width and y + height inside the picture",
                    hint="name height and width of the pictures, or repair the box: pixels, not shares of the picture",
                )


def _told(one: Thing) -> str:
    return f"{one.label[:40]!r} at {one.x:g}, {one.y:g} of {one.width:g} x {one.height:g}"


def _no_python() -> bytes:
    raise Failed("a net of torch is written as ONNX alone, and the exported file answers differently")


RUN = TorchDetector()
