"""A net for images that starts from the graph of another one: all of its layers but the last, which is drawn anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import polars as pl
from onnx import TensorProto, helper, numpy_helper

from aimass.kernel.errors import Failed, Invalid
from aimass.models import Signature
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.images import Shape
from aimass.training.recipes.deep.reading import WrittenNet
from aimass.training.recipes.deep.weights import norm_of, weights_of
from aimass.training.recipes.deep.written import Graph

_SIDES, _AT_ONCE = 4, 256
_HINT = "name a version that was made by torch_cnn or torch_resnet, or imported from a residual net"


class Started:
    """A net that knows what another one has learned.

    Batch norms are inside of the weights that it starts from; there is one again in front of the last layer, whose inputs are
    of any size.

    Parameters
    ----------
    file
        The graph to start from.
    column, length
        The column to learn from, and how many numbers its lists hold.
    outputs
        How many classes the new last layer tells apart; 1 for a number.
    dropout
        Share of what the last layer reads that a step leaves out.
    """

    def __init__(self, file: bytes, column: str, length: int, outputs: int, dropout: float = 0.0) -> None:
        self._file = file
        self._column = column
        self.shape = shape_in(onnx.load_from_string(file))
        try:
            self._written = WrittenNet(file)
        except Failed:
            raise _no_images() from None
        known = self.shape.height * self.shape.width * self.shape.channels
        if known != length:
            raise Invalid(
                f"the model to start from reads images of {_said(self.shape)}, and the lists hold {length} numbers",
                field="params.base",
                value=length,
                allowed=known,
                hint="bring the images to that size, or start from another model",
            )
        width = self._written.without_last()
        if width is None:
            raise _no_images()
        nn = torch.nn
        head = nn.ModuleDict({"norm": nn.BatchNorm1d(width), "layer": nn.Linear(width, outputs)})
        self.net = nn.ModuleDict({"base": self._written.net, "head": head, "dropout": nn.Dropout(dropout)})

    def need_shape(self, params: Any) -> None:
        """Refuse parameters that say another shape of the images than the one that the net reads."""
        shape = self.shape
        for name, known in (("height", shape.height), ("width", shape.width), ("channels", shape.channels)):
            said = getattr(params, name)
            if said is not None and said != known:
                raise Invalid(
                    f"the model to start from reads images of {_said(shape)}",
                    field=f"params.{name}",
                    value=said,
                    allowed=known,
                    hint="leave it out, or start from another model",
                )

    def freeze(self, params: Any) -> frozenset[str]:
        """Let the first blocks stay as they are; return the names of their weights."""
        if params.tuning != "frozen":
            return frozenset()
        blocks = self.blocks()
        count = len(blocks) if params.frozen_blocks is None else params.frozen_blocks
        if count > len(blocks):
            raise Invalid(
                f"the model to start from has {len(blocks)} blocks",
                field="params.frozen_blocks",
                value=count,
                allowed=f"0 to {len(blocks)}",
            )
        parts = {part for block in blocks[:count] for part in block}
        for part in parts:
            self.net["base"][part].requires_grad_(requires_grad=False)
        return frozenset(
            name for name in self.net.state_dict() if name.split(".")[:2] in [["base", one] for one in parts]
        )

    def blocks(self) -> list[list[str]]:
        """Return the parts of each block: what lies between two places where images are halved."""
        level, found = {self._written.entry: 0}, dict[int, list[str]]()
        for step in self._written.steps:
            told = {one.name: helper.get_attribute_value(one) for one in step.node.attribute}
            halves = step.kind in ("Conv", "MaxPool") and max(told.get("strides", [1])) > 1
            level[step.output] = max(level[name] for name in step.inputs) + halves
            if step.part and step.kind == "Conv":
                found.setdefault(level[step.output], []).append(step.part)
        return [found[one] for one in sorted(found)]

    def inputs(self, features: pl.DataFrame) -> Any:
        """Return images as the first layer reads them, as ONNX Runtime computes it."""
        graph = onnx.load_from_string(self._file)
        name, entry = graph.graph.input[0].name, self._written.entry
        del graph.graph.output[:]
        graph.graph.output.append(helper.make_tensor_value_info(entry, TensorProto.FLOAT, None))
        session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        numbers = features[self._column].to_numpy().astype(np.float32)
        parts = [
            np.asarray(session.run([entry], {name: numbers[start : start + _AT_ONCE]})[0])
            for start in range(0, len(numbers), _AT_ONCE)
        ]
        return torch.as_tensor(np.concatenate(parts))

    def forward(self, images: Any) -> Any:
        """Return scores of classes, or a number in deviations from the mean."""
        head = self.net["head"]
        return head["layer"](self.net["dropout"](head["norm"](self._written.forward(images))))

    def written(self, signature: Signature, mean: float, spread: float) -> bytes:
        """Return the graph: that of the base up to its last layer, and the answers of the new classes or the number."""
        weight, bias = head_of(self.net["head"])
        model = onnx.load_from_string(self._written.written())
        graph = Graph.again(model.graph, self._column, self._written.exit)
        graph.add("Gemm", [weight * spread, bias * spread + mean], transB=1)
        return graph.classes(signature) if signature.classes else graph.number(signature)


def head_of(head: Any) -> tuple[Any, Any]:
    """Return weights and bias of a last layer with the norm in front of it inside."""
    mean, spread, gain, offset = (np.asarray(one, dtype=np.float64) for one in norm_of(head["norm"]) or ())
    weight, bias = weights_of(head["layer"])
    share = gain / spread
    return weight * share, bias + weight @ (offset - mean * share)


def shape_in(model: Any) -> Shape:
    """Return the shape of the images that a graph reads, from the first thing that it does with a list."""
    first = model.graph.node[0] if model.graph.node else None
    if first is None or first.op_type != "Reshape" or len(model.graph.input) != 1:
        raise _no_images()
    known = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    sizes = known.get(first.input[1])
    if sizes is None or len(sizes) != _SIDES:
        raise _no_images()
    by_pixel = any(one.op_type == "Transpose" for one in model.graph.node)
    one, two, three = (int(size) for size in sizes[1:])
    if by_pixel:
        return Shape(height=one, width=two, channels=three)
    return Shape(height=two, width=three, channels=one, by_pixel=False)


def _said(shape: Shape) -> str:
    return f"{shape.height} x {shape.width} with {shape.channels} channels"


def _no_images() -> Invalid:
    return Invalid("the model to start from is no net for images", field="params.base", hint=_HINT)
