"""From a file and its plan to batches: chooses the reader of the format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from arro3.core import RecordBatch, Schema

from aimass.collector.connectors.file.plan import FORMATS, Plan
from aimass.collector.connectors.file.run.csv_file import WIDE, CsvReading
from aimass.collector.connectors.file.run.ndjson_file import NdjsonReading, sniff_ndjson
from aimass.collector.connectors.file.run.parquet_file import ParquetReading, sniff_parquet
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.collector.connectors.file.run.scan import Scan, readable, scan
from aimass.collector.connectors.file.run.sniff import sniff_text
from aimass.kernel.errors import Invalid
from aimass.lake import engine


class Reading(Protocol):
    """One pass over a file."""

    schema: Schema

    def batches(self, quarantine: Quarantine) -> Iterator[RecordBatch]:
        """Yield the good rows and put the others into quarantine."""
        ...


@contextmanager
def reading(
    path: Path, plan: Plan, work: Path, seen: Callable[[int], None] | None = None
) -> Iterator[tuple[Reading, Scan]]:
    """Open a file for one pass.

    Parameters
    ----------
    path, plan
        The file and how it is read.
    work
        Folder for copies and spilled data.
    seen
        Told the bytes looked at so far, before the pass begins.
    """
    if not path.stat().st_size:
        raise empty()
    if plan.format == "parquet":
        found = Scan(size=path.stat().st_size, lines=0, longest=0, nul=0, carriage_returns=0, pairs=0)
        with engine(spill=str(work)) as con:
            yield ParquetReading(con, path, plan), found
        return
    found = scan(path, seen)
    if plan.format == "ndjson":
        yield NdjsonReading(path, plan), found
        return
    source = readable(path, plan.encoding, found, work, plan.quote)
    wide = len(plan.columns) > WIDE  # the engine holds 2,048 cells of each column per thread
    with engine(memory_mb=2048 if wide else 1024, threads=1 if wide else 2, spill=str(work)) as con:
        yield CsvReading(con, source, plan, found), found


def empty() -> Invalid:
    """Say that a file is empty."""
    return Invalid("the file is empty", field="file", hint="upload a file with a header row and data")


def propose_file(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose how a file is to be read.

    Parameters
    ----------
    path
        The file.
    given
        What is known already (``format, encoding, delimiter, quote, header, filename``); only the rest is guessed.
    """
    if not path.stat().st_size:
        raise empty()
    kind = str(given.get("format") or guess_format(path, str(given.get("filename") or path.name)))
    if kind not in FORMATS:
        raise Invalid(f"format {kind!r} is unknown", field="format", value=kind, allowed=list(FORMATS))
    if kind == "parquet":
        with engine() as con:
            return sniff_parquet(con, path)
    scan(path)
    return sniff_ndjson(path) if kind == "ndjson" else sniff_text(path, given)


def guess_format(path: Path, filename: str) -> str:
    """Guess the format from the first bytes, then from the name."""
    with path.open("rb") as source:
        head = source.read(1024)
    if head.startswith(b"PAR1"):
        return "parquet"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{") or filename.lower().endswith((".ndjson", ".jsonl")):
        return "ndjson"
    if start.startswith(b"[{"):
        raise Invalid(
            "the file is one JSON array", field="file", value=filename, hint="write one object per line (NDJSON)"
        )
    if head.startswith((b"\x1f\x8b", b"PK\x03\x04", b"%PDF", b"\xd0\xcf\x11\xe0")):
        raise Invalid(
            f"{filename!r} is packed or a document",
            field="file",
            value=filename,
            allowed=list(FORMATS),
            hint="unpack or export it as CSV",
        )
    return "csv"
