"""From the messages of the log to parts that hold whole transactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimass.collector.connectors.port import Part
from aimass.collector.connectors.postgres_changes.run.pgoutput import Begin, Commit, Event
from aimass.collector.connectors.postgres_changes.run.rows import Rows

PART_ROWS = 10_000


class Transactions:
    """Gathers the transactions after a position.

    A transaction with more than ``whole_rows`` changes, or more bytes than a part holds, is handed over in parts; the state then tells how many changes of it
    are done (``skip``). The log tells them in the same order each time.
    """

    def __init__(self, rows: Rows, whole_rows: int, state: Mapping[str, Any]) -> None:
        self.rows = rows
        self._whole_rows = whole_rows
        self._begin = self._position = int(state["lsn"])
        self._done = int(state.get("skip", 0))
        self._seen = 0
        self._is_old = self._is_inside = False
        self._size = 0

    def take(self, event: Event, size: int) -> None:
        """Take one message in."""
        if isinstance(event, Begin):
            self._seen, self._is_inside, self._is_old = 0, True, event.lsn < self._position
        elif isinstance(event, Commit):
            self._position, self._is_inside = max(self._position, event.end), False
            self._done = self._done if self._is_old else 0
        elif not self._is_old:
            self._seen += 1
            if self._seen > self._done:
                self.rows.add(event)
                self._size += size

    @property
    def is_full(self) -> bool:
        """Whether a part should be handed over now: between transactions, or within one that is too large."""
        if self._is_inside:
            return not self._is_old and self._seen > self._done and self.rows.is_full(self._whole_rows)
        return self.rows.is_full(PART_ROWS)

    @property
    def is_open(self) -> bool:
        """Whether something is left to be handed over at the end."""
        return bool(len(self.rows)) or (self._position > self._begin and self._size > 0)

    def part(self) -> Part:
        """Hand over what was gathered."""
        if self._is_inside:
            self._done = self._seen
        state = {"phase": "changes", "lsn": self._position, "skip": self._done if self._is_inside else 0}
        size, self._size = self._size, 0
        return self.rows.part(state, size) if len(self.rows) else Part(rows=None, state=state)
