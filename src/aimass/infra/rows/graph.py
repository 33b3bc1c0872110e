"""An ONNX graph as its nodes: just enough to know what a node does with one row, and to write the graph again."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from aimass.infra.rows.protobuf import Field, read_fields, read_numbers, write_bytes

FLOAT, INT64 = 1, 7
GRAPH = 7  # of a model
NODE, INITIALIZER, INPUT, OUTPUT, VALUE_INFO = 1, 5, 11, 12, 13  # of a graph
ATTRIBUTE = 5  # of a node


class Attribute(NamedTuple):
    """What is left of one attribute after reading its name; the rest may be megabytes."""

    name: str
    raw: bytes
    payload: bytes

    def integer(self) -> int:
        """Return the value of a whole number."""
        return next((read_numbers(part)[0] for part in read_fields(self.payload) if part.number == 3), 0)  # noqa: PLR2004

    def floats(self) -> tuple[float, ...]:
        """Return the value of a number, or of a list of numbers."""
        data = b"".join(part.payload for part in read_fields(self.payload) if part.number in {2, 7})
        return struct.unpack(f"<{len(data) // 4}f", data)

    def strings(self) -> list[str]:
        """Return the value of a list of texts."""
        return [part.text for part in read_fields(self.payload) if part.number == 9]  # noqa: PLR2004


@dataclass(slots=True, kw_only=True)
class Node:
    """One node; ``raw`` are its bytes as a field of the graph, empty once it was folded away."""

    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Attribute]
    raw: bytes


@dataclass(kw_only=True)
class Graph:
    """A graph as it was read."""

    model: bytes
    nodes: list[Node] = field(default_factory=list[Node])
    others: list[Field] = field(default_factory=list[Field])

    @classmethod
    def read(cls, model: bytes) -> Graph:
        """Read the graph of a model."""
        (whole,) = [part for part in read_fields(model) if part.number == GRAPH]
        graph = cls(model=model)
        for part in read_fields(whole.payload):
            if part.number == NODE:
                graph.nodes.append(_node(part))
            else:
                graph.others.append(part)
        return graph

    @cached_property
    def outputs(self) -> set[str]:
        """The names of the graph's outputs."""
        return {name_of(part) for part in self.others if part.number == OUTPUT}

    @cached_property
    def uses(self) -> dict[str, int]:
        """How many nodes read a value."""
        counts: dict[str, int] = {}
        for name in (name for node in self.nodes for name in node.inputs):
            counts[name] = counts.get(name, 0) + 1
        return counts

    def constant(self, name: str) -> list[int] | None:
        """Return a constant list of whole numbers, or None when there is none of that name."""
        for part in self.others:
            if part.number == INITIALIZER and _tensor_name(part) == name:
                return _whole_numbers(part)
        return None

    def write(self, others: Iterable[bytes]) -> bytes:
        """Return the model with the nodes that are left, and these other fields of the graph."""
        graph = b"".join(node.raw for node in self.nodes) + b"".join(others)
        parts = read_fields(self.model)
        return b"".join(write_bytes(GRAPH, graph) if part.number == GRAPH else part.raw for part in parts)


def name_of(part: Field) -> str:
    """Return the name of an input, an output or a value."""
    return next((inner.text for inner in read_fields(part.payload) if inner.number == 1), "")


def _node(part: Field) -> Node:
    node = Node(operator="", inputs=[], outputs=[], attributes={}, raw=part.raw)
    for inner in read_fields(part.payload):
        if inner.number == 1:
            node.inputs.append(inner.text)
        elif inner.number == 2:  # noqa: PLR2004 the numbers of onnx.proto
            node.outputs.append(inner.text)
        elif inner.number == 4:  # noqa: PLR2004
            node.operator = inner.text
        elif inner.number == ATTRIBUTE:
            name = name_of(inner)
            node.attributes[name] = Attribute(name, inner.raw, inner.payload)
    return node


def _tensor_name(part: Field) -> str:
    return next((inner.text for inner in read_fields(part.payload) if inner.number == 8), "")  # noqa: PLR2004


def _whole_numbers(part: Field) -> list[int] | None:
    fields = list(read_fields(part.payload))
    if next((inner.value for inner in fields if inner.number == 2), 0) != INT64:  # noqa: PLR2004
        return None
    raw = b"".join(inner.payload for inner in fields if inner.number == 9)  # noqa: PLR2004
    if raw:
        return list(struct.unpack(f"<{len(raw) // 8}q", raw))
    return [number for inner in fields if inner.number == 7 for number in read_numbers(inner)]  # noqa: PLR2004
