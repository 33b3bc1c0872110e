"""From what a connector hands over to the pinned types; what does not fit is named, cell by cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import polars as pl

from aimass.collector.connectors.port import StreamColumn
from aimass.kernel.errors import Invalid
from aimass.lake import column_type, plain

LONGEST_SHOWN = 100
_MOMENT = pl.Datetime("us", "UTC")
_SECOND = r"\d\d:\d\d:\d\d"
_USUAL = (
    (rf"\d{{4}}-\d\d-\d\dT{_SECOND}Z", "%Y-%m-%dT%H:%M:%SZ"),
    (rf"\d{{4}}-\d\d-\d\d {_SECOND}", "%Y-%m-%d %H:%M:%S"),
    (rf"\d{{4}}-\d\d-\d\dT{_SECOND}", "%Y-%m-%dT%H:%M:%S"),
)
_LETTER = r"^(\d{4}-\d\d-\d\d)T"  # between day and time, where the quick reading knows a blank alone
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """A row that does not fit: the row as JSON, the first column that does not, and why."""

    raw: str
    column: str
    reason: str
    kind: str


def cast(frame: pl.DataFrame, columns: Sequence[StreamColumn]) -> tuple[pl.DataFrame, pl.Series, list[Bad]]:
    """Give each column its pinned type.

    Parameters
    ----------
    frame
        Rows as a connector handed them over; a pinned column that it lacks is null.
    columns
        The pinned columns.

    Returns
    -------
    tuple
        All rows with the pinned columns, which of them fit, and those that do not.

    Examples
    --------
    >>> rows = pl.DataFrame({"n": ["1", "two", "3"]})
    >>> typed, good, bad = cast(rows, [StreamColumn(name="n", type="integer")])
    >>> typed.filter(good)["n"].to_list(), bad[0].raw, bad[0].reason
    ([1, 3], '{"n":"two"}', "'two' is no integer")
    """
    typed: list[pl.Series] = []
    misfits: list[tuple[StreamColumn, pl.Series, str]] = []
    for column in columns:
        given = frame[column.name] if column.name in frame.columns else pl.Series(column.name, [None] * len(frame))
        made = _typed(given, column).alias(column.name)
        typed.append(made)
        wrong = made.is_null() & given.is_not_null()
        if wrong.any():
            misfits.append((column, wrong, "CAST"))
        if not column.nullable and given.null_count():
            misfits.append((column, given.is_null(), "MISSING"))
    good = pl.Series("good", [True]).new_from_index(0, len(frame))
    for _, wrong, _ in misfits:
        good = good & ~wrong
    return pl.DataFrame(typed, height=len(frame)), good, _named(frame, misfits)


def _named(frame: pl.DataFrame, misfits: list[tuple[StreamColumn, pl.Series, str]]) -> list[Bad]:
    """Tell of each row its first misfit, in the order of the rows."""
    first: dict[int, tuple[StreamColumn, str]] = {}
    for column, wrong, kind in misfits:
        for row in wrong.arg_true().to_list():
            first.setdefault(row, (column, kind))
    places = sorted(first)
    found: list[Bad] = []
    for place, row in zip(places, frame[places].iter_rows(named=True) if places else (), strict=True):
        column, kind = first[place]
        reason = "the value is missing, and the column allows none"
        if kind == "CAST":
            reason = f"{str(row[column.name])[:LONGEST_SHOWN]!r} is no {_told(column)}"
        found.append(Bad(raw=row_text(row), column=column.name, reason=reason, kind=kind))
    return found


def _told(column: StreamColumn) -> str:
    return f"decimal({column.precision},{column.scale})" if column.type == "decimal" else column.type


def row_text(row: Mapping[str, Any]) -> str:
    """Write a row as JSON, without what it has not; numbers keep their digits.

    Examples
    --------
    >>> row_text({"a": 1, "b": None, "c": b"x"})
    '{"a":1,"c":"78"}'
    """
    kept = {name: plain(value) for name, value in row.items() if value is not None}
    return orjson.dumps(kept, option=orjson.OPT_NON_STR_KEYS, default=str).decode()


def _typed(given: pl.Series, column: StreamColumn) -> pl.Series:
    """Cast a column; null where a value does not fit."""
    kind = column_type(column.type, column.precision, column.scale)
    if given.dtype == pl.Null:
        return pl.Series(given.name, [None] * len(given), kind)
    if given.dtype in (pl.Categorical, pl.Enum) or isinstance(given.dtype, pl.Categorical | pl.Enum):
        given = given.cast(pl.String)
    return _CASTS[column.type](given, kind)


def _string(given: pl.Series, _kind: Any) -> pl.Series:
    if given.dtype.is_nested() or given.dtype == pl.Object:
        return _json(given, _kind)
    if given.dtype == pl.Binary:
        return given.bin.encode("hex")
    return given.cast(pl.String, strict=False)


def _integer(given: pl.Series, kind: Any) -> pl.Series:
    if given.dtype == pl.String:
        given = given.str.strip_chars()
    if given.dtype.is_float() or given.dtype.is_decimal():
        whole = given.cast(kind, strict=False)
        return pl.select(pl.when(whole.cast(pl.Float64) == given.cast(pl.Float64)).then(whole)).to_series()
    return _numbers(given, kind)


def _float(given: pl.Series, kind: Any) -> pl.Series:
    return _numbers(given.str.strip_chars() if given.dtype == pl.String else given, kind)


def _numbers(given: pl.Series, kind: Any) -> pl.Series:
    if given.dtype in (pl.String, pl.Boolean) or given.dtype.is_numeric():
        return given.cast(kind, strict=False)
    return _none(given, kind)


def _none(given: pl.Series, kind: Any) -> pl.Series:
    return pl.Series(given.name, [None] * len(given), kind)


def _decimal(given: pl.Series, kind: Any) -> pl.Series:
    """Cast to a decimal; a text with more digits behind the point than the column keeps does not fit."""
    if given.dtype == pl.String:
        given = given.str.strip_chars()
        tail = given.str.extract(r"\.(\d*?)0*$").str.len_bytes().fill_null(0)
        return pl.select(pl.when(tail <= kind.scale).then(given.cast(kind, strict=False))).to_series()
    if given.dtype.is_decimal():
        made = given.cast(kind, strict=False)
        return pl.select(pl.when(made.cast(given.dtype, strict=False) == given).then(made)).to_series()
    return _numbers(given, kind)


def _boolean(given: pl.Series, kind: Any) -> pl.Series:
    if given.dtype == pl.Boolean:
        return given
    if given.dtype.is_numeric():
        given = given.cast(pl.Float64).cast(pl.Int64, strict=False).cast(pl.String)
    if given.dtype != pl.String:
        return _none(given, kind)
    text = given.str.strip_chars().str.to_lowercase()
    return pl.select(
        pl.when(text.is_in(_TRUE)).then(statement=True).when(text.is_in(_FALSE)).then(statement=False)
    ).to_series()


def _timestamp(given: pl.Series, kind: Any) -> pl.Series:
    if isinstance(given.dtype, pl.Datetime):
        return given.dt.replace_time_zone("UTC").cast(kind) if given.dtype.time_zone is None else given.cast(kind)
    if given.dtype == pl.Date:
        return given.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return _moments(given) if given.dtype == pl.String else _none(given, kind)


def _moments(given: pl.Series) -> pl.Series:
    """Read moments as ISO 8601 writes them, with or without a zone."""
    if (usual := _usual(given)) is not None:
        return usual
    plainly = given.str.replace(_LETTER, "${1} ")
    zoned = given.str.slice(19).str.contains(r"[Zz+-]")
    if not zoned.any():
        found = plainly.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", time_zone="UTC", strict=False)
    else:
        found = plainly.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us", strict=False)
    found = found.cast(_MOMENT)
    odd = found.is_null() & given.is_not_null()
    if not odd.any():
        return found
    at = odd.arg_true()
    return found.scatter(at, pl.Series([_moment(text) for text in given.gather(at)], dtype=_MOMENT))


def _usual(given: pl.Series) -> pl.Series | None:
    """Read moments that are all written in one of the usual ways: at a quarter of the cost."""
    first = given.first(ignore_nulls=True)
    for pattern, form in _USUAL:
        if isinstance(first, str) and re.fullmatch(pattern, first):
            if given.str.contains(f"^{pattern}$").all():
                return given.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
            return None
    return None


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _date(given: pl.Series, kind: Any) -> pl.Series:
    if given.dtype == pl.Date:
        return given
    if isinstance(given.dtype, pl.Datetime):
        day = given.dt.date()
        return pl.select(pl.when(day.cast(pl.Datetime("us")) == given.dt.replace_time_zone(None)).then(day)).to_series()
    if given.dtype != pl.String:
        return _none(given, kind)
    return given.str.strip_chars().str.to_date("%Y-%m-%d", strict=False)


def _json(given: pl.Series, _kind: Any) -> pl.Series:
    """Write values as JSON text; a text has to be JSON already."""
    is_text = given.dtype == pl.String
    made = [None if value is None else (_checked(value) if is_text else _written(value)) for value in given]
    return pl.Series(given.name, made, pl.String)


def _checked(text: str) -> str | None:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return text


def _written(value: Any) -> str:
    return orjson.dumps(plain(value), default=str).decode()


_CASTS: Mapping[str, Callable[[pl.Series, Any], pl.Series]] = {
    "string": _string,
    "integer": _integer,
    "float": _float,
    "decimal": _decimal,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "date": _date,
    "json": _json,
}


def check_type(column: StreamColumn) -> None:
    """Refuse a type that nobody knows, and a decimal that no table can hold."""
    if column.type not in _CASTS:
        raise Invalid(
            f"column type {column.type!r} is unknown", field="type", value=column.type, allowed=sorted(_CASTS)
        )
