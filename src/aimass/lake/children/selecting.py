"""A new version of a table from a SELECT over datasets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
from arro3.core import RecordBatch, Table

from aimass.lake.children.append import order_of
from aimass.lake.children.query import batches, running
from aimass.lake.children.rewrite import ask
from aimass.lake.children.tables import Stream, commit, committed_before

LONGEST_S = 3_600.0


def materialise(args: dict[str, Any]) -> dict[str, Any]:
    """Write the next version of a dataset from a SELECT over others; streamed, in one commit.

    Parameters
    ----------
    args
        ``path`` of the target; ``sql`` and ``tables`` (name in SQL to ``{path, version, policy}``); ``key``; ``app_id``, ``batch``, ``metadata``,
        ``mode`` (overwrite by default), ``private``.
    """
    order = order_of({"mode": "overwrite", **args})
    done = committed_before(args["path"], order)
    if done is not None:
        return {"version": done.version, "rows": 0, "already": True}
    asked, counted = ask(str(args["sql"]), args["tables"]), [0]
    with running({"memory_mb": 1024, "timeout_s": LONGEST_S, **args}, asked) as (relation, _):
        reader = batches(relation)
        made = commit(args["path"], Stream(reader.schema, _counting(iter(reader), counted)), order)
    return {"version": made.version, "rows": counted[0], "already": made.already}


def selected(sql: str, tables: dict[str, Any]) -> pl.DataFrame:
    """Return the rows of a SELECT over datasets, for a merge, which needs them all at once."""
    wish = {"tables": tables, "memory_mb": 1024, "timeout_s": LONGEST_S}
    with running(wish, ask(sql, tables)) as (relation, _):
        return pl.DataFrame(Table.from_arrow(batches(relation)))


def _counting(batches: Iterator[RecordBatch], counted: list[int]) -> Iterator[RecordBatch]:
    for batch in batches:
        counted[0] += batch.num_rows
        yield batch
