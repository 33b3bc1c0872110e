"""Find rows of a CSV file again: the engine counts rows, a person wants the line and its raw text."""

from __future__ import annotations

import csv
import io
import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from aimass.collector.connectors.file.plan import Plan

_BLOCK = 1 << 18


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
    rejected = sorted(rejected_lines)
    ordinal = -1  # of the last record that was passed
    for block in _blocks(path, plan):
        if target is None:
            return
        out = rejected[bisect_left(rejected, block.first) : bisect_left(rejected, block.first + len(block.lines))]
        if not block.is_odd and ordinal + len(block.lines) - len(out) < target.ordinal:
            ordinal += len(block.lines) - len(out)
            continue
        records = block.records(frozenset(out))
        while target is not None and target.ordinal <= ordinal + len(records):
            yield _found(target, *records[target.ordinal - ordinal - 1], plan)
            target = next(pending, None)
        ordinal += len(records)
    while target is not None:
        yield _lost(target)
        target = next(pending, None)


def _found(target: Wanted, line: int, raw: bytes, plan: Plan) -> Located:
    text = raw.decode("utf-8", "replace").rstrip("\r\n")
    cell = _cell(text, target.column, plan)
    if cell is None or not _same(cell, target.cell, plan):
        return _lost(target)
    return Located(wanted=target, raw=text, line=line, cell=cell)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Whole records of a file, the first on line ``first``; odd: not each line is one record."""

    first: int
    lines: list[bytes]
    is_odd: bool
    quote: bytes
    is_headed: bool
    blank_counts: bool

    def records(self, rejected: frozenset[int]) -> list[tuple[int, bytes]]:
        """Return the records with their lines, but for those that start on a rejected one."""
        numbered = enumerate(self.lines, start=self.first)
        found = self._joined(numbered) if self.is_odd else numbered
        return [(line, raw) for line, raw in found if line not in rejected]

    def _joined(self, numbered: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        """Join lines to records: a quote that is open joins the next line."""
        start, held, is_headed = 0, b"", self.is_headed
        for line, raw in numbered:
            start, held = (start, held + b"\n" + raw) if held else (line, raw)
            if self.quote and held.count(self.quote) % 2:
                continue
            record, held = held, b""
            if not self.blank_counts and not record.strip(b"\r\n"):
                continue
            if not is_headed:
                yield start, record
            is_headed = False


def _blocks(path: Path, plan: Plan) -> Iterator[_Block]:
    """Cut a file into blocks of whole records."""
    quote, blank_counts = plan.quote.encode(), len(plan.columns) <= 1
    first, headed = 1, bool(plan.header)
    with path.open("rb") as source:
        while data := _whole(source, quote):
            lines = data.removesuffix(b"\n").split(b"\n")
            is_blank = not blank_counts and (b"" in lines or (b"\r" in data and b"\r" in lines))
            is_odd = headed or is_blank or _spans(data, quote)
            yield _Block(
                first=first, lines=lines, is_odd=is_odd, quote=quote, is_headed=headed, blank_counts=blank_counts
            )
            headed = headed and not blank_counts and not data.strip(b"\r\n")
            first += len(lines)


def _whole(source: BinaryIO, quote: bytes) -> bytes:
    """Read a block that ends where a record does."""
    pieces = [source.read(_BLOCK), source.readline()]
    quotes = sum(piece.count(quote) for piece in pieces) if quote else 0
    while quotes % 2 and (line := source.readline()):
        pieces.append(line)
        quotes += line.count(quote)
    return b"".join(pieces)


def _spans(data: bytes, quote: bytes) -> bool:
    """Tell whether a quoted cell goes over a line end."""
    return bool(quote) and quote in data and any(b"\n" in inside for inside in data.split(quote)[1::2])


def _cell(text: str, index: int, plan: Plan) -> str | None:
    row = next(csv.reader(io.StringIO(text, newline=""), delimiter=plan.delimiter, quotechar=plan.quote or None), [])
    return row[index] if index < len(row) else None
