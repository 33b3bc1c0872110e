"""ORC: stripe by stripe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from pyarrow import orc

from aimass.collector.connectors.file.run.cast import TableReading
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.collector.connectors.file.run.scan import Opening, Scan
from aimass.collector.connectors.file.run.typed import sniff_frames, whole_frames
from aimass.collector.connectors.portions import pieces
from aimass.kernel.errors import Invalid
from aimass.lake import engine

BATCH = 50_000


@contextmanager
def open_file(ask: Opening) -> Iterator[tuple[TableReading, Scan]]:
    """Open an ORC file for one pass."""
    with engine(threads=1, spill=str(ask.work)) as con:
        reading = TableReading(con, ask.plan, lambda quarantine: _frames(ask.path, quarantine))
        yield reading, Scan.of_rows(ask.path.stat().st_size, _opened(ask.path).nrows)


def _opened(path: Path) -> orc.ORCFile:
    try:
        return orc.ORCFile(str(path))
    except (pa.ArrowException, OSError) as reason:
        raise Invalid(f"this is no readable ORC file: {str(reason).splitlines()[0]}", field="file") from reason


def _frames(path: Path, _: Quarantine) -> Iterator[pl.DataFrame]:
    yield from frames(path)


def frames(path: Path) -> Iterator[pl.DataFrame]:
    """Yield the rows, at most 50,000 at a time."""
    file = _opened(path)
    yield whole_frames(file.schema.empty_table())
    try:
        for stripe in range(file.nstripes):
            batch = file.read_stripe(stripe)
            for start in range(0, batch.num_rows, BATCH):
                yield from pieces(whole_frames(pa.Table.from_batches([batch.slice(start, BATCH)])))
    except (pa.ArrowException, OSError) as reason:
        raise Invalid(f"the ORC file is broken: {str(reason).splitlines()[0]}", field="file") from reason


def sniff(path: Path, _given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose the columns of an ORC file from its schema."""
    return {"format": "orc", **sniff_frames(frames(path))}
