"""Upserts: they rewrite files, so they hold the lease of the table."""

from __future__ import annotations

from typing import Any

import polars as pl
from deltalake import CommitProperties, Transaction
from deltalake.exceptions import CommitFailedError

from aimass.kernel.errors import Conflict, Invalid
from aimass.lake.children.append import aligned, incoming, order_of
from aimass.lake.children.query import sql_name
from aimass.lake.children.tables import Commit, commit, committed_before, exists, lease, open_table, scan


def merge(args: dict[str, Any]) -> dict[str, Any]:
    """Update the rows whose keys exist and insert the others, in one commit, exactly once.

    Parameters
    ----------
    args
        As for ``append``, and ``keys``: the columns that name a row; of rows with one key the last counts.
    """
    order, keys = order_of(args), [str(key) for key in args["keys"]]
    frame = incoming(args).unique(keys, keep="last", maintain_order=True)
    if not exists(args["path"]):
        made = commit(args["path"], frame, order)
        return {"version": made.version, "inserted": len(frame), "updated": 0, "already": made.already}
    schema = dict(scan(args["path"]).collect_schema())
    frame = aligned(frame, schema)
    if len(frame.columns) > len(schema):
        raise Invalid(
            "a merge cannot add columns", field="rows", value=frame.columns[-1], hint="append a row with it first"
        )
    with lease(args["path"]):
        done = committed_before(args["path"], order)
        if done is not None:
            return {"version": done.version, "inserted": 0, "updated": 0, "already": True}
        return _merged(args["path"], frame, keys, order)


def _merged(path: str, frame: pl.DataFrame, keys: list[str], order: Commit) -> dict[str, Any]:
    table = open_table(path)
    same = " AND ".join(f"t.{sql_name(key)} = s.{sql_name(key)}" for key in keys)
    properties = CommitProperties(
        custom_metadata={**order.metadata, "aimass.transaction": f"{order.app_id}/{order.batch}"},
        app_transactions=[Transaction(app_id=order.app_id, version=order.batch)],
    )
    try:
        told = (
            table.merge(frame, same, source_alias="s", target_alias="t", commit_properties=properties)
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .execute()
        )
    except CommitFailedError as reason:
        raise Conflict(
            "another writer changed the table in the same moment", hint="repeat; nothing was written"
        ) from reason
    return {
        "version": table.version(),
        "inserted": int(told["num_target_rows_inserted"]),
        "updated": int(told["num_target_rows_updated"]),
        "already": False,
    }
