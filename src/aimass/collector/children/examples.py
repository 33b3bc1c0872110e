"""Values of a column that was not confirmed, as they came."""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl

from aimass.collector.children.order import EXTRA
from aimass.lake import open_newest, scan

LONGEST = 200


def examples(args: dict[str, Any]) -> dict[str, Any]:
    """Return a few different values of a column, from ``_extra`` and from the quarantine.

    Parameters
    ----------
    args
        ``target`` and ``quarantine`` (tables), ``source``, ``column`` and ``limit``.

    Returns
    -------
    dict
        ``values``, and ``waiting``: rows in quarantine because of the column.
    """
    column, limit = args["column"], args["limit"]
    values = _aside(args["target"], column, limit)
    waiting = 0
    if open_newest(args["quarantine"]) is not None:
        mine = (pl.col("source") == args["source"]) & (pl.col("column") == column)
        rows = scan(args["quarantine"]).filter(mine).select("raw")
        waiting = int(rows.select(pl.len()).collect().item())
        values += _told(rows.head(limit).collect()["raw"].to_list(), column)
    return {"values": _different(values)[:limit], "waiting": waiting}


def _aside(target: str, column: str, limit: int) -> list[Any]:
    """Return values out of ``_extra``; the text is looked for first, so that few rows are read as JSON."""
    if open_newest(target) is None:
        return []
    table = scan(target)
    if EXTRA not in table.collect_schema().names():
        return []
    named = pl.col(EXTRA).str.contains(orjson.dumps(column).decode() + ":", literal=True)
    texts = table.select(EXTRA).filter(named).head(20 * limit).collect()[EXTRA].to_list()
    return _told(texts, column)


def _told(texts: list[str], column: str) -> list[Any]:
    """Read the value of a column out of rows as JSON.

    Examples
    --------
    >>> _told(['{"a": 1}', '{"b": 2}', "torn {"], "a")
    [1]
    """
    found: list[Any] = []
    for text in texts:
        try:
            row = orjson.loads(text)
        except orjson.JSONDecodeError:  # a row of a file whose text is no JSON tells no single value
            continue
        if isinstance(row, dict) and row.get(column) is not None:
            found.append(_short(row[column]))
    return found


def _short(value: Any) -> Any:
    return value[:LONGEST] if isinstance(value, str) else value


def _different(values: list[Any]) -> list[Any]:
    """Return each value once, in their order.

    Examples
    --------
    >>> _different([1, "1", 1, None])
    [1, '1', None]
    """
    return list({orjson.dumps(value): value for value in values}.values())
