"""From records to rows: one row per predicted row, one typed column per input.

A column keeps the type of its first value (number, text, boolean). A later value that does not fit goes, with its name,
into the column ``misfit`` as JSON, so that nothing is lost and no table breaks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import NoneType
from typing import Any

import polars as pl

INPUT = "input_"
OUTPUT = "output_"
LABELS = "labels"
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
    "origin": pl.String(),
    "fallback": pl.String(),
    "trace": pl.String(),
    "status": pl.Int32(),
    "latency_us": pl.Int64(),
    "label": pl.String(),
    "probabilities": pl.List(pl.Float64()),
    "unseen": pl.List(pl.String()),
    "misfit": pl.String(),
}
_KINDS: dict[Any, frozenset[type]] = {
    pl.Float64(): frozenset({int, float}),
    pl.Boolean(): frozenset({bool}),
    pl.String(): frozenset({str}),
}
_TEXT = ("deployment", "revision", "model", "version", "consumer", "origin", "fallback", "trace")


def frame_of(records: list[dict[str, Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    """Return the rows of records; ``schema`` is that of the table they go to.

    Records of one shape are turned by columns, so that a busy gateway never gets ahead for long.
    """
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault(_shape(record), []).append(record)
    known = dict(schema)
    frames: list[pl.DataFrame] = []
    for shape, group in groups.items():
        frames.append(_frame(group, int(shape[0]), known))
        known |= {name: dtype for name, dtype in frames[-1].schema.items() if name not in _META}
    return pl.concat(frames, how="diagonal")


def _shape(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the number of rows and the names of a record; a refused request has one row, without an answer."""
    inputs, outputs = record.get("inputs") or {}, record.get("outputs") or {}
    sides = [len(cells) for side in (inputs, outputs) for cells in side.values() if isinstance(cells, list)]
    return (max([*sides, 1]), *inputs, None, *outputs)


def _frame(group: list[dict[str, Any]], count: int, schema: Mapping[str, Any]) -> pl.DataFrame:
    """Turn records of one shape, each of ``count`` rows."""
    total = len(group) * count
    misfits: dict[int, dict[str, Any]] = {}
    series = _meta(group, count)
    for side, prefix in (("inputs", INPUT), ("outputs", OUTPUT)):
        for name in group[0].get(side) or {}:
            if side == "outputs" and (name in ("label", "probabilities") or (name == LABELS and _is_of_sets(group[0]))):
                continue
            typed = _typed(prefix + name, _cells(group, side, name, count), schema.get(prefix + name), misfits)
            if typed is not None:
                series.append(typed)
    texts = [None] * total if not misfits else [_json(misfits.get(index)) for index in range(total)]
    return pl.DataFrame([*series, pl.Series("misfit", texts, dtype=pl.String)])


def _meta(group: list[dict[str, Any]], count: int) -> list[pl.Series]:
    """Return the columns that every record has."""
    plain: dict[str, list[Any]] = {
        "id": [record["id"] for record in group],
        "rows": [int(record.get("rows") or 0) for record in group],
        "t": [int(record["t"] * 1_000_000) for record in group],
        "status": [record["status"] for record in group],
        "latency_us": [record.get("latency_us") for record in group],
    }
    for name in _TEXT:
        plain[name] = ["" if record.get(name) is None else str(record[name]) for record in group]
    rows = {name: values if count == 1 else _repeated(values, count) for name, values in plain.items()}
    rows["row"] = list(range(count)) * len(group)
    if _is_of_sets(group[0]):
        rows["label"] = [None if one is None else set_text(one) for one in _cells(group, "outputs", LABELS, count)]
    else:
        labels = _cells(group, "outputs", "label", count)
        rows["label"] = [None if label is None else _text(label) for label in labels]
    series = [pl.Series(name, values, dtype=_META[name], strict=False) for name, values in rows.items()]
    return [*series, _probabilities(group, count), _unseen(group, count)]


def _is_of_sets(record: Mapping[str, Any]) -> bool:
    """Tell whether a record is one of a model that chooses several labels."""
    outputs = record.get("outputs") or {}
    return LABELS in outputs and "probabilities" in outputs and "label" not in outputs


def set_text(chosen: Any) -> str:
    """Return the labels of a row as one text, which feedback writes in the same way: a JSON list in the order of the alphabet.

    Examples
    --------
    >>> set_text(["war", "", "love"]), set_text('["war"]')
    ('["love", "war"]', '["war"]')
    """
    names = json.loads(chosen) if isinstance(chosen, str) else chosen
    return json.dumps(sorted(str(name) for name in names if name), ensure_ascii=False)


def _repeated(values: list[Any], count: int) -> list[Any]:
    return [value for value in values for _ in range(count)]


def _probabilities(group: list[dict[str, Any]], count: int) -> pl.Series:
    cells = [_numbers(cell) for cell in _cells(group, "outputs", "probabilities", count)]
    lengths = {len(cell) for cell in cells if cell is not None}
    if None in cells or len(lengths) != 1 or 0 in lengths:
        return pl.Series("probabilities", cells, dtype=_META["probabilities"], strict=False)
    flat = pl.Series(
        "probabilities", [number for cell in cells if cell is not None for number in cell], dtype=pl.Float64
    )
    return flat.reshape((len(cells), lengths.pop())).cast(_META["probabilities"])


def _unseen(group: list[dict[str, Any]], count: int) -> pl.Series:
    named = [[str(name) for name in record.get("unseen") or []] for record in group]
    if not any(named):
        return pl.Series("unseen", [[]], dtype=_META["unseen"]).new_from_index(0, len(group) * count)
    return pl.Series("unseen", _repeated(named, count), dtype=_META["unseen"])


def _cells(group: list[dict[str, Any]], side: str, name: str, count: int) -> list[Any]:
    """Return the cells of one column, short lists filled up with nulls."""
    columns = [(record.get(side) or {}).get(name) for record in group]
    if count == 1:
        return [column[0] if isinstance(column, list) and column else None for column in columns]
    return [cell for column in columns for cell in _padded(column, count)]


def _padded(cells: Any, count: int) -> list[Any]:
    given = list(cells) if isinstance(cells, list) else []
    return given[:count] + [None] * (count - len(given))


def _numbers(cell: Any) -> list[float] | None:
    if isinstance(cell, list) and all(isinstance(number, int | float) for number in cell):
        return cell
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _json(misfit: dict[str, Any] | None) -> str | None:
    return None if misfit is None else json.dumps(misfit, ensure_ascii=False)


def _kind(value: Any) -> Any:
    """Return the column type of a value; None for one that no column holds."""
    return next((dtype for dtype, kinds in _KINDS.items() if type(value) in kinds), None)


def _typed(name: str, cells: list[Any], wanted: Any, misfits: dict[int, dict[str, Any]]) -> pl.Series | None:
    """Return the column with the values that fit its type; None when there is nothing to decide the type by."""
    kind = wanted if wanted is not None else next((k for c in cells if (k := _kind(c)) is not None), None)
    fitting = _KINDS.get(kind, frozenset()) if kind is not None else frozenset()
    if not set(map(type, cells)) <= fitting | {NoneType}:
        for index, cell in enumerate(cells):
            if cell is not None and type(cell) not in fitting:
                misfits.setdefault(index, {})[name] = cell
        cells = [cell if type(cell) in fitting else None for cell in cells]
    return None if kind is None else pl.Series(name, cells, dtype=kind, strict=False)
