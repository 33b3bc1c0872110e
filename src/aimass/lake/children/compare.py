"""Which rows differ between states of a table: by key, or as whole rows.

Files that all states share hold the same rows in each, so only the other files are read: a file never changes once it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from arro3.core import Table

from aimass.kernel.errors import Invalid
from aimass.lake.children.engines import engine
from aimass.lake.children.query import time_limit
from aimass.lake.children.quoting import sql_literal, sql_name
from aimass.lake.children.tables import files, open_table
from aimass.lake.children.values import columns_of, plain

MAX_PAGE = 1_000
LONGEST_S = 600.0
MEMORY_MB = 1_024
HIDDEN = "•••"
_HERE, _NTH = '"aimass here"', '"aimass nth"'


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """States of one table, each a view of the engine that holds only rows from files that not all of them have.

    Attributes
    ----------
    names
        The columns of all states together; one that a state lacks is null there.
    keys
        The columns that name a row; all columns where none were given.
    by_key
        Whether keys were given: without, a row is either there or not, and never changed.
    """

    con: duckdb.DuckDBPyConnection
    names: list[str]
    keys: list[str]
    by_key: bool

    @property
    def others(self) -> list[str]:
        """Return the columns that are no keys."""
        return [name for name in self.names if name not in self.keys]

    def joined(self, left: str, right: str) -> str:
        """Return the FROM part that brings the same rows of two states together, as ``l`` and ``r``."""
        same = [f"l.{sql_name(key)} IS NOT DISTINCT FROM r.{sql_name(key)}" for key in self.keys]
        return f"FROM {left} l FULL JOIN {right} r ON {' AND '.join([*same, f'l.{_NTH} = r.{_NTH}'])}"

    def change(self) -> str:
        """Return what happened to a row from ``l`` to ``r``: added, removed, changed or null."""
        moved = " OR ".join(f"l.{sql_name(n)} IS DISTINCT FROM r.{sql_name(n)}" for n in self.others) or "FALSE"
        return f"CASE WHEN l.{_HERE} IS NULL THEN 'added' WHEN r.{_HERE} IS NULL THEN 'removed' WHEN {moved} THEN 'changed' END"

    def count(self, left: str, right: str) -> dict[str, int]:
        """Count the rows that were added, removed and changed."""
        query = f"SELECT what, count(*) FROM (SELECT {self.change()} AS what {self.joined(left, right)}) GROUP BY what"  # noqa: S608 quoted
        found = dict(self.con.execute(query).fetchall())
        return {what: int(found.get(what, 0)) for what in ("added", "removed", "changed")}

    def frame(self, sql: str) -> pl.DataFrame:
        """Return the rows of a statement of ours."""
        return pl.DataFrame(Table.from_arrow(self.con.sql(sql)))


@contextmanager
def states(sides: Mapping[str, Mapping[str, Any]], keys: Sequence[str]) -> Iterator[States]:
    """Open states of a table side by side.

    Parameters
    ----------
    sides
        Name of the view to ``{path, version}``.
    keys
        Columns that name a row; none compares whole rows.
    """
    with engine(MEMORY_MB) as con, time_limit(con, LONGEST_S):
        tables = {side: open_table(at["path"], at.get("version")) for side, at in sides.items()}
        all_files = {side: files(table) for side, table in tables.items()}
        columns = {side: [field.name for field in table.schema().fields] for side, table in tables.items()}
        _check_keys(keys, columns)
        allowed = sorted({file for found in all_files.values() for file in found})
        con.execute(f"SET allowed_paths = [{', '.join(map(sql_literal, allowed))}]")
        con.execute("SET enable_external_access = false")
        types = {side: _types(con, all_files[side], columns[side]) for side in sides}
        names = list(dict.fromkeys(name for found in columns.values() for name in found))
        kept = _apart(all_files)
        wanted = list(keys) or names
        for side in sides:
            body = _rows_of(names, kept[side] or all_files[side][:1], types, side)
            con.execute(f"CREATE VIEW {side}_rows AS {body}{'' if kept[side] else ' WHERE false'}")
            con.execute(f"CREATE VIEW {side} AS {_numbered(con, side, wanted, names)}")
        yield States(con=con, names=names, keys=wanted, by_key=bool(keys))


def _check_keys(keys: Sequence[str], columns: Mapping[str, list[str]]) -> None:
    for key in keys:
        if any(key not in found for found in columns.values()):
            allowed = sorted(set.intersection(*map(set, columns.values())))
            raise Invalid(f"column {key!r} is not in each version", field="keys", value=key, allowed=allowed[:50])


def _apart(all_files: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the files of each state that not all states have; a second name of the same bytes is the same file."""
    ids = {side: {_identity(file): file for file in found} for side, found in all_files.items()}
    shared = set.intersection(*(set(found) for found in ids.values()))
    return {side: [file for one, file in found.items() if one not in shared] for side, found in ids.items()}


