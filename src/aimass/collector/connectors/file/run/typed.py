"""Files that have types of their own, read by another library: their tables on the way to the engine."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import polars as pl
from arro3.core import Table

from aimass.collector.connectors.file.run.cast import Given, table_types
from aimass.collector.connectors.file.run.parquet_file import typed_columns
from aimass.kernel.errors import Invalid
from aimass.lake import engine

SAMPLE_FRAMES = 2


def whole_frames(table: Any) -> pl.DataFrame:
    """Take an Arrow table over; dictionaries and binaries become texts where they can."""
    frame = pl.DataFrame(Table.from_arrow(table))
    texts = [name for name, kind in frame.schema.items() if kind in (pl.Categorical, pl.Enum)]
    return frame.with_columns(pl.col(texts).cast(pl.String)) if texts else frame


def sniff_frames(frames: Iterator[pl.DataFrame]) -> dict[str, Any]:
    """Propose columns from the first frames."""
    sample = list(itertools.islice(frames, SAMPLE_FRAMES))
    if not sample or not sample[0].width:
        raise Invalid("the file has no columns", field="file")
    frame = pl.concat(sample)
    with engine(threads=1) as con:
        con.register("given", Given(frame))
        types = list(table_types(con, "given").items())
        return {**typed_columns(con, types, "given"), "whole": True}
