"""The same sums on arrays and as nodes of a graph.

A forecast is told in terms of :class:`Sums` once: with :class:`Arrays` it learns and answers, with :class:`Nodes` it is written
down. Deviations are taken in steps of 1/512: sums of such numbers are exact in ``float32`` in any order, and all else is one
operation of IEEE 754, so that both come to the same bits and a graph takes no branch of a tree that the trained model did not take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FINE, FAR = 512.0, 16.0


class Sums(Protocol):
    """Operations on rows of numbers, shape ``(n, width)``."""

    def fine(self, deviations: Any) -> Any:
        """Return deviations in steps of 1/512, 16 at most."""
        ...

    def take(self, rows: Any, places: Any) -> Any:
        """Return the columns at these places."""
        ...

    def plus(self, one: Any, other: Any) -> Any:
        """Add rows, or a constant of shape ``(1, width)``."""
        ...

    def times(self, one: Any, factor: float) -> Any:
        """Multiply all by one number."""
        ...

    def over(self, one: Any, number: float) -> Any:
        """Divide all by one number."""
        ...

    def mean(self, rows: Any, width: int) -> Any:
        """Return the mean of each row, shape ``(n, 1)``; exact for deviations in steps of 1/512, up to the division."""
        ...

    def floor(self, one: Any) -> Any:
        """Return the largest whole numbers not above."""
        ...

    def beside(self, parts: Sequence[Any]) -> Any:
        """Put rows beside each other."""
        ...

    def stack(self, parts: Sequence[Any], width: int) -> Any:
        """Return rows of one cell of each part: shape ``(n * width, parts)``."""
        ...


class Arrays:
    """Sums on arrays.

    Examples
    --------
    >>> rows = np.array([[1.0, 2.0, 3.0]], dtype=np.float32)
    >>> Arrays().take(rows, np.array([2, 0])).tolist()
    [[3.0, 1.0]]
    >>> Arrays().stack([rows, -rows], 3).tolist()
    [[1.0, -1.0], [2.0, -2.0], [3.0, -3.0]]
    """

    def fine(self, deviations: Any) -> Any:
        """Return deviations in steps of 1/512, 16 at most."""
        return np.rint(np.clip(deviations, -FAR, FAR) * FINE).astype(np.float32) / np.float32(FINE)

    def take(self, rows: Any, places: Any) -> Any:
        """Return the columns at these places."""
        return rows[:, places]

    def plus(self, one: Any, other: Any) -> Any:
        """Add rows, or a constant of shape ``(1, width)``."""
        return np.add(one, np.asarray(other, dtype=np.float32), dtype=np.float32)

    def times(self, one: Any, factor: float) -> Any:
        """Multiply all by one number."""
        return np.multiply(one, np.float32(factor), dtype=np.float32)

    def over(self, one: Any, number: float) -> Any:
        """Divide all by one number."""
        return np.divide(one, np.float32(number), dtype=np.float32)

    def mean(self, rows: Any, width: int) -> Any:
        """Return the mean of each row, shape ``(n, 1)``; exact for deviations in steps of 1/512, up to the division."""
        return self.over(rows.sum(axis=1, keepdims=True, dtype=np.float32), width)

    def floor(self, one: Any) -> Any:
        """Return the largest whole numbers not above."""
        return np.floor(one)

    def beside(self, parts: Sequence[Any]) -> Any:
        """Put rows beside each other."""
        return np.concatenate(parts, axis=1)

    def stack(self, parts: Sequence[Any], width: int) -> Any:
        """Return rows of one cell of each part: shape ``(n * width, parts)``."""
        whole = [np.broadcast_to(part, (len(part), width)) for part in parts]
        return np.stack(whole, axis=2).reshape(-1, len(parts)).astype(np.float32, copy=False)


class Nodes:
    """Sums as nodes: rows are names of what flows through a graph.

    Attributes
    ----------
    nodes, constants
        What the graph is made of.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node of one output, and return its name."""
        name = output or f"ahead/{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: Any, kind: Any = np.float32) -> str:
        """Add a constant, and return its name."""
        name = f"ahead/constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def cast(self, rows: str, kind: int = TensorProto.FLOAT) -> str:
        """Return numbers of another type."""
        return self.op("Cast", rows, to=kind)

    def fine(self, deviations: Any) -> Any:
        """Return deviations in steps of 1/512, 16 at most."""
        exact = [self.constant(value, np.float64) for value in (FAR, -FAR, FINE)]
        near = self.op("Max", self.op("Min", deviations, exact[0]), exact[1])
        return self.op("Div", self.cast(self.op("Round", self.op("Mul", near, exact[2]))), self.constant(FINE))

    def take(self, rows: Any, places: Any) -> Any:
        """Return the columns at these places."""
        return self.op("Gather", rows, self.constant(places, np.int64), axis=1)

    def plus(self, one: Any, other: Any) -> Any:
        """Add rows, or a constant of shape ``(1, width)``."""
        return self.op("Add", one, other if isinstance(other, str) else self.constant(other))

    def times(self, one: Any, factor: float) -> Any:
        """Multiply all by one number."""
        return self.op("Mul", one, self.constant(factor))

    def over(self, one: Any, number: float) -> Any:
        """Divide all by one number."""
        return self.op("Div", one, self.constant(number))

    def mean(self, rows: Any, width: int) -> Any:
        """Return the mean of each row, shape ``(n, 1)``; exact for deviations in steps of 1/512, up to the division."""
        total = self.op("ReduceSum", rows, self.constant([1], np.int64), keepdims=1)
        return self.over(total, width)

    def floor(self, one: Any) -> Any:
        """Return the largest whole numbers not above."""
        return self.op("Floor", one)

    def beside(self, parts: Sequence[Any]) -> Any:
        """Put rows beside each other."""
        return self.op("Concat", *parts, axis=1)

    def stack(self, parts: Sequence[Any], width: int) -> Any:
        """Return rows of one cell of each part: shape ``(n * width, parts)``."""
        wide = self.op("Concat", *parts, axis=1)
        cells = self.op("Reshape", wide, self.constant([-1, len(parts), width], np.int64))
        turned = self.op("Transpose", cells, perm=[0, 2, 1])
        return self.op("Reshape", turned, self.constant([-1, len(parts)], np.int64))
