"""CSV through DuckDB: explicit columns, nothing guessed, bad rows listed instead of dropped."""

from __future__ import annotations

import csv
import itertools
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from arro3.core import Array, RecordBatch, RecordBatchReader, Schema

from aimass.collector.connectors.file.plan import NAMES, Pinned, Plan, unique_names
from aimass.collector.connectors.file.run.cast import beyond, odd_members
from aimass.collector.connectors.file.run.locate import LineCounter, Wanted, locate
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.collector.connectors.file.run.scan import Opening, Scan, readable, scan
from aimass.collector.connectors.file.run.sniff import sniff_text
from aimass.kernel.errors import Invalid
from aimass.lake import engine, sql_literal, sql_name

BAD = "§bad"
_READ = {
    "string": "VARCHAR",
    "integer": "VARCHAR",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
    "date": "DATE",
    "numbers": "VARCHAR",
}
_REJECTS = (
    "SELECT line_byte_position, min(column_idx), any_value(error_type::VARCHAR ORDER BY column_idx), any_value(csv_line),"
    " any_value(error_message ORDER BY column_idx) FROM reject_errors GROUP BY 1 ORDER BY 1"
)
_FEW = 16  # bad rows of a batch between which the others are handed on as they lie
WIDE = 1_000  # columns; one pattern is planned faster than three searches, and runs slower
_ODD = "contains({0}, '.') OR contains({0}, 'e') OR contains({0}, 'E')"
_ODD_WIDE = "regexp_matches({0}, '[.eE]')"
_COULD_NOT = re.compile(r'Could not convert string "(.*?)" to', re.DOTALL)
_REASONS = {
    "MISSING COLUMNS": "too few cells",
    "TOO MANY COLUMNS": "too many cells",
    "UNQUOTED VALUE": "a quote is not closed",
    "LINE SIZE OVER MAXIMUM": "the line is too long",
    "INVALID ENCODING": "the text is not UTF-8",
    "INVALID STATE": "the line breaks the rules of CSV",
}


@contextmanager
def open_file(ask: Opening) -> Iterator[tuple[CsvReading, Scan]]:
    """Open a CSV file for one pass."""
    found = scan(ask.path, ask.seen)
    source = readable(ask.path, ask.plan.encoding, found, ask.work, ask.plan.quote)
    wide = len(ask.plan.columns) > WIDE  # the engine holds 2,048 cells of each column per thread
    with engine(memory_mb=2048 if wide else 1024, threads=1 if wide else 2, spill=str(ask.work)) as con:
        yield CsvReading(con, source, ask.plan, found), found


def sniff(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose dialect and columns from the first megabytes."""
    scan(path)
    return sniff_text(path, given)


class CsvReading:
    """One pass over a CSV file: good rows as Arrow batches, bad ones into quarantine.

    Attributes
    ----------
    schema
        Arrow schema of the good rows.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, path: Path, plan: Plan, found: Scan) -> None:
        self._con = con
        self._path = path
        self._plan = plan
        order = _file_order(path, plan)
        self._columns = [plan.columns[i] for i in order]
        self._odd = _ODD_WIDE if len(order) > WIDE else _ODD
        self._wanted: list[Wanted] = []
        self._reader = RecordBatchReader.from_arrow(con.sql(self._statement(order, found)))
        self.schema = Schema.from_arrow(self._reader.schema).remove(len(plan.columns))

    def _statement(self, order: list[int], found: Scan) -> str:
        read = ", ".join(f"'c{position}': '{_READ[c.type]}'" for position, c in enumerate(self._columns))
        size = max(found.longest + 1024, 2 * 1024 * 1024)
        options = {
            "columns": "{" + read + "}",
            "header": str(self._plan.header).lower(),
            "delim": sql_literal(self._plan.delimiter),
            "quote": sql_literal(self._plan.quote),
            "escape": sql_literal(self._plan.quote),
            "nullstr": "[" + ", ".join(map(sql_literal, ("", *self._plan.null_values))) + "]",
            "max_line_size": str(size),
            "buffer_size": str(size * 2 if size > 4 * 1024 * 1024 else 8 * 1024 * 1024),
            "auto_detect": "false",
            "store_rejects": "true",
        }
        source = f"read_csv({sql_literal(str(self._path))}, {', '.join(f'{k} = {v}' for k, v in options.items())})"
        where = {index: position for position, index in enumerate(order)}
        typed = [f"{_typed(c, where[i])} AS {sql_name(c.name)}" for i, c in enumerate(self._plan.columns)]
        tests = [
            test
            for position, c in enumerate(self._columns)
            if (test := _test(c, position, self._odd, nul=bool(found.nul)))
        ]
        bad = f"CASE {' '.join(tests)} END" if tests else "NULL::VARCHAR"
        return f"SELECT {', '.join(typed)}, {bad} AS {sql_name(BAD)} FROM {source}"  # noqa: S608 quoted

    def batches(self, quarantine: Quarantine) -> Iterator[RecordBatch]:
        """Yield the good rows; when they are through, the quarantine is complete."""
        names = [column.name for column in self._columns]
        quarantine.header = "" if names == self._plan.names else json.dumps(names, ensure_ascii=False)
        seen = 0
        for batch in self._reader:
            yield from self._good(batch, seen)
            seen += batch.num_rows
        self._rejected(quarantine)

    def _good(self, batch: RecordBatch, seen: int) -> Iterator[RecordBatch]:
        flags = batch.column(batch.num_columns - 1)
        kept = batch.remove_column(batch.num_columns - 1)
        if flags.null_count == batch.num_rows:
            yield kept
            return
        told = pl.Series(flags)
        bad = told.is_not_null().arg_true().to_list()
        for row in bad:
            index, _, cell = str(told[row]).partition(":")
            self._wanted.append(Wanted(ordinal=seen + row, column=int(index), cell=cell))
        if len(bad) > _FEW:
            yield kept.take(Array.from_arrow(told.is_null().arg_true()))
            return
        for before, row in itertools.pairwise([-1, *bad, batch.num_rows]):
            if row > before + 1:
                yield kept.slice(before + 1, row - before - 1)

    def _rejected(self, quarantine: Quarantine) -> None:
        """List what the engine rejected, then what our own tests found."""
        lines: set[int] = set()
        rejects = self._con.execute(_REJECTS)
        with LineCounter(self._path) as counter:
            while part := rejects.fetchmany(10_000):
                for position, index, kind, raw, message in part:
                    text = (raw or "").lstrip("\r\n")
                    line = counter.line_at(position - 1) + (raw or "").count("\n", 0, len(raw or "") - len(text))
                    lines.add(line)
                    column = self._columns[index - 1] if index and kind == "CAST" else None
                    name = column.name if column else ""
                    quarantine.add(text, line, name, _reason(kind, message, column), kind)
        for found in locate(self._path, self._plan, self._wanted, frozenset(lines)) if self._wanted else ():
            column = self._columns[found.wanted.column]
            kind, reason = _fault(column, found.cell, found.wanted.cell)
            quarantine.add(found.raw, found.line, column.name, reason, kind)


