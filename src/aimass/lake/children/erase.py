"""Erasure of one data subject, proven by the bytes that are left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from aimass.kernel.errors import Invalid
from aimass.lake.children.query import attach, engine, select, sql_literal, sql_name
from aimass.lake.children.tables import Commit, Stream, commit_held, exists, lease, open_table


def erase(args: dict[str, Any]) -> dict[str, Any]:
    """Erase the rows of one data subject from every version of a table.

    The rows that stay are written anew, because a deletion by predicate would keep the value in the log. The vacuum
    then removes the old files, so earlier versions can no longer be read.

    Parameters
    ----------
    args
        ``path``; ``column`` and ``value`` that name the subject; ``contains``: the value may stand anywhere in the text of the
        column (for raw lines in quarantine); ``app_id``: name of the erasure, the same one again changes nothing.

    Returns
    -------
    dict
        ``deleted`` rows, ``version``, ``removed_files``, and ``found``: files that still hold the value (none when all is well).
    """
    path, column, value = str(args["path"]), str(args["column"]), str(args["value"])
    if not exists(path):
        return {"deleted": 0, "version": None, "removed_files": 0, "found": []}
    with lease(path):
        fields = {field.name for field in open_table(path).schema().fields}
        if column not in fields:
            raise Invalid(
                f"column {column!r} is not in the dataset", field="column", value=column, allowed=sorted(fields)[:50]
            )
        deleted = _rewrite(path, _same(column, value, contains=bool(args.get("contains"))), str(args["app_id"]))
        table = open_table(path)
        removed = table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
        found = traces(path, column, value)
        return {"deleted": deleted, "version": table.version(), "removed_files": len(removed), "found": found}


def _same(column: str, value: str, *, contains: bool) -> str:
    text = f"CAST({sql_name(column)} AS VARCHAR)"
    return f"contains({text}, {sql_literal(value)})" if contains else f"{text} = {sql_literal(value)}"


def _rewrite(path: str, same: str, app_id: str) -> int:
    """Write the other rows as the newest version; do nothing when no row matches."""
    with engine() as con:
        attach(con, {"t": {"path": path}})
        rows = con.execute(f"SELECT count(*) FROM t WHERE {same}").fetchall()  # noqa: S608 quoted
        if rows[0][0]:
            reader = select(con, f"SELECT * FROM t WHERE ({same}) IS NOT TRUE")  # noqa: S608 quoted
            order = Commit(app_id=app_id, batch=open_table(path).version() + 1, mode="overwrite")
            commit_held(path, Stream(reader.schema, iter(reader)), order)
        return int(rows[0][0])


def traces(path: str, column: str, value: str) -> list[str]:
    """List the files of a table that still hold a value: decoded Parquet, and the raw log."""
    found = [
        file for file in Path(path).rglob("*.parquet") if "_delta_log" not in file.parts and _holds(file, column, value)
    ]
    found += [
        log for log in Path(path, "_delta_log").rglob("*") if log.is_file() and value.encode() in log.read_bytes()
    ]
    return sorted(str(file) for file in found)


def _holds(file: Path, column: str, value: str) -> bool:
    frame = pl.scan_parquet(file)
    if column not in frame.collect_schema():
        return False
    return bool(frame.select(pl.col(column).cast(pl.String).str.contains(value, literal=True).any()).collect().item())
