"""What an engine says of an error, without the values that it quotes: an error is kept and shown where rows are not."""

from __future__ import annotations

import re

import duckdb
import polars as pl

_OF_THE_QUERY = (
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.PermissionException,
    duckdb.NotImplementedException,
)
_KINDS: dict[str, type[duckdb.Error]] = {
    "conversion error": duckdb.ConversionException,
    "out of range error": duckdb.OutOfRangeException,
    "invalid input error": duckdb.InvalidInputException,
    "interrupt": duckdb.InterruptException,
    "out of memory error": duckdb.OutOfMemoryException,
}
_PLACE = "\n\nLINE "
_TYPE = (
    r"(?:BOOL(?:EAN)?|U?INT(?:8|16|32|64|128)|U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+, ?\d+\)|VARCHAR|"
    r"DATE|TIME|TIMESTAMP(?:_\w+)?(?: WITH TIME ZONE)?|INTERVAL|UUID|BLOB|BIT|JSON)(?:\[\])*"
)
_TO = re.compile(rf".*(?:\bto|\bdestination type) ({_TYPE})(?: when casting| because|[.!]|$)", re.DOTALL)
_COLUMN = re.compile(r".* when casting from source column ([^\n]+)$", re.DOTALL)
_FIELD = re.compile(r"Conversion Error: (date|time|timestamp) field value out of range")
_OVERFLOW = re.compile(rf"Out of Range Error: Overflow in (\w+) of ({_TYPE}) \(")
_WHOLE = re.compile(
    r"Invalid Input Error: (More than one row returned by a subquery used as an expression|Malformed JSON at byte \d+ of input"
    r"|Values were not provided for the following (?:prepared statement )?parameters: [^\n]*"
    r"|Parameter argument/count mismatch, identifiers of the excess parameters: [^\n]*)"
)
_POLARS = re.compile(r"(conversion from `[^`]*` to `[^`]*` failed in column '[^']*')")


def engine_said(reason: duckdb.Error) -> str:
    """Say what went wrong: in the engine's words where they speak of the query, else by column and type.

    Examples
    --------
    >>> engine_said(duckdb.ConversionException("Conversion Error: Could not convert string 'Ann' to INT32"))
    'a value is no INT32'
    >>> engine_said(duckdb.InvalidInputException("Invalid Input Error: Ann"))
    'a value does not fit what the query does with it'
    """
    told = str(reason)
    if isinstance(reason, _OF_THE_QUERY):
        return told.splitlines()[0]
    told = told.rpartition(_PLACE)[0] or told
    if isinstance(reason, duckdb.ConversionException):
        return _conversion(told)
    if found := _OVERFLOW.match(told):
        return f"a number of type {found[2]} runs over in a {found[1]}"
    if found := _WHOLE.match(told):
        return found[1]
    if isinstance(reason, duckdb.OutOfRangeException):
        return "a value is out of range"
    return "a value does not fit what the query does with it"


def _conversion(told: str) -> str:
    column, to, field = _COLUMN.match(told), _TO.match(told), _FIELD.match(told)
    what = f'a value of column "{column[1]}"' if column else "a value"
    kind = to[1] if to else field[1] if field else ""
    return f"{what} is no {kind}" if kind else f"{what} cannot be converted"


def engine_error(reason: Exception) -> duckdb.Error | None:
    """Return the error of the engine that ended a stream of batches: it comes out of Arrow as an exception of no kind.

    Examples
    --------
    >>> type(engine_error(Exception("C Data interface error: Conversion Error: Could not convert"))).__name__
    'ConversionException'
    """
    if isinstance(reason, duckdb.Error):
        return reason
    mark, told = "C Data interface error: ", str(reason)
    if mark not in told:
        return None
    text = told.partition(mark)[2]
    kind = next((kind for words, kind in _KINDS.items() if text.lower().startswith(words)), duckdb.Error)
    return kind(text)


def polars_said(reason: pl.exceptions.PolarsError) -> str:
    """Say what went wrong by column and types, where the library names them.

    Examples
    --------
    >>> polars_said(pl.exceptions.InvalidOperationError("conversion from `str` to `i64` failed in column 'a' for ['Ann']"))
    "conversion from `str` to `i64` failed in column 'a'"
    """
    found = _POLARS.search(str(reason))
    return found[1] if found else f"a value does not fit ({type(reason).__name__})"
