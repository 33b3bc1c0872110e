"""Reads a request for one row into the memory that a folded graph takes, and knows how its answer is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from aimass.gateway.plane.package import Package
from aimass.gateway.plane.runtimes.layout import Entry, Input, Layout, Layouts
from aimass.infra.rows import Folded

_NO_TENSORS: Mapping[str, Any] = {}


class Row(NamedTuple):
    """A row that was read.

    Attributes
    ----------
    id
        The id that the client gave; empty when it gave none.
    members
        The values as JSON members, as they came.
    memory
        The numbers as the graph takes them.
    texts
        Ready tensors by input, where a text is not folded to numbers.
    """

    id: bytes
    members: bytes
    memory: bytes
    texts: list[tuple[str, Any]]


class RowReader:
    """What a package with a label and probabilities has in common for all requests of one row.

    ``tensors`` are ready tensors by category, for a text that the graph still takes as text.
    """

    def __init__(self, package: Package, folded: Folded, tensors: Mapping[str, Any] = _NO_TENSORS) -> None:
        cells = folded.cells
        self.inputs = [Input(column, cells.get(column.name, ()), tensors) for column in package.table.values()]
        self._layouts = Layouts(self.inputs, list(cells))
        self._layout = Layout(self.inputs, [b""] * len(self.inputs), list(cells))
        self.learn = self._layouts.learn
        outputs = package.signature["outputs"]
        self.names = label, probabilities = outputs[0]["name"], outputs[1]["name"]
        self.classes: list[str] = outputs[1]["classes"]
        self._labels: dict[int | str, bytes] = {word: orjson.dumps(word) for word in self.classes}
        self._labels |= {number: orjson.dumps(word) for number, word in enumerate(folded.words or ())}
        self.record = b"{%b:[%%b],%b:[%%b]}" % (_json(label), _json(probabilities))
        self.reply = (
            b'"id":"%%b","outputs":[{"name":%b,"datatype":"BYTES","shape":[1],"data":[%%b]},'
            b'{"name":%b,"datatype":"FP32","shape":[1,%d],"data":%%b}]}'
        ) % (_json(label), _json(probabilities), len(self.classes))

    def read(self, body: bytes) -> Row | None:
        """Return the row of a request, or None when the general path must look at it."""
        matched = self._layouts.match(body)
        if matched is None:
            return None
        given, layout, entries = matched
        return _row(given, layout, entries)

    def row(self, given: bytes, entries: Sequence[Entry]) -> Row:
        """Return the row of entries that stand in the order of the signature."""
        return _row(given, self._layout, entries)

    def label(self, found: int | str) -> bytes:
        """Return a label as JSON."""
        return self._labels.get(found) or orjson.dumps(found)

    def number_label(self, number: int) -> bytes | None:
        """Return the label of a number as JSON, or None when there is none."""
        return self._labels.get(number)

    def outputs(self, label: bytes, probabilities: Any) -> dict[str, Any]:
        """Return an answer as arrays, for who compares it later."""
        name, second = self.names
        return {name: np.array([orjson.loads(label)], dtype=object), second: probabilities.reshape(1, -1).copy()}


def _row(given: bytes, layout: Layout, entries: Sequence[Entry]) -> Row:
    chunks, members, tensors = zip(*entries, strict=True)
    texts = [(name, tensors[number]) for number, name in layout.texts]
    return Row(given, b",".join(members), b"".join(layout.order(chunks)), texts)


def _json(name: str) -> bytes:
    """Return an output's name as JSON that may stand in a template."""
    return orjson.dumps(name).replace(b"%", b"%%")
