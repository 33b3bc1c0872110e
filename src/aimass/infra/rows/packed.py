"""Rows that come as the memory of their numbers, and answers that go as a label's number and its probabilities."""

from __future__ import annotations

import math
import random
import struct
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aimass.infra.rows.bound import BoundRow
from aimass.infra.rows.folding import Cell, Folded, fold
from aimass.infra.rows.session import new_session

_NUMBER = struct.Struct("<q")
TRIED_ROWS = 32
MAX_FOLDED_BYTES = 8 * 1024 * 1024
Run = Callable[[dict[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowColumn:
    """An input column as far as one row of it matters.

    Attributes
    ----------
    kind
        ``string``, ``float``, ``integer`` or ``boolean``.
    categories
        The words of a text column.
    """

    name: str
    kind: str
    nullable: bool = False
    categories: tuple[str, ...] = ()


class PackedRows:
    """Answers rows that come as memory; each thread binds its own.

    Parameters
    ----------
    folded
        A graph whose inputs are numbers alone, and whose label is a number.
    """

    def __init__(self, folded: Folded, outputs: tuple[str, str], classes: int, folder: str = "") -> None:
        self.format = folded.format
        self._folded = folded
        self._outputs = outputs
        self._classes = classes
        self._session = new_session(folded.model, folder)
        self._mine = threading.local()

    def answer(self, rows: Sequence[bytes]) -> list[bytes]:
        """Return ``[i64 number of the label][f32 probabilities ...]`` for each row."""
        bound = self._bound()
        memory, run, label, values = bound.memory, bound.run, _NUMBER.pack, bound.first
        answers: list[bytes] = []
        for row in rows:
            memory[:] = row
            answers.append(label(run()) + values.tobytes())
        return answers

    def _bound(self) -> BoundRow:
        bound: BoundRow | None = getattr(self._mine, "bound", None)
        if bound is None:
            bound = self._mine.bound = BoundRow(self._session, self._folded, {}, self._outputs, self._classes)
        return bound

    def agrees(self, columns: Iterable[RowColumn], run: Run) -> bool:
        """Tell whether made-up rows get the same answers as from the whole graph, to the last bit."""
        label, probabilities = self._outputs
        columns, words, dice = list(columns), self._folded.words or [], random.Random(0)  # noqa: S311 the same rows each time
        for _ in range(TRIED_ROWS):
            row = {column.name: made_up(column, dice) for column in columns}
            expected = run({name: [value] for name, value in row.items()})
            (answer,) = self.answer([pack_row(self._folded, row)])
            (number,) = _NUMBER.unpack_from(answer)
            found = np.frombuffer(answer, "<f4", offset=_NUMBER.size)
            if words[number] != expected[label][0] or not np.array_equal(found, expected[probabilities][0]):
                return False
        return True


def packed_rows(
    model: bytes, columns: Sequence[RowColumn], outputs: tuple[str, str], classes: int, run: Run, folder: str = ""
) -> PackedRows | None:
    """Return what answers packed rows, or None for a graph that does not fold to numbers alone or answers otherwise then."""
    folded = fold_to_numbers(model, columns, outputs[0])
    if folded is None:
        return None
    rows = PackedRows(folded, outputs, classes, folder)
    return rows if rows.agrees(columns, run) else None


def fold_to_numbers(model: bytes, columns: Sequence[RowColumn], label: str) -> Folded | None:
    """Return a graph folded until only numbers are left, or None where that is not possible."""
    texts = {column.name for column in columns if column.kind == "string"}
    if len(model) > MAX_FOLDED_BYTES:
        return None
    folded = fold(model, texts, {column.name for column in columns} - texts, label)
    if folded is None or folded.words is None or not texts <= folded.cells.keys():
        return None
    return folded


def pack_row(folded: Folded, row: Mapping[str, Any]) -> bytes:
    """Return the memory of a row."""
    return np.array([_number(cell, row[cell.column]) for cell in folded.all_cells()], dtype="<f4").tobytes()


def _number(cell: Cell, value: Any) -> float:
    if cell.word is not None:
        return cell.number(1.0 if value == cell.word else 0.0)
    return cell.number(math.nan if value is None else float(value))


def made_up(column: RowColumn, dice: random.Random) -> Any:
    """Return a value that a column may have."""
    if column.nullable and dice.random() < 0.1:  # noqa: PLR2004 a null now and then
        return None
    if column.kind == "string":
        return dice.choice(sorted(column.categories))
    if column.kind == "boolean":
        return dice.random() < 0.5  # noqa: PLR2004 half
    number = dice.choice((dice.randint(0, 3), dice.randint(0, 100), dice.gauss(0, 10_000)))
    return int(number) if column.kind == "integer" else number
