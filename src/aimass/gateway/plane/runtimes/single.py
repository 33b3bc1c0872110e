"""The cheap path for one row in this process: everything is bound once, and a request only writes numbers.

What prepares a row is folded out of the graph; a request is read by its layout (:mod:`.layout`). The path is
optimistic: whatever is unusual in a request makes :meth:`SingleRow.read` return None, and the general path, which knows
every refusal, does the work.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import orjson

from aimass.gateway.plane.columns import OFFERED, Column
from aimass.gateway.plane.package import Package
from aimass.gateway.plane.runtimes.reader import Row, RowReader
from aimass.infra.rows import (
    MAX_FOLDED_BYTES,
    TRIED_ROWS,
    BoundRow,
    Cell,
    Folded,
    RowColumn,
    Vector,
    fold,
    fold_to_numbers,
    made_up,
    new_session,
    ready_tensors,
)

Run = Callable[[dict[str, Any]], dict[str, Any]]


class SingleRow(RowReader):
    """A session with its inputs and outputs bound once."""

    def __init__(self, session: onnxruntime.InferenceSession, package: Package, folded: Folded) -> None:
        cells = folded.cells
        texts = [c for c in package.table.values() if c.kind == "string" and c.name not in cells]
        words = sorted({word for column in texts for word in column.categories or ()} | {""})
        tensors = ready_tensors(words, (1, 1)) if texts else {}
        super().__init__(package, folded, tensors)
        bound = BoundRow(session, folded, {c.name: tensors[words[0]] for c in texts}, self.names, len(self.classes))
        self._bind, self._memory, self.run = bound.bind, bound.memory, bound.run
        self.first = bound.first

    def put(self, row: Row) -> None:
        """Bind one row, to be run next."""
        self._memory[:] = row.memory
        for name, tensor in row.texts:
            self._bind(name, tensor)

    def agrees(self, columns: dict[str, Column], run: Run) -> bool:
        """Tell whether made-up rows get the same answers as on the general path, to the last bit."""
        label, probabilities = self.names
        dice = random.Random(0)  # noqa: S311 the same rows each time
        for number in range(TRIED_ROWS):
            values = {name: [made_up(_row_column(column), dice)] for name, column in columns.items()}
            document = {"inputs": [_tensor(column, values[name]) for name, column in columns.items()]}
            body, expected = orjson.dumps(document), run(values)
            if not number:
                self.learn(body, document, 1.0)
            row = self.read(body)
            if row is None:
                return False
            self.put(row)
            if orjson.loads(self.label(self.run())) != expected[label][0]:
                return False
            if not np.array_equal(self.first, expected[probabilities][0]):
                return False
        return True


def single_row(package: Package, session: onnxruntime.InferenceSession, run: Run) -> SingleRow | None:
    """Return the cheap path of a package, or None where its graph does not allow one."""
    ports = {port.name: port.type for port in session.get_inputs()}
    columns = package.table
    if not _has_cheap_shape(package) or len(columns) != len(ports):
        return None
    if not all(ports[name] == _PORTS[column.kind == "string"] for name, column in columns.items()):
        return None
    for make in (_folded, lambda package: SingleRow(session, package, unfolded(package))):
        try:
            path = make(package)
            if path is not None and path.agrees(package.table, run):
                return path
        except Exception:  # noqa: BLE001, S112 a graph that cannot be bound or folded is served by the general path
            continue
    return None


def remote_row(package: Package) -> tuple[RowReader, str] | None:
    """Return the reader of rows for a model worker and the format that it writes; None where the graph allows none."""
    if package.model is None or not _has_cheap_shape(package):
        return None
    label = package.signature["outputs"][0]["name"]
    try:
        folded = fold_to_numbers(package.model, [*map(_row_column, package.table.values())], label)
        return None if folded is None else (RowReader(package, folded), folded.format)
    except Exception:  # noqa: BLE001 a graph that cannot be folded is asked on the general path
        return None


_PORTS = {True: "tensor(string)", False: "tensor(float)"}


def _has_cheap_shape(package: Package) -> bool:
    """Tell whether the signature is a table with known words, a label and probabilities."""
    outputs = package.signature["outputs"]
    if [spec["type"] for spec in outputs] != ["string", "float"] or not outputs[1].get("classes"):
        return False
    columns = package.table.values()
    if len(columns) != len(package.columns):
        return False
    return all(bool(c.categories) if c.kind == "string" else c.categories is None for c in columns)


def _folded(package: Package) -> SingleRow | None:
    texts = {name for name, column in package.columns.items() if column.kind == "string"}
    if package.model is None or len(package.model) > MAX_FOLDED_BYTES:
        return None
    folded = fold(package.model, texts, set(package.columns) - texts, package.signature["outputs"][0]["name"])
    return None if folded is None else SingleRow(new_session(folded.model, str(package.folder)), package, folded)


def unfolded(package: Package) -> Folded:
    """Return the graph as it is: one number per column that is no text."""
    numbers = [name for name, column in package.columns.items() if column.kind != "string"]
    vectors = {name: Vector(shape=(1, 1), cells=(Cell(column=name),)) for name in numbers}
    return Folded(model=package.model or b"", vectors=vectors, words=None)


def _row_column(column: Column) -> RowColumn:
    words = tuple(column.categories or ())
    return RowColumn(name=column.name, kind=column.kind, nullable=column.nullable, categories=words)


def _tensor(column: Column, data: list[Any]) -> dict[str, Any]:
    return {"name": column.name, "datatype": OFFERED[column.kind], "shape": [1, 1], "data": data}
