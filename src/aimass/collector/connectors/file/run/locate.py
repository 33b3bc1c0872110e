"""Find rows of a CSV file again: the engine counts rows, a person wants the line and its raw text."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aimass.collector.connectors.file.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A row to find: its number among the accepted rows (from 0), the bad column, the text of the bad cell."""

    ordinal: int
    column: int
    cell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A row with its raw text and the line on which it starts; line 0: it could not be found."""

    wanted: Wanted
    raw: str
    line: int
    cell: str


class LineCounter:
    """Tells on which line a byte stands, for ascending positions; the engine counts records instead of lines."""

    def __init__(self, path: Path) -> None:
        self._source = path.open("rb")
        self._at = 0
        self._line = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def line_at(self, position: int) -> int:
        """Return the line, from 1, of the byte at a position, from 0."""
        while self._at < position:
            piece = self._source.read(min(1 << 20, position - self._at))
            if not piece:
                break
            self._line += piece.count(b"\n")
            self._at += len(piece)
        return self._line


def locate(path: Path, plan: Plan, wanted: list[Wanted], rejected_lines: frozenset[int]) -> Iterator[Located]:
    """Walk through the file once and yield the wanted rows.

    Parameters
    ----------
    path
        UTF-8 file with uniform line ends.
    plan
        Dialect of the file.
    wanted
        Rows in ascending order.
    rejected_lines
        Lines on which rows start that the engine rejected by itself; they do not count as rows.
    """
    pending = iter(wanted)
    target = next(pending, None)
    ordinal = -1
    for line, raw in _records(path, plan):
        if target is None:
            return
        if line in rejected_lines:
            continue
        ordinal += 1
        if ordinal == target.ordinal:
            text = raw.decode("utf-8", "replace").rstrip("\r\n")
            cell = _cell(text, target.column, plan)
            found = cell is not None and _same(cell, target.cell, plan)
            yield Located(wanted=target, raw=text, line=line, cell=cell or "") if found else _lost(target)
            target = next(pending, None)
    while target is not None:
        yield _lost(target)
        target = next(pending, None)


def _lost(wanted: Wanted) -> Located:
    return Located(wanted=wanted, raw=wanted.cell, line=0, cell=wanted.cell)


def _same(text: str, told: str, plan: Plan) -> bool:
    """Tell whether the text in the file is what the engine told: the same, both missing, or both beyond every number."""
    if text == told or (not told and text in plan.null_values):
        return True
    try:
        return not math.isfinite(float(text)) and not math.isfinite(float(told))
    except ValueError:
        return False


def _records(path: Path, plan: Plan) -> Iterator[tuple[int, bytes]]:
    """Yield data records with their first line; a quote that is open joins the next line."""
    quote = plan.quote.encode()
    skip = 1 if plan.header else 0
    start, held = 0, b""
    with path.open("rb") as source:
        for line, raw in enumerate(source, start=1):
            start = line if not held else start
            held += raw
            if quote and held.count(quote) % 2:
                continue
            record, held = held, b""
            if len(plan.columns) > 1 and not record.strip(b"\r\n"):
                continue
            if skip:
                skip -= 1
                continue
            yield start, record


def _cell(text: str, index: int, plan: Plan) -> str | None:
    row = next(csv.reader(io.StringIO(text, newline=""), delimiter=plan.delimiter, quotechar=plan.quote or None), [])
    return row[index] if index < len(row) else None
