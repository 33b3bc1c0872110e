"""What a statement may do: read the datasets it was given, and nothing else.

Two parsers have to agree. sqlglot reads what was sent; the tree it makes is what runs, never the text. What the tree is
written as is read once more by the engine's own parser, and that reading decides which functions are called and which
tables are named: a statement that one of the two reads differently cannot slip through.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from aimass.kernel.errors import Invalid
from aimass.lake.children.functions import SAFE_FUNCTIONS, SAFE_SOURCES

MOST_SHOWN = 50
_FORBIDDEN = (
    exp.Command,
    exp.Into,
    exp.ReadCSV,
    exp.ReadParquet,
    exp.Pragma,
    exp.Set,
    exp.Copy,
    exp.Describe,
    exp.Show,
    exp.Summarize,
    exp.HistoricalData,
    exp.Lock,
)


def check_select(sql: str, known: Iterable[str]) -> str:
    """Return the statement in canonical form, or refuse it.

    Parameters
    ----------
    sql
        One SELECT (or UNION, WITH ...) in DuckDB's dialect.
    known
        Names of the datasets that may be read.

    Raises
    ------
    Invalid
        The statement is no query, reads something unknown, or calls a function that is not on the list.

    Examples
    --------
    >>> check_select("select count(*) from churn", ["churn"])
    'SELECT COUNT(*) FROM "churn"'
    """
    tree = read_select(sql)
    names = check_tables(tree, known)
    return checked_text(tree, {name.lower() for name in names})


def read_select(sql: str) -> exp.Expr:
    """Read one query, or say what is wrong with it and where."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect="duckdb") if tree is not None]
    except SqlglotError as reason:
        raise _unreadable(reason, sql) from reason
    except RecursionError as reason:
        raise Invalid("the query is nested too deeply", field="sql", value=sql[:200]) from reason
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise Invalid(
            "only one SELECT statement is allowed", field="sql", value=sql[:200], allowed="SELECT ... FROM <dataset>"
        )
    for node in trees[0].walk():
        if isinstance(node, _FORBIDDEN):
            raise Invalid(
                f"{node.sql(dialect='duckdb')[:80]!r} is not allowed in a query",
                field="sql",
                allowed="SELECT over datasets",
            )
    return trees[0]


def _unreadable(reason: SqlglotError, sql: str) -> Invalid:
    errors: list[dict[str, Any]] = getattr(reason, "errors", None) or [{}]
    line, column = errors[0].get("line"), errors[0].get("col")
    what = errors[0].get("description") or str(reason).splitlines()[0]
    where = f" at line {line}, column {column}" if line else ""
    return Invalid(f"the query cannot be read{where}: {what}", field="sql", value=sql[:200])


def check_tables(tree: exp.Expr, known: Iterable[str]) -> list[str]:
    """Return the datasets that a query reads, by name; refuse what is none.

    Examples
    --------
    >>> check_tables(read_select('with a as (from "b") select * from a, a as c where exists (from d)'), ["b", "d", "e"])
    ['b', 'd']
    """
    names = {name.lower(): name for name in known}
    used = {names[_known(table, names)] for table in dataset_tables(tree)}
    return sorted(used)


def dataset_tables(tree: exp.Expr) -> Iterator[exp.Table]:
    """Yield the references to datasets: tables that are neither functions nor the names of WITH clauses."""
    for table in list(tree.find_all(exp.Table)):
        if isinstance(table.this, exp.Identifier) and not _is_cte(table):
            yield table


def _known(table: exp.Table, names: dict[str, str]) -> str:
    allowed = sorted(names.values())[:MOST_SHOWN]
    if table.args.get("db") or table.args.get("catalog"):
        raise Invalid(f"{table.sql(dialect='duckdb')!r} is not a dataset", field="sql", allowed=allowed)
    if table.name.lower() not in names:
        raise Invalid(
            f"there is no dataset {table.name!r} here",
            field="sql",
            value=table.name,
            allowed=allowed,
            hint="datasets are named by their slug; write one with '-' in double quotes",
        )
    return table.name.lower()


