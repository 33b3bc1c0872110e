"""Short questions to a connection, asked in the warm child: does it answer, what is there, what do its rows look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any

import polars as pl
from arro3.core import Table

from aimass.collector.children.casting import cast
from aimass.collector.children.opening import opened
from aimass.collector.connectors.port import StreamColumn, StreamInfo, Wish
from aimass.collector.connectors.reach import reach_of
from aimass.lake import plain

_RESTS = 5  # pauses of a stream before a preview gives up


def check(args: dict[str, Any]) -> dict[str, Any]:
    """Reach the origin.

    Parameters
    ----------
    args
        ``connector``, ``parameters``, ``secrets``, ``reach``.

    Returns
    -------
    dict
        ``told``: a sentence about what answered.
    """
    with _opened(args) as connector:
        return {"told": connector.check()}


def discover(args: dict[str, Any]) -> dict[str, Any]:
    """Return the streams of a connection, or the one that ``stream`` names."""
    with _opened(args) as connector:
        if args.get("stream") is not None:
            return {"streams": [_told(connector.describe(args["stream"], args.get("stream_parameters") or {}))]}
        return {"streams": [_told(stream) for stream in connector.discover()]}


def preview(args: dict[str, Any]) -> dict[str, Any]:
    """Read a few rows of a stream as they would be stored; nothing is acknowledged.

    Parameters
    ----------
    args
        As for :func:`check`, and ``stream``, ``stream_parameters``, ``columns`` (may be empty) and ``limit``.
    """
    with _opened(args) as connector:
        parameters, limit = args.get("stream_parameters") or {}, int(args["limit"])
        info = connector.describe(args["stream"], parameters)
        columns = tuple(StreamColumn(**column) for column in args.get("columns") or []) or info.columns
        mode = "full" if "full" in info.modes else info.modes[0]
        wish = Wish(stream=args["stream"], columns=columns, mode=mode, parameters=parameters, limit=limit)
        frames: list[pl.DataFrame] = []
        rests = 0
        for part in connector.read(wish, {}):
            rests += part is None
            if part is not None and part.rows is not None and part.rows.num_rows:
                frames.append(pl.DataFrame(Table.from_batches([part.rows])))
            if rests >= _RESTS or sum(map(len, frames)) >= limit:
                break
        rows = pl.concat(frames, how="diagonal_relaxed").head(limit) if frames else pl.DataFrame()
        typed, good, misfits = cast(rows, columns)
    return {
        "columns": [asdict(column) for column in columns],
        "rows": [[plain(value) for value in row] for row in typed.filter(good).iter_rows()],
        "misfits": [{"raw": bad.raw, "column": bad.column, "reason": bad.reason} for bad in islice(misfits, 20)],
    }


def _opened(args: Mapping[str, Any]) -> Any:
    return opened(args["connector"], args["parameters"], args["secrets"], reach_of(args["reach"]))


def _told(stream: StreamInfo) -> dict[str, Any]:
    return asdict(stream)
