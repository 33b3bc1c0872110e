"""A small net that hears: separable convolutions on log-mel pictures of clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Failed
from aimass.models import Candidate, Signature
from aimass.training.measures.bytask import measures_of
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.loop import Task, answered, learn
from aimass.training.recipes.deep.weights import class_weights, folded, norm_of, weights_of
from aimass.training.recipes.deep.written import Graph
from aimass.training.recipes.lists import column_of
from aimass.training.recipes.protocol import RecipeContext, Table
from aimass.training.recipes.sounds.mel import FLOOR, Ear, ear_of, scale_of, unit_of
from aimass.training.recipes.torch_sound.augment import augment_of, hidden

_FIRST, _STRIDE, _SIDE = (5, 9), (2, 2), 3  # bands and moments of the kernels


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundNet:
    """A net that has learned, and what a clip is to it.

    Attributes
    ----------
    net
        Its layers by name: ``first``, ``blocks`` (each ``alone`` and ``across``) and ``out``.
    mean, spread
        Of each band of the training pictures.
    masks
        Bands and moments that are hidden at most while it learns.
    """

    net: Any
    column: str
    ear: Ear
    mean: Any
    spread: Any
    masks: tuple[int, int] = (0, 0)

    def forward(self, clips: Any) -> Any:
        """Return scores of classes."""
        relu = torch.nn.functional.relu
        found = relu(_through(self.net["first"], self._pictures(clips)[:, None]))
        for block in self.net["blocks"]:
            found = relu(_through(block["across"], relu(_through(block["alone"], found))))
        return self.net["out"](self.net["dropout"](found.mean((2, 3))))

    def _pictures(self, clips: Any) -> Any:
        ear = self.ear
        window, weights = (torch.as_tensor(part, dtype=torch.float32) for part in (ear.window, ear.weights))
        frames = clips.unfold(1, ear.frame, ear.hop) * window
        powers = torch.view_as_real(torch.fft.rfft(frames, ear.points)).square().sum(-1)
        heard = torch.log(powers @ weights.T + FLOOR).transpose(1, 2)
        scaled = (heard - torch.as_tensor(self.mean)[:, None]) / torch.as_tensor(self.spread)[:, None]
        return hidden(scaled, *self.masks) if self.net.training else scaled


def _through(part: Any, values: Any) -> Any:
    return part["norm"](part["layer"](values))


class TorchSound:
    """Convolutions for each filter alone and across the filters, as small as for a microcontroller.

    The net is shaped like the separable one of Zhang et al., "Hello edge: keyword spotting on microcontrollers", 2017.
    """

    def fit(self, ctx: RecipeContext) -> SoundNet:
        """Learn from the clips of the training part."""
        table, params = ctx.data("train"), ctx.params
        column, samples = column_of(ctx.signature)
        clips = table.features[column].to_numpy()
        ear = replace(ear_of(samples, params), unit=unit_of(clips))
        mean, spread = scale_of(ear.pictures(clips))
        torch.manual_seed(ctx.seed)
        model = SoundNet(
            net=layers(params, len(ctx.signature.classes)),
            column=column,
            ear=ear,
            mean=mean,
            spread=spread,
            masks=(params.mask_bands, round(params.mask_ms / params.hop_ms)),
        )
        weight = class_weights(params.class_weight, table.truth, len(ctx.signature.classes))
        task = Task(
            net=model.net,
            forward=model.forward,
            loss=torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=params.label_smoothing),
            inputs=_tensor(clips),
            truth=torch.as_tensor(table.truth),
            strata=table.truth,
            look=partial(self.predict, ctx, model),
            augment=augment_of(params, ear.unit),
        )
        learn(ctx, task)
        return model

    def predict(self, ctx: RecipeContext, model: SoundNet, features: pl.DataFrame) -> Any:
        """Return probabilities in the order of the signature's classes."""
        del ctx
        clips = _tensor(features[model.column].to_numpy())
        scores = answered(model.net, model.forward, clips).astype(np.float64)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def evaluate(self, ctx: RecipeContext, model: SoundNet, table: Table) -> Mapping[str, float]:
        """Return the numbers by which runs are compared."""
        return measures_of(ctx.task).scores(table.truth, self.predict(ctx, model, table.features))

    def importance(self, ctx: RecipeContext, model: SoundNet) -> Mapping[str, float] | None:
        """Return nothing: there is one input."""
        return None

    def clip_s(self, ctx: RecipeContext, model: SoundNet) -> float:
        """Return the seconds of a clip."""
        del ctx
        return model.ear.samples / model.ear.rate

    def package(self, ctx: RecipeContext, model: SoundNet) -> Candidate:
        """Return the one way to write the net down."""
        return Candidate(signature=ctx.signature, to_onnx=lambda: to_onnx(model, ctx.signature), to_python=_no_python)


def _tensor(clips: Any) -> Any:
    return torch.as_tensor(np.array(clips, dtype=np.float32))


def layers(params: Any, classes: int) -> Any:
    """Return the layers, with weights drawn by the seed that is set."""
    nn, filters = torch.nn, params.filters

    def part(inside: int, size: tuple[int, int], groups: int = 1, stride: tuple[int, int] = (1, 1)) -> Any:
        pads = (size[0] // 2, size[1] // 2)
        layer = nn.Conv2d(inside, filters, size, stride=stride, padding=pads, groups=groups, bias=False)
        return nn.ModuleDict({"layer": layer, "norm": nn.BatchNorm2d(filters)})

    blocks = [
        nn.ModuleDict({"alone": part(filters, (_SIDE, _SIDE), filters), "across": part(filters, (1, 1))})
        for _ in range(params.blocks)
    ]
    return nn.ModuleDict(
        {
            "first": part(1, _FIRST, stride=_STRIDE),
            "blocks": nn.ModuleList(blocks),
            "dropout": nn.Dropout(params.dropout),
            "out": nn.Linear(filters, classes),
        }
    )


def to_onnx(model: SoundNet, signature: Signature) -> bytes:
    """Write a net down: from the samples of a clip to label and probabilities."""
    graph = Graph(model.column)
    model.ear.write(graph)
    graph.add("Sub", [model.mean[:, None]])
    graph.add("Div", [model.spread[:, None]])
    graph.add("Unsqueeze", [np.array([1])])
    write = partial(_write, graph)
    write(model.net["first"], strides=list(_STRIDE))
    for block in model.net["blocks"]:
        write(block["alone"], group=block["alone"]["layer"].groups)
        write(block["across"])
    graph.add("GlobalAveragePool")
    graph.add("Flatten", axis=1)
    graph.add("Gemm", weights_of(model.net["out"]), transB=1)
    return graph.classes(signature)


def _write(graph: Graph, part: Any, **settings: Any) -> None:
    size = list(part["layer"].kernel_size)
    pads = [one // 2 for one in size] * 2
    inside = folded(*weights_of(part["layer"]), norm_of(part["norm"]))
    graph.add("Conv", inside, kernel_shape=size, pads=pads, **settings)
    graph.add("Relu")


def _no_python() -> bytes:
    raise Failed("a net of torch is written as ONNX alone, and the exported file answers differently")


RUN = TorchSound()
