"""Copies of what somebody sees of a dataset, for jobs that read files."""

from __future__ import annotations

from typing import Any

import polars as pl

from aimass.lake.children.selecting import materialise
from aimass.lake.children.tables import files, open_table, scan


def bring(args: dict[str, Any]) -> dict[str, Any]:
    """Make versions of tables readable as files, for whoever has no key of the store that they lie in.

    Parameters
    ----------
    args
        ``tables``: list of ``{path, version}``.
    """
    for at in args["tables"]:
        open_table(at["path"])  # the log as it is, for whoever looks at the newest version
        files(open_table(at["path"], at["version"]))
    return {}


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
