"""Upkeep of tables: compaction, vacuum that respects pinned versions, and the difference of two versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable

from aimass.infra.tables import tables_of
from aimass.lake.children.layout import bytes_of, check_order, is_due, ordered, part_bytes, share_read
from aimass.lake.children.log import readable, tidy
from aimass.lake.children.tables import lease, open_target, scan
from aimass.lake.children.values import columns_of, plain, type_name

RETAIN_HOURS = 168
LOG_HOURS = 1  # whoever reads has the state of its version in memory by then
MAX_COMPARED_ROWS = 5_000_000


def maintain(args: dict[str, Any]) -> dict[str, Any]:
    """Compact small files, write a checkpoint, and remove files that no kept version needs.

    Parameters
    ----------
    args
        ``path``; ``pinned``: Delta versions that must stay readable; ``retain_hours`` (168 by default): younger files stay;
        ``compact`` and ``vacuum`` (both true by default); ``dry_run``; ``order_by``: columns by which the rows are to lie, and
        ``share``: which share of the bytes a query for one value read after the last ordering (None: there was none).

    Returns
    -------
    dict
        ``version``, ``compacted`` (files replaced), ``removed`` (files), ``bytes`` on disk afterwards, and ``share`` as it is
        now (None for rows in no order).
    """
    dry = bool(args.get("dry_run"))
    with lease(args["path"]):
        table = open_target(args["path"])
        pinned = sorted({int(v) for v in args.get("pinned") or []} & readable(args["path"]) | {table.version()})
        compacted, share = _compacted(table, args) if args.get("compact", True) and not dry else (0, args.get("share"))
        removed: list[str] = []
        hours = int(RETAIN_HOURS if args.get("retain_hours") is None else args["retain_hours"])
        if args.get("vacuum", True):
            removed = table.vacuum(
                hours, dry_run=dry, enforce_retention_duration=False, full=True, keep_versions=pinned
            )
        if not dry:
            tidy(args["path"], pinned, hours=min(hours, LOG_HOURS))
            tables_of(args["path"]).sweep(Path(args["path"]))
        return {
            "version": table.version(),
            "compacted": compacted,
            "removed": len(removed),
            "bytes": used_bytes(args["path"]),
            "share": share,
        }


def _compacted(table: DeltaTable, args: dict[str, Any]) -> tuple[int, float | None]:
    """Put small files together, or bring the rows in order where that is wanted and due."""
    columns, share = list(args.get("order_by") or ()), args.get("share")
    names = {field.name for field in table.schema().fields}
    if not columns or not set(columns) <= names:
        return int(table.optimize.compact()["numFilesRemoved"]), None
    check_order(table, columns)
    if not is_due(table, columns, share):
        fresh = part_bytes(bytes_of(table)) // 2  # files that were ordered are larger, and stay
        return int(table.optimize.compact(target_size=fresh)["numFilesRemoved"]), share
    return ordered(table, columns), share_read(table, columns[0])


def upkeep(ctx: Any) -> dict[str, Any]:
    """Do the same as a job, ``lake.upkeep``."""
    ctx.report(0.1, "upkeep")
    return maintain(ctx.params)


def used_bytes(path: str) -> int:
    """Add up everything a table has on disk, old files and log included."""
    return sum(file.size for file in tables_of(path).files(Path(path)))


def diff(args: dict[str, Any]) -> dict[str, Any]:
    """Compare two versions of a dataset.

    Parameters
    ----------
    args
        ``path``; ``base`` and ``head`` (Delta versions).

    Returns
    -------
    dict
        ``rows`` (before, after), ``columns`` added, removed and retyped, ``rows_added`` and ``rows_removed`` (None when there
        are more than 5 million rows to compare), ``changed``: columns whose nulls, mean or distinct count moved.
    """
    base, head = scan(args["path"], args["base"]), scan(args["path"], args["head"])
    before, after = dict(base.collect_schema()), dict(head.collect_schema())
    rows = [int(frame.select(pl.len()).collect().item()) for frame in (base, head)]
    shared = [name for name in before if name in after and type_name(before[name]) == type_name(after[name])]
    added, removed = _row_changes(base.select(shared), head.select(shared), sum(rows)) if shared else (None, None)
    return {
        "rows": {"before": rows[0], "after": rows[1]},
        "columns": {
            "added": columns_of({n: t for n, t in after.items() if n not in before}),
            "removed": columns_of({n: t for n, t in before.items() if n not in after}),
            "retyped": [
                {"name": n, "before": type_name(before[n]), "after": type_name(after[n])}
                for n in before
                if n in after and n not in shared
            ],
        },
        "rows_added": added,
        "rows_removed": removed,
        "changed": _moved(base, head, shared),
    }


def _row_changes(base: pl.LazyFrame, head: pl.LazyFrame, rows: int) -> tuple[int | None, int | None]:
    """Count rows by their hash: what the newer version has more of, and less of."""
    if rows > MAX_COMPARED_ROWS:
        return None, None
    counted = [
        frame.collect().hash_rows(seed=7).rename("h").value_counts(name=side)
        for frame, side in ((base, "before"), (head, "after"))
    ]
    both = counted[0].join(counted[1], on="h", how="full", coalesce=True).fill_null(0)
    moved = both["after"].cast(pl.Int64) - both["before"].cast(pl.Int64)
    return int(moved.clip(lower_bound=0).sum()), int((-moved).clip(lower_bound=0).sum())


def _moved(base: pl.LazyFrame, head: pl.LazyFrame, shared: list[str]) -> list[dict[str, Any]]:
    schema = base.select(shared).collect_schema()
    wanted: list[pl.Expr] = []
    for i, name in enumerate(shared):
        column = pl.col(name)
        wanted.append(column.null_count().alias(f"nulls{i}"))
        if type_name(schema[name]) != "json":
            wanted.append(column.n_unique().alias(f"distinct{i}"))
        if type_name(schema[name]) in {"integer", "float", "decimal"}:
            wanted.append(column.mean().alias(f"mean{i}"))
    sides = [frame.select(wanted).collect().row(0, named=True) if wanted else {} for frame in (base, head)]
    told: list[dict[str, Any]] = []
    for i, name in enumerate(shared):
        pair = {fact: [plain(side.get(f"{fact}{i}")) for side in sides] for fact in ("nulls", "distinct", "mean")}
        moved = {fact: {"before": a, "after": b} for fact, (a, b) in pair.items() if a != b}
        if moved:
            told.append({"column": name, **moved})
    return told
