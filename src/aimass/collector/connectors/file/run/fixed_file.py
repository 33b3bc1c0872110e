"""Lines with fixed widths: each cell has its characters, whatever stands in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from aimass.collector.connectors.file.plan import Plan, unique_names
from aimass.collector.connectors.file.run.cast import LINE, RAW, TableReading
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.collector.connectors.file.run.scan import Opening, Scan, readable, scan
from aimass.collector.connectors.file.run.sniff import decoded, guess_encoding, guess_header, text_columns
from aimass.collector.connectors.portions import Portion
from aimass.kernel.errors import Invalid
from aimass.lake import engine

BATCH = 20_000
SAMPLE_BYTES = 4 * 1024 * 1024
SAMPLE_LINES = 20_000
FEWEST_LINES = 3


@contextmanager
def open_file(ask: Opening) -> Iterator[tuple[TableReading, Scan]]:
    """Open a file with fixed widths for one pass."""
    found = scan(ask.path, ask.seen)
    source = readable(ask.path, ask.plan.encoding, found, ask.work, quote="")
    with engine(threads=1, spill=str(ask.work)) as con:
        yield TableReading(con, ask.plan, lambda quarantine: _frames(source, ask.plan, quarantine), texts=True), found


def _frames(path: Path, plan: Plan, quarantine: Quarantine) -> Iterator[pl.DataFrame]:
    total = sum(plan.widths)
    skipped = plan.skip_rows + plan.header
    with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as source:
        lines = itertools.islice(enumerate(source, start=1), skipped, None)
        held = Portion[tuple[int, str]](BATCH)
        for line, text in lines:
            row = text.rstrip("\n")
            if len(row.rstrip()) > total:
                reason = f"the line has {len(row.rstrip())} characters, the widths are {total}"
                quarantine.add(row, line, "", reason, "TOO LONG")
            elif row.strip():
                held.add((line, row), len(row))
            if held.is_full:
                yield cut(held.take(), plan)
        yield cut(held.take(), plan)


def cut(lines: list[tuple[int, str]], plan: Plan) -> pl.DataFrame:
    """Cut lines into cells, without the blanks around them; what a short line lacks is missing."""
    frame = pl.DataFrame(lines, {LINE: pl.Int64, RAW: pl.String}, orient="row")
    starts = itertools.accumulate((0, *plan.widths))
    cells = [
        pl.col(RAW).str.slice(start, width).str.strip_chars().alias(name)
        for name, start, width in zip(plan.names, starts, plan.widths, strict=False)
    ]
    return frame.with_columns(cells)


def sniff(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose widths and columns from the first lines."""
    scan(path)
    with path.open("rb") as source:
        head = source.read(SAMPLE_BYTES)
    whole = len(head) == path.stat().st_size
    encoding = str(given.get("encoding") or guess_encoding(head))
    skip = int(given.get("skip_rows") or 0)
    lines = sample_lines(decoded(head, encoding, whole=whole), whole=whole)[skip:]
    if not lines:
        raise Invalid("the file has no lines below those that are skipped", field="skip_rows", value=skip)
    widths = [int(width) for width in given.get("widths") or ()] or guess_widths(lines)
    rows = [slices(line, widths) for line in lines]
    header = bool(given["header"]) if given.get("header") is not None else guess_header(rows)
    names = unique_names(rows[0] if header else [""] * len(widths))
    data = rows[1:] if header else rows
    cells = {name: [row[i] for row in data] for i, name in enumerate(names)}
    known = {"format": "fixed", "encoding": encoding, "header": header, "skip_rows": skip, "widths": widths}
    return {**known, **text_columns(cells, whole=whole), "sampled_rows": len(data), "whole": whole}


def sample_lines(text: str, *, whole: bool) -> list[str]:
    """Return the first lines that are not blank; of a part of a file the last, cut one is dropped."""
    lines = text.splitlines()
    return [line for line in (lines if whole or len(lines) == 1 else lines[:-1]) if line.strip()][:SAMPLE_LINES]


def slices(line: str, widths: list[int]) -> list[str]:
    """Cut one line.

    Examples
    --------
    >>> slices("ab  12", [4, 2])
    ['ab', '12']
    """
    starts = itertools.accumulate((0, *widths))
    return [line[start : start + width].strip() for start, width in zip(starts, widths, strict=False)]


def guess_widths(lines: list[str]) -> list[int]:
    """Guess the widths: a cell begins where every line has a blank before it, and some line a letter.

    Examples
    --------
    >>> guess_widths(["id name  n", " 1 Ann   7", "12 Bob  12"])
    [3, 5, 2]
    """
    longest = max(map(len, lines))
    filled = [False] * longest
    for line in lines:
        for at, letter in enumerate(line):
            filled[at] = filled[at] or not letter.isspace()
    starts = [at for at in range(longest) if filled[at] and (at == 0 or not filled[at - 1])]
    edges = [0, *starts[1:], longest]
    return [stop - start for start, stop in itertools.pairwise(edges)]


def looks_fixed(text: str, *, whole: bool) -> bool:
    r"""Tell whether lines look cut into cells: all of one length, with blanks that stand below each other.

    Examples
    --------
    >>> looks_fixed("id name\n 1 Ann \n 2 Bob \n", whole=True), looks_fixed("a\nb\nc\n", whole=True)
    (True, False)
    """
    lines = sample_lines(text, whole=whole)
    return len(lines) >= FEWEST_LINES and len({len(line) for line in lines}) == 1 and len(guess_widths(lines)) > 1