def _typed(column: Pinned, position: int) -> str:
    if column.type == "numbers":
        return f"TRY_CAST(c{position} AS DOUBLE[])"
    return f"TRY_CAST(c{position} AS BIGINT)" if column.type == "integer" else f"c{position}"


def _test(column: Pinned, position: int, odd: str, *, nul: bool) -> str:
    """Say in SQL when a row is bad although the engine takes it: a fraction in a whole number, infinity, a missing value."""
    name = f"c{position}"
    tests = []
    if not column.nullable:
        tests.append(f"{name} IS NULL")
    if column.type == "integer":
        tests.append(f"({name} IS NOT NULL AND (TRY_CAST({name} AS BIGINT) IS NULL OR {odd.format(name)}))")
    if column.type == "float":
        tests.append(f"({name} IS NOT NULL AND NOT isfinite({name}))")
    if column.type in {"date", "timestamp"}:
        tests.append(f"({name} IS NOT NULL AND {beyond(name)})")
    if column.type == "numbers":
        tests.append(
            f"({name} IS NOT NULL AND (TRY_CAST({name} AS DOUBLE[]) IS NULL OR {odd_members(name, 'VARCHAR')}))"
        )
    if column.type == "string" and nul:
        tests.append(f"contains({name}, chr(0))")
    if not tests:
        return ""
    return f"WHEN {' OR '.join(tests)} THEN '{position}:' || coalesce({name}::VARCHAR, '')"


def _reason(kind: str, message: str, column: Pinned | None) -> str:
    if kind == "CAST" and column is not None:
        cell = _COULD_NOT.search(message)
        return f"{cell.group(1)!r} is no {column.type}" if cell else f"no valid {column.type}"
    return f"{_REASONS.get(kind, kind.lower())}: {message.splitlines()[0]}"


def _fault(column: Pinned, cell: str, told: str) -> tuple[str, str]:
    if not told:
        return "MISSING", "the value is missing, and the column allows none"
    if "\x00" in cell:
        return "NUL", "the text holds a NUL character"
    return "CAST", f"{cell!r} is no {NAMES.get(column.type, column.type)}"


def _file_order(path: Path, plan: Plan) -> list[int]:
    """Give the pinned column of each file column; without a header both have the same order.

    Raises
    ------
    Invalid
        The header and the pinned columns are not the same set of names.
    """
    if not plan.header:
        return list(range(len(plan.columns)))
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as source:
        raw = next(
            (row for row in csv.reader(source, delimiter=plan.delimiter, quotechar=plan.quote or None) if row), []
        )
    names = unique_names(raw)
    where = {name: i for i, name in enumerate(plan.names)}
    there = set(names)
    missing, new = [n for n in where if n not in there], [n for n in names if n not in where]
    if missing or new:
        told = [
            f"lacks {', '.join(missing[:5])}" if missing else "",
            f"has the new {', '.join(new[:5])}" if new else "",
        ]
        raise Invalid(
            f"the columns of the file are not the confirmed ones: it {' and '.join(filter(None, told))}",
            field="columns",
            value=(missing or new)[0],
            allowed=plan.names[:50],
            hint="propose the types again and confirm them, or rename the columns in the file",
        )
    return [where[name] for name in names]
