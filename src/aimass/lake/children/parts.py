"""Finished Parquet files into a table, in one commit and without writing their rows again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from arro3.core import RecordBatch, RecordBatchReader
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, create_table_with_add_actions

from aimass.infra.tables import tables_of
from aimass.kernel.errors import Conflict
from aimass.kernel.ids import new_id
from aimass.lake.children.bounds import Bounds, bounds_of, statistics
from aimass.lake.children.handles import HANDLES
from aimass.lake.children.tables import (
    KEEP_HISTORY,
    STATS_COLUMNS,
    Commit,
    Committed,
    Stream,
    batches_of,
    commit_held,
    committed_before,
    lease,
    made_after,
    stats_columns,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A finished Parquet file and its rows.

    Attributes
    ----------
    bounds
        Smallest and largest values by column; the log gets those of the columns that may stand in it.
    """

    file: Path
    rows: int
    bounds: Mapping[str, Bounds] = field(default_factory=dict[str, Bounds])


def part_of(frame: pl.DataFrame, file: Path, *, bounded: bool = False) -> Part:
    """Write rows to a file that can become part of a table.

    Parameters
    ----------
    frame, file
        The rows, and where they are written; its folder is made.
    bounded
        Find out the bounds of the columns, so that a query for few values need not read the file.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(file, compression="zstd", compression_level=1, statistics=True)
    return Part(file=file, rows=len(frame), bounds=bounds_of(frame) if bounded else {})


def commit_parts(
    path: str | Path, parts: Sequence[Part], order: Commit, *, columns: pl.Schema | None = None
) -> Committed:
    """Make files the rows of the next version, exactly once per transaction.

    All files have the same columns. Where the table has them too, or is new, the files themselves become part of it;
    else their rows are written again, with the schema that results.

    Parameters
    ----------
    path
        The table; created when it does not exist.
    parts
        The files; they stay where they are. None of them is a commit that carries its metadata alone.
    order
        Transaction, metadata and mode.
    columns
        The columns of the files; needed where there may be none.
    """
    with lease(path):
        done = committed_before(path, order)
        if done is not None:
            return done
        empty = pl.DataFrame(schema=columns) if columns is not None else pl.read_parquet(parts[0].file, n_rows=0)
        arrow = RecordBatchReader.from_arrow(empty).schema
        schema, table = Schema.from_arrow(arrow), HANDLES.newest(path)
        if table is not None and not parts and order.mode == "append":
            schema = table.schema()
        if table is not None and table.schema() != schema:
            return commit_held(path, Stream(arrow, _rows_of(parts)), order)
        before = -1 if table is None else table.version()
        with HANDLES.forgotten(path):
            _link(Path(path), parts, schema, order, table)
        return Committed(version=made_after(path, before, order), already=False)


def _rows_of(parts: Sequence[Part]) -> Iterator[RecordBatch]:
    for part in parts:
        yield from batches_of(pl.read_parquet(part.file))


def _link(path: Path, parts: Sequence[Part], schema: Schema, order: Commit, table: DeltaTable | None) -> None:
    names = [field.name for field in schema.fields]
    kept = stats_columns(names, order.private) if table is None else _kept(table)
    actions = [_added(path, part, frozenset(kept.split(","))) for part in parts]
    properties = CommitProperties(
        custom_metadata={**order.metadata, "aimass.transaction": f"{order.app_id}/{order.batch}"},
        app_transactions=[
            Transaction(app_id=order.app_id, version=order.batch),
            *(Transaction(app_id=mark, version=1) for mark in order.marks),
        ],
    )
    try:
        if table is None:
            settings = {**KEEP_HISTORY, STATS_COLUMNS: kept}
            place = tables_of(path).target(path)
            create_table_with_add_actions(
                place.address,
                schema,
                actions,
                configuration=settings,
                storage_options=None if place.options is None else dict(place.options),
                commit_properties=properties,
            )
        else:
            table.create_write_transaction([*actions], order.mode, schema, commit_properties=properties)
    except CommitFailedError as reason:
        raise Conflict(
            f"another writer changed table {path.name!r} in the same moment", hint="repeat; nothing was written"
        ) from reason


def _kept(table: DeltaTable) -> str:
    """Name the columns of which the log may tell values; none where the table does not say."""
    return table.metadata().configuration.get(STATS_COLUMNS) or ""


def _added(path: Path, part: Part, columns: frozenset[str]) -> AddAction:
    """Bring a file into the table, as a second name of the same bytes where the disk can do that."""
    name = f"part-{new_id()}.parquet"
    tables_of(path).put(path, name, part.file)
    found = part.file.stat()
    return AddAction(
        path=name,
        size=found.st_size,
        partition_values={},
        modification_time=found.st_mtime_ns // 1_000_000,
        data_change=True,
        stats=json.dumps(statistics(part.rows, part.bounds, columns)),
    )
