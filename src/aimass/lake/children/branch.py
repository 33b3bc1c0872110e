"""Branches: a table that begins with the files of another, and the way back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, create_table_with_add_actions

from aimass.infra.tables import tables_of
from aimass.kernel.errors import Conflict, Invalid
from aimass.kernel.ids import new_id
from aimass.lake.children.compare import States, hidden, states
from aimass.lake.children.merge import merge_held
from aimass.lake.children.quoting import sql_name
from aimass.lake.children.tables import (
    Commit,
    committed_before,
    exists,
    found_of,
    lease,
    names,
    open_table,
    open_target,
    path_of,
)
from aimass.lake.children.values import plain

SHOWN_CONFLICTS = 100
MAX_CHANGES = 5_000_000
QUIET = ("VACUUM", "OPTIMIZE")


def fork(args: dict[str, Any]) -> dict[str, Any]:
    """Make a table that begins with the rows of a version of another, without copying its files where the disk can do that.

    Parameters
    ----------
    args
        ``path, version``: where the rows are; ``target``: the new table, which must not be there.

    Returns
    -------
    dict
        ``version`` (0), ``files``, ``copied`` (files of which the disk could make no second name).
    """
    source, target = open_table(args["path"], args["version"]), Path(args["target"])
    with lease(target):
        if exists(target):
            raise Conflict(f"there is a table {target.name!r} already", field="branch", value=target.name)
        adds, copied = _brought(source, target)
        place = tables_of(target).target(target)
        create_table_with_add_actions(
            place.address,
            source.schema(),
            adds,
            partition_by=source.metadata().partition_columns or None,
            configuration=dict(source.metadata().configuration),
            storage_options=None if place.options is None else dict(place.options),
        )
    return {"version": 0, "files": len(adds), "copied": copied}


def _brought(source: DeltaTable, target: Path) -> tuple[list[AddAction], int]:
    """Give every file of a table a name in another folder."""
    told = pl.DataFrame(source.get_add_actions(flatten=True))
    partitions = source.metadata().partition_columns
    tables, root = tables_of(target), path_of(source)
    adds, copied = list[AddAction](), 0
    for row, file in zip(told.iter_rows(named=True), names(source), strict=True):
        name = f"{Path(row['path']).parent}/part-{new_id()}.parquet".removeprefix("./")
        copied += tables.copy(root, file, target, name)
        adds.append(
            AddAction(
                path=name,
                size=row["size_bytes"],
                partition_values={column: plain(row[f"partition.{column}"]) for column in partitions},
                modification_time=row["modification_time"],
                data_change=True,
                stats=json.dumps({"numRecords": row["num_records"]}),
            )
        )
    return adds, copied


def take_over(args: dict[str, Any]) -> dict[str, Any]:
    """Let the rows of a version of another table be the next version of this one, without copying its files.

    Parameters
    ----------
    args
        ``path``: this table; ``expected``: its version that was looked at; ``source``: ``{path, version}``; ``app_id, batch``.
    """
    order = _order(args)
    with lease(args["path"]):
        done = committed_before(args["path"], order)
        if done is not None:
            return {"version": done.version}
        unchanged(args["path"], int(args["expected"]))
        source, table = open_table(**args["source"]), open_target(args["path"])
        adds, _ = _brought(source, Path(args["path"]))
        columns = table.metadata().partition_columns
        if columns != source.metadata().partition_columns:
            raise Conflict("the branch is partitioned in another way", hint="make the version by SQL from the branch")
        try:
            table.create_write_transaction(
                [*adds], "overwrite", source.schema(), columns or None, commit_properties=_properties(order)
            )
        except CommitFailedError as reason:
            raise _crossed() from reason
        return {"version": found_of(args["path"], order)}


def unchanged(path: str, expected: int) -> None:
    """Refuse to go on when rows were written after the version that somebody looked at; upkeep changes no rows."""
    for entry in open_table(path).history():
        if int(entry["version"]) <= expected:
            return
        if not str(entry.get("operation", "")).startswith(QUIET):
            raise _crossed()


def _crossed() -> Conflict:
    return Conflict("the dataset got new rows at this moment", hint="repeat; nothing was written")


def _order(args: dict[str, Any]) -> Commit:
    return Commit(app_id=str(args["app_id"]), batch=int(args["batch"]))


def _properties(order: Commit) -> CommitProperties:
    return CommitProperties(
        custom_metadata={"aimass.transaction": f"{order.app_id}/{order.batch}"},
        app_transactions=[Transaction(app_id=order.app_id, version=order.batch)],
    )


def merge_back(args: dict[str, Any]) -> dict[str, Any]:
    """Bring what a branch changed into a table that went on meanwhile, row by row.

    Parameters
    ----------
    args
        ``base, theirs, ours``: ``{path, version}`` of the state both come from, the branch, and the table; ``keys``; ``prefer``:
        whose row counts where both changed it (``branch``, ``dataset``, or None); ``dry_run``; ``masked``; ``app_id, batch``.

    Returns
    -------
    dict
        ``version`` (None for a dry run, or when nothing is to do), ``added, changed, removed`` rows, ``conflicts`` (how many),
        and ``samples``: the first of them, each ``key, base, branch, dataset``.
    """
    path, order, keys = args["ours"]["path"], _order(args), list(args["keys"])
    with lease(path):
        done = committed_before(path, order)
        if done is not None:
            return {"version": done.version, "added": 0, "changed": 0, "removed": 0, "conflicts": 0, "samples": []}
        unchanged(path, int(args["ours"]["version"]))
        with states({side: args[side] for side in ("base", "theirs", "ours")}, keys) as three:
            told = _told(three, args)
            if args.get("dry_run") or (told["conflicts"] and not args.get("prefer")):
                return {"version": None, **told}
            moved = _wanted(three, prefer=args.get("prefer"))
        return {**told, "version": _applied(path, moved, keys, order)}


def _told(three: States, args: dict[str, Any]) -> dict[str, Any]:
    if not three.by_key:
        raise Conflict("only rows with keys can be merged", field="keys", hint="set the key columns of the dataset")
    _refuse_nameless(three)
    counts = three.count("base", "theirs")
    if sum(counts.values()) > MAX_CHANGES:
        raise Conflict(f"the branch changed {sum(counts.values())} rows", allowed=f"at most {MAX_CHANGES}")
    three.con.execute(f"CREATE TEMP TABLE conflicts AS {_conflicts(three)}")
    number = three.con.execute("SELECT count(*) FROM conflicts").fetchall()[0][0]
    return {**counts, "conflicts": int(number), "samples": _samples(three, set(args.get("masked") or []))}


def _refuse_nameless(three: States) -> None:
    """Refuse rows of the branch whose key is missing or stands twice: nothing tells which row of the dataset they are."""
    empty = " OR ".join(f"{sql_name(key)} IS NULL" for key in three.keys)
    found = three.con.execute(f'SELECT 1 FROM theirs WHERE {empty} OR "aimass nth" > 1 LIMIT 1').fetchall()  # noqa: S608 quoted
    if found:
        raise Invalid(
            "rows of the branch have no key, or the same one", field="keys", value=three.keys, hint="mend them first"
        )


def _changes(three: States, side: str) -> str:
    """Return the SELECT of the rows that a side changed: its keys, whether the row is gone, and its cells."""
    keys = ", ".join(f"coalesce(l.{sql_name(key)}, r.{sql_name(key)}) AS {sql_name(key)}" for key in three.keys)
    cells = "".join(f", r.{sql_name(name)} AS {sql_name(name)}" for name in three.others)
    where = f"({three.change()}) IS NOT NULL"
    return f'SELECT {keys}{cells}, r."aimass here" IS NULL AS "aimass gone" {three.joined("base", side)} WHERE {where}'


def _conflicts(three: States) -> str:
    """Return the SELECT of the keys whose rows both sides changed, to something else each."""
    same = " AND ".join(f"a.{sql_name(key)} IS NOT DISTINCT FROM b.{sql_name(key)}" for key in three.keys)
    other = " OR ".join(f"a.{sql_name(n)} IS DISTINCT FROM b.{sql_name(n)}" for n in [*three.others, "aimass gone"])
    keys = ", ".join(f"a.{sql_name(key)}" for key in three.keys)
    return (
        f"SELECT {keys} FROM ({_changes(three, 'theirs')}) a JOIN ({_changes(three, 'ours')}) b ON {same} WHERE {other}"  # noqa: S608 quoted
    )


def _samples(three: States, masked: set[str]) -> list[dict[str, Any]]:
    order = ", ".join(f"c.{sql_name(key)}" for key in three.keys)
    first = three.frame(f"SELECT * FROM conflicts c ORDER BY {order} LIMIT {SHOWN_CONFLICTS}")  # noqa: S608 quoted
    samples: list[dict[str, Any]] = [
        {"key": hidden({k: plain(v) for k, v in row.items()}, masked)} for row in first.iter_rows(named=True)
    ]
    for side, word in (("base", "base"), ("theirs", "branch"), ("ours", "dataset")):
        same = " AND ".join(f"c.{sql_name(key)} IS NOT DISTINCT FROM s.{sql_name(key)}" for key in three.keys)
        cells = ", ".join(f"s.{sql_name(name)}" for name in three.names)
        rows = three.frame(
            f'SELECT s."aimass here" AS "aimass here", {cells} FROM conflicts c LEFT JOIN {side} s ON {same} '  # noqa: S608 quoted
            f"ORDER BY {order} LIMIT {SHOWN_CONFLICTS}"
        )
        for sample, row in zip(samples, rows.iter_rows(named=True), strict=False):
            there = row.pop("aimass here")
            sample[word] = hidden({k: plain(v) for k, v in row.items()}, masked) if there else None
    return samples


def _wanted(three: States, *, prefer: str | None) -> pl.DataFrame:
    """Return the changes of the branch; those that conflict are left out when the rows of the dataset count."""
    if prefer != "dataset":
        return three.frame(_changes(three, "theirs"))
    same = " AND ".join(f"c.{sql_name(key)} IS NOT DISTINCT FROM t.{sql_name(key)}" for key in three.keys)
    return three.frame(f"SELECT * FROM ({_changes(three, 'theirs')}) t ANTI JOIN conflicts c ON {same}")  # noqa: S608 quoted


def _applied(path: str, moved: pl.DataFrame, keys: Sequence[str], order: Commit) -> int | None:
    gone = moved["aimass gone"]
    rows, deleted = moved.filter(~gone).drop("aimass gone"), moved.filter(gone).select(keys)
    if moved.is_empty():
        return None
    return int(merge_held(path, rows, deleted, list(keys), order)["version"])
