"""Messages into rows: what the connectors of streams share. Heavy: run parts only."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from operator import itemgetter
from typing import Any

import orjson
import polars as pl
from arro3.core import RecordBatch, RecordBatchReader

from aimass.collector.connectors.port import Reject, StreamColumn
from aimass.collector.connectors.strict_json import any_may_be_deep, read_row

EXACT_DIGITS = 15  # a double keeps so many decimal digits
SHOWN = 10_000
I64 = 1 << 63
VALUE = "value"


@dataclass(slots=True)
class Parsed:
    """Rows out of messages, in order.

    Attributes
    ----------
    origin
        For each row the index of the message that it came from; None when each message is one row.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    origin: list[int] | None = None
    rejects: list[Reject] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How payloads become rows: ``json`` (object: columns; list: rows; else: column ``value``) or ``text`` (column ``value``)."""

    format: str = "json"
    exact: bool = False

    @classmethod
    def of(cls, form: str, columns: Iterable[StreamColumn]) -> Reading:
        """Read decimals beyond the digits of a double from their text, which costs more."""
        wide = any(one.type == "decimal" and (one.precision or 38) > EXACT_DIGITS for one in columns)
        return cls(format=form, exact=wide)

    def rows(self, payloads: Sequence[bytes], place: Callable[[int], str]) -> Parsed:
        """Parse payloads; one that cannot be is a reject which says where it stood.

        Examples
        --------
        >>> found = Reading().rows([b'{"a": 1}', b"oops", b"21.5"], lambda index: f"message {index}")
        >>> found.rows, [one.place for one in found.rejects]
        ([{'a': 1}, {'value': 21.5}], ['message 1'])
        """
        if self.format == "json" and not self.exact:
            try:
                rows = list(map(orjson.loads, payloads))
            except orjson.JSONDecodeError:
                return self._one_by_one(payloads, place)
            if not any_may_be_deep(payloads) and Counter(map(type, rows)).keys() <= {dict}:
                return Parsed(rows=rows)
        return self._one_by_one(payloads, place)

    def _one_by_one(self, payloads: Sequence[bytes], place: Callable[[int], str]) -> Parsed:
        found, origin = Parsed(), list[int]()
        for index, payload in enumerate(payloads):
            try:
                rows = self._parse(payload)
            except ValueError as reason:
                told = f"not {'JSON' if self.format == 'json' else 'UTF-8'}: {reason}"
                found.rejects.append(Reject(raw=shown(payload), reason=told, place=place(index)))
                continue
            found.rows += rows
            origin += [index] * len(rows)
        found.origin = origin
        return found

    def _parse(self, payload: bytes) -> list[dict[str, Any]]:
        if self.format == "text":
            return [{VALUE: payload.decode()}]
        value = read_row(payload, exact=self.exact)
        if isinstance(value, dict):
            return [value]
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            return value
        return [{VALUE: value}]


def shown(payload: bytes) -> str:
    """Write a payload as text for the quarantine; what is no text in hexadecimal digits."""
    cut = payload[:SHOWN]
    try:
        return cut.decode()
    except UnicodeDecodeError as reason:
        is_cut_inside = len(payload) > SHOWN and reason.start > SHOWN - 4
        return cut.decode(errors="ignore") if is_cut_inside else cut.hex()


def no_utf8(cells: Mapping[str, Any], column: str) -> Reject:
    r"""Put a row of a table aside of which a text is no UTF-8; bytes among its cells are written in hexadecimal digits.

    Examples
    --------
    >>> no_utf8({"id": 1, "name": b"caf\xe9", "at": None}, "name").raw
    '{"id":1,"name":"636166e9"}'
    """
    told = {name: value.hex() if isinstance(value, bytes) else value for name, value in cells.items()}
    raw = orjson.dumps({name: value for name, value in told.items() if value is not None}, default=str).decode()
    reason = "the text is not UTF-8; its bytes stand here in hexadecimal digits"
    return Reject(raw=raw, column=column, reason=reason, kind="CAST")


def batch_of(parsed: Parsed, beside: Mapping[str, Sequence[Any]] | None = None) -> RecordBatch | None:
    """Make an Arrow batch of rows; ``beside``: columns about each message (subject, moment), which win over equal names.

    A column of one kind of value keeps it (integer, float, boolean, string); a mixed or nested one is written as JSON text.
    """
    if not parsed.rows:
        return None
    cells = ((plain(name), values) for name, values in _cells(parsed.rows))
    columns = {name: column(name, values) for name, values in cells}
    for name, values in (beside or {}).items():
        picked = values if parsed.origin is None else [values[index] for index in parsed.origin]
        columns[name] = pl.Series(name, picked)
    return arrow(pl.DataFrame(list(columns.values())) if columns else pl.DataFrame(height=len(parsed.rows)))


def _cells(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
    """Yield each name with its values; rows mostly have the same names, which costs a third of looking each of them up."""
    yield from _alike(rows) or (
        (name, [row.get(name) for row in rows]) for name in dict.fromkeys(chain.from_iterable(rows))
    )


def _alike(rows: Sequence[dict[str, Any]]) -> list[tuple[str, list[Any]]]:
    """Return the same where every row has the names of the first; nothing else has as many and lacks none of them."""
    first = rows[0]
    if set(map(len, rows)) != {len(first)}:
        return []
    try:
        return [(name, list(map(itemgetter(name), rows))) for name in first]
    except KeyError:
        return []


def plain(name: str) -> str:
    r"""Return a name that Arrow can hold: a NUL would end it, and the process with it.

    Examples
    --------
    >>> plain("a\0b")
    'a\ufffdb'
    """
    return name.replace("\0", "\ufffd")


def arrow(frame: pl.DataFrame) -> RecordBatch:
    """Hand a frame over as one Arrow batch."""
    return RecordBatchReader.from_arrow(frame.rechunk()).read_next_batch()


def column(name: str, values: list[Any]) -> pl.Series:
    """Make a column of the narrowest kind that keeps every value.

    Examples
    --------
    >>> column("a", [1, 2.5]).dtype, column("a", [1, "x"]).to_list(), column("a", [{"b": 1}, None]).to_list()
    (Float64, ['1', 'x'], ['{"b":1}', None])
    """
    types = set(map(type, values))
    kinds = types - {type(None)}
    if kinds <= {str}:
        return pl.Series(name, values, pl.String)
    if kinds == {bool}:
        return pl.Series(name, values, pl.Boolean)
    if kinds == {int} and _fits(values if types == kinds else [v for v in values if v is not None]):
        return pl.Series(name, values, pl.Int64)
    if types == {float}:
        return pl.Series(name, values, pl.Float64)
    if kinds <= {int, float} and (kinds == {float} or all(not isinstance(v, int) or abs(v) < 1 << 53 for v in values)):
        return pl.Series(name, [None if v is None else float(v) for v in values], pl.Float64)
    return pl.Series(name, [text_of(value) for value in values], pl.String)


def _fits(numbers: list[int]) -> bool:
    return min(numbers) >= -I64 and max(numbers) < I64


def text_of(value: Any) -> str | None:
    """Write a value as text: a text as it is, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    try:
        return orjson.dumps(value, default=str).decode()
    except orjson.JSONEncodeError:  # nested deeper, or an integer longer, than it writes
        return json.dumps(value, default=str, ensure_ascii=False, separators=(",", ":"))


def proposed(batch: RecordBatch | None) -> tuple[StreamColumn, ...]:
    """Propose types from a sample: of the values, and of texts that all read as moments, dates or JSON."""
    if batch is None:
        return ()
    frame = pl.DataFrame(RecordBatchReader.from_batches(batch.schema, [batch]))
    return tuple(StreamColumn(name=one.name, type=_type(one)) for one in frame.get_columns())


def _type(series: pl.Series) -> str:
    dtype = series.dtype
    kinds = {
        "boolean": dtype == pl.Boolean,
        "integer": dtype.is_integer(),
        "float": dtype.is_float(),
        "timestamp": isinstance(dtype, pl.Datetime),
    }
    return next((name for name, fits in kinds.items() if fits), "") or _of_texts(series.drop_nulls().to_list())


def _of_texts(texts: list[str]) -> str:
    found = (("date", _is_date), ("timestamp", _is_moment), ("json", _is_nested)) if texts else ()
    return next((kind for kind, reads in found if all(map(reads, texts))), "string")


def _is_date(text: str) -> bool:
    return len(text) == len("2026-05-01") and _is_moment(text)


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return "-" in text[:8]


def _is_nested(text: str) -> bool:
    return text[:1] in "{["
