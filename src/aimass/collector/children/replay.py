"""The job ``collector.replay``: mended rows out of quarantine into the dataset, each exactly once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from aimass.collector.children.casting import cast
from aimass.collector.children.collect import Context
from aimass.collector.children.fitting import fitted
from aimass.collector.children.superseding import Merging, sort_out
from aimass.collector.connectors.file.plan import Plan, plan_of
from aimass.collector.connectors.file.run.quarantine import LONGEST_RAW, Origin, Quarantine
from aimass.collector.connectors.file.run.read import reading_again, written_again
from aimass.collector.connectors.port import StreamColumn
from aimass.kernel.errors import Failed
from aimass.lake import (
    Commit,
    Committed,
    columns_now,
    commit,
    committed_before,
    describe_version,
    fold,
    is_marked,
    lease,
    open_table,
    open_target,
    scan,
    widen,
)

MOST = 10_000
TOLD = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A quarantined row with the text that is to be read now."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The typed rows of one group, the rows they came from, and those that still do not fit."""

    frame: pl.DataFrame
    taken: list[str]
    refused: list[dict[str, Any]]


def replay(ctx: Context) -> dict[str, Any]:
    """Read quarantined rows again, with the text that a person mended or by the types pinned since.

    Parameters
    ----------
    ctx
        Its ``params``: ``quarantine`` and ``target`` (tables); ``plans`` by source; ``rows``: ``{"id", "raw"}``, where an empty
        ``raw`` keeps the text, or an empty list for all rows; ``run``; ``describe``: arguments of ``describe_version``.

    Where a source merges, a row takes the place of an older one alone: by the cursor of the source; where it has none, of no row.

    Returns
    -------
    dict
        ``rows`` taken, ``superseded``: those that left the quarantine because a newer row with their keys is there, ``refused``
        (count), ``first`` (why, at most 100) and ``version``: the described version or None.
    """
    params = ctx.params
    order = Commit(app_id=f"replay:{params['run']}", batch=1, metadata={"aimass.run": str(params["run"])})
    done = committed_before(params["target"], order)
    refused: list[dict[str, Any]] = []
    superseded: list[str] = []
    if done is None:
        outcomes = list(_groups(ctx))
        refused = [row for outcome in outcomes for row in outcome.refused]
        taken = [id_ for outcome in outcomes for id_ in outcome.taken]
        if taken:
            ctx.report(0.6, "load", rows=len(taken), quarantined=len(refused))
            rows = pl.concat([outcome.frame for outcome in outcomes if len(outcome.frame)], how="diagonal_relaxed")
            made = _stored(params, _fitted(params["target"], rows, order), taken, order)
            done, superseded = made.done, made.superseded
            refused += made.refused
    count = _release(params["quarantine"], params["target"], superseded) - len(superseded)
    version = None
    if done is not None:
        ctx.report(0.8, "describe")
        version = describe_version({**params["describe"], "path": params["target"], "version": done.version})
    told = {"rows": count, "superseded": len(superseded), "refused": len(refused), "first": refused[:TOLD]}
    return {**told, "version": version}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of the rows that fit."""

    done: Committed | None
    superseded: list[str]
    refused: list[dict[str, Any]]


def _stored(params: Mapping[str, Any], rows: pl.DataFrame, ids: list[str], order: Commit) -> Stored:
    """Add the rows, or merge those that no newer row stands for; one commit names all that are settled by it."""
    target, how = params["target"], Merging.of(params["plans"])
    if how is None:
        return Stored(done=commit(target, rows, _marked(order, ids)), superseded=[], refused=[])
    sorted_ = sort_out(target, rows, ids, how)
    superseded, refused = sorted_.superseded, sorted_.refused
    if sorted_.rows.is_empty():
        return Stored(done=None, superseded=superseded, refused=refused)
    out = {row["id"] for row in refused}
    marked = _marked(order, [id_ for id_ in ids if id_ not in out])
    done = fold(target, sorted_.rows, how.keys, marked, newer_by=how.order or "")
    return Stored(done=done, superseded=superseded, refused=refused)


def _marked(order: Commit, ids: list[str]) -> Commit:
    return replace(order, marks=tuple(map(_mark, ids)))


def _fitted(target: str, rows: pl.DataFrame, order: Commit) -> pl.DataFrame:
    """Widen the table where the types that were confirmed since are wider, and bring the rows to its types."""
    wanted = fitted(columns_now(target), dict(rows.schema))
    widen(target, wanted, Commit(app_id=f"widen:{order.app_id}", batch=1, metadata=order.metadata))
    return rows.cast({name: wanted[name] for name in rows.columns})


def _mark(id_: str) -> str:
    return f"quarantined:{id_}"


def _groups(ctx: Context) -> Iterator[Outcome]:
    """Read the wanted rows again, source by source."""
    params = ctx.params
    texts: Mapping[str, str] = {row["id"]: row.get("raw") or "" for row in params["rows"]}
    kept = scan(params["quarantine"])
    if texts:
        kept = kept.filter(pl.col("id").is_in(list(texts)))
    found = kept.head(MOST).collect().group_by("source", "header", maintain_order=True)
    table = open_table(params["target"])
    for number, ((source, header), rows) in enumerate(found):
        ctx.report(0.5 * number / (number + 1), "read")
        wanted = [
            Row(id=row["id"], text=texts.get(row["id"]) or row["raw"])
            for row in rows.iter_rows(named=True)
            if not is_marked(table, _mark(row["id"]))
        ]
        settings = params["plans"].get(source)
        if settings is None:
            yield _none(wanted, "its source was deleted")
        elif settings["format"] == "rows":
            yield _cast([StreamColumn(**column) for column in settings["columns"]], wanted)
        else:
            yield _read(ctx, plan_of(settings), wanted, str(header or ""))


def _none(rows: list[Row], reason: str) -> Outcome:
    refused = [{"id": row.id, "column": "", "reason": reason} for row in rows]
    return Outcome(frame=pl.DataFrame(), taken=[], refused=refused)


def _cast(columns: list[StreamColumn], rows: list[Row]) -> Outcome:
    """Cast rows of a connection again; they are kept as JSON."""
    names = {column.name for column in columns}
    told = [_told(row.text, names) for row in rows]
    refused = [
        {"id": row.id, "column": "", "reason": one} for row, one in zip(rows, told, strict=True) if isinstance(one, str)
    ]
    whole = [(row.id, one) for row, one in zip(rows, told, strict=True) if not isinstance(one, str)]
    cells = {name: pl.Series(name, [one.get(name) for _, one in whole], pl.String) for name in names}
    typed, good, misfits = cast(pl.DataFrame(cells, height=len(whole)), columns)
    ids = pl.Series("id", [id_ for id_, _ in whole], pl.String)
    wrong = [
        {"id": id_, "column": bad.column, "reason": bad.reason}
        for id_, bad in zip(ids.filter(~good), misfits, strict=True)
    ]
    return Outcome(frame=typed.filter(good), taken=ids.filter(good).to_list(), refused=[*refused, *wrong])


def _told(text: str, names: set[str]) -> dict[str, str | None] | str:
    """Read a row as texts by column, or say why it is none."""
    try:
        record = json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as reason:
        return f"the row is no JSON: {reason}"
    if not isinstance(record, dict):
        return "the row is no JSON object"
    strange = sorted(name for name, value in record.items() if name not in names and value is not None)
    if strange:
        return f"the field {strange[0]!r} is not pinned"
    return {name: _text(value) for name, value in record.items()}


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read(ctx: Context, plan: Plan, rows: list[Row], header: str) -> Outcome:
    """Write the texts into a file of the source's own format, and read it as a collection would."""
    written = written_again(plan)
    whole = [row for row in rows if _is_whole(row.text, written)]
    torn = _none(
        [row for row in rows if not _is_whole(row.text, written)], "a quote is not closed, or the text was cut"
    )
    if not whole:
        return torn
    path, lines = _file(ctx.work / "replay.txt", written, whole, header)
    again = Quarantine(ctx.work, Origin(source="replay", run="replay", batch=0))
    with reading_again(path, plan, ctx.work) as (source, _):
        frames = [pl.DataFrame(batch) for batch in source.batches(again)]
    refused = [
        {"id": lines.get(row["line"], ""), "column": row["column"], "reason": row["reason"]}
        for part in again.frames()
        for row in part.iter_rows(named=True)
    ]
    good = pl.concat(frames) if frames else pl.DataFrame()
    bad = {row["id"] for row in refused}
    if "" in bad or len(good) + len(bad) != len(whole):
        raise Failed("mended rows do not come out one by one", hint="replay fewer rows, each on one line")
    taken = [row.id for row in whole if row.id not in bad]
    return Outcome(frame=good, taken=taken, refused=[*refused, *torn.refused])


