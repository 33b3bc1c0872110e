"""Rows that could not be taken: raw text, where they stood, and why; kept on disk until they are committed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import polars as pl
from arro3.core import RecordBatchReader

from aimass.collector.connectors.portions import Portion
from aimass.lake import Stream

_QUOTED = re.compile(r"(['\"]).*\1 is (no .*)$", re.DOTALL)
SPOOL_ROWS = 20_000
LONGEST_RAW = 1_000_000
SCHEMA: dict[str, type[pl.DataType]] = {
    "id": pl.String,
    "raw": pl.String,
    "line": pl.Int64,
    "column": pl.String,
    "reason": pl.String,
    "source": pl.String,
    "run": pl.String,
    "batch": pl.Int64,
    "header": pl.String,
    "place": pl.String,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where rejected rows come from."""

    source: str
    run: str
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A row that is put aside, under the name by which it is replayed; ``place`` tells where it stood, in words."""

    id: str
    raw: str
    column: str
    reason: str
    kind: str
    line: int = 0
    place: str = ""


class Quarantine:
    """Takes rejected rows with flat memory.

    Attributes
    ----------
    count
        Rows so far.
    reasons
        Rows per (column, kind of reason).
    header
        Columns of the file as JSON, when their order is not the pinned one.
    """

    def __init__(self, work: Path, origin: Origin) -> None:
        self.count = 0
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.first: list[dict[str, object]] = []
        self.header = ""
        self._work = work
        self._origin = origin
        self._rows = Portion[tuple[object, ...]](SPOOL_ROWS)
        self._spooled: list[Path] = []

    def add(self, raw: str, line: int, column: str, reason: str, kind: str) -> None:
        """Keep one rejected row; ``line`` is 0 when it could not be found again in the file."""
        o = self._origin
        identity = sha256(
            f"{o.source}\x1f{o.batch}\x1f{line}\x1f{self.count if not line else 0}\x1f{raw}".encode()
        ).hexdigest()[:26]
        self.keep(Rejected(id=identity, raw=raw, line=line, column=column, reason=reason, kind=kind))

    def keep(self, row: Rejected) -> None:
        """Keep one rejected row under its own name."""
        o, column, kind, line, reason = self._origin, row.column, row.kind, row.line, row.reason
        kept = (row.id, row.raw[:LONGEST_RAW], line, column, reason[:500], o.source, o.run, o.batch, self.header)
        self._rows.add((*kept, row.place), len(row.raw))
        self.count += 1
        self.reasons[column, kind] += 1
        if len(self.first) < 3:  # noqa: PLR2004 a few examples for the error message
            self.first.append({"line": line, "column": column, "reason": without_value(reason)[:200]})
        if self._rows.is_full:
            self._spool()

    def _spool(self) -> None:
        target = self._work / f"quarantine-{len(self._spooled)}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        _frame(self._rows.take()).write_parquet(target)
        self._spooled.append(target)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield everything that was kept."""
        for file in self._spooled:
            yield pl.read_parquet(file)
        yield _frame(self._rows.rows)


def without_value(reason: str) -> str:
    """Leave the value out of a reason: an error is kept where rows are not.

    Examples
    --------
    >>> without_value("'Ann' is no integer"), without_value("the field 'age' is not pinned")
    ('no integer', "the field 'age' is not pinned")
    """
    found = _QUOTED.match(reason)
    return found[2] if found else reason


def stream_of(kept: Quarantine) -> Stream:
    """Hand over everything that was kept for a commit, a piece after the other."""
    schema = RecordBatchReader.from_arrow(pl.DataFrame(schema=SCHEMA)).schema
    return Stream(schema, (batch for frame in kept.frames() for batch in RecordBatchReader.from_arrow(frame)))


def _frame(rows: Sequence[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, SCHEMA, orient="row")
