"""Lift one-hot encoding out of a graph: for one row it is cheaper to write a 1 into bound memory than to run a node.

A text input that feeds one ``OneHotEncoder`` and nothing else is replaced by the encoder's output as an input. The rest
of the graph stays byte for byte as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from aimass.gateway.plane.runtimes.protobuf import Field, port, read_fields, write_bytes

_FLOAT = 1
_GRAPH = 7  # of a model
_NODE, _INPUT, _OUTPUT, _VALUE_INFO = 1, 11, 12, 13  # of a graph
_WITH_SUBGRAPHS = frozenset({"If", "Loop", "Scan", "SequenceMap"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """A graph without some of its encoders.

    Attributes
    ----------
    encoders
        For each text column that was lifted: the input that took its place, and the words by position.
    """

    model: bytes
    encoders: dict[str, tuple[str, list[str]]]


@dataclass(slots=True, kw_only=True)
class _Node:
    operator: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    is_lenient: bool = True


def lift_one_hot(model: bytes, columns: set[str]) -> Lifted | None:
    """Return the graph without the encoders of these columns, or None when nothing can be lifted."""
    parts = list(read_fields(model))
    (graph,) = [part for part in parts if part.number == _GRAPH]
    fields = list(read_fields(graph.payload))
    nodes = {id(part): _node(part.payload) for part in fields if part.number == _NODE}
    if any(node.operator in _WITH_SUBGRAPHS for node in nodes.values()):
        return None
    uses = [name for node in nodes.values() for name in node.inputs]
    outputs = {_name(part) for part in fields if part.number == _OUTPUT}
    found = {
        node.inputs[0]: node
        for node in nodes.values()
        if node.operator == "OneHotEncoder"
        and node.words
        and node.is_lenient
        and node.inputs[0] in columns
        and uses.count(node.inputs[0]) == 1
        and not outputs & {node.inputs[0], node.outputs[0]}
    }
    if not found:
        return None
    kept = b"".join(part.raw for part in fields if not _is_gone(part, nodes.get(id(part)), found))
    for node in found.values():
        kept += write_bytes(_INPUT, port(node.outputs[0], _FLOAT, (1, 1, len(node.words))))
    whole = b"".join(write_bytes(_GRAPH, kept) if part.number == _GRAPH else part.raw for part in parts)
    return Lifted(model=whole, encoders={name: (node.outputs[0], node.words) for name, node in found.items()})


def _is_gone(part: Field, node: _Node | None, found: dict[str, _Node]) -> bool:
    if node is not None:
        return any(node is one for one in found.values())
    if part.number == _INPUT:
        return _name(part) in found
    return part.number == _VALUE_INFO and _name(part) in {one.outputs[0] for one in found.values()}


def _name(part: Field) -> str:
    return next(inner.text for inner in read_fields(part.payload) if inner.number == 1)


def _node(data: bytes) -> _Node:
    node = _Node()
    attributes: list[bytes] = []
    for part in read_fields(data):
        if part.number == 1:
            node.inputs.append(part.text)
        elif part.number == 2:  # noqa: PLR2004 the numbers of onnx.proto
            node.outputs.append(part.text)
        elif part.number == 4:  # noqa: PLR2004
            node.operator = part.text
        elif part.number == 5:  # noqa: PLR2004
            attributes.append(part.payload)
    for attribute in attributes if node.operator == "OneHotEncoder" else ():
        _attribute(node, list(read_fields(attribute)))
    return node


def _attribute(node: _Node, fields: list[Field]) -> None:
    name = next((part.text for part in fields if part.number == 1), "")
    if name == "cats_strings":
        node.words = [part.text for part in fields if part.number == 9]  # noqa: PLR2004
    if name == "zeros":
        node.is_lenient = any(part.number == 3 and part.value for part in fields)  # noqa: PLR2004
