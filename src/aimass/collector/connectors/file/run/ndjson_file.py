"""NDJSON: one object per line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aimass.collector.connectors.file.plan import Plan
from aimass.collector.connectors.file.run.records import SAMPLE_RECORDS, Found, RecordReading, propose_records
from aimass.collector.connectors.file.run.scan import Opening, Scan, scan
from aimass.collector.connectors.strict_json import read_row
from aimass.kernel.errors import Invalid

SAMPLE_BYTES = 16 * 1024 * 1024


@contextmanager
def open_file(ask: Opening) -> Iterator[tuple[RecordReading, Scan]]:
    """Open an NDJSON file for one pass."""
    found = scan(ask.path, ask.seen)
    yield RecordReading(ask.plan, lambda: records(ask.path)), found


@contextmanager
def open_texts(path: Path, plan: Plan) -> Iterator[tuple[RecordReading, Scan]]:
    """Open an NDJSON file whose cells may be written as texts: rows of a table that a person mended."""
    found = scan(path)
    yield RecordReading(plan, lambda: records(path), texts=True), found


def records(path: Path) -> Iterator[Found]:
    """Yield the object of each line that is not blank."""
    with path.open("rb") as source:
        for line, raw in enumerate(source, start=1):
            if not raw.strip():
                continue
            try:
                yield Found(line, read_row(raw.removeprefix(b"\xef\xbb\xbf")), raw)
            except ValueError as reason:
                yield Found(line, None, raw, f"the line is no JSON: {reason}")


def sniff(path: Path, _given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose the columns of an NDJSON file from its first lines."""
    scan(path)
    sample, whole = _sample(path)
    if not sample:
        raise Invalid(
            "the file holds no JSON objects, one per line", field="file", hint="write one object per line (NDJSON)"
        )
    columns = propose_records(sample, whole=whole)
    return {"format": "ndjson", "encoding": "utf-8", "columns": columns, "sampled_rows": len(sample), "whole": whole}


def _sample(path: Path) -> tuple[list[Mapping[str, Any]], bool]:
    sample: list[Mapping[str, Any]] = []
    read = 0
    with path.open("rb") as source:
        for raw in source:
            read += len(raw)
            try:
                record = read_row(raw.removeprefix(b"\xef\xbb\xbf"))
            except ValueError:
                continue
            if isinstance(record, dict):
                sample.append(record)
            if len(sample) >= SAMPLE_RECORDS or read >= SAMPLE_BYTES:
                break
    return sample, read >= path.stat().st_size
