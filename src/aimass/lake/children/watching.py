"""Features that give the label away: what a model learns from them it will not know when it is asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb

from aimass.lake.children.quoting import sql_name

ALMOST_ONE = 0.999
MOST_VALUES_SHARE = 0.1
LEAST_ROWS = 20
_NUMBERS = frozenset({"integer", "float", "boolean"})


def leaks(
    con: duckdb.DuckDBPyConnection, table: str, label: str, features: Iterable[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Find the features that correlate perfectly with the label, or whose every value goes with one label.

    Parameters
    ----------
    table
        What is looked at, quoted.
    features
        Name and type of each.

    Returns
    -------
    list of dict
        ``feature``, ``kind`` (``correlates`` or ``determines``) and ``value``: the correlation, or the number of values.
    """
    goal = sql_name(label)
    counted = f"SELECT count({goal}), count(DISTINCT {goal}) FROM {table}"  # noqa: S608 quoted
    (rows, labels), *_ = con.execute(counted).fetchall()
    if rows < LEAST_ROWS or labels < 2:  # noqa: PLR2004 a label with one value is given away by everything
        return []
    number = _as_number(con, table, goal, labels)
    found: list[dict[str, Any]] = []
    for name, kind in features:
        column = sql_name(name)
        strength = _correlation(con, table, column, number) if number and kind in _NUMBERS else None
        if strength is not None and abs(strength) >= ALMOST_ONE:
            found.append({"feature": name, "kind": "correlates", "value": round(strength, 6)})
            continue
        values = _determining(con, table, column, goal)
        if values and values <= rows * MOST_VALUES_SHARE:
            found.append({"feature": name, "kind": "determines", "value": values})
    return found


def _as_number(con: duckdb.DuckDBPyConnection, table: str, goal: str, labels: int) -> str | None:
    """Return the label as a number: as it is, or one of two texts as 1; None when there is no order in it."""
    kinds = con.execute(f"SELECT typeof({goal}) FROM {table} WHERE {goal} IS NOT NULL LIMIT 1").fetchall()  # noqa: S608 quoted
    if kinds[0][0] in ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "DOUBLE", "FLOAT", "BOOLEAN"):
        return f"CAST({goal} AS DOUBLE)"
    if labels == 2:  # noqa: PLR2004 two texts are 0 and 1
        return f"CAST({goal} = (SELECT max({goal}) FROM {table}) AS DOUBLE)"  # noqa: S608 quoted
    return None


def _correlation(con: duckdb.DuckDBPyConnection, table: str, column: str, number: str) -> float | None:
    value = f"CAST({column} AS DOUBLE)"
    finite = f"CASE WHEN isfinite({value}) THEN {value} END"
    try:
        found = con.execute(f"SELECT corr({finite}, {number}) FROM {table}").fetchall()[0][0]  # noqa: S608 quoted
    except duckdb.OutOfRangeException:
        return None  # sums of such large numbers say nothing
    return None if found is None or found != found else float(found)  # noqa: PLR0124 not a number


def _determining(con: duckdb.DuckDBPyConnection, table: str, column: str, goal: str) -> int:
    """Return how many values a feature has when each goes with one label alone; 0 when one goes with several."""
    told = (
        f"SELECT count(*), max(n) FROM (SELECT count(DISTINCT {goal}) AS n FROM {table} "  # noqa: S608 quoted
        f"WHERE {column} IS NOT NULL AND {goal} IS NOT NULL GROUP BY {column})"
    )
    (values, most), *_ = con.execute(told).fetchall()
    return int(values) if most == 1 and values > 1 else 0
