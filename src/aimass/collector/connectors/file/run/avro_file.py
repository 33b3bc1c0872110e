"""Avro: records of a container file, in the order in which they were written."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import fastavro

from aimass.collector.connectors.file.run.records import SAMPLE_RECORDS, Found, RecordReading, propose_records
from aimass.collector.connectors.file.run.scan import Opening, Scan
from aimass.kernel.errors import Invalid

SAMPLE_BYTES = 16 * 1024 * 1024
_BROKEN = (ValueError, EOFError, KeyError, IndexError, TypeError, OverflowError, MemoryError, StopIteration)


@contextmanager
def open_file(ask: Opening) -> Iterator[tuple[RecordReading, Scan]]:
    """Open an Avro file for one pass."""
    size = ask.path.stat().st_size
    yield RecordReading(ask.plan, lambda: records(ask.path)), Scan.of_rows(size, max(1, size // 50))


def records(path: Path) -> Iterator[Found]:
    """Yield the records; ``line`` counts them."""
    with path.open("rb") as source:
        for number, record in enumerate(_read(source), start=1):
            yield Found(number, record)


def _read(source: BinaryIO) -> Iterator[Any]:
    try:
        for record in fastavro.reader(source):
            yield plain(record)
    except _BROKEN as reason:
        raise Invalid(
            f"this is no readable Avro file: {type(reason).__name__} {reason}".rstrip(),
            field="file",
            hint="write it again; nothing of it was stored",
        ) from reason


def plain(value: Any) -> Any:
    """Turn a value of Avro into one of JSON: moments and days as text, bytes in Base64, exact numbers as they are written.

    Examples
    --------
    >>> plain({"d": date(2026, 5, 1), "n": Decimal("1.50"), "b": b"x"})
    {'d': '2026-05-01', 'n': 1.5, 'b': 'eA=='}
    """
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return _plain_leaf(value)


def _plain_leaf(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 2**63 else float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, UUID | timedelta):
        return str(value)
    return value


def sniff(path: Path, _given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose the columns of an Avro file from its first records."""
    sample: list[Mapping[str, Any]] = []
    with path.open("rb") as source:
        for record in _read(source):
            sample.append(record)
            if len(sample) >= SAMPLE_RECORDS or source.tell() > SAMPLE_BYTES:
                break
    whole = len(sample) < SAMPLE_RECORDS
    if not sample:
        raise Invalid("the file holds no records", field="file", hint="propose the types of a file with some rows")
    columns = propose_records(sample, whole=whole)
    return {"format": "avro", "columns": columns, "sampled_rows": len(sample), "whole": whole}
