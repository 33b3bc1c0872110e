"""What the proposal of rules has to know of a version: a little of its profile, and found out for a little of its cost."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import polars as pl

from aimass.lake.children.long_texts import Slices, many_of
from aimass.lake.children.profile import DETAILED_COLUMNS, describe, describe_long, describe_many
from aimass.lake.children.quality import FEW
from aimass.lake.children.values import plain, type_name

FIRST_ROWS = 20_000
_NUMBERS = frozenset({"integer", "float"})


def facts_for_rules(args: dict[str, Any]) -> dict[str, Any]:
    """Find out what :func:`~aimass.lake.children.quality.propose_rules` looks at, and nothing else.

    The rules are those that the whole profile would lead to. A text column is counted to its end only where its first
    rows leave open that each value is there once, or that there are few different ones.

    Parameters
    ----------
    args
        ``path``, ``version`` and ``masked`` as for :func:`~aimass.lake.children.profile.profile`.

    Returns
    -------
    dict
        ``rows`` and ``columns``: per column name, type, nulls, and of those that matter ``min``, ``distinct`` and ``top``.
    """
    slices, masked = Slices.of(args["path"], args.get("version")), set(args.get("masked") or ())
    schema = slices.frame.collect_schema()
    detailed = len(schema) <= DETAILED_COLUMNS
    empty, least = _in_one_pass(slices, schema)
    told: dict[str, dict[str, Any]] = {}
    with many_of(slices) if slices.is_many else nullcontext() as many:
        for name in _open(slices, schema):
            wish = {"masked": name in masked, "detailed": detailed}
            if many is not None:
                told[name] = describe_many(many, name, slices.rows, **wish)
            elif name in slices.long:
                told[name] = describe_long(slices, name, **wish)
            else:
                told[name] = describe(slices.frame.select(name).collect()[name], **wish)
    columns: list[dict[str, Any]] = []
    for name, kind in schema.items():
        column = {"name": name, "type": type_name(kind), "count": slices.rows, "nulls": empty[name]}
        if name not in masked:
            column["min"] = least.get(name)
        columns.append(column | told.get(name, {}))
    return {"rows": slices.rows, "columns": columns}


def nulls(args: dict[str, Any]) -> dict[str, Any]:
    """Count the empty cells of each column of a version (``path``, ``version``); returns ``nulls`` by name."""
    slices = Slices.of(args["path"], args.get("version"))
    return {"nulls": _in_one_pass(slices, slices.frame.collect_schema(), with_least=False)[0]}


def _in_one_pass(
    slices: Slices, schema: pl.Schema, *, with_least: bool = True
) -> tuple[dict[str, int], dict[str, Any]]:
    """Count what is missing, and find the smallest of the numbers; long texts are read in slices."""
    short = [name for name in schema if name not in slices.long]
    numbers = [name for name in short if with_least and type_name(schema[name]) in _NUMBERS]
    wanted = [pl.col(name).null_count().alias(f"nulls:{name}") for name in short]
    wanted += [_ordered(name, schema[name]).min().alias(f"least:{name}") for name in numbers]
    found = slices.frame.select(wanted).collect(engine="streaming").row(0, named=True) if wanted else {}
    empty = {name: int(found[f"nulls:{name}"]) for name in short}
    empty |= {name: sum(part[name].null_count() for part in slices.parts([name])) for name in slices.long}
    return empty, {name: plain(found[f"least:{name}"]) for name in numbers}


def _ordered(name: str, kind: pl.DataType) -> pl.Expr:
    """Leave out what stands in no order; a column that goes down without end has no smallest number to be told."""
    return pl.col(name).filter(pl.col(name).is_not_nan()) if kind.is_float() else pl.col(name)


def _open(slices: Slices, schema: pl.Schema) -> list[str]:
    """Name the text columns of which the first rows leave open what is to be known of all of them."""
    texts = [name for name, kind in schema.items() if type_name(kind) == "string"]
    first = slices.frame.select(name for name in texts if name not in slices.long).head(FIRST_ROWS).collect()
    different = {cells.name: cells.drop_nulls().n_unique() for cells in first}
    return [name for name in texts if different.get(name, 0) <= FEW or different[name] == len(first)]
