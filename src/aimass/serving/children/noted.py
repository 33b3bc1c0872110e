"""What a scoring tells monitoring: inference records of some rows, and how many rows were scored."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from aimass.infra.segments import SegmentWriter, frame
from aimass.kernel.clock import SystemClock
from aimass.serving.children.feeds import Fed
from aimass.serving.children.lists import texts_of
from aimass.serving.domain.scoring import ROWS_PER_REQUEST

SCORED = "serving_scored_rows"
_WRITERS = 64


class Notes:
    """Writes records and series into segments, as a gateway worker does."""

    def __init__(self, records: SegmentWriter, series: SegmentWriter, wish: Mapping[str, Any]) -> None:
        self._records = records
        self._series = series
        self._wish = wish
        self._clock = SystemClock()
        self.recorded = 0

    def rows(self, count: int) -> None:
        """Count scored rows."""
        points = [{"name": SCORED, "labels": self._wish["labels"], "value": count}]
        self._series.append([frame(orjson.dumps({"t": self._now(), "points": points}))])

    def records(self, rows: pl.DataFrame, start: int, fed: Fed, outputs: Mapping[str, Any]) -> None:
        """Record the requests of a chunk that are to be recorded; a chunk holds whole requests, the last one excepted."""
        wish = self._wish["record"]
        if wish is None or not wish["every"]:
            return
        first = start // ROWS_PER_REQUEST
        frames: list[bytes] = []
        for number in range(-(-rows.height // ROWS_PER_REQUEST)):
            if (first + number) % wish["every"]:
                continue
            at = slice(number * ROWS_PER_REQUEST, min((number + 1) * ROWS_PER_REQUEST, rows.height))
            frames.append(frame(self._record(rows, first + number, at, (fed, outputs))))
            self.recorded += at.stop - at.start
        if frames:
            self._records.append(frames)

    def _record(self, rows: pl.DataFrame, request: int, at: slice, said: tuple[Fed, Mapping[str, Any]]) -> bytes:
        wish, (fed, outputs) = self._wish["record"], said
        part = rows[at.start : at.stop]
        document = {
            "id": request_id(self._wish["scoring"], request),
            "t": self._now(),
            **wish["head"],
            "status": 200,
            "latency_us": None,
            "rows": part.height,
            "inputs": {i: texts_of(part[c]) for i, c in self._wish["inputs"].items()} if wish["payload"] else None,
            "outputs": {name: array[at].tolist() for name, array in outputs.items()} if wish["payload"] else None,
            "unseen": sorted(name for name, strange in fed.unseen.items() if strange[at].any()),
            "origin": "batch",
        }
        return orjson.dumps(document)

    def _now(self) -> float:
        return self._clock.now().timestamp()


def request_id(scoring: str, number: int) -> str:
    """Return what names a group of rows, as a request id does; feedback refers to it.

    Examples
    --------
    >>> request_id("01H", 7)
    '01H-7'
    """
    return f"{scoring}-{number}"


@contextmanager
def notes_of(data: Path, wish: Mapping[str, Any]) -> Iterator[Notes]:
    """Open segments of a name that no other scoring uses now; names are few, since monitoring keeps a row for each."""
    with _name(data / "records") as name:
        records, series = SegmentWriter(data / "records" / name), SegmentWriter(data / "series" / name)
        try:
            yield Notes(records, series, wish)
        finally:
            records.close()
            series.close()


@contextmanager
def _name(folder: Path) -> Iterator[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(_WRITERS):
        with (folder / f".batch-{number}.lock").open("ab") as lock:
            try:
                # The last of them is waited for: more scorings at once than names would be strange, but no error.
                fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if number < _WRITERS - 1 else 0))
            except BlockingIOError:
                continue
            yield f"batch-{number}"
            return
