"""Records (objects with fields) checked field by field against their pinned types."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson
import polars as pl
from arro3.core import RecordBatch, RecordBatchReader, Schema

from aimass.collector.connectors.file.plan import NAMES, Pinned, Plan, unique_names
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.collector.connectors.portions import Portion, weight
from aimass.kernel.errors import Invalid

BATCH = 20_000
SAMPLE_RECORDS = 20_000
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
    "numbers": pl.List(pl.Float64),
}


class Misfit(ValueError):
    """A cell that has not its pinned type."""


@dataclass(frozen=True, slots=True)
class Found:
    """A record where it stood; ``problem`` says why there is none. Without ``raw`` the record is told as JSON."""

    line: int
    value: Any
    raw: bytes | None = None
    problem: str = ""

    @property
    def text(self) -> str:
        """Return the row as a person may read and mend it, on one line."""
        if self.raw is not None:
            return self.raw.decode("utf-8", "replace").rstrip("\r\n").removeprefix("\ufeff")
        return json.dumps(self.value, ensure_ascii=False, default=str)


def _string(value: Any) -> str:
    if isinstance(value, str):
        if "\x00" in value:
            raise Misfit
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
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
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as reason:
        raise Misfit from reason


def _date(value: Any) -> date:
    if not isinstance(value, str):
        raise Misfit
    return date.fromisoformat(value)


def _numbers(value: Any) -> list[float | None]:
    if not isinstance(value, list):
        raise Misfit
    return [None if one is None else _float(one) for one in value]


_READ: Mapping[str, Callable[[Any], Any]] = {
    "string": _string,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "date": _date,
    "numbers": _numbers,
}


def _from_text(kind: str, value: Any) -> Any:
    """Read a cell that may be written as a text, as in a file where all cells are texts."""
    if not isinstance(value, str) or kind in {"string", "timestamp", "date"}:
        return _READ[kind](str(value) if kind == "string" and not isinstance(value, dict | list) else value)
    text = value.strip().lower()
    if kind == "numbers":
        return _numbers(orjson.loads(text))
    if kind == "boolean":
        if text not in {"true", "false"}:
            raise Misfit
        return text == "true"
    return _READ[kind](int(text) if kind == "integer" else float(text))


class RecordReading:
    """One pass over records.

    Parameters
    ----------
    records
        Yields the records in their order.
    texts
        Cells may be written as texts (``"12"`` for 12); an empty one is missing.
    """

    def __init__(self, plan: Plan, records: Callable[[], Iterator[Found]], *, texts: bool = False) -> None:
        self._plan = plan
        self._records = records
        self._texts = texts
        self._names = frozenset(plan.names)
        self.schema: Schema = RecordBatchReader.from_arrow(self._frame([])).schema

    def _frame(self, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
        return pl.DataFrame(rows, {c.name: _TYPES[c.type] for c in self._plan.columns}, orient="row")

    def batches(self, quarantine: Quarantine) -> Iterator[RecordBatch]:
        """Yield the good rows; bad ones go into quarantine on the way."""
        held = Portion[tuple[Any, ...]](BATCH)
        for found in self._records():
            row = self._row(found, quarantine)
            if row is not None:
                held.add(row, weight(row) if found.raw is None else len(found.raw))
            if held.is_full:
                yield from RecordBatchReader.from_arrow(self._frame(held.take()))
        yield from RecordBatchReader.from_arrow(self._frame(held.take()))

    def _row(self, found: Found, quarantine: Quarantine) -> tuple[Any, ...] | None:
        if found.problem:
            quarantine.add(found.text, found.line, "", found.problem, "SYNTAX")
            return None
        if not isinstance(found.value, dict):
            quarantine.add(found.text, found.line, "", "this is no JSON object", "SYNTAX")
            return None
        unknown = next((key for key in found.value if key not in self._names), None)
        if unknown is not None:
            quarantine.add(found.text, found.line, unknown, f"the field {unknown!r} is not pinned", "UNKNOWN")
            return None
        return self._cells(found, quarantine)

    def _cells(self, found: Found, quarantine: Quarantine) -> tuple[Any, ...] | None:
        cells: list[Any] = []
        for column in self._plan.columns:
            value = found.value.get(column.name)
            if self._texts and isinstance(value, str) and value in ("", *self._plan.null_values):
                value = None
            if value is None and not column.nullable:
                told = "the value is missing, and the column allows none"
                quarantine.add(found.text, found.line, column.name, told, "MISSING")
                return None
            try:
                cells.append(None if value is None else self._cell(column, value))
            except (ValueError, OverflowError):
                reason = f"{str(value)[:100]!r} is no {NAMES.get(column.type, column.type)}"
                quarantine.add(found.text, found.line, column.name, reason, "CAST")
                return None
        return tuple(cells)

    def _cell(self, column: Pinned, value: Any) -> Any:
        return _from_text(column.type, value) if self._texts else _READ[column.type](value)


def propose_records(records: list[Mapping[str, Any]], *, whole: bool) -> list[dict[str, Any]]:
    """Propose columns for records: those that any of them has, in the order in which they appear."""
    names = list(dict.fromkeys(key for record in records for key in record))
    if unique_names(names) != names:
        raise Invalid("two fields differ only in case, or one has no name", field="file")
    return [_proposed(name, [record.get(name) for record in records], whole=whole) for name in names]


def _proposed(name: str, values: list[Any], *, whole: bool) -> dict[str, Any]:
    filled = [value for value in values if value is not None]
    kind = next(
        (
            k
            for k in ("boolean", "integer", "float", "date", "timestamp", "numbers")
            if filled and _share(filled, k) >= ENOUGH
        ),
        "string",
    )
    texts = list(
        dict.fromkeys(value if isinstance(value, str) else orjson.dumps(value).decode() for value in filled[:100])
    )
    misfits = round((1 - _share(filled, kind)) * len(filled)) if filled else 0
    nullable = len(filled) < len(values) or not whole
    return {"name": name, "type": kind, "nullable": nullable, "examples": texts[:EXAMPLES], "misfits": misfits}


def _share(values: list[Any], kind: str) -> float:
    good = 0
    for value in values:
        try:
            _READ[kind](value)
        except (ValueError, OverflowError):
            continue
        good += 1
    return good / len(values)
