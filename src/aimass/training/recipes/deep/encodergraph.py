"""A transformer of texts as a graph: text by text, so that none is filled up to the length of another; and read back from it."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import sqrt
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, checker, helper, numpy_helper

from aimass.kernel.errors import Invalid
from aimass.models import Signature
from aimass.training.recipes.deep.piecegraph import CUTTING, add_pieces
from aimass.training.recipes.deep.pieces import Pieces, Rules
from aimass.training.recipes.deep.textnet import LINEAR, Shape, TextNet, need_weights
from aimass.training.recipes.graphparts import Parts

ABOUT = "aimass.text_net"
KIND = "transformer"
_OPSETS = {"": 20, "ai.onnx.ml": 3, CUTTING: 1}
_IR = 10
_MARK, _NET = "text/", "net/"


def graph_of(net: TextNet, signature: Signature) -> bytes:
    """Return the graph: from a column of texts to classes and their shares, or to a vector each."""
    parts, body = Parts(), Parts(_MARK)
    _tensors(parts, net)
    rows = parts.tensor("all", np.array([-1]))
    flat = parts.node("Reshape", [signature.inputs[0].name, rows], f"{_NET}texts")
    count = parts.node("Squeeze", [parts.node("Shape", [flat], f"{_NET}shape")], f"{_NET}rows")
    row = body.node("Gather", [flat, f"{_MARK}at"], "row")
    text = body.node("Reshape", [row, body.tensor("single", np.array([1]))], "text")
    said = _said(body, net, add_pieces(body, text, net.pieces, net.most))
    width = len(net.weights["head.bias"]) if "head.bias" in net.weights else net.shape.width
    loop = _loop(body, body.node("Reshape", [said, body.tensor("width", np.array([width]))], "said"), width)
    outputs = _answers(parts, parts.node("Loop", [count, ""], f"{_NET}said", body=loop), signature, width)
    inputs = [helper.make_tensor_value_info(signature.inputs[0].name, TensorProto.STRING, [None, 1])]
    graph = helper.make_graph(parts.nodes, "aimass", inputs, outputs, initializer=parts.tensors)
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=_IR)
    helper.set_model_props(made, {ABOUT: _about(net)})
    checker.check_model(made)
    return made.SerializeToString()


def _about(net: TextNet) -> str:
    """Return what the tensors of a graph do not tell of its net."""
    told = {
        "kind": KIND,
        "pieces": list(net.pieces.names),
        "rules": asdict(net.pieces.rules),
        "shape": asdict(net.shape),
        "most": net.most,
        "pooling": net.pooling,
    }
    return json.dumps(told, ensure_ascii=False)


def _tensors(parts: Parts, net: TextNet) -> None:
    """Add the weights; those of products turned, as products want them."""
    for name, value in net.weights.items():
        array = np.asarray(value, dtype=np.float32)
        parts.tensor(f"{_NET}{name}", np.ascontiguousarray(array.T) if _is_turned(name) else array)


def _is_turned(name: str) -> bool:
    return name.split(".")[-2] in (*LINEAR, "head") and name.endswith("weight")


def _loop(body: Parts, said: str, width: int) -> Any:
    on = body.node("Identity", [f"{_MARK}on"], "go_on")
    inputs = [
        helper.make_tensor_value_info(f"{_MARK}at", TensorProto.INT64, []),
        helper.make_tensor_value_info(f"{_MARK}on", TensorProto.BOOL, []),
    ]
    outputs = [
        helper.make_tensor_value_info(on, TensorProto.BOOL, []),
        helper.make_tensor_value_info(said, TensorProto.FLOAT, [width]),
    ]
    return helper.make_graph(body.nodes, "text", inputs, outputs, initializer=body.tensors)


def _said(body: Parts, net: TextNet, numbers: str) -> str:
    """Add the layers: from the numbers of pieces to one vector, or to scores of classes."""
    shape = net.shape
    sizes = body.node("Shape", [numbers], "pieces")
    state = body.node("Gather", [f"{_NET}words.weight", numbers], "words", axis=0)
    start = body.tensor("start", np.array([0]))
    places = body.node("Slice", [f"{_NET}positions.weight", start, sizes], "positions")
    state = _normed(body, body.node("Add", [state, places], "placed"), "norm", shape)
    body.tensor("split", np.array([-1, shape.heads, shape.width // shape.heads]))
    body.tensor("join", np.array([-1, shape.width]))
    body.tensor("scale", np.float32(1 / sqrt(shape.width // shape.heads)))
    body.tensor("half", np.float32(0.5))
    body.tensor("unit", np.float32(1.0))
    body.tensor("root", np.float32(1 / sqrt(2)))
    for number in range(shape.layers):
        state = _layer(body, f"layers.{number}", state, shape)
    if net.pooling == "first":
        one = body.tensor("second", np.array([1]))
        vector = body.node("Slice", [state, start, one], "vector")
    else:
        vector = body.node("ReduceMean", [state, body.tensor("rows", np.array([0]))], "vector", keepdims=1)
    return _linear(body, vector, "head") if "head.weight" in net.weights else vector


def _linear(body: Parts, state: str, name: str) -> str:
    product = body.node("MatMul", [state, f"{_NET}{name}.weight"], f"{name}.product")
    return body.node("Add", [product, f"{_NET}{name}.bias"], f"{name}.sum")


def _normed(body: Parts, state: str, name: str, shape: Shape) -> str:
    inputs = [state, f"{_NET}{name}.weight", f"{_NET}{name}.bias"]
    return body.node("LayerNormalization", inputs, f"{name}.normed", axis=-1, epsilon=shape.tiny)


def _layer(body: Parts, name: str, state: str, shape: Shape) -> str:
    turns = {"query": [1, 0, 2], "key": [1, 2, 0], "value": [1, 0, 2]}
    split: dict[str, str] = {}
    for part, order in turns.items():
        wide = body.node("Reshape", [_linear(body, state, f"{name}.{part}"), f"{_MARK}split"], f"{name}.{part}.split")
        split[part] = body.node("Transpose", [wide], f"{name}.{part}.turned", perm=order)
    scores = body.node("MatMul", [split["query"], split["key"]], f"{name}.scores")
    shares = body.node(
        "Softmax", [body.node("Mul", [scores, f"{_MARK}scale"], f"{name}.scaled")], f"{name}.shares", axis=-1
    )
    taken = body.node("MatMul", [shares, split["value"]], f"{name}.taken")
    taken = body.node("Transpose", [taken], f"{name}.back", perm=[1, 0, 2])
    taken = body.node("Reshape", [taken, f"{_MARK}join"], f"{name}.attended")
    added = body.node("Add", [state, _linear(body, taken, f"{name}.joined")], f"{name}.added")
    state = _normed(body, added, f"{name}.after", shape)
    inner = _bent(body, _linear(body, state, f"{name}.inner"), name)
    added = body.node("Add", [state, _linear(body, inner, f"{name}.outer")], f"{name}.added_inner")
    return _normed(body, added, f"{name}.last", shape)


def _bent(body: Parts, state: str, name: str) -> str:
    """Add the function of Gauss' errors that bends what lies inside."""
    scaled = body.node("Mul", [state, f"{_MARK}root"], f"{name}.over_root")
    share = body.node("Add", [body.node("Erf", [scaled], f"{name}.erf"), f"{_MARK}unit"], f"{name}.share")
    return body.node("Mul", [body.node("Mul", [state, share], f"{name}.part"), f"{_MARK}half"], f"{name}.bent")


