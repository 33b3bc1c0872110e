"""Rows that were sent as the spine of a training set become a version of a dataset."""

from __future__ import annotations

from typing import Any

import polars as pl

from aimass.kernel.errors import Invalid
from aimass.lake.children.classify import classify_frame
from aimass.lake.children.describe import describe_version
from aimass.lake.children.tables import Commit, commit
from aimass.lake.children.values import TYPES, frame_of


def keep(args: dict[str, Any]) -> dict[str, Any]:
    """Write the rows as the newest version; texts in the column of the moment are read as moments.

    Parameters
    ----------
    args
        ``path``, ``rows``, ``event_time``, ``app_id`` and ``describe``.
    """
    frame, moment = frame_of(args["rows"]), str(args["event_time"])
    if moment not in frame.columns:
        raise Invalid(
            f"the rows have no column {moment!r}", field="event_time", value=moment, allowed=frame.columns[:50]
        )
    if frame.schema[moment] == pl.String:
        frame = frame.with_columns(_moments(args["rows"], moment))
    describe = dict(args["describe"])
    describe.setdefault("classification", classify_frame(frame))
    private = frozenset(f["column"] for f in describe["classification"] if f["private"])
    order = Commit(app_id=f"entities:{args['app_id']}", batch=1, mode="overwrite", private=private)
    made = commit(args["path"], frame, order)
    return {"version": describe_version({**describe, "path": args["path"], "version": made.version})}


def _moments(rows: list[dict[str, Any]], column: str) -> pl.Series:
    texts = [{column: row.get(column)} for row in rows]
    return frame_of(texts, [{"name": column, "type": "timestamp"}]).to_series().cast(TYPES["timestamp"])
