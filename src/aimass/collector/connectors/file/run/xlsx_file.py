"""Workbooks of Excel: one sheet, its cells read as texts and cast like those of any other text file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl

from aimass.collector.connectors.file.plan import MAX_COLUMNS, unique_names
from aimass.collector.connectors.file.run.cast import LINE, TableReading
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.collector.connectors.file.run.scan import Opening, Scan
from aimass.collector.connectors.file.run.sniff import SAMPLE_ROWS, guess_header, text_columns
from aimass.collector.connectors.portions import pieces
from aimass.kernel.errors import Invalid, TooLarge
from aimass.lake import engine

BATCH = 20_000
LARGEST = 512 * 1024 * 1024
# what zipfile raises: a broken archive, a password or a compression that it does not know, an end before the end
_UNREADABLE = (zipfile.BadZipFile, RuntimeError, EOFError)
MOST_PARTS = 10_000
_MIDNIGHT = " 00:00:00"


@contextmanager
def open_file(ask: Opening) -> Iterator[tuple[TableReading, Scan]]:
    """Open a sheet for one pass."""
    sheet = cells_of(ask.path, ask.plan.sheet)
    first = ask.plan.skip_rows + ask.plan.header
    names = unique_names(_names(sheet, ask.plan.skip_rows)) if ask.plan.header else ask.plan.names
    if len(names) != sheet.width:
        raise Invalid(f"the sheet has {sheet.width} columns, {len(names)} are confirmed", field="columns")
    table = sheet.slice(first).rename(dict(zip(sheet.columns, names, strict=True)))
    with engine(threads=1, spill=str(ask.work)) as con:
        reading = TableReading(con, ask.plan, lambda quarantine: _frames(table, first, quarantine), texts=True)
        yield reading, Scan.of_rows(ask.path.stat().st_size, table.height)


def _frames(table: pl.DataFrame, first: int, _: Quarantine) -> Iterator[pl.DataFrame]:
    start = 0
    for piece in pieces(table, BATCH) if table.height else ():
        part = piece.with_row_index(LINE, first + start + 1)
        start += len(piece)
        yield part.filter(~pl.all_horizontal(pl.exclude(LINE).is_null())).cast({LINE: pl.Int64})


def cells_of(path: Path, name: str) -> pl.DataFrame:
    """Return all cells of a sheet as texts, from its first row and column on."""
    check_size(path)
    try:
        book = fastexcel.read_excel(str(path))
        names = list(book.sheet_names)
        if name and name not in names:
            raise Invalid(f"the workbook has no sheet {name!r}", field="sheet", value=name, allowed=names[:50])
        sheet = book.load_sheet(name or 0, header_row=None, skip_rows=0, dtypes="string")
        return pl.DataFrame(sheet)
    except fastexcel.FastExcelError as reason:
        raise Invalid(
            f"this is no readable workbook: {str(reason).splitlines()[0]}",
            field="file",
            hint="save it again as .xlsx, without a password",
        ) from reason


def all_cells(path: Path) -> Iterator[pl.DataFrame]:
    """Yield the cells of each sheet."""
    for name in sheets_of(path):
        yield cells_of(path, name)


def sheets_of(path: Path) -> list[str]:
    """Return the names of the sheets, in their order."""
    check_size(path)
    return list(fastexcel.read_excel(str(path)).sheet_names)


def check_size(path: Path) -> None:
    """Refuse a workbook that would unpack to more than fits in memory; its own word on that is not taken.

    Raises
    ------
    TooLarge
        Its parts have more than 512 MB when they are unpacked, or there are very many.
    """
    total = 0
    try:
        with zipfile.ZipFile(path) as book:
            parts = book.infolist()
            if len(parts) > MOST_PARTS:
                raise TooLarge(f"the workbook has {len(parts)} parts", field="file", allowed=MOST_PARTS)
            for part in parts:
                with book.open(part) as source:
                    while chunk := source.read(1 << 20):
                        total += len(chunk)
                        if total > LARGEST:
                            raise TooLarge(
                                f"the workbook unpacks to more than {LARGEST >> 20} MB",
                                field="file",
                                hint="export the sheet as CSV",
                            )
    except _UNREADABLE as reason:
        raise Invalid(
            f"this is no readable workbook: {reason}", field="file", hint="save it again as .xlsx, without a password"
        ) from reason


def _names(sheet: pl.DataFrame, row: int) -> list[str]:
    if row >= sheet.height:
        raise Invalid(f"the sheet has {sheet.height} rows", field="skip_rows", value=row, hint="skip fewer rows")
    return [text or "" for text in sheet.row(row)]


def sniff(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose header and columns of a sheet, and tell which sheets there are."""
    name, skip = str(given.get("sheet") or ""), int(given.get("skip_rows") or 0)
    sheet = cells_of(path, name)
    if not sheet.width:
        raise Invalid("the sheet is empty", field="sheet", value=name or None, hint="name another sheet")
    if sheet.width > MAX_COLUMNS:
        raise TooLarge(f"{sheet.width} columns", field="file", allowed=f"at most {MAX_COLUMNS}")
    top = _names(sheet, skip)
    header = bool(given["header"]) if given.get("header") is not None else guess_header([top])
    names = unique_names(top if header else [""] * sheet.width)
    data = sheet.slice(skip + header, SAMPLE_ROWS)
    whole = data.height == max(0, sheet.height - skip - header)
    data = data.filter(~pl.all_horizontal(pl.all().is_null()))
    cells = {name: [text or "" for text in column] for name, column in zip(names, data.iter_columns(), strict=True)}
    told = text_columns(cells, whole=whole)
    for found in told["columns"]:
        filled = [text for text in cells[found["name"]] if text]
        if found["type"] == "timestamp" and all(text.endswith(_MIDNIGHT) for text in filled):
            found["type"] = "date"
    known = {"format": "xlsx", "header": header, "sheet": name, "skip_rows": skip}
    return {**known, **told, "sheets": sheets_of(path), "sampled_rows": data.height, "whole": whole}
