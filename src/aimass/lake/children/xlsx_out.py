"""Rows as the sheet of a workbook, row by row: texts stay texts, and what a sheet cannot hold is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from aimass.kernel.errors import MissingExtra, TooLarge
from aimass.lake.children.values import plain

MOST_ROWS, MOST_COLUMNS, MOST_LETTERS = 1_048_576, 16_384, 32_767
EXACT = 10**15  # a sheet keeps 15 digits of a number
_FIRST_YEAR = 1900


def write_xlsx(empty: pl.DataFrame, frames: Iterable[pl.DataFrame], target: Path) -> None:
    """Write frames of one schema as the only sheet of a workbook, with flat memory.

    Texts are written as texts whatever they begin with, so that none becomes a formula. Numbers of more than 15 digits, moments
    before 1900 and nested values are texts; moments are those of UTC.

    Parameters
    ----------
    empty
        A frame of the schema without rows.
    frames
        The rows.
    target
        The file.

    Raises
    ------
    TooLarge
        A sheet cannot hold so many rows, columns or letters in a cell.
    """
    if empty.width > MOST_COLUMNS:
        raise _too_large(f"{empty.width} columns", f"at most {MOST_COLUMNS} columns")
    book = _library().Workbook(
        str(target), {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    try:
        sheet, names = book.add_worksheet("Rows"), empty.columns
        days, moments = (
            book.add_format({"num_format": "yyyy-mm-dd"}),
            book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"}),
        )
        for column, name in enumerate(names):
            sheet.write_string(0, column, name[:MOST_LETTERS])
        sheet.freeze_panes(1, 0)
        writers = [_Cells(sheet, name, days, moments).put for name in names]
        _rows(frames, writers)
    finally:
        book.close()


def _rows(frames: Iterable[pl.DataFrame], writers: list[Callable[[int, int, Any], None]]) -> None:
    row = 0
    for frame in frames:
        for cells in frame.iter_rows():
            row += 1
            if row >= MOST_ROWS:
                raise _too_large(f"more than {MOST_ROWS - 1} rows", f"at most {MOST_ROWS - 1} rows below the names")
            for column, value in enumerate(cells):
                if value is not None:
                    writers[column](row, column, value)


class _Cells:
    """Writes the cells of one column."""

    def __init__(self, sheet: Any, name: str, days: Any, moments: Any) -> None:
        self._sheet, self._name, self._days, self._moments = sheet, name, days, moments

    def put(self, row: int, column: int, value: Any) -> None:
        """Write a value in the type that a sheet has for it."""
        if isinstance(value, bool):
            self._sheet.write_boolean(row, column, value)
        elif isinstance(value, int | float | Decimal) and _is_exact(value):
            self._sheet.write_number(row, column, value)
        elif isinstance(value, datetime) and value.year >= _FIRST_YEAR:
            here = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
            self._sheet.write_datetime(row, column, here, self._moments)
        elif isinstance(value, date) and not isinstance(value, datetime) and value.year >= _FIRST_YEAR:
            self._sheet.write_datetime(row, column, value, self._days)
        else:
            self._sheet.write_string(row, column, self._text(row, value))

    def _text(self, row: int, value: Any) -> str:
        text = value if isinstance(value, str) else _written(value)
        if len(text) > MOST_LETTERS:
            where = f"row {row} of column {self._name!r} has {len(text)} letters"
            raise _too_large(where, f"at most {MOST_LETTERS} letters in a cell")
        return text


def _is_exact(value: float | Decimal) -> bool:
    """Tell whether a sheet keeps a number as it is.

    Examples
    --------
    >>> _is_exact(10**15 - 1), _is_exact(10**15), _is_exact(float("nan")), _is_exact(Decimal("0.1234567890123456"))
    (True, False, False, False)
    """
    if isinstance(value, Decimal):
        return value.is_finite() and len(value.normalize().as_tuple().digits) <= len(str(EXACT)) - 1
    return math.isfinite(value) and (isinstance(value, float) or abs(value) < EXACT)


def _written(value: Any) -> str:
    if isinstance(value, int | float | Decimal):
        return str(value)
    told = plain(value)
    return told if isinstance(told, str) else orjson.dumps(told).decode()


def _too_large(what: str, allowed: str) -> TooLarge:
    hint = "choose fewer, or another format"
    return TooLarge(f"{what}: a sheet cannot hold that", field="format", value="xlsx", allowed=allowed, hint=hint)


def _library() -> Any:
    try:
        return import_module("xlsxwriter")
    except ImportError:
        raise MissingExtra("excel") from None
