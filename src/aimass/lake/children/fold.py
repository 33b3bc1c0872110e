"""Changes folded into a table in their order: inserts, updates and deletes by key, in one commit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError

from aimass.kernel.errors import Conflict, Invalid
from aimass.lake.children.append import aligned
from aimass.lake.children.quoting import sql_name
from aimass.lake.children.room import full_disk
from aimass.lake.children.tables import (
    Commit,
    Committed,
    columns_now,
    commit_held,
    committed_before,
    exists,
    lease,
    open_target,
)

OPERATION = "_operation"
DELETE, TRUNCATE = "delete", "truncate"


def fold(
    path: str | Path, changes: pl.DataFrame, keys: list[str], order: Commit, *, newer_by: str | None = None
) -> Committed:
    """Apply changes, exactly once per transaction; of several changes of one key the last one counts.

    Parameters
    ----------
    path
        The table; created when it does not exist.
    changes
        Rows in the order in which they happened; a column ``_operation`` tells which of them are deletes, of which only
        the keys count, and ``truncate``: a row without values that voids everything before it.
    keys
        The columns that name a row.
    order
        Transaction and metadata.
    newer_by
        A column: a row takes the place of one only that is not newer by it. Empty: rows take the place of none. None: of any.
    """
    changes, is_void = _after_truncate(changes)
    last = _last(changes, keys)
    is_gone = pl.col(OPERATION) == DELETE
    with lease(path):
        done = committed_before(path, order)
        if done is not None:
            return done
        if not exists(path):
            return commit_held(path, last.filter(~is_gone).drop(OPERATION), order)
        if is_void:
            rows = aligned(last.filter(~is_gone).drop(OPERATION), columns_now(path))
            return commit_held(path, rows, replace(order, mode="overwrite"))
        return _merged(path, last, (keys, newer_by), order)


def _after_truncate(changes: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
    """Leave out what a truncation voids; tell whether there was one."""
    if OPERATION not in changes.columns:
        return changes, False
    places = (changes[OPERATION] == TRUNCATE).arg_true()
    return (changes.slice(int(places[-1]) + 1), True) if len(places) else (changes, False)


def _last(changes: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    missing = [key for key in keys if key not in changes.columns]
    if missing or not keys:
        raise Invalid(
            f"the rows have no key {(missing or [''])[0]!r}", field="keys", value=missing[:1], allowed=changes.columns
        )
    if OPERATION not in changes.columns:
        changes = changes.with_columns(pl.lit("update").alias(OPERATION))
    return changes.unique(keys, keep="last", maintain_order=True)


def _merged(path: str | Path, last: pl.DataFrame, by: tuple[list[str], str | None], order: Commit) -> Committed:
    schema, (keys, newer_by) = columns_now(path), by
    told = [name for name in last.columns if name != OPERATION]
    rows = aligned(last, {**schema, OPERATION: pl.String()})
    if len(rows.columns) > len(schema) + 1:
        _widen(path, rows.drop(OPERATION).clear(), order)
    same = " AND ".join(f"t.{sql_name(key)} = s.{sql_name(key)}" for key in keys)
    stays, goes = f"s.{OPERATION} <> '{DELETE}'", f"s.{OPERATION} = '{DELETE}'"
    values = {sql_name(name): f"s.{sql_name(name)}" for name in rows.columns if name != OPERATION}
    table = open_target(path)
    try:
        (
            table.merge(rows, same, source_alias="s", target_alias="t", commit_properties=_properties(order))
            .when_matched_delete(goes)
            .when_matched_update({sql_name(name): f"s.{sql_name(name)}" for name in told}, f"{stays}{_newer(newer_by)}")
            .when_not_matched_insert(values, predicate=stays)
            .execute()
        )
    except CommitFailedError as reason:
        raise Conflict(
            f"another writer changed table {Path(path).name!r} in the same moment", hint="repeat; nothing was written"
        ) from reason
    except DeltaError as reason:
        raise full_disk(reason) or reason from None
    return Committed(version=table.version(), already=False)


def _newer(by: str | None) -> str:
    """Write the condition under which a row takes the place of another."""
    if by is None:
        return ""
    return f" AND (t.{sql_name(by)} IS NULL OR s.{sql_name(by)} >= t.{sql_name(by)})" if by else " AND false"


def _widen(path: str | Path, empty: pl.DataFrame, order: Commit) -> None:
    """Give the table the columns that the changes bring; a merge cannot."""
    aside = Commit(app_id=f"{order.app_id}:columns", batch=order.batch, metadata=order.metadata)
    commit_held(path, empty, aside)


def _properties(order: Commit) -> CommitProperties:
    return CommitProperties(
        custom_metadata={**order.metadata, "aimass.transaction": f"{order.app_id}/{order.batch}"},
        app_transactions=[
            Transaction(app_id=order.app_id, version=order.batch),
            *(Transaction(app_id=mark, version=1) for mark in order.marks),
        ],
    )
