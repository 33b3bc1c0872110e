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
        As for ``append``, and ``keys``: the columns that name a row; of rows with one key the last counts. A row that lacks
        a key is a new one; a column that the rows lack keeps its values.
    """
    order, keys = order_of(args), [str(key) for key in args["keys"]]
    frame = _once(incoming(args), keys)
    if not exists(args["path"]):
        made = commit(args["path"], frame, order)
        return {"version": made.version, "inserted": len(frame), "updated": 0, "already": made.already}
    schema, told = dict(scan(args["path"]).collect_schema()), set(frame.columns)
    frame = aligned(frame, schema)
    if len(frame.columns) > len(schema):
        raise Invalid(
            "a merge cannot add columns", field="rows", value=frame.columns[-1], hint="append a row with it first"
        )
    with lease(args["path"]):
        done = committed_before(args["path"], order)
        if done is not None:
            return {"version": done.version, "inserted": 0, "updated": 0, "already": True}
        return _merged(args["path"], frame, (keys, told), order)


def _once(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Keep the last row of each key, and every row that no key names."""
    missing = [key for key in keys if key not in frame.columns]
    if missing:
        raise Invalid(f"the rows have no column {missing[0]!r}", field="keys", value=missing[0], allowed=frame.columns)
    named = pl.all_horizontal(pl.col(key).is_not_null() for key in keys)
    return pl.concat(
        [frame.filter(named).unique(keys, keep="last", maintain_order=True), frame.filter(~named)], how="vertical"
    )


def _merged(path: str, frame: pl.DataFrame, names: tuple[list[str], set[str]], order: Commit) -> dict[str, Any]:
    table, (keys, told) = open_table(path), names
    same = " AND ".join(f"t.{sql_name(key)} = s.{sql_name(key)}" for key in keys)
    properties = CommitProperties(
        custom_metadata={**order.metadata, "aimass.transaction": f"{order.app_id}/{order.batch}"},
        app_transactions=[Transaction(app_id=order.app_id, version=order.batch)],
    )
    try:
        told = (
            table.merge(frame, same, source_alias="s", target_alias="t", commit_properties=properties)
            .when_matched_update({sql_name(name): f"s.{sql_name(name)}" for name in told})
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
