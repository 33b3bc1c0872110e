"""The job ``collector.collect``: a file into a dataset, in one commit, exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl
from arro3.core import RecordBatch, RecordBatchReader, Schema

from aimass.collector.children.tidying import seldom_tidied
from aimass.collector.connectors.file.plan import Plan, plan_of
from aimass.collector.connectors.file.run.quarantine import Origin, Quarantine, stream_of
from aimass.collector.connectors.file.run.read import reading
from aimass.collector.connectors.file.run.unpack import MOST
from aimass.kernel.errors import Invalid
from aimass.kernel.ids import new_id
from aimass.lake import (
    Commit,
    Part,
    classify_frame,
    commit,
    commit_parts,
    committed_before,
    describe_version,
    minding_the_disk,
    part_of,
    scan,
)

SAMPLE = 10_000
FILE_ROWS = 250_000
FILE_BYTES = 32 * 2**20
MAX_REJECT_RATE = 0.2


class Context(Protocol):
    """What a job is given."""

    params: dict[str, Any]
    work: Path

    def report(self, fraction: float | None = None, stage: str = "", **metrics: float) -> None:
        """Tell progress; raises when the job is cancelled."""
        ...

    def log(self, message: str, level: str = "info") -> None:
        """Write a line to the log of the job."""
        ...


@dataclass(slots=True)
class Tally:
    """What has gone by so far."""

    rows: int = 0
    quarantined: int = 0
    bytes: int = 0


@minding_the_disk()
@seldom_tidied()
def collect(ctx: Context) -> dict[str, Any]:
    """Read a file by its pinned plan, commit good rows and quarantine the others, then describe the new version.

    Parameters
    ----------
    ctx
        Its ``params``: ``file``; ``plan``; ``target`` and ``quarantine`` (tables); ``source`` and ``batch``: the transaction;
        ``run``; ``mode``: append or replace; ``max_reject_rate``; ``describe``: arguments of ``lake.describe_version``.

    Returns
    -------
    dict
        ``rows``, ``quarantined``, ``reasons``, ``bytes``, ``already`` and ``version``: the described version.
    """
    params = ctx.params
    order = Commit(
        app_id=str(params["source"]),
        batch=int(params["batch"]),
        metadata={"aimass.run": str(params["run"]), "aimass.state": str(params.get("state", ""))},
        mode="overwrite" if params.get("mode") == "replace" else "append",
    )
    done = committed_before(params["target"], order)
    if done is None:
        outcome, version, findings = _load(ctx, plan_of(params["plan"]), order)
    else:
        ctx.log(f"batch {order.batch} was committed before as Delta version {done.version}")
        outcome, version, findings = _loaded_before(params, order, done.version), done.version, None
    ctx.report(0.9, "describe", rows=outcome["rows"], quarantined=outcome["quarantined"])
    known = {"classification": findings, **params.get("describe", {})}
    described = describe_version({**known, "path": params["target"], "version": version})
    return {**outcome, "already": done is not None, "version": described}


def _load(ctx: Context, plan: Plan, order: Commit) -> tuple[dict[str, Any], int, list[dict[str, Any]]]:
    params, path, tally = ctx.params, Path(ctx.params["file"]), Tally()
    size = max(path.stat().st_size, 1)
    quarantine = Quarantine(ctx.work, Origin(source=order.app_id, run=str(params["run"]), batch=order.batch))
    looked = lambda seen: ctx.report(min(0.1, 0.1 * seen / size), "scan", bytes=seen)  # noqa: E731 one line of progress
    with reading(path, plan, ctx.work, looked, int(params.get("max_unpacked_bytes", MOST))) as (source, found):
        tally.bytes = found.size
        expected = max(found.lines, 1)
        stream = _Checked(source.batches(quarantine), quarantine, float(params.get("max_reject_rate", MAX_REJECT_RATE)))
        sample, batches = _peek(stream, source.schema)
        given = params.get("describe", {}).get("classification")
        findings = classify_frame(sample) if given is None else list(given)
        private = frozenset(f["column"] for f in findings if f["private"])
        private |= frozenset(
            params.get("describe", {}).get("keys") or ()
        )  # what names a row stays out of the log as well
        carried = Commit(
            app_id=order.app_id, batch=order.batch, metadata=order.metadata, mode=order.mode, private=private
        )
        parts = _spooled(_counted(ctx, batches, tally, expected), ctx.work)
        if quarantine.count:  # just before the good rows: a crash between both repeats neither
            _quarantine(quarantine, params["quarantine"], order)
        made = commit_parts(params["target"], parts, carried, columns=_frame([], source.schema).schema)
    for part in parts:
        part.file.unlink(missing_ok=True)
    ctx.log(f"{tally.rows} rows committed as Delta version {made.version}, {quarantine.count} in quarantine")
    reasons = [{"column": c, "kind": k, "count": n} for (c, k), n in quarantine.reasons.most_common(50)]
    return (
        {"rows": tally.rows, "quarantined": quarantine.count, "reasons": reasons, "bytes": tally.bytes},
        made.version,
        findings,
    )


class _Checked:
    """Batches that end in an error when too many rows were rejected; then nothing is committed."""

    def __init__(self, batches: Iterator[RecordBatch], quarantine: Quarantine, limit: float) -> None:
        self._batches = batches
        self._quarantine = quarantine
        self._limit = limit

    def __iter__(self) -> Iterator[RecordBatch]:
        rows = 0
        for batch in self._batches:
            rows += batch.num_rows
            yield batch
        bad = self._quarantine.count
        if bad > self._limit * (rows + bad):
            told = "; ".join(f"line {e['line']}, column {e['column']!r}: {e['reason']}" for e in self._quarantine.first)
            raise Invalid(
                f"{bad} of {rows + bad} rows were rejected, more than {self._limit:.0%}: nothing was stored. {told}",
                field="max_reject_rate",
                value=round(bad / (rows + bad), 4),
                allowed=f"at most {self._limit}",
                hint="propose the types again, mend the file, or raise max_reject_rate of the source",
            )


def _peek(batches: _Checked, schema: Schema) -> tuple[pl.DataFrame, Iterator[RecordBatch]]:
    """Take the first rows for the classification and give all rows back."""
    iterator = iter(batches)
    held: list[RecordBatch] = []
    for batch in iterator:
        held.append(batch)
        if sum(part.num_rows for part in held) >= SAMPLE:
            break
    frame = _frame(held, schema).head(SAMPLE)

    def all_rows() -> Iterator[RecordBatch]:
        while held:
            yield held.pop(0)
        yield from iterator

    return frame, all_rows()


def _counted(ctx: Context, batches: Iterator[RecordBatch], tally: Tally, expected: int) -> Iterator[RecordBatch]:
    for batch in batches:
        tally.rows += batch.num_rows
        ctx.report(0.1 + 0.75 * min(1.0, tally.rows / expected), "load", rows=tally.rows, bytes=tally.bytes)
        yield batch


def _spooled(batches: Iterator[RecordBatch], work: Path) -> list[Part]:
    """Write the rows to files that become the table's own; no more of them is held than one file takes."""
    parts: list[Part] = []
    held: list[pl.DataFrame] = []
    rows = size = 0

    def write() -> None:
        parts.append(part_of(pl.concat(held, rechunk=False), work / f"rows-{new_id()}.parquet", bounded=True))
        held.clear()

    for batch in batches:
        held.append(pl.DataFrame(batch))
        rows, size = rows + batch.num_rows, size + int(held[-1].estimated_size())
        if rows >= FILE_ROWS or size >= FILE_BYTES:
            write()
            rows = size = 0
    if rows:
        write()
    return parts


