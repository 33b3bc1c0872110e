"""Ways to store weights in fewer bytes: small nodes before the layers unpack them.

All of these nodes read constants alone, so ONNX Runtime computes them once, when it loads the file: an answer takes as long
as with the weights themselves. The exception is :func:`eight_bits` with ``at="run"``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from aimass.training.children.shrinking.layers import Layer, drop_unused
from aimass.training.errors import Uncompressible
from aimass.training.recipes.deep.books import codebook, nearest

FLOAT16_MAX = 65504.0
_NIBBLES = 16


@dataclass(slots=True, kw_only=True)
class Store:
    """The nodes and constants that give one tensor its value again."""

    name: str
    nodes: list[NodeProto] = field(default_factory=list[NodeProto])
    constants: list[TensorProto] = field(default_factory=list[TensorProto])

    def keep(self, part: str, value: Any) -> str:
        """Keep an array; return its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), f"{self.name}/{part}"))
        return f"{self.name}/{part}"

    def add(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        """Add a node; return the name of what it makes."""
        made = f"{self.name}/{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [made], **attributes))
        return made

    def into(self, model: onnx.ModelProto) -> None:
        """Put this in the place of the constant of its name."""
        self.nodes[-1].output[0] = self.name
        kept = [tensor for tensor in model.graph.initializer if tensor.name != self.name]
        del model.graph.initializer[:]
        model.graph.initializer.extend([*kept, *self.constants])
        nodes = [*self.nodes, *model.graph.node]
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        drop_unused(model)


def scales_of(weights: Any, axis: int, top: int) -> Any:
    """Return a scale per output of a layer, so that its largest weight becomes ``top``."""
    rest = tuple(one for one in range(weights.ndim) if one != axis)
    largest = np.abs(weights).max(axis=rest)
    return (np.where(largest > 0, largest, 1.0) / top).astype(np.float32)


def in_steps(weights: Any, scales: Any, axis: int) -> Any:
    """Return the weights as whole numbers of their scales."""
    return np.round(weights / _along(scales, axis, weights.ndim)).astype(np.int8)


def _along(scales: Any, axis: int, rank: int) -> Any:
    return scales.reshape([-1 if one == axis else 1 for one in range(rank)])


def eight_bits(layer: Layer, *, at: str = "load") -> Store:
    """Store weights as bytes with a scale per output; they are unpacked when the file is loaded, or in each run."""
    store = Store(name=layer.name)
    scales = scales_of(layer.weights, layer.axis, 127)
    steps = store.keep("steps", in_steps(layer.weights, scales, layer.axis))
    if at == "run":
        zeros = store.keep("zeros", np.zeros(len(scales), np.int8))
        store.add("DequantizeLinear", [steps, store.keep("scales", scales), zeros], axis=layer.axis)
        return store
    wide = store.add("Cast", [steps], to=TensorProto.FLOAT)
    store.add("Mul", [wide, store.keep("scales", _along(scales, layer.axis, layer.weights.ndim))])
    return store


def half(layer: Layer) -> Store:
    """Store weights as 16 bit floats."""
    if np.abs(layer.weights).max() > FLOAT16_MAX:
        raise Uncompressible(f"a weight is larger than {FLOAT16_MAX:g}, which 16 bit floats cannot hold")
    store = Store(name=layer.name)
    store.add("Cast", [store.keep("half", layer.weights.astype(np.float16))], to=TensorProto.FLOAT)
    return store


def clustered(layer: Layer, entries: int) -> Store:
    """Store weights as places in a codebook: four bits each up to 16 entries, else eight."""
    store = Store(name=layer.name)
    centres = codebook(layer.weights, entries)
    places = _whole(store, "codes", nearest(layer.weights.ravel(), centres), len(centres))
    flat = store.add("Gather", [store.keep("book", centres), places])
    store.add("Reshape", [flat, store.keep("shape", np.array(layer.weights.shape, np.int64))])
    return store


def sparse(layer: Layer, entries: int | None = None) -> Store:
    """Store the weights that are not zero and the gaps between them; through a codebook where one is wanted."""
    flat = layer.weights.ravel()
    kept = np.flatnonzero(flat)
    gaps, places = min((_gaps(kept, width) for width in (4, 8)), key=lambda one: _cost(one, entries))
    values = np.where(places >= 0, flat[places], 0.0).astype(np.float32)
    store = Store(name=layer.name)
    if entries is None:
        given = store.keep("values", values)
    else:
        centres = np.unique(np.append(codebook(flat[kept], entries - 1), np.float32(0)))
        centres = np.sort(centres).astype(np.float32)
        codes = _whole(store, "codes", nearest(values, centres), len(centres))
        given = store.add("Gather", [store.keep("book", centres), codes])
    steps = store.add("Cast", [_whole(store, "gaps", gaps - 1, int(gaps.max()))], to=TensorProto.INT64)
    one = store.keep("one", np.array(1, np.int64))
    ends = store.add("CumSum", [store.add("Add", [steps, one]), store.keep("axis", np.array(0, np.int64))])
    where = store.add("Sub", [ends, one])
    blank = store.add("ConstantOfShape", [store.keep("size", np.array([flat.size], np.int64))])
    dense = store.add("ScatterElements", [blank, where, given])
    store.add("Reshape", [dense, store.keep("shape", np.array(layer.weights.shape, np.int64))])
    return store


def _gaps(kept: Any, width: int) -> tuple[Any, Any]:
    """Return gaps of at most 2**width, and the place of the weight at the end of each; -1 where a gap was cut in parts."""
    longest = 2**width
    jumps = np.diff(kept, prepend=-1)
    parts = (jumps + longest - 1) // longest
    gaps = np.full(int(parts.sum()), longest, dtype=np.int64)
    places = np.full(len(gaps), -1, dtype=np.int64)
    last = np.cumsum(parts) - 1
    gaps[last] = jumps - (parts - 1) * longest
    places[last] = kept
    return gaps, places


def _cost(found: tuple[Any, Any], entries: int | None) -> float:
    gaps, _ = found
    width = 0.5 if gaps.max() <= _NIBBLES else 1.0
    value = 4.0 if entries is None else 0.5 if entries <= _NIBBLES else 1.0
    return len(gaps) * (width + value)


def _whole(store: Store, part: str, numbers: Any, count: int) -> str:
    """Store whole numbers below ``count``, two in a byte where they fit; return the name of them as 32 bit numbers."""
    if count > _NIBBLES:
        return store.add("Cast", [store.keep(part, numbers.astype(np.uint8))], to=TensorProto.INT32)
    even = np.append(numbers, np.zeros(len(numbers) % 2, numbers.dtype)).astype(np.uint8)
    packed = store.add("Cast", [store.keep(part, even[0::2] | (even[1::2] << 4))], to=TensorProto.INT32)
    sixteen = store.keep(f"{part}/base", np.array(_NIBBLES, np.int32))
    high = store.add("Div", [packed, sixteen])
    low = store.add("Sub", [packed, store.add("Mul", [high, sixteen])])
    column = store.keep(f"{part}/column", np.array([-1, 1], np.int64))
    pair = store.add("Concat", [store.add("Reshape", [low, column]), store.add("Reshape", [high, column])], axis=1)
    row = store.add("Reshape", [pair, store.keep(f"{part}/row", np.array([-1], np.int64))])
    ends = [store.keep(f"{part}/{name}", np.array([at], np.int64)) for name, at in (("from", 0), ("to", len(numbers)))]
    return store.add("Slice", [row, *ends])
