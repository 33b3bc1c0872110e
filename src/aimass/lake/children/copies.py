"""Copies of what somebody sees of a dataset, for jobs that read files."""

from __future__ import annotations

from typing import Any

import polars as pl

from aimass.lake.children.selecting import materialise
from aimass.lake.children.tables import scan


def copy(args: dict[str, Any]) -> dict[str, Any]:
    """Write what a query gives as a table of its own, unless it is there.

    Parameters
    ----------
    args
        What :func:`~aimass.lake.children.append.materialise` takes.
    """
    made = materialise(args)
    rows = int(scan(args["path"], made["version"]).select(pl.len()).collect().item())
    return {"version": made["version"], "rows": rows}
