"""Nets as ONNX graphs, written node by node: small, without the traces of a tracer, and without what only learning needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from aimass.models import Signature

OPSET, ML_OPSET = 18, 3


class Graph:
    """A graph that grows at its end."""

    def __init__(self, name: str) -> None:
        self.last = name
        self._nodes: list[Any] = []
        self._tensors: list[Any] = []

    def add(self, kind: str, tensors: Sequence[Any] = (), inputs: Sequence[str] | None = None, **settings: Any) -> str:
        """Put a node at the end; its inputs are what was last, unless others are named, and then tensors. Return its output."""
        names = [self._tensor(one) for one in tensors]
        output = f"net/{kind.lower()}_{len(self._nodes)}"
        given = [self.last] if inputs is None else list(inputs)
        self._nodes.append(helper.make_node(kind, [*given, *names], [output], name=output, **settings))
        self.last = output
        return output

    def _tensor(self, values: Any) -> str:
        array = np.asarray(values)
        name = f"net/tensor_{len(self._tensors)}"
        array = array.astype(np.float32) if array.dtype.kind == "f" else array.astype(np.int64)
        self._tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def classes(self, signature: Signature) -> bytes:
        """End with scores of classes: answer their shares, and the name of the largest; return the file."""
        classes = signature.classes
        self.add("Softmax", axis=1)
        self._rename("probabilities")
        self.add("ArgMax", inputs=["probabilities"], axis=1, keepdims=0)
        keys = {"keys_int64s": list(range(len(classes))), "values_strings": list(classes)}
        self.add("LabelEncoder", domain="ai.onnx.ml", **keys)
        self._rename("label")
        outputs = [
            helper.make_tensor_value_info("label", TensorProto.STRING, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, len(classes)]),
        ]
        return self._file(signature, outputs)

    def _rename(self, name: str) -> None:
        self._nodes[-1].output[0] = name
        self.last = name

    def _file(self, signature: Signature, outputs: Sequence[Any]) -> bytes:
        inputs = [
            helper.make_tensor_value_info(one.name, TensorProto.FLOAT, [None, *(one.shape or (None, 1))[1:]])
            for one in signature.inputs
        ]
        graph = helper.make_graph(self._nodes, "aimass", inputs, outputs, self._tensors)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
