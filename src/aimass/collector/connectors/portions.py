"""Rows into parts of a bounded size: every connector, and the loader after it, cuts by bytes as well as by rows. Heavy: run parts only."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import polars as pl

PART_BYTES = 8 * 2**20
PIECE_ROWS = 64  # rows that are asked for at a time, at most: so many wide ones may come where narrow ones came before
CELL_BYTES = 8
_WITHOUT_REFERENCES = 2
_Row = TypeVar("_Row")


class Portion(Generic[_Row]):
    """Gathers rows until they are enough for a part.

    Examples
    --------
    >>> held = Portion[str](most_rows=1_000)
    >>> held.add("a wide row", PART_BYTES)
    >>> held.is_full, held.take(), held.is_full
    (True, ['a wide row'], False)
    """

    def __init__(self, most_rows: int) -> None:
        self._most_rows = most_rows
        self.rows: list[_Row] = []
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, row: _Row, size_bytes: int) -> None:
        """Take a row in."""
        self.rows.append(row)
        self.size_bytes += size_bytes

    @property
    def is_full(self) -> bool:
        """Whether they make a part: by their number, or by their bytes."""
        return len(self.rows) >= self._most_rows or self.size_bytes >= PART_BYTES

    def take(self) -> list[_Row]:
        """Give the rows away, and begin anew."""
        rows, self.rows, self.size_bytes = self.rows, [], 0
        return rows


def fetched(
    fetch: Callable[[int], Sequence[Sequence[Any]]], most_rows: int
) -> Iterator[tuple[list[Sequence[Any]], int]]:
    """Fetch rows from a cursor until there are none; yield them in parts, each with its bytes.

    Parameters
    ----------
    fetch
        Returns at most so many rows, none at the end.
    most_rows
        Rows of a part, at most.

    Examples
    --------
    >>> left = [("x" * 5,)] * 3
    >>> def fetch(count):
    ...     taken, left[:] = left[:count], left[count:]
    ...     return taken
    >>> [len(rows) for rows, _ in fetched(fetch, 2)]
    [2, 1]
    """
    rows: list[Sequence[Any]] = []
    size, count = 0, 1
    while found := fetch(min(count, most_rows - len(rows))):
        rows += found
        came = size_of(found)
        size += came
        if len(rows) >= most_rows or size >= PART_BYTES:
            yield rows, size
            rows, size = [], 0
        count = min(PIECE_ROWS, max(1, (PART_BYTES - size) * len(found) // max(came, 1)))
    if rows:
        yield rows, size


def fetched_columns(
    fetch: Callable[[int], Sequence[Sequence[Any]]], most_rows: int
) -> Iterator[tuple[list[list[Any]], int]]:
    """Fetch rows as :func:`fetched` does, and yield the columns of a part with its bytes.

    A few rows at a time are turned while they lie in the cache of the processor: to turn a whole part costs three times
    as much.

    Examples
    --------
    >>> left = [(1, "a"), (2, "b"), (3, "c")]
    >>> def fetch(count):
    ...     taken, left[:] = left[:count], left[count:]
    ...     return taken
    >>> [columns for columns, _ in fetched_columns(fetch, 2)]
    [[[1, 2], ['a', 'b']], [[3], ['c']]]
    """
    columns: list[list[Any]] = []
    rows = size = 0
    count = 1
    while found := fetch(min(count, most_rows - rows)):
        cells = zip(*found, strict=True)
        if columns:
            for column, more in zip(columns, cells, strict=True):
                column.extend(more)
        else:
            columns = list(map(list, cells))
        came = size_of(found)
        rows, size = rows + len(found), size + came
        if rows >= most_rows or size >= PART_BYTES:
            yield columns, size
            columns, rows, size = [], 0, 0
        count = min(PIECE_ROWS, max(1, (PART_BYTES - size) * len(found) // max(came, 1)))
    if rows:
        yield columns, size


def size_of(rows: Sequence[Sequence[Any]]) -> int:
    """Estimate the bytes of rows as what it takes to write them down, which costs less than to look at each value.

    Examples
    --------
    >>> size_of([("x" * 1_000, 1), (None, 2.5)])
    1035
    """
    try:
        return len(marshal.dumps(list(rows), _WITHOUT_REFERENCES))
    except ValueError:  # kinds of values that it does not know
        return sum(weight(tuple(row)) for row in rows)


def weight(value: Any) -> int:
    """Estimate the bytes of a value, or of a row as a list or an object.

    Examples
    --------
    >>> weight({"a": "four", "b": [1, 2]}), weight(None)
    (22, 8)
    """
    if isinstance(value, str | bytes | bytearray | memoryview):
        return len(value)
    if isinstance(value, dict):
        return sum(len(name) + weight(one) for name, one in value.items())
    if isinstance(value, list | tuple):
        return sum(map(weight, value))
    return CELL_BYTES


def pieces(frame: pl.DataFrame, most_rows: int | None = None) -> Iterator[pl.DataFrame]:
    """Cut a frame that came in one piece: whole where it is small, else into slices of about the bytes of a part.

    Examples
    --------
    >>> frame = pl.DataFrame({"a": ["x" * 2**20] * 40})
    >>> [len(one) for one in pieces(frame)], len(next(pieces(frame, most_rows=2)))
    ([8, 8, 8, 8, 8], 2)
    """
    most = most_rows or max(len(frame), 1)
    if len(frame) <= most and frame.estimated_size() <= PART_BYTES:
        yield frame
        return
    ends = _weights(frame).cum_sum()
    start, done = 0, 0
    while start < len(frame):
        stop = int((ends <= done + PART_BYTES).sum())
        stop = min(max(stop, start + 1), start + most)
        yield frame.slice(start, stop - start)
        start, done = stop, int(ends[stop - 1])


def _weights(frame: pl.DataFrame) -> pl.Series:
    """Estimate the bytes of each row."""
    cells = [_cells(name, kind) for name, kind in frame.schema.items()]
    made = frame.select(pl.sum_horizontal(cells).cast(pl.Int64).alias("bytes"))["bytes"]
    return made if len(made) == len(frame) else made.new_from_index(0, len(frame))


def _cells(name: str, kind: pl.DataType) -> pl.Expr:
    cell = pl.col(name)
    if kind == pl.String:
        return cell.str.len_bytes().fill_null(0).cast(pl.Int64)
    if kind == pl.Binary:
        return cell.bin.size().fill_null(0).cast(pl.Int64)
    return pl.lit(CELL_BYTES, pl.Int64)
