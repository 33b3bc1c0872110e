"""Columns of a database into the types that are proposed, and its values into cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import mysql

from aimass.collector.connectors.messages import column as narrowest
from aimass.collector.connectors.port import StreamColumn

MOST_DIGITS = 38
_UNSIGNED_DIGITS = 20  # of the largest number without a sign in 64 bits
_BITS = 63
MYSQL_COLUMNS = sa.text(
    "SELECT column_name, data_type, column_type, numeric_precision, numeric_scale, is_nullable, column_key"
    " FROM information_schema.columns WHERE table_schema = coalesce(:schema, database()) AND table_name = :name"
    " ORDER BY ordinal_position"
)
MYSQL_SIZE = sa.text(
    "SELECT table_rows, data_length FROM information_schema.tables"
    " WHERE table_schema = coalesce(:schema, database()) AND table_name = :name"
)


def column_of(told: Mapping[str, Any], keys: Sequence[str]) -> StreamColumn:
    """Propose a type for a column as the database declares it.

    Examples
    --------
    >>> column_of({"name": "n", "type": sa.Numeric(12, 3), "nullable": True}, [])
    StreamColumn(name='n', type='decimal', nullable=True, native='NUMERIC(12, 3)', precision=12, scale=3)
    """
    kind, precision, scale = _proposed(told["type"])
    return StreamColumn(
        name=str(told["name"]),
        type=kind,
        nullable=bool(told.get("nullable", True)) and told["name"] not in keys,
        native=_native(told["type"]),
        precision=precision,
        scale=scale,
    )


def mysql_columns(rows: Sequence[Sequence[Any]]) -> tuple[tuple[StreamColumn, ...], tuple[str, ...]]:
    """Propose columns, and name the keys, for rows of ``MYSQL_COLUMNS``."""
    keys = [row[0] for row in rows if row[6] == "PRI"]
    columns: list[StreamColumn] = []
    for name, kind, native, precision, scale, nullable, _ in rows:
        told = {"name": name, "type": _mysql_type(kind, native, precision, scale), "nullable": nullable == "YES"}
        columns.append(replace(column_of(told, keys), native=str(native)))
    return tuple(columns), tuple(keys)


def _mysql_type(kind: str, native: str, precision: int | None, scale: int | None) -> Any:
    made = mysql.dialect.ischema_names.get(kind.lower(), sa.String)
    if kind.lower() in ("decimal", "numeric"):
        return sa.Numeric(precision, scale)
    if kind.lower() == "bigint":
        return mysql.BIGINT(unsigned="unsigned" in native.lower())
    if kind.lower() == "bit":
        return mysql.BIT(length=precision)
    return sa.String() if kind.lower() in ("enum", "set") else made()


def _native(kind: Any) -> str:
    try:
        return str(kind)
    except (exc.CompileError, AttributeError, TypeError):
        return type(kind).__name__


def _proposed(kind: Any) -> tuple[str, int | None, int | None]:
    if isinstance(kind, sa.Float):
        return "float", None, None
    if isinstance(kind, sa.Numeric):
        return _digits(kind.precision, kind.scale)
    if isinstance(kind, sa.Integer):
        is_wide = isinstance(kind, sa.BigInteger) and getattr(kind, "unsigned", False)
        return _digits(_UNSIGNED_DIGITS, 0) if is_wide else ("integer", None, None)
    if type(kind).__name__ == "BIT":
        length = getattr(kind, "length", None) or 1
        return ("boolean" if length == 1 else "integer" if length <= _BITS else "string"), None, None
    plain = (
        (sa.Boolean, "boolean"),
        (sa.DateTime, "timestamp"),
        (sa.Date, "date"),
        (sa.JSON, "json"),
    )
    found = next((name for one, name in plain if isinstance(kind, one)), "")
    return found or ("integer" if type(kind).__name__ == "YEAR" else "string"), None, None


def _digits(precision: int | None, scale: int | None) -> tuple[str, int | None, int | None]:
    if precision is None or precision > MOST_DIGITS or (scale or 0) < 0:
        return "string", None, None  # as many digits as the database keeps
    return "decimal", precision, scale or 0


def cursors_of(columns: Sequence[StreamColumn], keys: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that may serve as a cursor, the best first."""
    moments = [column.name for column in columns if column.type == "timestamp"]
    moments.sort(key=lambda name: not any(word in name.lower() for word in ("updat", "modif", "chang")))
    numbers = [one.name for one in columns if one.type in ("integer", "decimal") and [one.name] == list(keys)]
    return (*moments, *numbers)


def series(name: str, values: Sequence[Any], *, is_bits: bool = False, no_zeros: bool = False) -> pl.Series:
    """Make a column of the values of a driver: each keeps its digits, and what is no cell of its own is written as text."""
    if is_bits:
        values = [int.from_bytes(one, "big") if isinstance(one, bytes) else one for one in values]
    if no_zeros:
        values = [None if isinstance(one, str) and one.startswith("0000-00-00") else one for one in values]
    kinds = set(map(type, values)) - {type(None)}
    if kinds <= {datetime} or kinds <= {date}:
        try:
            return pl.Series(name, values, strict=True)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            kinds = {object}  # with and without a zone, or beyond what 64 bits hold
    if kinds <= {int, float, bool, str} or kinds <= {dict, list}:
        return narrowest(name, list(values))
    return pl.Series(name, [text(one) for one in values], pl.String)


def text(value: Any) -> str | None:
    r"""Write a value as text.

    Examples
    --------
    >>> text(Decimal("1E+3")), text(b"\x00\xff"), text(None)
    ('1000', '00ff', None)
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
