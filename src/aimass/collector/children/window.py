"""What of an overlapping reading the dataset has already: each row is taken once, whatever cursor it carries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from aimass.collector.connectors.cursor import CURSOR, begin_of, cursor_of
from aimass.collector.connectors.port import StreamColumn, Wish
from aimass.lake import scan

_COUNT, _PLACE = "§count", "§place"


class Window:
    """The rows of the dataset at or above the begin of a reading.

    A row is known by its keys and cursor where the source has keys, else by all its cells; of rows that are alike in
    everything so many count as known as the dataset has.

    Parameters
    ----------
    target
        The table.
    wish, state
        What is read, and from where on.
    columns
        The pinned columns.
    is_fold
        True: rows replace others by key, so that a row is known only when all its cells are.
    """

    def __init__(
        self, target: str, wish: Wish, state: dict[str, Any], columns: Sequence[StreamColumn], *, is_fold: bool
    ) -> None:
        self._cursor = str(wish.cursor)
        told = state.get(CURSOR)
        self._last = None if wish.since is not None or wish.until is not None else cursor_of(wish.cursor_type, told)
        self._once = bool(wish.keys)
        by_key = wish.keys and not is_fold
        self._names = [*dict.fromkeys([*wish.keys, self._cursor])] if by_key else [column.name for column in columns]
        begin = wish.since if wish.since is not None else begin_of(wish.cursor_type, told, wish.lag_s)
        self._known: pl.DataFrame = self._read(target, begin, wish.until)

    def _read(self, target: str, begin: Any, end: Any) -> pl.DataFrame:
        frame = scan(target)
        schema = frame.collect_schema()
        names = [name for name in self._names if name in schema]
        self._names = names
        where = pl.lit(value=True)
        cursor = pl.col(self._cursor)
        if begin is not None:
            where = cursor.is_null() | (cursor >= begin)
            if schema[self._cursor].is_float():
                where = where | ~cursor.is_finite()  # no cursor: such a row comes with each reading
        if end is not None:
            where = where & (cursor < end)
        return frame.filter(where).select(names).group_by(names).agg(pl.len().alias(_COUNT)).collect()

    def fresh(self, rows: pl.DataFrame) -> tuple[pl.Series, int]:
        """Tell which of the rows the dataset lacks, and how many of those come late."""
        if self._known.is_empty():
            return pl.Series("fresh", [True]).new_from_index(0, len(rows)), 0
        kinds = dict(self._known.schema)
        mine = rows.select(pl.col(name).cast(kinds[name], strict=False) for name in self._names)
        mine = mine.with_columns(pl.int_range(pl.len()).over(self._names).alias(_PLACE))
        joined = mine.join(self._known, on=self._names, how="left", nulls_equal=True, maintain_order="left")
        known = joined[_COUNT].fill_null(0)
        if self._once:
            fresh = known == 0
        else:
            fresh = mine[_PLACE] >= known
            self._use_up(mine)
        late = rows.filter(fresh).filter(pl.col(self._cursor) < self._last) if self._last is not None else rows.clear()
        return fresh, len(late)

    def _use_up(self, mine: pl.DataFrame) -> None:
        """Count the rows that were matched, so that the next part does not match them again."""
        used = mine.group_by(self._names).agg(pl.len().alias(_PLACE))
        left = self._known.join(used, on=self._names, how="left", nulls_equal=True)
        rest = left[_COUNT].cast(pl.Int64) - left[_PLACE].fill_null(0).cast(pl.Int64)
        self._known = left.drop(_PLACE).with_columns(rest.clip(0).alias(_COUNT))
