"""Rows into tables, each exactly once."""

from __future__ import annotations

from typing import Any

import polars as pl

from aimass.kernel.errors import Invalid
from aimass.lake.children.said import polars_said
from aimass.lake.children.tables import Commit, columns_now, commit, committed_before, exists
from aimass.lake.children.values import frame_of, polars_type


def append(args: dict[str, Any]) -> dict[str, Any]:
    """Append rows in one commit; the same transaction again changes nothing.

    Parameters
    ----------
    args
        ``path``; one of ``rows`` (JSON objects), ``parquet`` (file) or ``ndjson`` (file); ``schema``: columns (name, type) that
        the rows are cast to (None: as they are); ``app_id`` and ``batch``: the transaction; ``metadata``; ``private``: columns
        with personal data (counts when the table is created); ``mode``: append or overwrite.

    Returns
    -------
    dict
        ``version`` (Delta), ``rows``, ``already`` (True when an earlier attempt had written them).
    """
    order = order_of(args)
    done = committed_before(args["path"], order)
    if done is not None:
        return {"version": done.version, "rows": 0, "already": True}
    frame = incoming(args)
    if exists(args["path"]) and order.mode == "append":
        frame = aligned(frame, columns_now(args["path"]))
    made = commit(args["path"], frame, order)
    return {"version": made.version, "rows": 0 if made.already else len(frame), "already": made.already}


def order_of(args: dict[str, Any]) -> Commit:
    """Read transaction, metadata and mode."""
    return Commit(
        app_id=str(args["app_id"]),
        batch=int(args["batch"]),
        metadata={str(key): str(value) for key, value in (args.get("metadata") or {}).items()},
        mode=args.get("mode") or "append",
        private=frozenset(args.get("private") or ()),
    )


def incoming(args: dict[str, Any]) -> pl.DataFrame:
    """Read the rows that were sent, with the types of the schema if one was."""
    columns = args.get("schema")
    if args.get("rows") is not None:
        return frame_of(args["rows"], columns)
    if args.get("parquet"):
        frame = pl.read_parquet(args["parquet"])
    elif args.get("ndjson"):
        frame = pl.read_ndjson(args["ndjson"], infer_schema_length=None)
    else:
        raise Invalid("there are no rows", field="rows", allowed="rows, parquet or ndjson")
    return frame if columns is None else _cast(frame, columns)


def _cast(frame: pl.DataFrame, columns: list[dict[str, Any]]) -> pl.DataFrame:
    """Give each column its pinned type; a missing one becomes null."""
    present = [
        (pl.col(c["name"]) if c["name"] in frame.columns else pl.lit(None))
        .cast(polars_type(c["type"]))
        .alias(c["name"])
        for c in columns
    ]
    try:
        return frame.select(present)
    except pl.exceptions.PolarsError as reason:
        raise Invalid(f"the rows do not fit the schema: {polars_said(reason)}", field="schema") from None


def aligned(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Give a frame the columns and types of a table; columns the table has not yet come last.

    Examples
    --------
    >>> aligned(pl.DataFrame({"b": [1]}), {"a": pl.String(), "b": pl.Float64()}).row(0)
    (None, 1.0)
    """
    if not frame.width:  # literals alone would make one row
        return pl.DataFrame(schema=schema)
    known = [(pl.col(n) if n in frame.columns else pl.lit(None)).cast(dtype).alias(n) for n, dtype in schema.items()]
    return frame.select(*known, *[pl.col(n) for n in frame.columns if n not in schema])
