"""From the query that was sent to the one that runs: its tables get names that nobody can guess, its policies are put in.

The datasets are views under random names, made anew for each query. Only the rewriting knows them, so a reference that it
missed leads to no table at all, never to rows that a policy hides.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import duckdb
from deltalake import DeltaTable
from sqlglot import exp

from aimass.kernel.errors import Invalid
from aimass.lake.children.conditions import conditions_of
from aimass.lake.children.engines import close_all_but
from aimass.lake.children.guard import check_tables, checked_text, dataset_tables, read_select
from aimass.lake.children.layout import matching
from aimass.lake.children.masks import TokenKey, guarded
from aimass.lake.children.quoting import sql_literal, sql_name
from aimass.lake.children.tables import brought, listed, open_at, schema_of
from aimass.lake.children.values import columns_of, sql_type

_OWN = re.compile(r"getvariable|\b[dkv][0-9a-f]{12,16}\b|\bt[0-9a-f]{12}\b")
_HEADING = 80
_SHORT = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query that was checked: its tree, and the datasets that it reads."""

    tree: exp.Expr
    text: str
    used: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """A version of a dataset as an engine reads it.

    Attributes
    ----------
    files, read
        All its files, and those that can hold what the query asks for.
    policy
        What counts for who asks.
    """

    table: DeltaTable
    columns: list[dict[str, Any]]
    files: list[str]
    read: list[str]
    policy: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A query that is ready to run on one connection."""

    text: str
    names: Mapping[str, str] = field(default_factory=dict[str, str])

    def said(self, message: str) -> str:
        """Return what the engine says, in the names that the caller knows; what quotes a policy is not passed on."""
        for private, name in self.names.items():
            message = message.replace(private, name)
        return "it does not fit a policy of its datasets" if _OWN.search(message) else message


def ask(sql: str, known: Iterable[str]) -> Asked:
    """Read a query and check what it does, before any policy is put in."""
    return _read(sql, tuple(known)) if len(sql) <= _SHORT else _read.__wrapped__(sql, tuple(known))


@lru_cache(maxsize=64)
def _read(sql: str, known: tuple[str, ...]) -> Asked:
    """Read a query once: control asks which datasets it reads, and then for its rows."""
    tree = read_select(sql)
    used = check_tables(tree, known)
    return Asked(tree=tree, text=checked_text(tree, {name.lower() for name in used}), used=used)


def used(args: dict[str, Any]) -> dict[str, Any]:
    """Say which datasets a query reads.

    Parameters
    ----------
    args
        ``sql``, and ``known``: the datasets that may be read.
    """
    asked = ask(str(args["sql"]), args["known"])
    return {"used": asked.used, "sql": asked.text}


def prepare(
    con: duckdb.DuckDBPyConnection, asked: Asked, tables: Mapping[str, Readable], key: str | None = None
) -> Prepared:
    """Make the datasets of a query readable on a connection that can read their files alone, and return what is to run.

    Parameters
    ----------
    tables
        The datasets by name.
    key
        The secret that tokens are made with, in hexadecimal digits.
    """
    tokens = TokenKey(bytes.fromhex(key)) if key else None
    for name, value in tokens.values.items() if tokens else ():
        con.execute(f"SET VARIABLE {name} = ?", [value])
    private = {name: f"d{secrets.token_hex(8)}" for name in asked.used}
    for name, view in private.items():
        _make_view(con, view, tables[name])
    tree = asked.tree.copy()
    _name_columns(tree)
    for table in list(dataset_tables(tree)):
        name = next(one for one in private if one.lower() == table.name.lower())
        policy, columns = tables[name].policy, tables[name].columns
        stands = guarded(private[name], name, columns, policy, tokens) if policy else None
        _put(table, private[name], stands)
    text = checked_text(tree, set(private.values()), functions=frozenset({"getvariable"}))
    return Prepared(text=text, names={view: name for name, view in private.items()})


def _name_columns(tree: exp.Expr) -> None:
    """Name what is selected by a query of its own after its text: else the engine heads it with the rewritten one."""
    for select in list(tree.find_all(exp.Select)):
        for chosen in list(select.expressions):
            if not isinstance(chosen, exp.Alias) and chosen.find(exp.Query):
                text = chosen.sql(dialect="duckdb", comments=False)[:_HEADING]
                chosen.replace(exp.alias_(chosen.copy(), text, quoted=True))


def readable(
    at: Mapping[str, Any], asked: Asked | None = None, name: str = "", parameters: Mapping[str, Any] | None = None
) -> Readable:
    """Look at a dataset: its columns and files, and those of them that a query has to read.

    Where a policy counts every file is read: a masked column holds other values than the log knows.

    Parameters
    ----------
    at
        ``path``, ``version``, and ``policy`` if one counts for who asks.
    asked, name, parameters
        The query, what it calls the dataset, and its values.
    """
    table = open_at(at["path"], at.get("version"))
    columns = columns_of(schema_of(table))
    every = listed(table)
    known = [column["name"] for column in columns]
    wanted = conditions_of(asked.tree, name, known) if asked is not None and not at.get("policy") else []
    read = matching(table, wanted, parameters or {}) if wanted else every
    read = brought(table, read or every[:1])
    return Readable(table=table, columns=columns, files=every, read=read, policy=at.get("policy"))


def attach(con: duckdb.DuckDBPyConnection, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Make each table a view over its files, and close everything else: files, settings, extensions."""
    found = {view: readable(at) for view, at in tables.items()}
    for view, table in found.items():
        _make_view(con, view, table)
    close_all_but(con, [file for table in found.values() for file in table.files])


def _make_view(con: duckdb.DuckDBPyConnection, view: str, table: Readable) -> None:
    """Make a view over the files of a dataset that are read; over all where those lack a column that came later."""
    try:
        _view_over(con, view, table, table.read)
    except duckdb.BinderException:
        _view_over(con, view, table, brought(table.table, table.files))


def _view_over(con: duckdb.DuckDBPyConnection, view: str, table: Readable, chosen: list[str]) -> None:
    if chosen:
        wanted = ", ".join(sql_name(c["name"]) for c in table.columns)
        listed = ", ".join(map(sql_literal, chosen))
        body = f"SELECT {wanted} FROM read_parquet([{listed}], union_by_name = true)"  # noqa: S608 quoted
    else:
        empty = ", ".join(f"NULL::{sql_type(c)} AS {sql_name(c['name'])}" for c in table.columns)
        body = f"SELECT {empty} WHERE false"
    con.execute(f"CREATE TEMP VIEW {sql_name(view)} AS {body}")


def _put(table: exp.Table, private: str, stands: exp.Query | None) -> None:
    """Put the view, or the query that stands for it, in the place of a table; it keeps its alias and all that hangs on it."""
    alias = table.args.get("alias")
    if alias is None or not alias.this:
        columns = alias.args.get("columns") if alias is not None else None
        alias = exp.TableAlias(this=exp.to_identifier(table.name, quoted=True), columns=columns)
    rest = {name: value for name, value in table.args.items() if name not in {"this", "alias"} and value}
    strange = sorted(set(rest) - {"joins", "laterals", "pivots", "sample"})
    if strange:
        raise Invalid(f"{table.sql(dialect='duckdb')!r} is not understood", field="sql", value=strange[0])
    inner = exp.Table(this=exp.to_identifier(private, quoted=True)) if stands is None else stands
    if stands is None:
        table.replace(exp.Table(this=inner.this, alias=alias, **rest))
    else:
        table.replace(exp.Subquery(this=inner, alias=alias, **rest))
