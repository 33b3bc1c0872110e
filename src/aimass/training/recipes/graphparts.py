"""What graphs are written with: nodes and tensors as they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import helper, numpy_helper


class Parts:
    """Nodes and tensors as they come.

    Attributes
    ----------
    mark
        Stands before the name of everything.
    """

    def __init__(self, mark: str = "") -> None:
        self.mark = mark
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node with one output, and return its name."""
        return self.split(kind, inputs, (output,), **attributes)[0]

    def split(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> list[str]:
        """Add a node with several outputs, and return their names."""
        names = [self.mark + one for one in outputs]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=names[0], **attributes))
        return names

    def tensor(self, name: str, values: Any) -> str:
        """Add a tensor, and return its name."""
        self.tensors.append(numpy_helper.from_array(np.asarray(values), self.mark + name))
        return self.mark + name
