"""Nets read back from the graphs that they were written as, so that they can learn on: the file is all that is kept of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import polars as pl
from onnx import NodeProto, TensorProto, helper, numpy_helper

from aimass.kernel.errors import Failed
from aimass.models import Signature
from aimass.training.recipes.deep.engine import torch

LAYERS = ("Conv", "Gemm", "MatMul")
LEAST_WEIGHTS = 64  # layers of fewer stay as they are
_LOOKED_AT = 64
_ALIKE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A node of a graph: the values that it reads, and its part among the weights, "" where it has none."""

    node: NodeProto
    inputs: tuple[str, ...]
    part: str = ""

    @property
    def kind(self) -> str:
        """Return what it computes."""
        return self.node.op_type

    @property
    def output(self) -> str:
        """Return the name of what it computes."""
        return self.node.output[0]


class WrittenNet:
    """The layers of a graph, from the first one with weights to the scores or the number.

    Parameters
    ----------
    file
        A graph as recipes of torch write it.
    mean, spread
        Of the target, for a net that answers in its unit: what is learned is in deviations from the mean.

    Attributes
    ----------
    net
        The weights by node: ``weight`` with ``mask``, or ``book`` with ``codes`` and ``mask``; and ``bias``.
    entry, exit
        The names of what the first layer reads, and of what the last one says.
    """

    def __init__(self, file: bytes, mean: float = 0.0, spread: float = 1.0) -> None:
        self.model = onnx.load_from_string(file)
        self.net = torch.nn.ModuleDict()
        self.steps: list[Step] = []
        self.entry = self.exit = ""
        self._tensors: dict[str, dict[str, str]] = {}
        self._read({one.name: numpy_helper.to_array(one) for one in self.model.graph.initializer})
        if not self.layers():
            raise Failed("its graph has no layer that can learn on", hint="train it again")
        self._unit = mean, spread
        self._last = [
            one.part for name in _NAMES for one in [step for step in self.steps if name in self._of(step)][-1:]
        ]
        if len(self._last) < len(_NAMES):
            raise Failed("its graph has no layer that adds a number to what it says", hint="train it again")
        self._scale(1 / spread, -mean / spread)

    def _read(self, constants: Mapping[str, Any]) -> None:
        for place, node in enumerate(self.model.graph.node):
            given = {name: constants[name] for name in node.input if name in constants}
            inputs = tuple(name for name in node.input if name not in given)
            if not self.entry:
                if node.op_type not in LAYERS or not given:
                    continue
                self.entry = node.input[0]
            elif not {self.entry, *(one.output for one in self.steps)}.intersection(inputs):
                continue
            if node.op_type not in _OPERATORS:
                return
            step = Step(node=node, inputs=inputs, part=str(place) if given else "")
            if given:
                self._take(step, given)
            self.steps.append(step)
            self.exit = step.output

    def _take(self, step: Step, given: Mapping[str, Any]) -> None:
        """Take the constants of a node as weights."""
        names = ("weight", "bias") if step.kind in LAYERS else ("bias",)
        self._tensors[step.part] = dict(zip(names, given, strict=False))
        values: dict[str, Any] = dict(zip(names, map(_kept, given.values()), strict=False))
        if "weight" in values:
            values["mask"] = torch.nn.Parameter(torch.ones_like(values["weight"]), requires_grad=False)
        self.net[step.part] = torch.nn.ParameterDict(values)

    def _of(self, step: Step) -> Mapping[str, str]:
        return self._tensors.get(step.part, {})

    def _scale(self, factor: float, offset: float) -> None:
        """Let the last layer answer in another unit; where it was left out, nothing has one."""
        if not self._last:
            return
        weight, bias = (self.net[part] for part in self._last)
        weight["book" if "book" in weight else "weight"].data *= factor
        bias["bias"].data = bias["bias"].data * factor + offset

    def layers(self) -> list[Any]:
        """Return the parts whose weights may be left out."""
        known = [self.net[one.part] for one in self.steps if one.kind in LAYERS]
        return [part for part in known if part["mask"].numel() >= LEAST_WEIGHTS]

    def without_last(self) -> int | None:
        """Leave out the last layer, so that what it reads is the answer; return how many numbers that is.

        None, and nothing is left out, where the answer is not what a layer with its own bias says.
        """
        last = self.steps[-1]
        if last.kind != "Gemm":
            return None
        self.steps.pop()
        self.exit = last.inputs[0]
        self._last = []
        del self._tensors[last.part]
        return int(self.net.pop(last.part)["weight"].shape[1])

    def forward(self, inputs: Any) -> Any:
        """Return what the last layer says."""
        values = {self.entry: inputs}
        for step in self.steps:
            part = self.net[step.part] if step.part else {}
            values[step.output] = _OPERATORS[step.kind](step.node, [values[name] for name in step.inputs], part)
        return values[self.exit]

    def inputs(self, features: pl.DataFrame, signature: Signature) -> Any:
        """Return what the first layer reads of rows, as ONNX Runtime computes it; refuse a net that is read wrongly."""
        graph = onnx.ModelProto()
        graph.CopyFrom(self.model)
        del graph.graph.output[:]
        for name in (self.entry, self.exit):
            graph.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
        session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        wanted = {one.name for one in session.get_inputs()}
        feeds = {name: values for name, values in feeds_of(features, signature).items() if name in wanted}
        found, said = session.run([self.entry, self.exit], feeds)
        inputs = torch.as_tensor(found)
        self._check(inputs[:_LOOKED_AT], np.asarray(said)[:_LOOKED_AT])
        return inputs

    def _check(self, inputs: Any, said: Any) -> None:
        mean, spread = self._unit
        with torch.no_grad():
            own = self.forward(inputs).numpy() * spread + mean
        apart = float(np.abs(own - said).max()) / max(float(np.abs(said).max()), 1e-6)
        if not apart <= _ALIKE:
            raise Failed(f"its graph is not read as it was written: answers differ by a share of {apart:.2g}")

    def written(self) -> bytes:
        """Return the graph with the weights as they are now; nothing can be learned after it."""
        mean, spread = self._unit
        self._scale(spread, mean)
        made = {
            name: (weight_of(self.net[part]) if kind == "weight" else self.net[part][kind]).detach().numpy()
            for part, names in self._tensors.items()
            for kind, name in names.items()
        }
        for tensor in self.model.graph.initializer:
            if tensor.name in made:
                tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(made[tensor.name]), tensor.name))
        del self.model.graph.value_info[:]  # shapes of layers may be others now
        return self.model.SerializeToString()


