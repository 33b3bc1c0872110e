"""The techniques that change a graph; by their names in :mod:`aimass.training.domain.compression`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import helper

from aimass.training.children.shrinking.bytelayers import fastest
from aimass.training.children.shrinking.integers import Feeds, dynamic, static
from aimass.training.children.shrinking.layers import Layer, attribute, distinct, drop_unused, layers_of, put_constant
from aimass.training.children.shrinking.storing import clustered, eight_bits, half, sparse
from aimass.training.errors import Uncompressible

Params = Mapping[str, Any]
Technique = Callable[[onnx.ModelProto, Params, Feeds], onnx.ModelProto]


def int8_dynamic(model: onnx.ModelProto, params: Params, feeds: Feeds) -> onnx.ModelProto:
    """Multiply bytes, with scales found per row."""
    del params, feeds
    return dynamic(model)


def int8_static(model: onnx.ModelProto, params: Params, feeds: Feeds) -> onnx.ModelProto:
    """Multiply bytes, with scales found on training rows: in all layers, or where they make a batch the fastest."""
    multiplied = fastest if params["layers"] == "fastest" else static
    return multiplied(model, feeds, ranges=params["ranges"])


def int8_weights(model: onnx.ModelProto, params: Params, feeds: Feeds) -> onnx.ModelProto:
    """Store weights as bytes, and compute with floats."""
    del feeds
    for layer in distinct(layers_of(model)):
        eight_bits(layer, at=params["unpack"]).into(model)
    return model


def float16_weights(model: onnx.ModelProto, params: Params, feeds: Feeds) -> onnx.ModelProto:
    """Store weights as 16 bit floats, and compute with 32."""
    del params, feeds
    for layer in distinct(layers_of(model)):
        half(layer).into(model)
    return model


def cluster(model: onnx.ModelProto, params: Params, feeds: Feeds) -> onnx.ModelProto:
    """Store weights as places in a codebook per layer, after small ones were left out."""
    del feeds
    for layer in distinct(layers_of(model)):
        if params["sparsity"]:
            sparse(pruned(layer, params["sparsity"]), params["entries"]).into(model)
        else:
            clustered(layer, params["entries"]).into(model)
    return model


def prune(model: onnx.ModelProto, params: Params, feeds: Feeds) -> onnx.ModelProto:
    """Leave out the smallest weights of each layer, and store the others with their places."""
    del feeds
    for layer in distinct(layers_of(model)):
        sparse(pruned(layer, params["sparsity"])).into(model)
    return model


def pruned(layer: Layer, sparsity: float) -> Layer:
    """Return a layer whose smallest weights are zero; one weight stays at least."""
    sizes = np.abs(layer.weights).ravel()
    gone = min(round(sparsity * sizes.size), sizes.size - 1)
    weights = layer.weights.ravel().copy()
    weights[np.argsort(sizes, kind="stable")[:gone]] = 0.0
    if not weights.any():  # a layer of zeros stays what it is
        weights[-1] = np.finfo(np.float32).tiny
    return replace(layer, weights=weights.reshape(layer.weights.shape))


def low_rank(model: onnx.ModelProto, params: Params, feeds: Feeds) -> onnx.ModelProto:
    """Write weights as the product of two thin matrices where these are smaller."""
    del feeds
    found = layers_of(model, ("MatMul", "Gemm"))
    names = [layer.name for layer in found]
    thin = {
        layer.node.name: (layer, pair)
        for layer in found
        if names.count(layer.name) == 1 and (pair := factors(layer.weights, params["rank"])) is not None
    }
    if not thin:
        raise Uncompressible(f"no layer has fewer weights at {params['rank']:g} of its rank")
    nodes: list[Any] = []
    for node in model.graph.node:
        if node.name in thin:
            layer, (first, second) = thin[node.name]
            nodes.append(_narrow(model, layer, first, second))
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    drop_unused(model)
    return model


def factors(weights: Any, share: float) -> tuple[Any, Any] | None:
    """Return two matrices whose product is nearest to the weights at a share of their rank; None where that saves nothing."""
    left, sizes, right = np.linalg.svd(weights.astype(float), full_matrices=False)
    rank = max(1, round(share * len(sizes)))
    if rank * sum(weights.shape) >= weights.size:
        return None
    root = np.sqrt(sizes[:rank])
    return (left[:, :rank] * root).astype(np.float32), (root[:, None] * right[:rank]).astype(np.float32)


def _narrow(model: onnx.ModelProto, layer: Layer, first: Any, second: Any) -> Any:
    """Multiply with one thin matrix before a layer, which keeps the other; return the node that does."""
    node = layer.node
    flips_input, flips_weights = attribute(node, "transA", 0), attribute(node, "transB", 0)
    if flips_weights:  # W.T = (first @ second).T = second.T @ first.T
        before, kept = second.T, first
    else:
        before, kept = first, second
    name = f"{layer.name}/narrow"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ascontiguousarray(before), name))
    put_constant(model, layer.name, kept)
    source = node.input[0]
    node.input[0] = f"{node.name}/narrowed"
    if not flips_input:
        return helper.make_node("MatMul", [source, name], [node.input[0]], name=f"{node.name}/narrow")
    for one in list(node.attribute):
        if one.name == "transA":
            node.attribute.remove(one)
    return helper.make_node("Gemm", [source, name], [node.input[0]], name=f"{node.name}/narrow", transA=1)


def prune_tuned(model: onnx.ModelProto, params: Params, feeds: Feeds) -> onnx.ModelProto:
    """Store weights of which many are 0, or few differ, since they learned so."""
    del feeds
    for layer in distinct(layers_of(model)):
        if params["sparsity"]:
            sparse(layer, params["entries"] or None).into(model)
        elif params["entries"]:
            clustered(layer, params["entries"]).into(model)
    return model


def channels(model: onnx.ModelProto, params: Params, feeds: Feeds) -> onnx.ModelProto:
    """Multiply bytes, where that is wished for, in a graph that has fewer channels already."""
    return int8_static(model, {**params, "ranges": "minmax"}, feeds) if params["int8"] == "static" else model


TECHNIQUES: Mapping[str, Technique] = {
    "int8_dynamic": int8_dynamic,
    "int8_static": int8_static,
    "int8_weights": int8_weights,
    "float16_weights": float16_weights,
    "cluster": cluster,
    "prune": prune,
    "low_rank": low_rank,
    "prune_tuned": prune_tuned,
    "channels": channels,
}
