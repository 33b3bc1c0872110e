"""The job ``serving.score``: a dataset version, chunk by chunk, through a model, into the next version of another."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Conflict
from aimass.kernel.layout import DataDir
from aimass.lake import Commit, Part, commit_parts, committed_before, describe_version, scan
from aimass.models import Package, own_environment, verify_package
from aimass.serving.children.feeds import Fed, Feeder
from aimass.serving.children.noted import Notes, notes_of, request_id
from aimass.serving.children.scorers import Scorer, Staff, scorer_of
from aimass.serving.children.written import Parts
from aimass.serving.domain.scoring import ROWS_PER_REQUEST, about_columns, prediction_columns

_TELL_S = 0.25
_TYPES: dict[str, Any] = {"string": pl.String, "float": pl.Float64, "integer": pl.Int64, "boolean": pl.Boolean}


def score(ctx: Any) -> dict[str, Any]:
    """Score every row, commit the predictions once, and describe the version.

    Finished parts survive the end of the process: a later attempt goes on behind them. Memory stays the same however
    many rows there are: a few chunks are under way, and two parts are put together or written.

    Parameters
    ----------
    ctx
        Its ``params``: ``scoring`` (id), ``source`` (``path``, ``version``, ``rows``), ``package``, ``unseen``, ``inputs`` (input to
        column), ``keep``, ``prefix``, ``to`` (``path``, ``mode``, ``private``), ``describe`` (arguments of ``describe_version``),
        ``data`` (folder of segments), ``record``, ``labels`` and ``worker`` (what a model worker may use, and how it is kept).
    """
    params = ctx.params
    order = Commit(
        app_id=f"scoring:{params['scoring']}",
        batch=1,
        mode=params["to"]["mode"],
        private=frozenset(params["to"]["private"]),
    )
    told: dict[str, Any] = {"rows": params["source"]["rows"], "rows_per_s": None, "unseen": {}}
    done = committed_before(params["to"]["path"], order)
    if done is None:
        parts, told = _parts(ctx)
        ctx.report(0.92, "commit", rows=told["rows"])
        done = commit_parts(params["to"]["path"], parts, order)
    ctx.report(0.95, "describe", rows=told["rows"])
    version = describe_version({**params["describe"], "path": params["to"]["path"], "version": done.version})
    return {**told, "already": done.already, "version": version}


def _parts(ctx: Any) -> tuple[list[Part], dict[str, Any]]:
    """Score what no earlier attempt has scored."""
    params = ctx.params
    package = verify_package(Path(params["package"]))
    feeder = Feeder(package.manifest.signature.inputs, params["inputs"], params["unseen"])
    data = Path(params["data"])
    environment = own_environment(package, DataDir(data).environments, ctx.log)
    staff = Staff(**params.get("worker", {}), hide=(data,), environment=str(environment.root) if environment else "")
    with (
        scorer_of(package, feeder, ctx.slots, staff, ctx.log) as scorer,
        notes_of(data, params) as notes,
        Parts(ctx, notes.rows) as written,
    ):
        work = Work(ctx=ctx, package=package, scorer=scorer, notes=notes, written=written)
        work.run()
        parts = written.finish()
        per_s = work.per_s()
    ctx.log(f"{work.rows} rows scored, {per_s:.0f} rows/s, {notes.recorded} rows recorded")
    return parts, {"rows": work.rows, "rows_per_s": per_s, "unseen": written.unseen}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    start: int
    frame: pl.DataFrame
    fed: Fed
    outputs: dict[str, Any]
    table: pl.DataFrame


@dataclass(slots=True, kw_only=True)
class Work:
    """One attempt at scoring all rows; ``rows`` counts those of earlier attempts too."""

    ctx: Any
    package: Package
    scorer: Scorer
    notes: Notes
    written: Parts
    rows: int = 0
    _first: int = 0
    _began: float = field(default_factory=time.perf_counter)
    _told: float = 0.0

    def run(self) -> None:
        """Score what is left, in order, with as many threads as slots."""
        self.rows = self._first = self.written.done
        if self.rows:
            self.ctx.log(f"{self.rows} rows were scored before")
        under_way: deque[Future[_Scored]] = deque()
        slots = max(1, self.ctx.slots)
        with ThreadPoolExecutor(slots) as pool:
            try:
                for start, frame in chunks(self._source(), self.rows, self.scorer.chunk_rows):
                    under_way.append(pool.submit(self._score, start, frame))
                    if len(under_way) > slots:
                        self._take(under_way.popleft().result())
                while under_way:
                    self._take(under_way.popleft().result())
            finally:
                for future in under_way:
                    future.cancel()
        expected = self.ctx.params["source"]["rows"]
        if self.rows != expected:
            raise Conflict(
                f"{self.rows} rows were read, and the version has {expected}",
                hint="its files were changed meanwhile: start a new scoring",
            )

    def _source(self) -> Iterator[pl.DataFrame]:
        source, params = self.ctx.params["source"], self.ctx.params
        columns = list(dict.fromkeys([*params["keep"], *params["inputs"].values()]))
        frame = scan(source["path"], source["version"], columns).slice(self.rows)
        yield from frame.collect_batches(chunk_size=self.scorer.chunk_rows, maintain_order=True)

    def _score(self, start: int, frame: pl.DataFrame) -> _Scored:
        fed, outputs = self.scorer.answer(frame, start)
        return _Scored(start=start, frame=frame, fed=fed, outputs=outputs, table=self._table(start, frame, outputs))

    def _table(self, start: int, frame: pl.DataFrame, outputs: dict[str, Any]) -> pl.DataFrame:
        """Return kept columns, predictions, and where they come from."""
        params, signature = self.ctx.params, self.package.manifest.signature
        types = {output.name: output.type for output in signature.outputs}
        said = [
            column_of(name, outputs[output], place, _TYPES[types[output]])
            for name, output, place in prediction_columns(signature.outputs, params["prefix"])
        ]
        kept = [frame[name] for name in params["keep"]]
        return pl.DataFrame([*kept, *said, *_about(params, start, frame.height)])

    def _take(self, scored: _Scored) -> None:
        """Take the next chunk in order."""
        self.notes.records(scored.frame, scored.start, scored.fed, scored.outputs)
        self.written.add(scored.table, {name: int(rows.sum()) for name, rows in scored.fed.unseen.items()})
        self.rows += scored.table.height
        now = time.perf_counter()
        if now - self._told >= _TELL_S:
            self._told = now
            share = self.rows / max(1, self.ctx.params["source"]["rows"])
            self.ctx.report(0.9 * share, "score", rows=self.rows, rows_per_s=self.per_s())

    def per_s(self) -> float:
        """Return the rows a second of this attempt."""
        return (self.rows - self._first) / max(time.perf_counter() - self._began, 1e-9)


def _about(params: dict[str, Any], start: int, count: int) -> list[pl.Series]:
    """Return the columns that tell which model scored a row, and under which request id and row feedback finds it."""
    model, version, request, row = about_columns(params["prefix"])
    numbers = np.arange(start, start + count)
    groups = numbers // ROWS_PER_REQUEST
    ids = [request_id(params["scoring"], int(group)) for group in range(groups[0], groups[-1] + 1)]
    return [
        pl.Series(model, [params["labels"]["model"]], dtype=pl.String).new_from_index(0, count),
        pl.Series(version, [int(params["labels"]["version"])], dtype=pl.Int64).new_from_index(0, count),
        pl.Series(request, ids, dtype=pl.String).gather((groups - groups[0]).tolist()),
        pl.Series(row, numbers % ROWS_PER_REQUEST, dtype=pl.Int64),
    ]


def chunks(batches: Iterator[pl.DataFrame], start: int, size: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """Cut batches of any size into chunks of just one size, the last one excepted, with the number of their first row.

    Examples
    --------
    >>> batches = iter([pl.DataFrame({"a": [1, 2, 3]}), pl.DataFrame({"a": [4, 5]})])
    >>> [(start, chunk["a"].to_list()) for start, chunk in chunks(batches, 10, 2)]
    [(10, [1, 2]), (12, [3, 4]), (14, [5])]
    """
    rest: pl.DataFrame | None = None
    for batch in batches:
        frame = batch if rest is None else pl.concat([rest, batch])
        whole = frame.height - frame.height % size
        for offset in range(0, whole, size):
            yield start, frame[offset : offset + size]
            start += size
        rest = frame[whole:] if whole < frame.height else None
    if rest is not None:
        yield start, rest


def column_of(name: str, values: Any, place: int | None, dtype: Any) -> pl.Series:
    """Return an output as a column: all of it, or one place of each of its values.

    Examples
    --------
    >>> column_of("p", np.array([[0.25, 0.75]], dtype=np.float32), 1, pl.Float64).to_list()
    [0.75]
    >>> column_of("labels", np.array([["love", ""]], dtype=object), None, pl.String).to_list()
    [['love']]
    """
    if place is None and values.ndim > 1:  # the labels of a row that are chosen
        chosen = [[name for name in row if name] for row in values.tolist()]
        return pl.Series(name, chosen, dtype=pl.List(dtype))
    if place is not None:
        values = np.ascontiguousarray(values[:, place])
    if values.dtype == object:
        return pl.Series(name, values.tolist(), dtype=dtype, strict=False)
    return pl.Series(name, values.reshape(-1)).cast(dtype)
