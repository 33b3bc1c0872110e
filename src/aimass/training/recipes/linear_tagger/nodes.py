"""Write graphs as expressions: every node has one output with a name of its own, constants stand in the outermost graph."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

LEARNING, BROUGHT = "ai.onnx.ml", "com.microsoft"
TEXT, WHOLE, SHARE, TRUTH = TensorProto.STRING, TensorProto.INT64, TensorProto.FLOAT, TensorProto.BOOL


class Nodes:
    """Nodes as they come; a graph inside another shares names and constants with it.

    Examples
    --------
    >>> nodes = Nodes()
    >>> nodes.add("Add", "x", nodes.whole(1))
    't1'
    >>> [(node.op_type, list(node.input)) for node in nodes.nodes]
    [('Add', ['x', 't0'])]
    """

    def __init__(self, outer: Nodes | None = None) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = outer.constants if outer else []
        self.names = outer.names if outer else count()
        self.known: dict[Any, str] = outer.known if outer else {}

    def name(self) -> str:
        """Return a name that nothing has yet."""
        return f"t{next(self.names)}"

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        return self.several(kind, 1, *inputs, **attributes)[0]

    def several(self, kind: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node with several outputs and return their names."""
        names = [self.name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def constant(self, values: Any) -> str:
        """Return the name of a constant; equal small ones are one."""
        array = np.asarray(values)
        key = (str(array.dtype), array.shape, tuple(array.ravel().tolist())) if array.size <= 1 else None
        if key in self.known:
            return self.known[key]
        name = self.name()
        self.constants.append(numpy_helper.from_array(array, name))
        if key:
            self.known[key] = name
        return name

    def whole(self, *values: int) -> str:
        """Return the name of a constant of whole numbers, a list."""
        return self.constant(np.array(values, dtype=np.int64))

    def text(self, *values: str) -> str:
        """Return the name of a constant of texts, a list."""
        return self.constant(np.array(values, dtype=object))

    def flat(self, name: str) -> str:
        """Return a tensor as a list."""
        return self.add("Reshape", name, self.whole(-1))

    def cut(self, name: str, start: int, end: int | str, step: int = 1) -> str:
        """Return a part of a list or of the rows of a table; ``end`` may be the name of a list of one number."""
        stop = end if isinstance(end, str) else self.whole(end)
        return self.add("Slice", name, self.whole(start), stop, self.whole(0), self.whole(step))

    def size(self, name: str) -> str:
        """Return how long a list is, or how many rows a table has, as a list of one number."""
        return self.add("Shape", name, start=0, end=1)

    def cast(self, name: str, kind: int) -> str:
        """Return a tensor as another type."""
        return self.add("Cast", name, to=kind)

    def split(self, name: str, pattern: str) -> str:
        """Cut each text of a list by a pattern: a row of parts for each."""
        options = {"mark": 0, "pad_value": "", "mincharnum": 1, "tokenexp": pattern, "domain": BROUGHT}
        return self.add("Tokenizer", name, **options)

    def numbers_of(self, name: str, table: dict[str, int], other: int) -> str:
        """Look up texts in a table."""
        if not table:
            table = {"": other}
        keys = {"keys_strings": list(table), "values_int64s": list(table.values())}
        return self.add("LabelEncoder", name, **keys, default_int64=other, domain=LEARNING)


def port(name: str, kind: int, shape: Sequence[int | None] | None) -> Any:
    """Describe an input or output of a graph."""
    return helper.make_tensor_value_info(name, kind, shape)
