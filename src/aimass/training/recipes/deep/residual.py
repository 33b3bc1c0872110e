"""Residual nets that were learned elsewhere: their layers, what they say by numpy alone, and the graph that says the same.

References
----------
He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from aimass.models import Signature
from aimass.training.recipes.deep.weights import Norm, folded
from aimass.training.recipes.deep.written import Graph

_POOL, _POOL_STEP = 3, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """A convolution without bias, shape ``(outputs, inputs, side, side)``, and the batch norm behind it."""

    weight: Any
    norm: Norm
    stride: int

    @property
    def around(self) -> int:
        """Return how many pixels of nothing are put around."""
        return self.weight.shape[2] // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Convolutions behind each other, and what goes around them; nothing does where a block leaves sizes as they are."""

    path: tuple[Convolution, ...]
    around: Convolution | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """A residual net for pictures.

    Attributes
    ----------
    mean, spread
        Of each channel, as numbers of a picture are: 0 to 255.
    weight, bias
        Of the last layer, which tells the classes apart.
    """

    height: int
    width: int
    mean: Any
    spread: Any
    stem: Convolution
    blocks: tuple[Block, ...]
    weight: Any
    bias: Any
    classes: tuple[str, ...]

    @property
    def channels(self) -> int:
        """Return how many numbers a pixel has."""
        return int(self.stem.weight.shape[1])

    @property
    def numbers(self) -> int:
        """Return how many numbers a picture has."""
        return self.height * self.width * self.channels


def shares_of(net: Residual, pictures: Any) -> Any:
    """Return the probability of each class, computed by numpy alone: by this the graph is judged before it counts."""
    scores = features_of(net, pictures) @ net.weight.T.astype(np.float64) + net.bias
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def features_of(net: Residual, pictures: Any) -> Any:
    """Return what the last layer reads of pictures, each a row of numbers, those of a pixel side by side."""
    planes = np.asarray(pictures, dtype=np.float64).reshape(-1, net.height, net.width, net.channels)
    state = ((planes - net.mean) / net.spread).transpose(0, 3, 1, 2)
    state = _pooled(np.maximum(_through(net.stem, state), 0))
    for block in net.blocks:
        beside = state if block.around is None else _through(block.around, state)
        for place, part in enumerate(block.path):
            state = _through(part, state if place == 0 else np.maximum(state, 0))
        state = np.maximum(state + beside, 0)
    return state.mean(axis=(2, 3))


def _through(part: Convolution, state: Any) -> Any:
    """Return a convolution with the norm behind it."""
    outputs, inputs, side, _ = part.weight.shape
    wide = np.pad(state, ((0, 0), (0, 0), (part.around, part.around), (part.around, part.around)))
    seen = sliding_window_view(wide, (side, side), axis=(2, 3))[:, :, :: part.stride, :: part.stride]
    count, _, height, width = seen.shape[:4]
    rows = seen.transpose(0, 2, 3, 1, 4, 5).reshape(-1, inputs * side * side)
    said = (rows @ part.weight.reshape(outputs, -1).T.astype(np.float64)).reshape(count, height, width, outputs)
    mean, spread, gain, offset = part.norm
    return ((said - mean) / spread * gain + offset).transpose(0, 3, 1, 2)


def _pooled(state: Any) -> Any:
    """Return the largest of each place and its neighbours, at every second place; nothing is smaller than 0 here."""
    wide = np.pad(state, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return sliding_window_view(wide, (_POOL, _POOL), axis=(2, 3))[:, :, ::_POOL_STEP, ::_POOL_STEP].max(axis=(4, 5))


def graph_of(net: Residual, signature: Signature) -> bytes:
    """Return the net as a graph, from the list of numbers to classes; norms are inside of the weights."""
    graph = Graph(signature.inputs[0].name)
    graph.add("Reshape", [np.array([-1, net.height, net.width, net.channels])])
    graph.add("Transpose", perm=[0, 3, 1, 2])
    graph.add("Sub", [np.reshape(net.mean, (-1, 1, 1))])
    graph.add("Div", [np.reshape(net.spread, (-1, 1, 1))])
    _write(graph, net.stem)
    graph.add("Relu")
    graph.add("MaxPool", kernel_shape=[_POOL] * 2, strides=[_POOL_STEP] * 2, pads=[1] * 4)
    for block in net.blocks:
        before = graph.last
        for place, part in enumerate(block.path):
            if place:
                graph.add("Relu")
            _write(graph, part)
        said = graph.last
        beside = before if block.around is None else _write(graph, block.around, before)
        graph.add("Add", inputs=[beside, said])
        graph.add("Relu")
    graph.add("GlobalAveragePool")
    graph.add("Flatten", axis=1)
    graph.add("Gemm", [net.weight, net.bias], transB=1)
    return graph.classes(signature)


def _write(graph: Graph, part: Convolution, given: str | None = None) -> str:
    weight, bias = folded(part.weight, 0.0, part.norm)
    side, inputs = part.weight.shape[2], None if given is None else [given]
    sizes = {"kernel_shape": [side] * 2, "strides": [part.stride] * 2, "pads": [part.around] * 4}
    return graph.add("Conv", [weight, bias], inputs, **sizes)
