"""Where rows of a connection land: chunks on disk, then one commit with rows, state and transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from aimass.collector.children.casting import Bad, row_text
from aimass.collector.children.fitting import fitted
from aimass.collector.children.order import SEPARATOR, Context, Order, Tally, state_text
from aimass.collector.connectors.file.run.quarantine import Origin, Quarantine, Rejected, stream_of
from aimass.collector.connectors.port import StreamColumn
from aimass.collector.connectors.portions import PART_BYTES
from aimass.kernel.errors import Conflict
from aimass.kernel.ids import new_id
from aimass.lake import (
    Commit,
    Committed,
    Part,
    carried,
    classify_frame,
    column_type,
    columns_now,
    commit,
    commit_parts,
    exists,
    fold,
    is_marked,
    lease,
    open_newest,
    open_target,
    part_of,
    scan,
    widen,
)

CHUNK_ROWS = 100_000
CHUNK_BYTES = 4 * PART_BYTES
SAMPLE = 10_000
_OPERATION = "_operation"


@contextmanager
def source_lease(order: Order) -> Iterator[None]:
    """Let one collection of a source run at a time on this machine; the kernel releases it when the process dies."""
    lock = Path(order.target).parent / "_sources" / f"{order.source}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("ab") as handle:
        try:
            flock(handle, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                "another collection of this source runs", value=order.source, hint="wait for it, or cancel it"
            ) from None
        yield


class Landing:
    """Takes typed rows and rejected ones, and commits them with the state that follows them.

    Attributes
    ----------
    batch
        Number of the last commit of this source in the table; the next one follows it.
    state
        What that commit carries.
    tally
        What this collection has done so far, earlier attempts included.
    is_done
        True when an earlier attempt finished this collection.
    """

    def __init__(self, ctx: Context, order: Order) -> None:
        self._ctx = ctx
        self._order = order
        last = carried(order.target, order.source)
        told: Mapping[str, str] = {} if last is None else last.metadata
        self.batch = 0 if last is None else last.batch
        self.version = None if last is None else last.version
        self.state: dict[str, Any] = orjson.loads(told.get("aimass.state") or "{}")
        if last is not None and "aimass.state" not in told and order.known.get("batch") == last.batch:
            self.state = dict(order.known["state"])  # the log was cleaned up to there; the platform kept a copy
        is_mine = told.get("aimass.run") == order.run
        self.tally = Tally.read(told.get("aimass.tally") if is_mine else None)
        self.is_done = is_mine and told.get("aimass.end") == "1"
        self.findings: list[dict[str, Any]] | None = None
        self._columns: list[StreamColumn] = list(order.wish.columns)
        self._begin()
        self._take_back()

    def _begin(self) -> None:
        self._frames: list[pl.DataFrame] = []
        self._files: list[Part] = []
        self.rows = self._held = 0
        self.size_bytes = 0
        self._late = self._repeated = 0
        origin = Origin(source=self._order.source, run=self._order.run, batch=self.batch + 1)
        self._aside = Quarantine(self._ctx.work / new_id(), origin)

    @property
    def rejected(self) -> int:
        """Return how many rows the next commit puts aside."""
        return self._aside.count

    def discard(self) -> None:
        """Forget what was not committed."""
        for part in self._files:
            part.file.unlink(missing_ok=True)
        self._begin()

    def grow(self, columns: list[StreamColumn]) -> None:
        """Go on with these columns."""
        self._columns = list(columns)

    def take(self, frame: pl.DataFrame, *, late: int = 0, repeated: int = 0) -> None:
        """Keep typed rows for the next commit."""
        self._late += late
        self._repeated += repeated
        if frame.is_empty():
            return
        self._frames.append(frame)
        self._held += int(frame.estimated_size())
        self.rows += len(frame)
        is_chunk = sum(map(len, self._frames)) >= CHUNK_ROWS or self._held >= CHUNK_BYTES
        if is_chunk and not self._order.is_fold:
            self._spool()

    def put_aside(self, bad: Bad, *, line: int = 0, place: str = "") -> None:
        """Keep a row that does not fit; one that is in quarantine already, or was replayed, is not kept again."""
        name = f"{self._order.source}{SEPARATOR}{bad.raw}"
        if not self._order.wish.cursor:
            name += f"{SEPARATOR}{self.batch}{SEPARATOR}{line}{SEPARATOR}{place}{SEPARATOR}{self._aside.count}"
        identity = sha256(name.encode()).hexdigest()[:26]
        if self._order.wish.cursor and self._is_aside(identity):
            self._repeated += 1
            return
        rejected = Rejected(
            id=identity, raw=bad.raw, column=bad.column, reason=bad.reason, kind=bad.kind, line=line, place=place
        )
        self._aside.keep(rejected)

    def _is_aside(self, identity: str) -> bool:
        """Tell whether a row of an overlapping reading was put aside before."""
        if identity in self._seen_aside:
            return True
        self._seen_aside.add(identity)
        mark = f"quarantined:{identity}"
        return self._opened is not None and is_marked(self._opened, mark)

    def _spool(self, schema: pl.Schema | None = None) -> None:
        frame = self._whole(self._frames, schema)
        self._files.append(part_of(frame, self._ctx.work / f"rows-{new_id()}.parquet"))
        self._frames, self._held = [], 0

    def _whole(self, frames: list[pl.DataFrame], schema: pl.Schema | None = None) -> pl.DataFrame:
        """Put frames together under the columns of the table; a column that came later is null before."""
        schema = schema or self._schema()
        cells = [
            frame.select(
                (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
                for name, kind in schema.items()
            )
            for frame in frames
        ]
        return pl.concat(cells, rechunk=True) if cells else pl.DataFrame(schema=schema)

    def _schema(self) -> pl.Schema:
        """Return the columns of the next commit: those of the table first, then new ones."""
        wanted = {c.name: column_type(c.type, c.precision, c.scale) for c in self._columns}
        if self._order.wish.mode == "changes" and not self._order.is_fold:
            wanted[_OPERATION] = pl.String()
        if self._order.with_run:
            wanted |= {"_run": pl.String(), "_ingested_at": pl.Datetime("us", "UTC")}
        if self._opened is None or self._order.into == "replace":
            return pl.Schema(wanted)
        return pl.Schema(fitted(columns_now(self._order.target), wanted))

    def _take_back(self) -> None:
        """Drop rows that an attempt put aside and was killed before it committed the good ones; open what is there."""
        order = self._order
        self._opened = open_newest(order.target)
        self._seen_aside: set[str] = set()
        if not exists(order.quarantine):
            return
        mine = scan(order.quarantine).filter(pl.col("source") == order.source)
        if mine.filter(pl.col("batch") > self.batch).select(pl.len()).collect().item():
            with lease(order.quarantine):
                name = order.source.replace("'", "''")
                open_target(order.quarantine).delete(f"source = '{name}' AND batch > {self.batch}")
        if order.wish.cursor:
            self._seen_aside = set(mine.filter(pl.col("batch") <= self.batch).select("id").collect()["id"])

    def poison(self, share: float) -> None:
        """Put the whole batch aside: too many of its rows do not fit, so that none of them is trusted."""
        frames = [*self._frames]
        reason = f"{share:.1%} of the rows of this batch do not fit: none of them was stored"
        self._frames, self._held = [], 0
        for frame in chain((pl.read_parquet(part.file) for part in self._files), frames):
            for row in frame.iter_rows(named=True):
                self.put_aside(Bad(raw=row_text(row), column="", reason=reason, kind="POISONED"))
        for part in self._files:
            part.file.unlink(missing_ok=True)
        self._files, self.rows = [], 0
        self.tally.poisoned += 1

    def first(self) -> list[dict[str, Any]]:
        """Return a few of the rejected rows, for the sentence of an error."""
        return self._aside.first

    def commit(self, state: Mapping[str, Any], *, end: bool = False) -> None:
        """Commit everything that was taken, with the state after it; what stays as it is makes no commit."""
        if not self.rows and not self.rejected and dict(state) == self.state and not (end and self._must_end()):
            self.tally.late, self.tally.repeated = self.tally.late + self._late, self.tally.repeated + self._repeated
            self._late = self._repeated = 0
            return
        self._count()
        order = self._commit(state, end=end)
        if self._aside.count:
            self._write_aside()
        made = self._write(order)
        self.version, self.batch, self.state = made.version, order.batch, dict(state)
        for part in self._files:
            part.file.unlink(missing_ok=True)
        self._opened = open_newest(self._order.target)
        self._begin()

    def _must_end(self) -> bool:
        return self._opened is None or self._order.is_full

    def _count(self) -> None:
        tally = self.tally
        tally.rows, tally.quarantined = tally.rows + self.rows, tally.quarantined + self._aside.count
        tally.late, tally.repeated = tally.late + self._late, tally.repeated + self._repeated
        tally.bytes, tally.commits = tally.bytes + self.size_bytes, tally.commits + 1
        tally.reasons.update({f"{c}{SEPARATOR}{k}": n for (c, k), n in self._aside.reasons.items()})

    def _commit(self, state: Mapping[str, Any], *, end: bool) -> Commit:
        told = {"aimass.run": self._order.run, "aimass.state": state_text(state), "aimass.tally": self.tally.text()}
        is_replacing = self._order.into == "replace" and not self.tally.poisoned
        return Commit(
            app_id=self._order.source,
            batch=self.batch + 1,
            metadata={**told, **({"aimass.end": "1"} if end else {})},
            mode="overwrite" if is_replacing else "append",
            private=self._private(),
            follows=self.batch,
        )

    def _private(self) -> frozenset[str]:
        """Name the columns with personal data; has to be known before the table is made."""
        if self._opened is not None:
            return frozenset()
        given = self._order.describe.get("classification")
        if given is None:
            held = [*(pl.read_parquet(part.file, n_rows=SAMPLE) for part in self._files[:1]), *self._frames]
            self.findings = classify_frame(self._whole(held).head(SAMPLE))
        findings = self.findings if given is None else given
        keys = frozenset(self._order.describe.get("keys") or ())
        return frozenset(f["column"] for f in findings or [] if f["private"]) | keys

    def _write_aside(self) -> None:
        private = frozenset({"raw", "reason"})
        order = Commit(app_id=f"aside:{new_id()}", batch=1, private=private)
        commit(self._order.quarantine, stream_of(self._aside), order)

    def _write(self, order: Commit) -> Committed:
        target, schema = self._order.target, self._schema()
        if self._opened is not None and order.mode == "append":
            aside = Commit(app_id=f"widen:{new_id()}", batch=1, metadata={"aimass.run": self._order.run})
            widen(target, dict(schema), aside)
        if self._order.is_fold and self.rows:
            return fold(target, self._changes(), list(self._order.wish.keys), order)
        if self._frames:
            self._spool(schema)
        return commit_parts(target, self._files, order, columns=schema)

    def _changes(self) -> pl.DataFrame:
        operations = pl.concat(
            [
                frame[_OPERATION] if _OPERATION in frame.columns else pl.Series(_OPERATION, ["update"] * len(frame))
                for frame in self._frames
            ]
        )
        return self._whole(self._frames).with_columns(operations.alias(_OPERATION))
