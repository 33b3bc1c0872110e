"""Arrow IPC: files and streams, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from aimass.collector.connectors.file.run.cast import TableReading
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.collector.connectors.file.run.scan import Opening, Scan
from aimass.collector.connectors.file.run.typed import sniff_frames, whole_frames
from aimass.collector.connectors.portions import pieces
from aimass.kernel.errors import Invalid
from aimass.lake import engine

BATCH = 50_000
MAGIC = b"ARROW1"


@contextmanager
def open_file(ask: Opening) -> Iterator[tuple[TableReading, Scan]]:
    """Open an Arrow file for one pass."""
    size = ask.path.stat().st_size
    with engine(threads=1, spill=str(ask.work)) as con:
        reading = TableReading(con, ask.plan, lambda quarantine: _frames(ask.path, quarantine))
        yield reading, Scan.of_rows(size, max(1, size // 100))


def _frames(path: Path, _: Quarantine) -> Iterator[pl.DataFrame]:
    yield from frames(path)


def frames(path: Path) -> Iterator[pl.DataFrame]:
    """Yield the rows, at most 50,000 at a time; the file is mapped, not read whole."""
    try:
        with pa.memory_map(str(path)) as source:
            for batch in _batches(source):
                for start in range(0, max(batch.num_rows, 1), BATCH):
                    yield from pieces(whole_frames(pa.Table.from_batches([batch.slice(start, BATCH)])))
    except pa.ArrowException as reason:
        raise Invalid(f"this is no readable Arrow file: {str(reason).splitlines()[0]}", field="file") from reason


def _batches(source: Any) -> Iterator[Any]:
    if source.read(len(MAGIC)) == MAGIC:
        source.seek(0)
        file = pa.ipc.open_file(source)
        yield pa.RecordBatch.from_pylist([], schema=file.schema)
        for index in range(file.num_record_batches):
            yield file.get_batch(index)
        return
    source.seek(0)
    stream = pa.ipc.open_stream(source)
    yield pa.RecordBatch.from_pylist([], schema=stream.schema)
    yield from stream


def sniff(path: Path, _given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose the columns of an Arrow file from its schema."""
    return {"format": "arrow", **sniff_frames(frames(path))}
