"""From cells to JSON and from our six column types to those of the engines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import orjson
import polars as pl

from aimass.kernel.clock import instant
from aimass.kernel.errors import Invalid

TYPES: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "string": pl.String,
    "integer": pl.Int64,
    "float": pl.Float64,
    "boolean": pl.Boolean,
    "timestamp": pl.Datetime("us", "UTC"),
    "date": pl.Date,
    "decimal": pl.Decimal(38, 9),
    "json": pl.String,
}
_SQL_TYPES: Mapping[str, str] = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
    "date": "DATE",
    "json": "VARCHAR",
}
MOST_DIGITS = 38
SAFE_DIGITS = 15  # a float keeps so many


def plain(value: Any) -> Any:
    """Turn one cell into something JSON can say; what is not a number becomes None.

    Examples
    --------
    >>> plain(float("nan")), plain(date(2026, 5, 1)), plain([1, b"a"])
    (None, '2026-05-01', [1, '61'])
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | pl.Series):
        return [plain(item) for item in value]
    return _written(value)


def plain_rows(frame: pl.DataFrame) -> list[list[Any]]:
    """Turn the rows of a frame into lists of what JSON can say, column by column: most need no look at each cell.

    Examples
    --------
    >>> plain_rows(pl.DataFrame({"a": [1, 2], "b": [0.5, float("inf")]}))
    [[1, 0.5], [2, None]]
    """
    return list(map(list, zip(*map(_plain_column, frame.iter_columns()), strict=True)))


def _plain_column(column: pl.Series) -> list[Any]:
    kind = column.dtype
    is_plain = kind.is_integer() or isinstance(kind, pl.String | pl.Boolean)
    if is_plain or (isinstance(kind, pl.Float64) and column.is_finite().all()):
        return column.to_list()
    return list(map(plain, column))


def _written(value: object) -> Any:
    """Write moments, dates, times and bytes as text, decimals as numbers."""
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, datetime):
        return instant(value) if value.tzinfo else value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds()} s"
    return str(value)


def _number(value: Decimal) -> int | float | str:
    """Write a decimal as a number where JSON readers keep its digits, else as text."""
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value() and abs(value) < 2**63:
        return int(value)
    return float(value) if len(value.normalize().as_tuple().digits) <= SAFE_DIGITS else str(value)


def type_name(dtype: pl.DataType) -> str:
    """Name the column type of a polars type; nested types are read as ``json``.

    Examples
    --------
    >>> type_name(pl.Int16()), type_name(pl.Decimal(10, 2)), type_name(pl.List(pl.Int8))
    ('integer', 'decimal', 'json')
    """
    if dtype.is_integer():
        return "integer"
    if dtype.is_decimal():
        return "decimal"
    if dtype.is_float():
        return "float"
    if isinstance(dtype, pl.Datetime):
        return "timestamp"
    names: list[tuple[type[pl.DataType], str]] = [(pl.Boolean, "boolean"), (pl.Date, "date"), (pl.String, "string")]
    for kind, name in [
        *names,
        (pl.Categorical, "string"),
        (pl.Enum, "string"),
        (pl.Null, "string"),
        (pl.Time, "string"),
    ]:
        if isinstance(dtype, kind):
            return name
    return "json"


def columns_of(schema: Mapping[str, pl.DataType]) -> list[dict[str, Any]]:
    """Describe the columns of a frame; a decimal tells its digits.

    Examples
    --------
    >>> columns_of({"a": pl.Decimal(10, 2)})
    [{'name': 'a', 'type': 'decimal', 'precision': 10, 'scale': 2}]
    """
    return [{"name": name, "type": type_name(dtype), **_digits(dtype)} for name, dtype in schema.items()]


def sql_type(column: Mapping[str, Any]) -> str:
    """Name the engine's type of a column as :func:`columns_of` describes it.

    Examples
    --------
    >>> sql_type({"name": "a", "type": "decimal", "precision": 10, "scale": 2}), sql_type({"name": "b", "type": "date"})
    ('DECIMAL(10, 2)', 'DATE')
    """
    if column["type"] == "decimal":
        return f"DECIMAL({column.get('precision') or MOST_DIGITS}, {column.get('scale', 9)})"
    return _SQL_TYPES[column["type"]]


def _digits(dtype: pl.DataType) -> dict[str, int]:
    return {"precision": dtype.precision or MOST_DIGITS, "scale": dtype.scale} if isinstance(dtype, pl.Decimal) else {}


def schema_hash(columns: Iterable[Mapping[str, Any]]) -> str:
    """Digest names and types in order, so that two versions with the same shape are recognised.

    Examples
    --------
    >>> len(schema_hash([{"name": "a", "type": "float"}]))
    64
    """
    return sha256(orjson.dumps([[column["name"], column["type"]] for column in columns])).hexdigest()


def polars_type(name: str, *, field: str = "type") -> pl.DataType | type[pl.DataType]:
    """Return the polars type of one of our column types."""
    if name not in TYPES:
        raise Invalid(f"column type {name!r} is unknown", field=field, value=name, allowed=sorted(TYPES))
    return TYPES[name]


def column_type(name: str, precision: int | None = None, scale: int | None = None) -> Any:
    """Return the polars type of a column; of a decimal with its digits.

    Examples
    --------
    >>> column_type("decimal", 10, 2)
    Decimal(precision=10, scale=2)
    """
    if name != "decimal":
        return polars_type(name)
    digits = MOST_DIGITS if precision is None else precision
    behind = min(9, digits) if scale is None else scale
    if not 1 <= digits <= MOST_DIGITS or not 0 <= behind <= digits:
        raise Invalid(
            f"a decimal cannot have {digits} digits, {behind} of them behind the point",
            field="precision",
            value=digits,
            allowed=f"1 to {MOST_DIGITS} digits, and a scale of at most as many",
        )
    return pl.Decimal(digits, behind)


def frame_of(rows: list[dict[str, Any]], columns: Iterable[Mapping[str, Any]] | None = None) -> pl.DataFrame:
    """Build a typed frame from JSON rows; texts become dates and moments where the schema says so.

    Examples
    --------
    >>> frame_of([{"a": "2026-05-01"}], [{"name": "a", "type": "date"}]).dtypes
    [Date]
    """
    if columns is None:
        return pl.DataFrame(rows, infer_schema_length=None)
    wanted = {str(c["name"]): polars_type(str(c["type"])) for c in columns}
    unknown = sorted({key for row in rows for key in row} - set(wanted))
    if unknown:
        raise Invalid(
            f"column {unknown[0]!r} is not in the schema", field="rows", value=unknown[0], allowed=list(wanted)[:50]
        )
    return pl.DataFrame([_series(name, dtype, [row.get(name) for row in rows]) for name, dtype in wanted.items()])


def _series(name: str, dtype: pl.DataType | type[pl.DataType], values: list[Any]) -> pl.Series:
    try:
        if dtype in (pl.Date, TYPES["timestamp"]):
            return pl.Series(name, [None if v is None else _moment(str(v)) for v in values], TYPES["timestamp"]).cast(
                dtype
            )
        return pl.Series(name, values, dtype, strict=True)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as reason:
        raise Invalid(f"a value of column {name!r} is not of type {dtype}", field=name) from reason


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