def _is_whole(text: str, plan: Plan) -> bool:
    if len(text) >= LONGEST_RAW or (plan.format != "csv" and "\n" in text):
        return False
    return plan.format != "csv" or not plan.quote or text.count(plan.quote) % 2 == 0


def _file(path: Path, plan: Plan, rows: list[Row], header: str) -> tuple[Path, dict[int, str]]:
    """Write the rows below their header; return the file and the row that starts on each line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines: dict[int, str] = {}
    head = _header(plan, json.loads(header) if header else plan.names)
    line = 1 + head.count("\n")
    with path.open("w", encoding="utf-8", newline="") as target:
        target.write(head)
        for row in rows:
            lines[line] = row.id
            target.write(row.text + "\n")
            line += row.text.count("\n") + 1
    return path, lines


def _header(plan: Plan, names: list[str]) -> str:
    if plan.format != "csv" or not plan.header:
        return ""
    text = io.StringIO()
    csv.writer(text, delimiter=plan.delimiter, quotechar=plan.quote, lineterminator="\n").writerow(names)
    return text.getvalue()


def _release(quarantine: str, target: str, settled: Collection[str]) -> int:
    """Take the rows that are in the dataset now, and others that are settled, out of quarantine; return how many those are."""
    with lease(quarantine):
        table, data = open_target(quarantine), open_table(target)
        here = scan(quarantine).select("id").collect()["id"]
        gone = [id_ for id_ in here if id_ in settled or is_marked(data, _mark(id_))]
        for start in range(0, len(gone), 1000):
            ids = ", ".join(f"'{id_}'" for id_ in gone[start : start + 1000])
            table.delete(f"id IN ({ids})")
    return len(gone)
