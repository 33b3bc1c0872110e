"""Answers as files: written batch by batch, whatever their size, up to a limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from arro3.core import RecordBatchReader, Table
from polars.io.plugins import register_io_source

from aimass.kernel.errors import Invalid
from aimass.lake.children.avro_out import write_avro
from aimass.lake.children.query import TIMEOUT_S, batches, problem_of, running, too_many_bytes
from aimass.lake.children.rewrite import ask
from aimass.lake.children.said import engine_error, polars_said
from aimass.lake.children.values import plain, type_name
from aimass.lake.children.xlsx_out import write_xlsx

MAX_BYTES = 4 * 2**30
_PREFIX = 8  # of each message: a mark and a length; the end is a mark and the length 0


class _Rows:
    """The rows of a query on their way into a file; remembers why they ended early."""

    def __init__(self, reader: RecordBatchReader, most: int, problem: Callable[[duckdb.Error], Exception]) -> None:
        self.empty = pl.DataFrame(Table.from_batches([], schema=reader.schema))
        self.rows, self.size = 0, 0
        self.error: Exception | None = None
        self._reader, self._most, self._problem = reader, most, problem

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the rows in frames."""
        try:
            for batch in self._reader:
                frame = pl.DataFrame(batch)
                self.rows += len(frame)
                self.size += int(frame.estimated_size())
                self._need_room()
                yield frame
        except Exception as reason:
            told = engine_error(reason)
            self.error = reason if told is None else self._problem(told)
            raise

    def _need_room(self) -> None:
        if self.size > self._most:
            raise too_many_bytes(self._most)

    def lazy(self) -> pl.LazyFrame:
        """Return the rows as a frame that is read once."""

        def source(
            columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, size: int | None
        ) -> Iterator[pl.DataFrame]:
            del predicate, rows, size
            for frame in self.frames():
                yield frame if columns is None else frame.select(columns)

        return register_io_source(source, schema=self.empty.schema)


def write(args: dict[str, Any]) -> dict[str, Any]:
    """Write the whole answer of a query to a file.

    Parameters
    ----------
    args
        What :func:`~aimass.lake.children.query.query` takes, without ``limit``; ``format``: arrow, parquet, csv, ndjson, avro or xlsx;
        ``target``: the file; ``max_bytes``.

    Returns
    -------
    dict
        ``rows``, ``bytes``, ``sql`` in canonical form, ``used`` (datasets), ``seconds``.
    """
    began, target = time.monotonic(), Path(args["target"])
    asked = ask(str(args["sql"]), args.get("known") or args["tables"])
    seconds = float(args.get("timeout_s") or TIMEOUT_S)
    with running(args, asked) as (relation, prepared):
        rows = _Rows(
            batches(relation),
            int(args.get("max_bytes") or MAX_BYTES),
            lambda reason: problem_of(reason, seconds, prepared.names),
        )
        try:
            _WRITERS[args["format"]](rows, target)
        except pl.exceptions.PolarsError as reason:
            why = Invalid(f"the answer cannot be written as {args['format']}: {polars_said(reason)}", field="format")
            raise rows.error or why from None
    told = {"rows": rows.rows, "bytes": target.stat().st_size, "sql": asked.text, "used": asked.used}
    return {**told, "seconds": time.monotonic() - began}


def _arrow(rows: _Rows, target: Path) -> None:
    """Write the stream format: the schema once, the batches, the mark of the end."""
    named = [name for name, dtype in rows.empty.schema.items() if isinstance(dtype, pl.Categorical | pl.Enum)]
    head, _, end = _messages(rows.empty.with_columns(pl.col(named).cast(pl.String)))
    with target.open("wb") as file:
        file.write(head)
        for frame in rows.frames():
            file.write(_messages(frame.with_columns(pl.col(named).cast(pl.String)))[1])
        file.write(end)


def _messages(frame: pl.DataFrame) -> tuple[bytes, bytes, bytes]:
    """Cut the stream of one frame into schema, batches and end."""
    written = BytesIO()
    frame.write_ipc_stream(written, compression="uncompressed", compat_level=pl.CompatLevel.oldest())
    stream = written.getvalue()
    head = _PREFIX + int.from_bytes(stream[4:_PREFIX], "little")
    return stream[:head], stream[head:-_PREFIX], stream[-_PREFIX:]


def _parquet(rows: _Rows, target: Path) -> None:
    rows.lazy().sink_parquet(target)


def _ndjson(rows: _Rows, target: Path) -> None:
    rows.lazy().sink_ndjson(target)


def _csv(rows: _Rows, target: Path) -> None:
    """Write texts and numbers; what is nested becomes JSON in a cell."""
    nested = [name for name, dtype in rows.empty.schema.items() if type_name(dtype) == "json"]
    with target.open("wb") as file:
        file.write(_flat(rows.empty, nested).write_csv().encode())
        for frame in rows.frames():
            _flat(frame, nested).write_csv(file, include_header=False)


def _flat(frame: pl.DataFrame, nested: list[str]) -> pl.DataFrame:
    return frame.with_columns(pl.Series(name, [_cell(value) for value in frame[name]], pl.String) for name in nested)


def _cell(value: Any) -> str | None:
    return None if value is None else str(plain(value))


def _avro(rows: _Rows, target: Path) -> None:
    write_avro(rows.empty, rows.frames(), target)


def _xlsx(rows: _Rows, target: Path) -> None:
    write_xlsx(rows.empty, rows.frames(), target)


_WRITERS: dict[str, Callable[[_Rows, Path], None]] = {
    "arrow": _arrow,
    "parquet": _parquet,
    "csv": _csv,
    "ndjson": _ndjson,
    "avro": _avro,
    "xlsx": _xlsx,
}