def _answers(parts: Parts, said: str, signature: Signature, width: int) -> list[Any]:
    """Add what the graph answers, and return its outputs."""
    classes = signature.classes
    if not classes:
        name = signature.outputs[0].name
        parts.node("Identity", [said], name)
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])]
    parts.node("Softmax", [said], "probabilities", axis=1)
    place = parts.node("ArgMax", ["probabilities"], f"{_NET}place", axis=1, keepdims=0)
    named = {"keys_int64s": list(range(len(classes))), "values_strings": list(classes), "domain": "ai.onnx.ml"}
    parts.node("LabelEncoder", [place], "label", **named)
    return [
        helper.make_tensor_value_info("label", TensorProto.STRING, [None]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, len(classes)]),
    ]


def net_of(file: bytes) -> TextNet:
    """Read a transformer back out of the graph that it was written as."""
    graph: Any = onnx.load_from_string(file)
    told = {one.key: one.value for one in graph.metadata_props}.get(ABOUT)
    if told is None or json.loads(told).get("kind") != KIND:
        raise Invalid(
            "the model holds no transformer of texts",
            field="params.base",
            hint="name a version that was imported from weights, or made by torch_transformer",
        )
    about = json.loads(told)
    weights: dict[str, Any] = {}
    for tensor in graph.graph.initializer:
        if tensor.name.startswith(_NET):
            name = tensor.name.removeprefix(_NET)
            array = numpy_helper.to_array(tensor)
            weights[name] = array.T if _is_turned(name) else array
    shape = Shape(**about["shape"])
    need_weights(weights, shape)
    return TextNet(
        pieces=Pieces(names=tuple(about["pieces"]), rules=Rules(**about["rules"])),
        shape=shape,
        most=about["most"],
        pooling=about["pooling"],
        weights=weights,
    )
