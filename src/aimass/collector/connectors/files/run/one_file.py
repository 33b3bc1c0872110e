"""One file on its way: rows in batches, what does not fit as rejects, and where to go on when it is interrupted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from arro3.core import RecordBatch, RecordBatchReader

from aimass.collector.connectors.file.plan import TYPES, Plan, plan_of
from aimass.collector.connectors.file.run.quarantine import Origin, Quarantine
from aimass.collector.connectors.file.run.read import propose_file, reading
from aimass.collector.connectors.files.manifest import Stream
from aimass.collector.connectors.files.progress import Entry, Progress
from aimass.collector.connectors.port import Part, Reject, Wish
from aimass.kernel.errors import AimassError, Invalid, MissingExtra, Unavailable

PATH = "_path"
MOST_REJECTS = 5_000
_AS_ONE = {"wav": "clips of sound", "pictures": "pictures"}
_OWN = frozenset({"changed", "min_age_s", "path_column", "max_unpacked_bytes"})


def said_of(said: Stream) -> dict[str, Any]:
    """Return what is said of how the files are written."""
    return said.model_dump(exclude=set(_OWN), exclude_none=True)


def propose_for(path: Path, entry: Entry, said: Stream) -> dict[str, Any]:
    """Propose how a file is read, over what is said of it."""
    told = propose_file(path, {"filename": entry.path, **said_of(said)})
    if told["format"] in _AS_ONE:
        raise Invalid(
            f"{_AS_ONE[told['format']]} come as one file: streams keep no lists of numbers",
            field="format",
            value=told["format"],
            hint="pack their folder as ZIP, and collect that file",
        )
    return told


class FileOf:
    """One file of a stream.

    Parameters
    ----------
    progress
        Holds how files are written once the first one told it, and how far a file that was interrupted was read.
    """

    def __init__(self, path: Path, entry: Entry, wish: Wish, said: Stream, progress: Progress) -> None:
        self._path = path
        self._entry = entry
        self._wish = wish
        self._said = said
        self._progress = progress
        self._columns = [column for column in wish.columns if column.name != PATH]
        self._with_path = any(column.name == PATH for column in wish.columns)

    def parts(self, work: Path) -> Iterator[Part]:
        """Yield the rows, then what did not fit; a file that cannot be read is one reject, and blocks no other."""
        at = self._progress.at
        if at.get("tag") != self._entry.tag and self._said.changed == "again":
            at = {}
        rows_before, rejects_before = int(at.get("rows", 0)), int(at.get("rejects", 0))
        quarantine = Quarantine(work, Origin(source="", run="", batch=0))
        seen = 0
        try:
            if self._path.stat().st_size:
                with reading(self._path, self._plan(), work, None, self._said.max_unpacked_bytes) as (source, _):
                    for batch in source.batches(quarantine):
                        seen += batch.num_rows
                        fresh = min(batch.num_rows, seen - rows_before)
                        if fresh > 0:
                            yield self._part(batch.slice(batch.num_rows - fresh, fresh), seen, rejects_before)
        except (Unavailable, MissingExtra):
            raise  # the file itself is good
        except AimassError as reason:
            yield self._unreadable(reason, seen)
            return
        yield from self._rejects(quarantine, seen, rejects_before)

    def _plan(self) -> Plan:
        if not self._progress.plan:
            told = propose_for(self._path, self._entry, self._said)
            self._progress.plan = {key: value for key, value in told.items() if key in _READING}
        written = {**self._progress.plan, **said_of(self._said)}
        columns = [
            {"name": c.name, "type": c.type if c.type in TYPES else "string", "nullable": c.nullable}
            for c in self._columns
        ]
        return plan_of({**written, "columns": columns})

    def _part(self, batch: RecordBatch, seen: int, rejects: int) -> Part:
        self._at(seen, rejects)
        return Part(rows=self._named(batch), state=self._progress.state())

    def _at(self, rows: int, rejects: int) -> None:
        self._progress.at = {"path": self._entry.path, "tag": self._entry.tag, "rows": rows, "rejects": rejects}

    def _named(self, batch: RecordBatch) -> RecordBatch:
        if not self._with_path:
            return batch
        frame = pl.DataFrame(RecordBatchReader.from_batches(batch.schema, [batch]))
        named = frame.with_columns(pl.lit(self._entry.path).alias(PATH)).rechunk()
        return next(iter(RecordBatchReader.from_arrow(named)))

    def _rejects(self, quarantine: Quarantine, seen: int, before: int) -> Iterator[Part]:
        done = 0
        for frame in quarantine.frames():
            for start in range(0, len(frame), MOST_REJECTS):
                rows = list(frame.slice(start, MOST_REJECTS).iter_rows(named=True))
                fresh = rows[max(0, before - done) :]
                done += len(rows)
                if fresh:
                    self._at(seen, done)
                    yield Part(rows=None, state=self._progress.state(), rejects=tuple(map(self._reject, fresh)))

    def _reject(self, row: Mapping[str, Any]) -> Reject:
        place = f"{self._entry.path}, line {row['line']}" if row["line"] else self._entry.path
        return Reject(raw=row["raw"], reason=row["reason"], column=row["column"], line=row["line"], place=place)

    def _unreadable(self, reason: AimassError, seen: int) -> Part:
        """Tell of a file that cannot be read; what came of it before that stays."""
        told = f"the file cannot be read: {reason.message}" + (f"; its first {seen} rows were stored" if seen else "")
        reject = Reject(raw=self._entry.path, reason=told, kind="FILE", place=self._entry.path)
        self._at(seen, 1)
        return Part(rows=None, state=self._progress.state(), rejects=(reject,))

    def changed(self) -> Unavailable:
        """Return the error of a file that changed while it was read."""
        return Unavailable(
            f"the file {self._entry.path!r} changed while it was read",
            field="min_age_s",
            value=self._said.min_age_s,
            hint="raise min_age_s, or write files under another name and rename them when they are complete",
        )


_READING = frozenset(
    {"format", "delimiter", "quote", "encoding", "header", "null_values", "sheet", "skip_rows", "record_path", "widths"}
)