def _is_cte(table: exp.Table) -> bool:
    """Tell whether a WITH clause that is in sight of the table has its name.

    Inside a WITH, a table sees the names before its own; below RECURSIVE its own too. Outside sight the name is that of
    a dataset, whatever a WITH elsewhere says.
    """
    if table.args.get("db") or table.args.get("catalog"):
        return False
    name, below = table.name.lower(), table
    node: exp.Expr | None = table.parent
    inside: exp.Expr | None = None
    while node is not None:
        if isinstance(node, exp.With):
            inside = below
        clause = node.args.get("with_")
        if isinstance(clause, exp.With) and name in _names_in_sight(clause, inside):
            return True
        if not isinstance(node, exp.With):
            inside = None
        below, node = node, node.parent
    return False


def _names_in_sight(clause: exp.With, inside: exp.Expr | None) -> set[str]:
    """Return the names of a WITH that something sees; ``inside`` is the member of the WITH that it stands in, if any."""
    seen: set[str] = set()
    for member in clause.expressions:
        if member is inside:
            return seen | ({member.alias.lower()} if clause.args.get("recursive") else set())
        seen.add(member.alias.lower())
    return seen


def cte_names(tree: exp.Expr) -> set[str]:
    """Return the names of all WITH clauses."""
    return {cte.alias.lower() for cte in tree.find_all(exp.CTE)}


def checked_text(tree: exp.Expr, tables: set[str], *, functions: frozenset[str] = frozenset()) -> str:
    """Write a query for the engine, and let the engine's own parser say that it calls and reads only what is allowed.

    Parameters
    ----------
    tables
        Names of tables that may be read, in lower case.
    functions
        Functions that are allowed besides the list.
    """
    text = tree.sql(dialect="duckdb", identify=True, comments=False)
    allowed_tables, allowed = tables | cte_names(tree), SAFE_FUNCTIONS | functions
    for node in _nodes(_engine_reading(text)):
        if "function_name" in node:
            _check_function(node, allowed)
        if node.get("type") == "BASE_TABLE":
            _check_base(node, allowed_tables)
        elif node.get("type") == "TABLE_FUNCTION":
            _check_source(node["function"])
        elif node.get("type") == "SHOW_REF":
            raise Invalid("DESCRIBE, SHOW and SUMMARIZE are not allowed in a query", field="sql")
    return text


def _check_function(node: dict[str, Any], allowed: frozenset[str]) -> None:
    name = str(node["function_name"]).lower()
    if name not in allowed and name not in SAFE_SOURCES:
        raise Invalid(
            f"function {name!r} is not allowed in a query",
            field="sql",
            value=name,
            hint="see the list of functions in the manual",
        )


def _check_source(function: dict[str, Any]) -> None:
    name = str(function.get("function_name", "")).lower()
    if name not in SAFE_SOURCES:
        raise Invalid(
            f"table function {name!r} is not allowed in a query",
            field="sql",
            value=name,
            allowed=sorted(SAFE_SOURCES),
        )


def _check_base(node: dict[str, Any], tables: set[str]) -> None:
    name = str(node.get("table_name", ""))
    if node.get("schema_name") or node.get("catalog_name") or node.get("at_clause") or name.lower() not in tables:
        raise Invalid(f"{name!r} is not a dataset", field="sql", value=name)


def _engine_reading(text: str) -> dict[str, Any]:
    """Return the engine's own syntax tree of a statement."""
    order = "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true)"
    row = _parser().cursor().execute(order, [text]).fetchone()
    told: dict[str, Any] = json.loads(row[0] if row else "{}")
    if told.get("error") or len(told.get("statements", ())) != 1:
        what = str(told.get("error_message", "it is no single SELECT")).splitlines()[0]
        raise Invalid(f"the query cannot be read: {what}", field="sql", value=text[:200])
    return told


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """Return a connection that only parses."""
    con = duckdb.connect(config={"threads": 1, "memory_limit": "128MB", "autoload_known_extensions": "false"})
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    return con


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a JSON document."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
