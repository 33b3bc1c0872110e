"""A column gets a wider type: the table is written again, once, in one commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl
from arro3.core import RecordBatch, RecordBatchReader

from aimass.lake.children.tables import (
    Commit,
    Committed,
    Stream,
    batches_of,
    columns_now,
    commit_held,
    files,
    lease,
    open_table,
)


def widen(path: str | Path, types: Mapping[str, pl.DataType], order: Commit) -> Committed | None:
    """Give columns a type that holds every value they have; None when they have it already.

    Parameters
    ----------
    path
        The table.
    types
        Polars type by column; columns that the table lacks are left alone.
    order
        Transaction and metadata.
    """
    with lease(path):
        schema = columns_now(path)
        wanted = {name: kind for name, kind in types.items() if name in schema and schema[name] != kind}
        if not wanted:
            return None
        target = pl.DataFrame(schema={**schema, **wanted})
        rows = _rows(files(open_table(path)), target.schema)
        data = Stream(RecordBatchReader.from_arrow(target).schema, rows)
        return commit_held(
            path, data, Commit(app_id=order.app_id, batch=order.batch, metadata=order.metadata, mode="overwrite")
        )


def _rows(files: list[str], schema: pl.Schema) -> Iterator[RecordBatch]:
    for file in files:
        frame = pl.read_parquet(file)
        cells = [
            (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
            for name, kind in schema.items()
        ]
        yield from batches_of(frame.select(cells))
