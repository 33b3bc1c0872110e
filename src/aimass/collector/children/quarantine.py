"""Read the rows that were put aside."""

from __future__ import annotations

from typing import Any

import polars as pl

from aimass.lake import scan


def rows(args: dict[str, Any]) -> dict[str, Any]:
    """Return quarantined rows, newest collection first.

    Parameters
    ----------
    args
        ``path`` of the quarantine table, ``columns``, ``offset`` and ``limit``.

    Returns
    -------
    dict
        ``total`` and ``rows`` (objects).
    """
    table = scan(args["path"])
    here = table.collect_schema().names()
    absent = [pl.lit("").alias(name) for name in args["columns"] if name not in here]  # older tables know fewer
    frame = table.with_columns(absent).select(args["columns"]).collect()
    part = frame.sort("run", descending=True, maintain_order=True).slice(args["offset"], args["limit"])
    return {
        "total": frame.height,
        "rows": [{k: v if v is not None else "" for k, v in row.items()} for row in part.iter_rows(named=True)],
    }