_NAMES = ("weight", "bias")


def _kept(values: Any) -> Any:
    return torch.nn.Parameter(torch.as_tensor(values.copy()))


def weight_of(part: Any) -> Any:
    """Return the weights of a layer as they count: from its codebook where it has one, without those that are left out."""
    values = part["book"][part["codes"]] if "book" in part else part["weight"]
    return values * part["mask"]


def axes_of(kind: str) -> tuple[int, int]:
    """Return the axes of the weights of a layer that count its outputs and its inputs."""
    return (1, 0) if kind == "MatMul" else (0, 1)


def feeds_of(features: pl.DataFrame, signature: Signature) -> dict[str, Any]:
    """Return rows as a graph takes them: a column each, "" and NaN for null; a tensor as it is."""
    feeds: dict[str, Any] = {}
    for column in signature.inputs:
        cells = features[column.name]
        if column.shape is not None:
            feeds[column.name] = cells.to_numpy().astype(np.float32)
        elif column.type == "string":
            texts = cells.cast(pl.String).fill_null("").to_list()
            feeds[column.name] = np.array(texts, dtype=object).reshape(-1, 1)
        else:
            numbers = cells.cast(pl.Float32).fill_null(float("nan"))
            feeds[column.name] = numbers.to_numpy().reshape(-1, 1)
    return feeds


Operator = Callable[[NodeProto, Sequence[Any], Any], Any]


def _settings(node: NodeProto) -> dict[str, Any]:
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}


def _conv(node: NodeProto, given: Sequence[Any], part: Any) -> Any:
    told = _settings(node)
    around = told.get("pads", [0, 0, 0, 0])[:2]
    return torch.nn.functional.conv2d(
        given[0], weight_of(part), _bias(part), stride=told.get("strides", 1), padding=around
    )


def _gemm(node: NodeProto, given: Sequence[Any], part: Any) -> Any:
    del node
    return torch.nn.functional.linear(given[0], weight_of(part), _bias(part))


def _bias(part: Any) -> Any:
    return part["bias"] if "bias" in part else None  # noqa: SIM401 a module of torch has no get


def _pool(node: NodeProto, given: Sequence[Any], part: Any) -> Any:
    del part
    told = _settings(node)
    return torch.nn.functional.max_pool2d(
        given[0], told["kernel_shape"], told["strides"], padding=told.get("pads", [0, 0])[:2]
    )


def _sum(node: NodeProto, given: Sequence[Any], part: Any) -> Any:
    del node
    return given[0] + part["bias"] if part else given[0] + given[1]


_OPERATORS: Mapping[str, Operator] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": lambda _, given, part: given[0] @ weight_of(part),
    "Add": _sum,
    "Relu": lambda _, given, __: torch.relu(given[0]),
    "MaxPool": _pool,
    "GlobalAveragePool": lambda _, given, __: given[0].mean((2, 3), keepdim=True),
    "Flatten": lambda _, given, __: given[0].flatten(1),
}
