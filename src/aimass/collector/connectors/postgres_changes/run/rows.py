"""Collects rows of changes and hands them over as parts: all cells are texts, the loader gives them their types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import polars as pl

from aimass.collector.connectors.messages import arrow
from aimass.collector.connectors.port import Part, StreamColumn
from aimass.collector.connectors.portions import PART_BYTES, weight
from aimass.collector.connectors.postgres_changes.run.pgoutput import UNCHANGED, Change, Row, Unchanged
from aimass.collector.connectors.postgres_changes.run.types import written


class Rows:
    """Rows in the order of their changes."""

    UNCHANGED: ClassVar[Unchanged] = UNCHANGED

    def __init__(self, columns: Sequence[StreamColumn], keys: Sequence[str] = ()) -> None:
        self._keys = keys
        self._names = [one.name for one in columns]
        self._write = {one.name: made for one in columns if (made := written(one.native))}
        self._rows: list[Row] = []
        self._operations: list[str] = []
        self._size = 0
        self.unchanged: list[Row] = []

    def __len__(self) -> int:
        return len(self._rows)

    def is_full(self, most_rows: int) -> bool:
        """Tell whether they make a part: by their number, or by their bytes."""
        return len(self._rows) >= most_rows or self._size >= PART_BYTES

    def add(self, change: Change) -> None:
        """Add a change; an update that moves a row to another key is a delete and an insert."""
        if change.operation == "delete":
            self._put("delete", dict(change.old or {}))
        elif change.operation == "truncate":
            self._put("truncate", Row())
        else:
            old = change.old or Row()
            moved = any(old[key] != change.row.get(key) for key in self._keys if key in old)
            if moved:
                self._put("delete", {key: old.get(key) for key in self._keys})
            self._put("insert" if moved else change.operation, change.row)
            if UNCHANGED in change.row.values():
                self.unchanged.append(change.row)

    def add_cells(self, cells: Sequence[Any]) -> None:
        """Add a row that is there."""
        self._put("insert", dict(zip(self._names, cells, strict=True)))

    def _put(self, operation: str, row: Row) -> None:
        self._rows.append(row)
        self._operations.append(operation)
        self._size += sum(map(weight, row.values()))

    def part(self, state: Mapping[str, Any], size: int = 0) -> Part:
        """Hand over what was added, and begin anew."""
        names = dict.fromkeys(name for row in self._rows for name in row) or dict.fromkeys(self._names)
        columns = [pl.Series(name, [self._cell(row, name) for row in self._rows], pl.String) for name in names]
        operations = tuple(self._operations)
        read = size or self._size
        self._rows, self._operations, self.unchanged, self._size = [], [], [], 0
        return Part(rows=arrow(pl.DataFrame(columns)), state=dict(state), operations=operations, size_bytes=read)

    def _cell(self, row: Row, name: str) -> Any:
        value = row.get(name)
        if value is None or value is UNCHANGED:
            return None
        made = self._write.get(name)
        return value if made is None else made(value)

    def emptied(self, state: Mapping[str, Any]) -> Part:
        """Say that everything collected so far is void."""
        self._put("truncate", Row())
        return self.part(state)
