"""Read inference records, keep their table small, and erase from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable, write_deltalake

from aimass.infra.tables import tables_of
from aimass.kernel.clock import parse_instant
from aimass.kernel.erasing import ERASED, Person, pattern
from aimass.lake import clean_log, open_target
from aimass.monitoring.children.rows import INPUT, OUTPUT
from aimass.monitoring.children.tables import exists, lease, scan

_MOMENTS = pl.Datetime("us", "UTC")
LIVE = "live"
_ORDER = ["t", "id", "row", "deployment"]


def moment(text: str) -> pl.Expr:
    """Return a time as an expression that fits the column ``t``."""
    return pl.lit(parse_instant(text)).cast(_MOMENTS)


def select(args: dict[str, Any]) -> pl.LazyFrame:
    """Return the rows that match ``deployment``, ``revision``, ``status``, ``request_id``, ``trace``, ``origin``, ``since`` and ``until``."""
    frame = scan(args["records"])
    columns = {name: name for name in ("deployment", "revision", "status", "trace")} | {"request_id": "id"}
    if "trace" not in frame.collect_schema():  # a table that was last written before requests had traces
        frame = frame.with_columns(pl.lit("").alias("trace"))
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
        "trace": row["trace"] or "",
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
        table = open_target(path)
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
            tables_of(path).sweep(Path(path))
        files = _files(open_target(path))
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
    """Erase rows of one person for good; older versions of the table go too.

    The rows that stay are written anew, because a deletion by predicate would keep the value in the log.

    Parameters
    ----------
    args
        ``path``; ``key``: the column of request ids (``id`` or ``request_id``); ``values`` that name the person; ``column``: the one
        input that is looked at (None: all of them); ``rows``: pairs of request id and row that are the person's.

    Returns
    -------
    dict
        ``deleted`` rows, which ``rows`` (request id, row) these are, and ``unnamed``: rows of others that he asked for, which
        stay without the name of who asked.
    """
    path, key, person = str(args["path"]), str(args["key"]), _person(args)
    if not exists(path):
        return {"deleted": 0, "unnamed": 0, "rows": []}
    with lease(path):
        frame = scan(path).collect()
        mine = _mine(frame.schema, person, args["column"]) | _named(frame, key, person, args["rows"])
        going, (staying, unnamed) = frame.filter(mine), _unnamed(frame.filter(~mine), person)
        if going.height or unnamed:
            write_deltalake(open_target(path), staying, mode="overwrite")
        open_target(path).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
        clean_log(path, person, history=False)
        tables_of(path).sweep(Path(path))
    rows = going.select(key, "row").unique().sort(key, "row").rows()
    return {"deleted": going.height, "unnamed": unnamed, "rows": [list(row) for row in rows]}


def _unnamed(frame: pl.DataFrame, person: Person) -> tuple[pl.DataFrame, int]:
    """Return rows without the person as the one who asked, and how many named him so."""
    if "consumer" not in frame.columns:
        return frame, 0
    asked = pl.col("consumer").is_in(person.values).fill_null(value=False)
    clean = pl.when(asked).then(pl.lit(ERASED)).otherwise(pl.col("consumer")).alias("consumer")
    return frame.with_columns(clean), frame.filter(asked).height


def _person(args: dict[str, Any]) -> Person:
    return Person(erasure="", values=tuple(map(str, args["values"])))


def _named(frame: pl.DataFrame, key: str, person: Person, rows: list[list[Any]]) -> pl.Expr:
    """Return which rows answer requests that are the person's: by pair, or because the id itself names him."""
    listed = pl.DataFrame(rows, schema={key: pl.String, "row": pl.Int32}, orient="row")
    places = frame.select(key, "row").with_row_index("place").join(listed, on=[key, "row"], how="semi")["place"]
    told = pl.int_range(pl.len()).is_in(places.to_list()) | pl.col(key).is_in(person.values)
    return (told | pl.col(key).str.contains(_words(person))).fill_null(value=False)


def _mine(schema: Mapping[str, Any], person: Person, column: str | None) -> pl.Expr:
    """Return which rows name the person in an input, or in what did not fit an input."""
    wanted = [INPUT + column, column] if column is not None else [n for n in schema if n.startswith(INPUT)]
    cells = [_cell(pl.col(name), schema[name], person, column) for name in wanted if name in schema]
    if "key" in schema:
        cells.append(pl.col("key").is_in(person.values))
    if "misfit" in schema and column is None:
        quoted = [json.dumps(value, ensure_ascii=False) for value in person.values]
        cells.append(pl.col("misfit").str.contains_any(quoted) | pl.col("misfit").str.contains(_words(person)))
    return pl.any_horizontal([pl.lit(value=False), *cells]).fill_null(value=False)


def _cell(cell: pl.Expr, kind: Any, person: Person, column: str | None) -> pl.Expr:
    """Return where a cell is a value, or a text that holds one; numbers count in a column that was named alone."""
    if kind == pl.String:
        return cell.is_in(person.values) | cell.str.contains(_words(person))
    numbers = [number for value in person.values if (number := _number(value)) is not None]
    is_number = column is not None and numbers and kind in (pl.Float64, pl.Int64)
    return cell.is_in(numbers) if is_number else pl.lit(value=False)


def _words(person: Person) -> str:
    """Return the pattern for texts; one that is found nowhere when there is no word."""
    return pattern(person.words, look_around=False) or r"\b\B"


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def erase_files(args: dict[str, Any]) -> dict[str, Any]:
    """Erase rows of a person from Parquet files: references of monitors, and labelled rows.

    Parameters
    ----------
    args
        ``files``; ``values`` and ``column`` as for :func:`erase`.

    Returns
    -------
    dict
        ``deleted`` rows.
    """
    deleted, person = 0, _person(args)
    for path in map(Path, args["files"]):
        frame = pl.read_parquet(path)
        columns = [args["column"]] if args["column"] else [n for n, kind in frame.schema.items() if kind == pl.String]
        cells = [_cell(pl.col(n), frame.schema[n], person, args["column"]) for n in columns if n in frame.columns]
        cells += [_mine(frame.schema, person, args["column"])]
        mine = pl.any_horizontal(cells).fill_null(value=False)
        going = frame.filter(mine).height
        if going:
            draft = path.with_suffix(".tmp")
            frame.filter(~mine).write_parquet(draft)
            draft.rename(path)
            deleted += going
    return {"deleted": deleted}
