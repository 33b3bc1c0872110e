"""What a query asks of a single column: the conditions by which files can be passed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from aimass.lake.children.guard import dataset_tables

_MOMENTS = (exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPNTZ, exp.DataType.Type.TIMESTAMPTZ)
_TURNED = {exp.GT: exp.LT, exp.GTE: exp.LTE, exp.LT: exp.GT, exp.LTE: exp.GTE, exp.EQ: exp.EQ}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A column lies between two values, both included; None is open. A value is a literal, or a parameter by its name.

    Attributes
    ----------
    by_name
        Which of the ends are names of parameters.
    is_list
        True where they are the least and the most of several values, compared as they are written.
    """

    column: str
    low: Any = None
    high: Any = None
    by_name: frozenset[str] = frozenset()
    is_list: bool = False

    def ends(self, parameters: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return both ends with the values of the query."""
        low, high = (
            parameters.get(end) if side in self.by_name else end
            for side, end in (("low", self.low), ("high", self.high))
        )
        return low, high


def conditions_of(tree: exp.Expr, dataset: str, columns: list[str]) -> list[list[Condition]]:
    """Return for each place where a query reads a dataset what all its rows have to fulfil there.

    Only a SELECT from the dataset alone is looked at: beside joins a row that fails may still count. Where nothing is known the
    list is empty, and every file counts.

    Examples
    --------
    >>> from sqlglot import parse_one
    >>> tree = parse_one("SELECT * FROM t WHERE a >= 3 AND a < 9 AND lower(b) = 'x' AND c IN ('k', 'm')", dialect="duckdb")
    >>> [(c.column, c.low, c.high) for c in conditions_of(tree, "t", ["a", "b", "c"])[0]]
    [('a', 3, None), ('a', None, 9), ('c', 'k', 'm')]
    >>> conditions_of(parse_one("SELECT * FROM t JOIN u USING (a) WHERE t.a = 1"), "t", ["a"])
    [[]]
    """
    names = {column.lower(): column for column in columns}
    places = [table for table in dataset_tables(tree) if table.name.lower() == dataset.lower()]
    return [list(_at(table, names)) for table in places]


def _at(table: exp.Table, names: Mapping[str, str]) -> Iterator[Condition]:
    select = table.find_ancestor(exp.Select)
    source = select.args.get("from_") or select.args.get("from") if select is not None else None
    if select is None or source is None or source.this is not table or _is_more(select, table):
        return
    where = select.args.get("where")
    hidden = {one.alias.lower() for one in select.expressions if isinstance(one, exp.Alias)}
    known = {name: column for name, column in names.items() if name not in hidden}
    for part in _parts(where.this) if where is not None else ():
        found = _read(part, table.alias_or_name.lower(), known)
        if found is not None:
            yield found


def _is_more(select: exp.Select, table: exp.Table) -> bool:
    """Tell whether a query does more with its table than to filter it."""
    of_query = any(select.args.get(name) for name in ("joins", "laterals", "pivots", "sample", "connect"))
    return of_query or any(table.args.get(name) for name in ("joins", "laterals", "pivots", "sample"))


def _parts(tree: exp.Expr) -> Iterator[exp.Expr]:
    """Yield what is joined by AND."""
    if isinstance(tree, exp.And):
        yield from _parts(tree.left)
        yield from _parts(tree.right)
    elif isinstance(tree, exp.Paren):
        yield from _parts(tree.this)
    else:
        yield tree


def _read(part: exp.Expr, alias: str, names: Mapping[str, str]) -> Condition | None:
    if isinstance(part, exp.Between):
        return _between(_column(part.this, alias, names), part.args["low"], part.args["high"])
    if isinstance(part, exp.In):
        return _among(_column(part.this, alias, names), part)
    kind = type(part)
    if kind not in _TURNED:
        return None
    left, right = part.args["this"], part.args["expression"]
    if _column(left, alias, names) is None:
        left, right, kind = right, left, _TURNED[kind]
    column = _column(left, alias, names)
    low = right if kind in (exp.EQ, exp.GT, exp.GTE) else None
    high = right if kind in (exp.EQ, exp.LT, exp.LTE) else None
    return _between(column, low, high)


def _between(column: str | None, low: exp.Expr | None, high: exp.Expr | None) -> Condition | None:
    if column is None:
        return None
    ends = [None if one is None else _value(one) for one in (low, high)]
    values = [None if end is None else end[0] for end in ends]
    if values == [None, None]:
        return None
    by_name = frozenset(side for side, end in zip(("low", "high"), ends, strict=True) if end is not None and end[1])
    return Condition(column=column, low=values[0], high=values[1], by_name=by_name)


def _among(column: str | None, part: exp.In) -> Condition | None:
    found = [_value(one) for one in part.expressions]
    values = [one[0] for one in found if one is not None and not one[1]]
    if column is None or not values or len(values) < len(found) or part.args.get("query"):
        return None
    if len({type(value) for value in values}) > 1:
        return None
    return Condition(column=column, low=min(values), high=max(values), is_list=True)


def _column(tree: Any, alias: str, names: Mapping[str, str]) -> str | None:
    if not isinstance(tree, exp.Column) or (tree.table and tree.table.lower() != alias) or tree.args.get("db"):
        return None
    return names.get(tree.name.lower())


def _value(tree: exp.Expr) -> tuple[Any, bool] | None:
    """Return a literal, or the name of a parameter and True; None where it has to be computed."""
    if isinstance(tree, exp.Cast):
        text = tree.this.this if isinstance(tree.this, exp.Literal) and tree.this.is_string else ""
        is_whole = tree.to.this in _MOMENTS or (
            tree.to.this == exp.DataType.Type.DATE and len(text) == len("2026-05-01")
        )
        return (text, False) if text and is_whole else None
    if isinstance(tree, exp.Literal):
        return (tree.this, False) if tree.is_string else (int(tree.this), False) if tree.is_int else None
    if isinstance(tree, exp.Neg) and isinstance(tree.this, exp.Literal) and tree.this.is_int:
        return -int(tree.this.this), False
    if isinstance(tree, exp.Parameter | exp.Placeholder) and tree.name:
        return tree.name, True
    return None
