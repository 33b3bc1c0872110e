"""Upserts and deletions by key: they rewrite files, so they hold the lease of the table."""

from __future__ import annotations

from typing import Any

import polars as pl
from deltalake import CommitProperties, Transaction
from deltalake.exceptions import CommitFailedError

from aimass.kernel.errors import Conflict, Invalid
from aimass.lake.children.append import aligned, incoming, order_of
from aimass.lake.children.quoting import sql_name
from aimass.lake.children.tables import Commit, commit_held, committed_before, exists, lease, open_target, scan

ATTEMPTS = 5
_GONE = "aimass gone"


def merge(args: dict[str, Any], frame: pl.DataFrame | None = None) -> dict[str, Any]:
    """Update the rows whose keys exist, insert the others and delete what is named, in one commit, exactly once.

    Parameters
    ----------
    args
        As for ``append``, and ``keys``: the columns that name a row; of rows with one key the last counts. A row that lacks
        a key is a new one; a column that the rows lack keeps its values. ``delete``: objects with the keys of rows that go.
    frame
        The rows, if they are at hand already.
    """
    order, keys = order_of(args), [str(key) for key in args["keys"]]
    rows, gone = (_rows(args, keys) if frame is None else _once(frame, keys)), _gone(args, keys)
    with lease(args["path"]):
        done = committed_before(args["path"], order)
        if done is not None:
            return {"version": done.version, "inserted": 0, "updated": 0, "deleted": 0, "already": True}
        if not exists(args["path"]):
            if rows.is_empty():
                raise Conflict("the dataset has no rows yet", hint="add rows first")
            made = commit_held(args["path"], rows, order)
            return {"version": made.version, "inserted": len(rows), "updated": 0, "deleted": 0, "already": made.already}
        return merge_held(args["path"], rows, gone, keys, order)


def _rows(args: dict[str, Any], keys: list[str]) -> pl.DataFrame:
    if args.get("rows") == [] and args.get("delete"):
        return pl.DataFrame()
    return _once(incoming(args), keys)


def _gone(args: dict[str, Any], keys: list[str]) -> pl.DataFrame:
    named = args.get("delete") or []
    for one in named:
        if set(one) != set(keys) or any(value is None for value in one.values()):
            raise Invalid("a row to delete is named by its keys alone", field="delete", value=sorted(one), allowed=keys)
    return pl.DataFrame(named, infer_schema_length=None)


def _once(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Keep the last row of each key, and every row that no key names."""
    missing = [key for key in keys if key not in frame.columns]
    if missing:
        raise Invalid(f"the rows have no column {missing[0]!r}", field="keys", value=missing[0], allowed=frame.columns)
    named = pl.all_horizontal(pl.col(key).is_not_null() for key in keys)
    return pl.concat(
        [frame.filter(named).unique(keys, keep="last", maintain_order=True), frame.filter(~named)], how="vertical"
    )


def merge_held(path: str, rows: pl.DataFrame, gone: pl.DataFrame, keys: list[str], order: Commit) -> dict[str, Any]:
    """Do what :func:`merge` does, for a caller who holds the lease; ``gone`` has the keys of the rows to delete.

    Where the tables lie in an object store another machine may write at the same moment: then the merge begins again from
    what is there now.
    """
    schema = dict(scan(path).collect_schema())
    told = [name for name in (rows.columns or keys) if name in schema]
    frame = _marked(rows, gone, keys, schema)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _merged(path, frame, (keys, told), order)
        except CommitFailedError as reason:
            done = committed_before(path, order)
            if done is not None:
                return {"version": done.version, "inserted": 0, "updated": 0, "deleted": 0, "already": True}
            if attempt == ATTEMPTS:
                raise Conflict(
                    "other writers changed the table in the same moment", hint="repeat; nothing was written"
                ) from reason
    raise AssertionError(path)


def _marked(rows: pl.DataFrame, gone: pl.DataFrame, keys: list[str], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Put the rows that come and the keys that go into one frame with the columns of the table."""
    strange = [name for name in rows.columns if name not in schema]
    if strange:
        raise Invalid("a merge cannot add columns", field="rows", value=strange[0], hint="append a row with it first")
    come, go = (aligned(part, schema) for part in (rows, gone))
    if not go.is_empty() and not come.join(go, on=keys, how="semi").is_empty():
        raise Invalid("a row is to be written and deleted at once", field="delete", allowed="each key once")
    marked = [
        part.with_columns(pl.lit(is_gone).alias(_GONE)) for part, is_gone in ((come, False), (go.unique(keys), True))
    ]
    return pl.concat(part for part in marked if not part.is_empty()) if len(come) + len(go) else marked[0]


def _merged(path: str, frame: pl.DataFrame, names: tuple[list[str], list[str]], order: Commit) -> dict[str, Any]:
    table, (keys, told) = open_target(path), names
    same = " AND ".join(f"t.{sql_name(key)} = s.{sql_name(key)}" for key in keys)
    stays, goes = f"NOT s.{sql_name(_GONE)}", f"s.{sql_name(_GONE)}"
    properties = CommitProperties(
        custom_metadata={**order.metadata, "aimass.transaction": f"{order.app_id}/{order.batch}"},
        app_transactions=[Transaction(app_id=order.app_id, version=order.batch)],
    )
    found = (
        table.merge(frame, same, source_alias="s", target_alias="t", commit_properties=properties)
        .when_matched_delete(goes)
        .when_matched_update({sql_name(name): f"s.{sql_name(name)}" for name in told}, stays)
        .when_not_matched_insert({sql_name(n): f"s.{sql_name(n)}" for n in frame.columns if n != _GONE}, stays)
        .execute()
    )
    return {
        "version": table.version(),
        "inserted": int(found["num_target_rows_inserted"]),
        "updated": int(found["num_target_rows_updated"]),
        "deleted": int(found["num_target_rows_deleted"]),
        "already": False,
    }
