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

    @classmethod
    def again(cls, graph: Any, name: str, last: str) -> Graph:
        """Return a graph that begins with the nodes of another one up to a value; its input gets the name of a column."""
        made, before = cls(last), graph.input[0].name
        for node in graph.node:
            copied = type(node)()
            copied.CopyFrom(node)
            copied.input[:] = [name if one == before else one for one in node.input]
            made._nodes.append(copied)
            if last in node.output:
                break
        used = {one for node in made._nodes for one in node.input}
        made._tensors += [one for one in graph.initializer if one.name in used]
        return made

    def add(self, kind: str, tensors: Sequence[Any] = (), inputs: Sequence[str] | None = None, **settings: Any) -> str:
        """Put a node at the end; its inputs are what was last, unless others are named, and then tensors. Return its output."""
        names = [self._tensor(one) for one in tensors]
        output = f"net/{kind.lower()}_{len(self._nodes)}"
        output = self._free(output, {one for node in self._nodes for one in node.output})
        given = [self.last] if inputs is None else list(inputs)
        self._nodes.append(helper.make_node(kind, [*given, *names], [output], name=output, **settings))
        self.last = output
        return output

    @staticmethod
    def _free(name: str, taken: set[str]) -> str:
        """Return a name that nothing has: a graph that began as another one may have lost some of its parts."""
        while name in taken:
            name += "_"
        return name

    def _tensor(self, values: Any) -> str:
        array = np.asarray(values)
        name = self._free(f"net/tensor_{len(self._tensors)}", {one.name for one in self._tensors})
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

    def number(self, signature: Signature) -> bytes:
        """End with one number for each row, under the name that the signature gives it; return the file."""
        self.add("Reshape", [np.array([-1])])
        name = signature.outputs[0].name
        self._rename(name)
        return self._file(signature, [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None])])

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
