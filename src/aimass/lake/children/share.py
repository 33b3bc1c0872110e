"""What a recipient of a shared table is told: its schema, and its files."""

from __future__ import annotations

from typing import Any

import polars as pl

from aimass.lake.children.tables import names, open_table
from aimass.lake.children.values import plain


def files(args: dict[str, Any]) -> dict[str, Any]:
    """Describe the files of a version; of their statistics the number of rows alone, because others tell values.

    Parameters
    ----------
    args
        ``path, version``.

    Returns
    -------
    dict
        ``schema`` (as Delta writes it), ``partitions``, ``bytes``, and ``files``: ``name`` (below the table), ``bytes``, ``rows``,
        ``moment`` (ms) and ``values`` of the partition columns.
    """
    table = open_table(args["path"], args["version"])
    partitions = table.metadata().partition_columns
    told = pl.DataFrame(table.get_add_actions(flatten=True)).iter_rows(named=True)
    found = [
        {
            "name": file,
            "bytes": row["size_bytes"],
            "rows": row["num_records"],
            "moment": row["modification_time"],
            "values": {name: plain(row[f"partition.{name}"]) for name in partitions},
        }
        for row, file in zip(told, names(table), strict=True)
    ]
    total = sum(file["bytes"] for file in found)
    return {"schema": table.schema().to_json(), "partitions": partitions, "bytes": total, "files": found}