def _identity(file: str) -> object:
    found = Path(file).stat()
    return (found.st_dev, found.st_ino)


def _types(con: duckdb.DuckDBPyConnection, parquet: list[str], names: list[str]) -> dict[str, str]:
    if not parquet:
        return {}
    listed = ", ".join(map(sql_literal, parquet))
    told = con.execute(f"DESCRIBE SELECT * FROM read_parquet([{listed}], union_by_name = true)").fetchall()  # noqa: S608 quoted
    return {row[0]: row[1] for row in told if row[0] in names}


def _rows_of(names: list[str], parquet: list[str], types: Mapping[str, dict[str, str]], side: str) -> str:
    """Return the SELECT of one state with the columns of all; a type that is not the same everywhere becomes text."""
    cells: list[str] = []
    for name in names:
        found = {told[name] for told in types.values() if name in told}
        kind = found.pop() if len(found) == 1 else "VARCHAR"
        mine = types[side].get(name)
        cell = "NULL" if mine is None else sql_name(name)
        cells.append(f"{cell if mine == kind else f'CAST({cell} AS {kind})'} AS {sql_name(name)}")
    if not parquet:
        return f"SELECT * FROM (SELECT {', '.join(cells)})"  # noqa: S608 quoted
    listed = ", ".join(map(sql_literal, parquet))
    return f"SELECT {', '.join(cells)} FROM read_parquet([{listed}], union_by_name = true)"  # noqa: S608 quoted


def _numbered(con: duckdb.DuckDBPyConnection, side: str, keys: list[str], names: list[str]) -> str:
    """Give rows that have the same key a number, so that each finds its own on the other side; most tables need no numbers."""
    by = ", ".join(map(sql_name, keys))
    twice = con.execute(f"SELECT 1 FROM {side}_rows GROUP BY {by} HAVING count(*) > 1 LIMIT 1").fetchall()  # noqa: S608 quoted
    number = f"row_number() OVER (PARTITION BY {by} ORDER BY {', '.join(map(sql_name, names))})" if twice else "1"
    return f"SELECT *, TRUE AS {_HERE}, {number} AS {_NTH} FROM {side}_rows"  # noqa: S608 quoted


def compare(args: dict[str, Any]) -> dict[str, Any]:
    """Show which rows were added, removed and changed, a page at a time in the order of the keys.

    Parameters
    ----------
    args
        ``base`` and ``head``: ``{path, version}``; ``keys``; ``offset`` and ``limit``; ``masked``: columns whose values are hidden.

    Returns
    -------
    dict
        ``added, removed, changed`` (counts), ``keys``, ``columns``, and ``rows``: ``change``, ``key``, ``before``, ``after`` (lists
        in the order of the columns, or None) and ``cells`` (the columns that differ).
    """
    limit = max(1, min(int(args.get("limit") or 50), MAX_PAGE))
    with states({"base": args["base"], "head": args["head"]}, args.get("keys") or []) as both:
        counts = both.count("base", "head")
        sides = ", ".join(f'{s}.{sql_name(n)} AS "{s}{i}"' for s in "lr" for i, n in enumerate(both.names))
        order = ", ".join(f"coalesce(l.{sql_name(key)}, r.{sql_name(key)})" for key in both.keys)
        found = both.frame(
            f"SELECT {both.change()} AS what, {sides} {both.joined('base', 'head')} WHERE what IS NOT NULL "
            f"ORDER BY {order}, what LIMIT {limit} OFFSET {max(0, int(args.get('offset') or 0))}"
        )
    masked = set(args.get("masked") or [])
    schema = {name: found.schema[f"r{i}"] for i, name in enumerate(both.names)}
    rows = [_row(row, both, masked) for row in found.iter_rows(named=True)]
    return {**counts, "keys": both.keys if both.by_key else [], "columns": columns_of(schema), "rows": rows}


def _row(row: Mapping[str, Any], both: States, masked: set[str]) -> dict[str, Any]:
    before, after = ({n: plain(row[f"{side}{i}"]) for i, n in enumerate(both.names)} for side in "lr")
    moved = [n for n in both.others if before[n] != after[n]] if row["what"] == "changed" else []
    sides = {"before": before if row["what"] != "added" else None, "after": after if row["what"] != "removed" else None}
    shown = {name: None if cells is None else hidden(cells, masked) for name, cells in sides.items()}
    key = (shown["after"] or shown["before"] or {}) if both.by_key else {}
    told = {name: None if cells is None else list(cells.values()) for name, cells in shown.items()}
    return {"change": row["what"], "key": {k: key[k] for k in both.keys if k in key}, **told, "cells": moved}


def hidden(cells: Mapping[str, Any], masked: set[str]) -> dict[str, Any]:
    """Return the cells of a row without what may not be seen.

    Examples
    --------
    >>> hidden({"mail": "a@b", "age": 3}, {"mail"})
    {'mail': '•••', 'age': 3}
    """
    return {name: HIDDEN if name in masked and cell is not None else cell for name, cell in cells.items()}
