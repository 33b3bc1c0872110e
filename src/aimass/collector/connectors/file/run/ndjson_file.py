"""NDJSON: one object per line, each cell checked against its pinned type."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from arro3.core import RecordBatch, RecordBatchReader, Schema

from aimass.collector.connectors.file.plan import Pinned, Plan, unique_names
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.kernel.errors import Invalid

BATCH = 20_000
SAMPLE_LINES = 20_000
SAMPLE_BYTES = 16 * 1024 * 1024
EXAMPLES = 3
ENOUGH = 0.98
_BIGGEST = 2**63
_TYPES: Mapping[str, Any] = {
    "string": pl.String,
    "integer": pl.Int64,
    "float": pl.Float64,
    "boolean": pl.Boolean,
    "timestamp": pl.Datetime("us", "UTC"),
    "date": pl.Date,
}


class Misfit(ValueError):
    """A cell that has not its pinned type."""


def _string(value: Any) -> str:
    if isinstance(value, str):
        if "\x00" in value:
            raise Misfit
        return value
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    raise Misfit


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Misfit
    if isinstance(value, float) and not value.is_integer():
        raise Misfit
    if not -_BIGGEST <= value < _BIGGEST:
        raise Misfit
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Misfit
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Misfit
    return value


def _timestamp(value: Any) -> datetime:
    if not isinstance(value, str):
        raise Misfit
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _date(value: Any) -> date:
    if not isinstance(value, str):
        raise Misfit
    return date.fromisoformat(value)


_READ: Mapping[str, Callable[[Any], Any]] = {
    "string": _string,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "date": _date,
}


class NdjsonReading:
    """One pass over an NDJSON file."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self._path = path
        self._plan = plan
        self._names = frozenset(plan.names)
        self.schema: Schema = RecordBatchReader.from_arrow(self._frame([])).schema

    def _frame(self, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
        return pl.DataFrame(rows, {c.name: _TYPES[c.type] for c in self._plan.columns}, orient="row")

    def batches(self, quarantine: Quarantine) -> Iterator[RecordBatch]:
        """Yield the good rows; bad ones go into quarantine on the way."""
        rows: list[tuple[Any, ...]] = []
        with self._path.open("rb") as source:
            for line, raw in enumerate(source, start=1):
                if not raw.strip():
                    continue
                row = self._row(raw, line, quarantine)
                if row is not None:
                    rows.append(row)
                if len(rows) >= BATCH:
                    yield from RecordBatchReader.from_arrow(self._frame(rows))
                    rows = []
        yield from RecordBatchReader.from_arrow(self._frame(rows))

    def _row(self, raw: bytes, line: int, quarantine: Quarantine) -> tuple[Any, ...] | None:
        text = raw.decode("utf-8", "replace").rstrip("\r\n").removeprefix("\ufeff")
        try:
            record = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError as reason:
            quarantine.add(text, line, "", f"the line is no JSON: {reason}", "SYNTAX")
            return None
        if not isinstance(record, dict):
            quarantine.add(text, line, "", "the line is no JSON object", "SYNTAX")
            return None
        unknown = next((key for key in record if key not in self._names), None)
        if unknown is not None:
            quarantine.add(text, line, unknown, f"the field {unknown!r} is not pinned", "UNKNOWN")
            return None
        return self._cells(record, text, line, quarantine)

    def _cells(self, record: Mapping[str, Any], text: str, line: int, quarantine: Quarantine) -> tuple[Any, ...] | None:
        cells: list[Any] = []
        for column in self._plan.columns:
            value = record.get(column.name)
            if value is None and not column.nullable:
                quarantine.add(text, line, column.name, "the value is missing, and the column allows none", "MISSING")
                return None
            try:
                cells.append(None if value is None else _READ[column.type](value))
            except ValueError:
                quarantine.add(text, line, column.name, f"{str(value)[:100]!r} is no {column.type}", "CAST")
                return None
        return tuple(cells)


def sniff_ndjson(path: Path) -> dict[str, Any]:
    """Propose the columns of an NDJSON file from its first lines."""
    records, whole = _sample(path)
    if not records:
        raise Invalid(
            "the file holds no JSON objects, one per line",
            field="file",
            hint="write one object per line (NDJSON), not one big array",
        )
    names = list(dict.fromkeys(key for record in records for key in record))
    if unique_names(names) != names:
        raise Invalid("two fields differ only in case, or one has no name", field="file")
    columns = [_proposed(name, [record.get(name) for record in records], whole=whole) for name in names]
    return {"format": "ndjson", "encoding": "utf-8", "columns": columns, "sampled_rows": len(records), "whole": whole}


def _sample(path: Path) -> tuple[list[dict[str, Any]], bool]:
    records: list[dict[str, Any]] = []
    read = 0
    with path.open("rb") as source:
        for raw in source:
            read += len(raw)
            try:
                record = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
            except orjson.JSONDecodeError:
                continue
            if isinstance(record, dict):
                records.append(record)
            if len(records) >= SAMPLE_LINES or read >= SAMPLE_BYTES:
                break
    return records, read >= path.stat().st_size


def _proposed(name: str, values: list[Any], *, whole: bool) -> dict[str, Any]:
    filled = [value for value in values if value is not None]
    kind = next(
        (k for k in ("boolean", "integer", "float", "date", "timestamp") if filled and _share(filled, k) >= ENOUGH),
        "string",
    )
    pinned = Pinned(name=name, type=kind, nullable=len(filled) < len(values) or not whole)
    texts = list(
        dict.fromkeys(value if isinstance(value, str) else orjson.dumps(value).decode() for value in filled[:100])
    )
    misfits = round((1 - _share(filled, kind)) * len(filled)) if filled else 0
    return {"name": name, "type": kind, "nullable": pinned.nullable, "examples": texts[:EXAMPLES], "misfits": misfits}


def _share(values: list[Any], kind: str) -> float:
    good = 0
    for value in values:
        try:
            _READ[kind](value)
        except ValueError:
            continue
        good += 1
    return good / len(values)
