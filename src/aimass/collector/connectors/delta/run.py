"""Reads Delta tables that other programs write, by the versions of their log."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
from arro3.core import RecordBatchReader
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from aimass.collector.connectors.delta.manifest import Parameters
from aimass.collector.connectors.port import Part, StreamColumn, StreamInfo, Wish
from aimass.collector.connectors.portions import pieces
from aimass.collector.connectors.reach import check_path
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.lake import type_name

MODES = ("stream", "full")
READABLE = frozenset({"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
ROWS = 50_000
REST_S = 0.5
MOST_TABLES = 500
ITSELF = "."
_LOG = "_delta_log"
_IN_FULL = (
    "only appended rows can be followed; make a source that reads it in full: aimass connections collect --reading full"
)
_KEEPS = ("OPTIMIZE", "VACUUM")  # operations that change no rows


class DeltaTables:
    """A folder with Delta tables, open for reading alone."""

    def __init__(self, parameters: Parameters) -> None:
        self._root = check_path(parameters.folder, "folder")
        if not self._root.is_dir():
            raise NotFound(f"there is no folder {parameters.folder!r}", field="folder", value=parameters.folder)

    def check(self) -> str:
        """Count the tables."""
        return f"{self._root} holds {len(self._names())} Delta tables"

    def _names(self) -> list[str]:
        found: list[str] = []
        for here, folders, _ in os.walk(self._root):
            if _LOG in folders:
                found.append(Path(here).relative_to(self._root).as_posix())
                folders.clear()  # what lies below are its files
            if len(found) == MOST_TABLES:
                break
        return sorted(found)

    def discover(self) -> list[StreamInfo]:
        """Return the tables that can be read."""
        found: list[StreamInfo] = []
        for name in self._names():
            try:
                found.append(self.describe(name, {}))
            except (Invalid, NotFound):
                continue  # it is named again, with the reason, to whoever asks for it
        return found

    def describe(self, stream: str, parameters: Mapping[str, Any]) -> StreamInfo:
        """Return a table with the columns of its newest version."""
        del parameters
        table = self._table(stream)
        schema = pl.scan_delta(table).collect_schema()
        empty = {field.name: field.nullable for field in table.schema().fields}
        columns = tuple(_column(name, kind, nullable=empty[name]) for name, kind in schema.items())
        told = pl.DataFrame(table.get_add_actions(flatten=True))
        rows = int(told["num_records"].sum()) if len(told) and told["num_records"].null_count() == 0 else None
        size = int(told["size_bytes"].sum()) if len(told) else 0
        return StreamInfo(name=stream, columns=columns, rows=rows, size_bytes=size, modes=MODES)

    def _table(self, stream: str, version: int | None = None) -> DeltaTable:
        path = check_path(str(self._root / stream), "stream")
        if not path.is_relative_to(self._root) or not (path / _LOG).is_dir():
            raise NotFound(
                f"there is no Delta table {stream!r}", field="stream", value=stream, allowed=self._names()[:100]
            )
        check_path(str(path / _LOG), "stream")
        try:
            table = DeltaTable(str(path), version=version)
        except DeltaError as reason:
            raise NotFound(
                f"version {version} of table {stream!r} cannot be read any more: {str(reason)[:200]}"
                if version is not None
                else f"table {stream!r} cannot be read: {str(reason)[:200]}",
                field="stream",
                value=stream,
                hint=_IN_FULL,
            ) from reason
        _refuse_unreadable(table, stream)
        return table

    def read(self, wish: Wish, state: Mapping[str, Any]) -> Iterator[Part | None]:
        """Yield the rows of the newest version, file by file, then those of files that are appended later.

        The state names a version that was read, and how many files of the next one (``at``, ``files``).
        """
        left, state = wish.limit, {} if wish.mode == "full" else dict(state)
        while True:
            for part in self._news(wish, state):
                yield part if left is None else _cut(part, left)
                state = dict(part.state)
                left = None if left is None else left - (part.rows.num_rows if part.rows is not None else 0)
                if left is not None and left <= 0:
                    return
            if wish.mode == "full":
                return
            yield None
            time.sleep(REST_S)

    def _news(self, wish: Wish, state: dict[str, Any]) -> Iterator[Part]:
        """Yield what a state has not seen."""
        table = self._table(wish.stream)
        newest = table.version()
        if "version" not in state:
            at = int(state.get("at", newest))
            yield from self._rows(wish, self._table(wish.stream, at), None, state)
            state = {"version": at}
        first = int(state["version"]) + 1
        kept = _upkeep(table) if first <= newest else frozenset[int]()
        for version in range(first, newest + 1):
            before = self._table(wish.stream, version - 1)
            table = self._table(wish.stream, version)
            if version in kept:
                yield Part(rows=None, state={"version": version})
                continue
            if set(_paths(before)) - set(_paths(table)):
                raise Conflict(
                    f"version {version} of table {wish.stream!r} changed rows that were there before",
                    field="reading",
                    value="stream",
                    hint=_IN_FULL,
                )
            yield from self._rows(wish, table, before, state)
            state = {"version": version}

    def _rows(self, wish: Wish, table: DeltaTable, before: DeltaTable | None, state: dict[str, Any]) -> Iterator[Part]:
        """Yield the rows of the files of a version that the one before it has not."""
        seen = set(_paths(before)) if before is not None else set[str]()
        told = pl.DataFrame(table.get_add_actions(flatten=True)).filter(~pl.col("path").is_in(list(seen))).sort("path")
        is_begun = state.get("at") == table.version()
        done, skipped = (int(state.get("files", 0)), int(state.get("rows", 0))) if is_begun else (0, 0)
        base = ({} if before is None else {"version": before.version()}) | {"at": table.version()}
        for number, action in enumerate(told.iter_rows(named=True)):
            if number < done:
                continue
            rows = skipped if number == done else 0
            for frame in self._frames(wish.stream, table, action, rows):
                rows += len(frame)
                batch = next(iter(RecordBatchReader.from_arrow(frame.rechunk())))
                size = int(frame.estimated_size())
                yield Part(rows=batch, state={**base, "files": number, "rows": rows}, size_bytes=size)
        yield Part(rows=None, state={"version": table.version()})

    def _frames(self, stream: str, table: DeltaTable, action: dict[str, Any], skipped: int) -> Iterator[pl.DataFrame]:
        """Yield the rows of a file behind those that were read, under the columns of the table."""
        folder = check_path(str(self._root / stream), "stream")
        path = check_path(str(folder / unquote(action["path"])), "stream")
        if not path.is_relative_to(folder) or not path.is_file():
            raise Conflict(
                f"a file of version {table.version()} of table {stream!r} is gone",
                field="stream",
                value=stream,
                hint=_IN_FULL,
            )
        here, parts = pl.scan_parquet(path), set(table.metadata().partition_columns)
        names = here.collect_schema().names()
        cells = [
            (pl.lit(action[f"partition.{name}"]) if name in parts else pl.col(name) if name in names else pl.lit(None))
            .cast(kind)
            .alias(name)
            for name, kind in pl.scan_delta(table).collect_schema().items()
        ]
        rest = here.select(cells).slice(skipped)
        for batch in rest.collect_batches(chunk_size=ROWS, maintain_order=True):
            yield from (piece for piece in pieces(batch) if len(piece))

    def acknowledge(self, state: Mapping[str, Any]) -> None:
        """Nothing: the tables stay as they are."""

    def close(self) -> None:
        """Nothing is held open."""


def _paths(table: DeltaTable) -> list[str]:
    return pl.DataFrame(table.get_add_actions(flatten=True))["path"].to_list()


def _upkeep(newest: DeltaTable) -> frozenset[int]:
    """Return the versions that upkeep made; only the newest version of a table numbers its history rightly."""
    told = newest.history()
    return frozenset(int(one["version"]) for one in told if str(one.get("operation", "")).startswith(_KEEPS))


def _column(name: str, kind: pl.DataType, *, nullable: bool) -> StreamColumn:
    digits = {"precision": kind.precision, "scale": kind.scale} if isinstance(kind, pl.Decimal) else {}
    return StreamColumn(name=name, type=type_name(kind), nullable=nullable, native=str(kind), **digits)


def _refuse_unreadable(table: DeltaTable, stream: str) -> None:
    """Refuse a table whose files do not say all that it holds: deleted rows are marked, or columns are renamed, elsewhere."""
    strange = sorted(set(table.protocol().reader_features or ()) - READABLE)
    mapping = table.metadata().configuration.get("delta.columnMapping.mode", "none")
    if strange or mapping != "none":
        raise Invalid(
            f"table {stream!r} uses {(strange or ['columnMapping'])[0]!r}, which is not read here",
            field="stream",
            value=stream,
            hint="let its owner write it without (REORG TABLE ... APPLY (PURGE)), or read a copy",
        )


def _cut(part: Part, most: int) -> Part:
    if part.rows is None or part.rows.num_rows <= most:
        return part
    return Part(rows=part.rows.slice(0, most), state=part.state, size_bytes=part.size_bytes)


RUN = DeltaTables
