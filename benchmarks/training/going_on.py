"""How fast nets go on with a text: by what they keep of it, and by reading all of it again for each piece.

Weights are drawn, for what they are changes nothing about the work. Both sides compute the same windows of the same graph.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from aimass.models.runtimes.language.brains import Net, Remembering, held_by, net_of, window_of
from aimass.models.runtimes.language.pieces import END
from aimass.training.recipes.torch_language.net import Shape, graph_of

NETS = {
    "the defaults of torch_language": Shape(pieces=1024, context=128, layers=2, width=64, heads=4),
    "six layers of 384, looks back 1,024": Shape(pieces=8192, context=1024, layers=6, width=384, heads=6),
}
SENT, SHOWN = 64, (64, 256, 512)
_SHORT = 16  # pieces of a side that is measured at the end of a text alone, for all of it would take minutes


def run() -> dict[str, Any]:
    """Return pieces per second of each net, by how many have been said, and the bytes that it keeps of a text."""
    return {"sent": SENT, "nets": {name: _measured(shape) for name, shape in NETS.items()}}


def _measured(shape: Shape) -> dict[str, Any]:
    net = net_of(graph_of(weights_of(shape), shape), shape.context, 1)
    text = np.random.default_rng(1).integers(0, END, SENT + max(SHOWN)).tolist()
    speeds = {said: {"kept": _kept(net, text, said), "again": _again(net, text, said)} for said in SHOWN}
    return {"context": shape.context, "bytes": held_by(net.past or (0, 0)) * shape.context, "speeds": speeds}


def weights_of(shape: Shape) -> dict[str, Any]:
    """Return drawn weights, small ones."""
    rng, width = np.random.default_rng(0), shape.width
    linear = {
        "three": (3 * width, width),
        "out": (width, width),
        "wide": (4 * width, width),
        "back": (width, 4 * width),
    }
    found: dict[str, Any] = {"pieces.weight": (shape.pieces, width), "places.weight": (shape.context, width)}
    for layer in range(shape.layers):
        for name, size in linear.items():
            found |= {f"{layer}_{name}.weight": size, f"{layer}_{name}.bias": size[:1]}
        for name in ("before", "between"):
            found |= {f"{layer}_{name}.weight": (width,), f"{layer}_{name}.bias": (width,)}
    found |= {"end.weight": (width,), "end.bias": (width,)}
    return {name: rng.normal(0, 0.05, size) for name, size in found.items()}


def _kept(net: Net, text: list[int], said: int) -> float:
    """Return pieces per second from the text that was sent to its end, the reading of it among them."""
    follower = Remembering(net, SENT + said)
    began = time.perf_counter()
    for length in range(SENT, SENT + said):
        follower.following(text[:length])
    return said / (time.perf_counter() - began)


def _again(net: Net, text: list[int], said: int) -> float:
    """Return the same where each piece reads its window again; of long texts a sample at even distances stands for all."""
    lengths = np.linspace(SENT, SENT + said - 1, min(said, _SHORT)).astype(int)
    began = time.perf_counter()
    for length in lengths:
        row = [END, *text[:length]]
        net.step([row[window_of(len(row), net.context) :]])
    return len(lengths) / (time.perf_counter() - began)


def lines(told: Mapping[str, Any]) -> list[str]:
    """Return the section of the report."""
    rows = [
        f"| {name} | {said} | {one['again']:,.0f} | {one['kept']:,.0f}, {one['kept'] / one['again']:.1f} times | "
        f"{net['bytes'] / 2**20:.1f} MB |"
        for name, net in told["nets"].items()
        for said, one in net["speeds"].items()
    ]
    return [
        "## Going on with a text",
        "",
        f'A text of {told["sent"]} pieces is gone on with (`make bench-training ARGS="--only going_on"`), on one thread.',
        "",
        "| net | pieces said | pieces a second, all read again | by what is kept | kept of a text at most |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
        "Weights are drawn. Both sides compute the same windows of the same graph; drawing and turning pieces into text is left out on both.",
        "",
    ]
