"""Compute with whole numbers: products of bytes instead of 32 bit floats.

Weights keep seven of their eight bits here: processors without instructions for such products add two of them in 16 bits,
which eight bits overflow. So a file answers alike on every processor.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from aimass.training.children.shrinking.layers import STANDARD, Layer, attribute, drop_unused, layers_of, opset_of
from aimass.training.children.shrinking.storing import Store, in_steps, scales_of
from aimass.training.errors import Uncompressible

_SEVEN_BITS, _EIGHT_BITS = 63, 127
_AXES_AS_INPUT = 18
_CHUNK = 128
_BETWEEN = ("Relu", "MaxPool", "Flatten")  # these work on bytes as they do on floats
_RANGES = {"minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}
Feeds = Mapping[str, Any]


def dynamic(model: onnx.ModelProto) -> onnx.ModelProto:
    """Multiply bytes in MatMul and Gemm, with a scale for each row that is found while it is answered.

    A row has a scale of its own, so that its answer does not depend on the rows that are answered together with it.
    """
    layers = [layer for layer in layers_of(model, ("MatMul", "Gemm")) if not attribute(layer.node, "transA", 0)]
    if not layers:
        raise Uncompressible("its layers multiply transposed inputs")
    places = {layer.node.name: layer for layer in layers}
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        layer = places.get(node.name)
        if layer is None:
            nodes.append(node)
            continue
        store = _multiplied(layer, opset_of(model))
        nodes += store.nodes
        model.graph.initializer.extend(store.constants)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    drop_unused(model)
    return model


def _multiplied(layer: Layer, opset: int) -> Store:
    node = layer.node
    weights = layer.weights.T if layer.axis == 0 else layer.weights
    weights = weights * attribute(node, "alpha", 1.0)
    scales = scales_of(weights, 1, _SEVEN_BITS)
    store = Store(name=node.name)
    size = store.add("Abs", [node.input[0]])
    if opset >= _AXES_AS_INPUT:
        largest = store.add("ReduceMax", [size, store.keep("last", np.array([-1], np.int64))], keepdims=1)
    else:
        largest = store.add("ReduceMax", [size], axes=[-1], keepdims=1)
    above = store.add("Max", [largest, store.keep("least", np.array(1e-20, np.float32))])
    scale = store.add("Div", [above, store.keep("top", np.array(_EIGHT_BITS, np.float32))])
    steps = store.add("Cast", [store.add("Round", [store.add("Div", [node.input[0], scale])])], to=TensorProto.INT8)
    product = store.add("MatMulInteger", [steps, store.keep("steps", in_steps(weights, scales, 1))])
    answer = store.add("Mul", [store.add("Cast", [product], to=TensorProto.FLOAT), store.keep("scales", scales)])
    answer = store.add("Mul", [answer, scale])
    if len(node.input) > 2 and node.input[2]:  # noqa: PLR2004 the bias of a Gemm
        beta = store.keep("beta", np.array(attribute(node, "beta", 1.0), np.float32))
        answer = store.add("Add", [answer, store.add("Mul", [node.input[2], beta])])
    store.nodes[-1].output[0] = node.output[0]
    return store


def static(model: onnx.ModelProto, feeds: Feeds, *, ranges: str, floats: int = 0) -> onnx.ModelProto:
    """Multiply bytes in MatMul, Gemm and Conv, with scales found beforehand on rows of the training part.

    Weights have a scale per output; inputs of layers are zero-based bytes, and stay bytes through what lies between layers.
    The first ``floats`` layers go on with floats.
    """
    layers = [layer for layer in layers_of(model)[floats:] if _made_plain(model, layer)]
    if not layers:
        raise Uncompressible("its layers add biases that are no constants, and multiply them")
    typed = _typed(model, layers)
    between = _behind(model, layers)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "static.onnx"
        quantize_static(
            typed,
            made,
            _Rows(feeds),
            quant_format=QuantFormat.QDQ,
            nodes_to_quantize=[node.name for node in (*(layer.node for layer in layers), *between)],
            op_types_to_quantize=sorted({layer.node.op_type for layer in layers}.union(_BETWEEN)),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=_RANGES[ranges],
        )
        found = onnx.load(str(made))
    drop_unused(found)
    return found


def _behind(model: onnx.ModelProto, layers: list[Layer]) -> list[NodeProto]:
    """Return the nodes behind layers that need not leave bytes."""
    found: list[NodeProto] = []
    values = {layer.node.output[0] for layer in layers}
    for node in model.graph.node:
        if node.op_type in _BETWEEN and node.domain in STANDARD and node.input[0] in values:
            found.append(node)
            values.add(node.output[0])
    return found


def _made_plain(model: onnx.ModelProto, layer: Layer) -> bool:
    """Take the factors of a Gemm into its constants: products of bytes know none; tell whether that is done."""
    node = layer.node
    factors = {name: attribute(node, name, 1.0) for name in ("alpha", "beta")} if node.op_type == "Gemm" else {}
    if all(value == 1.0 for value in factors.values()):
        return True
    constants = {one.name: one for one in model.graph.initializer}
    bias = node.input[2] if len(node.input) > 2 else ""  # noqa: PLR2004 weights and bias
    if bias and bias not in constants:
        return False
    made = {1: layer.weights * np.float32(factors["alpha"])}
    if bias:
        made[2] = numpy_helper.to_array(constants[bias]) * np.float32(factors["beta"])
    for place, value in made.items():
        name = f"{node.name}/{place}"
        model.graph.initializer.append(numpy_helper.from_array(value, name))
        node.input[place] = name
    kept = [one for one in node.attribute if one.name not in factors]
    del node.attribute[:]
    node.attribute.extend(kept)
    drop_unused(model)
    return True


def _typed(model: onnx.ModelProto, layers: list[Layer]) -> onnx.ModelProto:
    """Say of the inputs and outputs of layers that they are floats: shapes are not inferred through every operator."""
    found = onnx.shape_inference.infer_shapes(model)
    known = {value.name for value in (*found.graph.value_info, *found.graph.input, *found.graph.output)}
    for layer in layers:
        for name in (layer.node.input[0], layer.node.output[0]):
            if name not in known:
                known.add(name)
                found.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return found


class _Rows(CalibrationDataReader):
    """Rows in chunks, as calibration takes them."""

    def __init__(self, feeds: Feeds) -> None:
        self._chunks = _chunks(feeds)

    def get_next(self) -> dict[str, Any] | None:  # type: ignore[override]
        """Return the next chunk, or None after the last one."""
        return next(self._chunks, None)


def _chunks(feeds: Feeds) -> Iterator[dict[str, Any]]:
    height = len(next(iter(feeds.values())))
    size = height // -(-height // _CHUNK)
    for start in range(0, height - size + 1, size):  # of one size: percentiles are taken over chunks laid together
        yield {name: values[start : start + size] for name, values in feeds.items()}
