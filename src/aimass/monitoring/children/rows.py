"""From records to rows: one row per predicted row, one typed column per input.

A column keeps the type of its first value (number, text, boolean). A later value that does not fit goes, with its name,
into the column ``misfit`` as JSON, so that nothing is lost and no table breaks.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import polars as pl

INPUT = "input_"
OUTPUT = "output_"
_META: dict[str, Any] = {
    "id": pl.String(),
    "row": pl.Int32(),
    "rows": pl.Int32(),
    "t": pl.Datetime("us", "UTC"),
    "deployment": pl.String(),
    "revision": pl.String(),
    "model": pl.String(),
    "version": pl.String(),
    "consumer": pl.String(),
    "status": pl.Int32(),
    "latency_us": pl.Int64(),
    "label": pl.String(),
    "probabilities": pl.List(pl.Float64()),
    "unseen": pl.List(pl.String()),
    "misfit": pl.String(),
}
_TEXT = ("deployment", "revision", "model", "version", "consumer")


def frame_of(records: list[dict[str, Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    """Return the rows of records; ``schema`` is that of the table they go to."""
    columns: dict[str, list[Any]] = {name: [] for name in _META if name != "misfit"}
    values: dict[str, list[Any]] = defaultdict(list)
    total = 0
    for record in records:
        count = _rows(record)
        _meta(record, count, columns)
        for name, cells in _cells(record, count).items():
            column = values[name]
            column.extend([None] * (total - len(column)))
            column.extend(cells)
        total += count
    misfits: list[dict[str, Any]] = [{} for _ in range(total)]
    series = [pl.Series(name, cells, dtype=_META[name], strict=False) for name, cells in columns.items()]
    for name, cells in values.items():
        cells.extend([None] * (total - len(cells)))
        typed = _typed(name, cells, schema.get(name), misfits)
        if typed is not None:
            series.append(typed)
    texts = [json.dumps(misfit, ensure_ascii=False) if misfit else None for misfit in misfits]
    return pl.DataFrame([*series[: len(columns)], pl.Series("misfit", texts, dtype=pl.String), *series[len(columns) :]])


def _rows(record: Mapping[str, Any]) -> int:
    """Return the rows of a record; a refused request still has one, without an answer."""
    sides = [*(record.get("inputs") or {}).values(), *(record.get("outputs") or {}).values()]
    longest = max((len(cells) for cells in sides if isinstance(cells, list)), default=0)
    return max(longest, 1)


def _meta(record: Mapping[str, Any], count: int, columns: dict[str, list[Any]]) -> None:
    outputs = record.get("outputs") or {}
    constants = {
        "id": record["id"],
        "rows": int(record.get("rows") or 0),
        "t": int(record["t"] * 1_000_000),
        "status": record["status"],
        "latency_us": record.get("latency_us"),
        "unseen": [str(name) for name in record.get("unseen") or []],
    }
    constants |= {name: str(record.get(name) if record.get(name) is not None else "") for name in _TEXT}
    for name, value in constants.items():
        columns[name].extend([value] * count)
    columns["row"].extend(range(count))
    labels = _padded(outputs.get("label"), count)
    columns["label"].extend(None if label is None else _text(label) for label in labels)
    columns["probabilities"].extend(_numbers(cell) for cell in _padded(outputs.get("probabilities"), count))


def _cells(record: Mapping[str, Any], count: int) -> dict[str, list[Any]]:
    cells = {INPUT + name: _padded(given, count) for name, given in (record.get("inputs") or {}).items()}
    for name, given in (record.get("outputs") or {}).items():
        if name not in ("label", "probabilities"):
            cells[OUTPUT + name] = _padded(given, count)
    return cells


def _padded(cells: Any, count: int) -> list[Any]:
    given = list(cells) if isinstance(cells, list) else []
    return given[:count] + [None] * (count - len(given))


def _numbers(cell: Any) -> list[float] | None:
    if isinstance(cell, list) and all(isinstance(number, int | float) for number in cell):
        return [float(number) for number in cell]
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _kind(value: Any) -> Any:
    if isinstance(value, bool):
        return pl.Boolean()
    if isinstance(value, int | float):
        return pl.Float64()
    return pl.String() if isinstance(value, str) else None


def _typed(name: str, cells: list[Any], wanted: Any, misfits: list[dict[str, Any]]) -> pl.Series | None:
    """Return the column with the values that fit its type; None when there is nothing to decide the type by."""
    kind = wanted if wanted is not None else next((k for c in cells if (k := _kind(c)) is not None), None)
    fits: list[Any] = []
    for index, cell in enumerate(cells):
        if cell is None or (kind is not None and _kind(cell) == kind):
            fits.append(cell)
        else:
            fits.append(None)
            misfits[index][name] = cell
    return None if kind is None else pl.Series(name, fits, dtype=kind, strict=False)
