"""Read inference records, keep their table small, and erase from it."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable, write_deltalake

from aimass.kernel.clock import parse_instant
from aimass.monitoring.children.rows import INPUT, OUTPUT
from aimass.monitoring.children.tables import exists, lease, scan, schema_of

_MOMENTS = pl.Datetime("us", "UTC")
LIVE = "live"
_ORDER = ["t", "id", "row", "deployment"]


def moment(text: str) -> pl.Expr:
    """Return a time as an expression that fits the column ``t``."""
    return pl.lit(parse_instant(text)).cast(_MOMENTS)


def select(args: dict[str, Any]) -> pl.LazyFrame:
    """Return the rows that match ``deployment``, ``revision``, ``status``, ``request_id``, ``origin``, ``since`` and ``until``."""
    frame = scan(args["records"])
    columns = {"deployment": "deployment", "revision": "revision", "status": "status", "request_id": "id"}
    if args.get("origin") is not None:
        frame = frame.filter(pl.col("origin") == ("" if args["origin"] == LIVE else args["origin"]))
    for name, column in columns.items():
        if args.get(name) is not None:
            frame = frame.filter(pl.col(column) == args[name])
    if args.get("since"):
        frame = frame.filter(pl.col("t") >= moment(args["since"]))
    if args.get("until"):
        frame = frame.filter(pl.col("t") < moment(args["until"]))
    return frame


def window(args: dict[str, Any]) -> pl.DataFrame:
    """Return the newest answered rows that match, at most ``rows`` of them, oldest first."""
    if not exists(args["records"]):
        return pl.DataFrame()
    frame = select(args).filter(pl.col("status") < 400)  # noqa: PLR2004 answered
    return frame.top_k(int(args["rows"]), by=_ORDER).sort(_ORDER).collect()


def read(args: dict[str, Any]) -> dict[str, Any]:
    """Return one page of records, newest first.

    Parameters
    ----------
    args
        ``records`` and ``feedback`` (tables); the filters of :func:`select`; ``limit``; ``after``: ``[t, id, row, deployment]`` of the last
        row that is known.

    Returns
    -------
    dict
        ``rows``: at most ``limit + 1``.
    """
    if not exists(args["records"]):
        return {"rows": []}
    frame = select(args)
    if args.get("after"):
        frame = frame.filter(_before(args["after"]))
    found = frame.top_k(int(args["limit"]) + 1, by=_ORDER).sort(_ORDER, descending=True).collect()
    return {"rows": [_shown(row) for row in found.iter_rows(named=True)]}


def _before(place: list[Any]) -> pl.Expr:
    """Return what stands before a place in the order of records."""
    found = pl.lit(value=False)
    for name, value in reversed(list(zip(_ORDER, place, strict=True))):
        given = moment(value) if name == "t" else pl.lit(value)
        found = (pl.col(name) < given) | ((pl.col(name) == given) & found)
    return found


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    inputs = {name.removeprefix(INPUT): value for name, value in row.items() if name.startswith(INPUT)}
    outputs = {name.removeprefix(OUTPUT): value for name, value in row.items() if name.startswith(OUTPUT)}
    for name, value in json.loads(row["misfit"] or "{}").items():
        side = inputs if name.startswith(INPUT) else outputs
        side[name.removeprefix(INPUT).removeprefix(OUTPUT)] = value
    kept = ("id", "row", "deployment", "revision", "model", "version", "consumer", "status", "latency_us", "label")
    shown = {name: row[name] for name in kept}
    exact = row["t"].astimezone(UTC).isoformat(timespec="microseconds")
    return shown | {
        "t": exact,
        "origin": row["origin"] or LIVE,
        "fallback": row["fallback"] or "",
        "probabilities": row["probabilities"],
        "unseen": row["unseen"] or [],
        "inputs": inputs,
        "outputs": outputs,
    }


def upkeep(args: dict[str, Any]) -> dict[str, Any]:
    """Delete what is too old or too much, and put small files together.

    Parameters
    ----------
    args
        ``path``; ``before``: older rows go (column ``t``); ``max_bytes``: oldest files go until the rest fits;
        ``compact_files``: put files together from this many on.

    Returns
    -------
    dict
        ``deleted`` rows, ``bytes`` and ``files`` that the newest version has.
    """
    path = str(args["path"])
    if not exists(path):
        return {"deleted": 0, "bytes": 0, "files": 0}
    with lease(path):
        table = DeltaTable(path)
        files = _files(table)
        cutoff = _cutoff(files, args)
        deleted, compacted = 0, False
        if cutoff is not None and bool((files["oldest"] < cutoff).any()):
            text = cutoff.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
            deleted = int(table.delete(f"t < '{text}Z'")["num_deleted_rows"])
        if _files(table).height >= int(args.get("compact_files") or 50):
            table.optimize.compact()
            compacted = True
        if deleted or compacted:
            table.create_checkpoint()
            table.vacuum(retention_hours=1, dry_run=False, enforce_retention_duration=False)
        files = _files(DeltaTable(path))
    return {"deleted": deleted, "bytes": int(files["bytes"].sum()), "files": files.height}


def _files(table: DeltaTable) -> pl.DataFrame:
    """Return size and time range of the files of the newest version."""
    actions = pl.DataFrame(table.get_add_actions(flatten=True))
    if not actions.height:
        return pl.DataFrame(schema={"bytes": pl.Int64, "oldest": _MOMENTS, "newest": _MOMENTS})
    return actions.select(
        pl.col("size_bytes").cast(pl.Int64).alias("bytes"),
        pl.col("min.t").cast(_MOMENTS).alias("oldest"),
        pl.col("max.t").cast(_MOMENTS).alias("newest"),
    )


def _cutoff(files: pl.DataFrame, args: dict[str, Any]) -> datetime | None:
    """Return the moment before which rows go: by age, or by size, whichever is later."""
    cutoffs = [parse_instant(args["before"])] if args.get("before") else []
    limit = args.get("max_bytes")
    if limit is not None and files.height:
        newest_first = files.sort("newest", descending=True)
        over = newest_first.filter(newest_first["bytes"].cum_sum() > int(limit))
        if over.height:
            last: datetime = over["newest"].max()  # pyright: ignore[reportAssignmentType]
            cutoffs.append(last + timedelta(microseconds=1))
    return max(cutoffs, default=None)


def erase(args: dict[str, Any]) -> dict[str, Any]:
    """Erase rows for good: by request ids, or by a value of an input; older versions of the table go too.

    The rows that stay are written anew, because a deletion by predicate would keep the value in the log.

    Parameters
    ----------
    args
        ``path``; ``key``: the column of request ids (``id`` or ``request_id``) with ``ids``; or ``column`` and ``value``.

    Returns
    -------
    dict
        ``deleted`` rows and the ``ids`` of their requests.
    """
    path = str(args["path"])
    if not exists(path):
        return {"deleted": 0, "ids": []}
    with lease(path):
        key = args.get("key") or "id"
        schema = schema_of(path)
        gone = pl.col(key).is_in(args["ids"]) if args.get("ids") is not None else _same(args, set(schema))
        frame = scan(path).collect()
        going = frame.filter(gone)
        if going.height:
            write_deltalake(path, frame.filter(~gone), mode="overwrite")
            table = DeltaTable(path)
            table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
    return {"deleted": going.height, "ids": going[key].unique().sort().to_list()}


def _same(args: dict[str, Any], columns: set[str]) -> pl.Expr:
    value, column = str(args["value"]), INPUT + str(args["column"])
    as_json = json.dumps(value, ensure_ascii=False)[1:-1]
    misfit = pl.col("misfit")
    named = misfit.str.contains(json.dumps(column, ensure_ascii=False), literal=True)
    beside = (misfit.str.contains(as_json, literal=True) & named).fill_null(value=False)
    cell = _cell({name for name in columns if name.startswith(INPUT)}, str(args["column"]), value)
    return beside if cell is None else cell | beside


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def erase_files(args: dict[str, Any]) -> dict[str, Any]:
    """Erase rows with a value of an input from Parquet files: references of monitors, and labelled rows.

    Parameters
    ----------
    args
        ``files``; ``column`` and ``value``.

    Returns
    -------
    dict
        ``deleted`` rows.
    """
    deleted = 0
    for path in map(Path, args["files"]):
        frame = pl.read_parquet(path)
        gone = _cell(frame.columns, str(args["column"]), str(args["value"]))
        if gone is None or not (going := frame.filter(gone)).height:
            continue
        draft = path.with_suffix(".tmp")
        frame.filter(~gone).write_parquet(draft)
        draft.rename(path)
        deleted += going.height
    return {"deleted": deleted}


def _cell(columns: Collection[str], column: str, value: str) -> pl.Expr | None:
    """Return where the cell of an input has a value; None when there is no such column."""
    name = next((name for name in (INPUT + column, column) if name in columns), None)
    if name is None:
        return None
    number = _number(value)
    same_number = pl.lit(value=False) if number is None else pl.col(name).cast(pl.Float64, strict=False) == number
    return ((pl.col(name).cast(pl.String) == value) | same_number).fill_null(value=False)
