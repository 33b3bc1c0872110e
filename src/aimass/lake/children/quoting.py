"""Names and texts as the engine reads them."""

from __future__ import annotations


def sql_name(name: str) -> str:
    """Quote an identifier for DuckDB.

    Examples
    --------
    >>> sql_name('5" pipes')
    '"5"" pipes"'
    """
    return '"' + name.replace('"', '""') + '"'


def sql_literal(text: str) -> str:
    """Quote a text for DuckDB.

    Examples
    --------
    >>> sql_literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"