def _frame(batches: Sequence[RecordBatch], schema: Schema) -> pl.DataFrame:
    return pl.DataFrame(RecordBatchReader.from_batches(schema, list(batches)))


def _quarantine(kept: Quarantine, path: str, order: Commit) -> None:
    private = frozenset({"raw", "reason"})
    commit(
        path,
        stream_of(kept),
        Commit(app_id=order.app_id, batch=order.batch, metadata=order.metadata, private=private),
    )


def _loaded_before(params: dict[str, Any], order: Commit, version: int) -> dict[str, Any]:
    """Tell of an earlier attempt what can be read back from the tables."""
    quarantined = 0
    mine = Commit(app_id=order.app_id, batch=order.batch, metadata=order.metadata)
    reasons: list[dict[str, Any]] = []
    if committed_before(params["quarantine"], mine) is not None:
        kept = scan(params["quarantine"]).filter(pl.col("run") == str(params["run"]))
        counts = kept.group_by("column").len().sort("len", descending=True).collect()
        quarantined = int(counts["len"].sum())
        reasons = [{"column": row["column"], "kind": "", "count": row["len"]} for row in counts.iter_rows(named=True)]
    rows = int(scan(params["target"], version).select(pl.len()).collect().item())
    before = 0
    if order.mode == "append" and version > 0:
        before = int(scan(params["target"], version - 1).select(pl.len()).collect().item())
    return {
        "rows": rows - before,
        "quarantined": quarantined,
        "reasons": reasons,
        "bytes": Path(params["file"]).stat().st_size,
    }
