"""Delta tables: open, scan, and commit exactly once, wherever their files lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import polars as pl
from arro3.core import RecordBatch, RecordBatchReader, Schema, Table
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from aimass.infra.tables import path_at, tables_of
from aimass.kernel.errors import Conflict, NotFound
from aimass.lake.children.handles import HANDLES, opened
from aimass.lake.children.log import Entry, entries, entry
from aimass.lake.children.room import full_disk

STATS_COLUMNS = "delta.dataSkippingStatsColumns"
KEEP_HISTORY = {
    "delta.logRetentionDuration": "interval 36500 days",  # our own tidying knows which versions are kept
    "delta.enableExpiredLogCleanup": "false",
    "delta.deletedFileRetentionDuration": "interval 1 hours",  # for readers of the newest state; kept versions keep their files
}
MAX_STATS_COLUMNS = 32
RECENT = 20
KEPT_SCHEMAS = 64
_COLUMNS: dict[str, dict[str, pl.DataType]] = {}  # by the schema as the log tells it, from which alone they follow


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one Delta commit carries besides its rows.

    Attributes
    ----------
    app_id, batch
        The transaction: a commit with this ``app_id`` and a ``batch`` not above the last one is not made again.
    metadata
        Kept in the commit (``aimass.run``, ``aimass.state``). A batch that another run committed is not this one: a
        restored database counts from an earlier number than its tables, which went on while the backup was copied.
    private
        Columns with personal data: the log never gets their smallest and largest values. Counts at creation only.
    marks
        Names that the table remembers with this commit; :func:`is_marked` asks for them.
    follows
        The batch that has to be the last one of this ``app_id`` (0: none yet); another one means that somebody else writes
        under this name, and the commit is refused (Conflict). None: no such check.
    """

    app_id: str
    batch: int
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    mode: Literal["append", "overwrite"] = "append"
    private: frozenset[str] = frozenset()
    marks: tuple[str, ...] = ()
    follows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The last commit of a transaction's name: its batch and Delta version, and what it carries."""

    batch: int
    version: int
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """The Delta version of a commit, and whether it had been made before."""

    version: int
    already: bool


class Stream:
    """Arrow batches on their way into a table; remembers why it broke."""

    def __init__(self, schema: Schema, batches: Iterator[RecordBatch]) -> None:
        self.error: BaseException | None = None
        self.columns: list[str] = schema.names
        self._reader = RecordBatchReader.from_batches(schema, self._watched(batches))

    def _watched(self, batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
        try:
            yield from batches
        except BaseException as reason:
            self.error = reason
            raise

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._reader.__arrow_c_stream__(requested_schema)


def open_table(path: str | Path, version: int | None = None) -> DeltaTable:
    """Open a table for reading, at one of its versions if asked."""
    tables_of(path).refresh(Path(path), version)
    with _found(path, version):
        return DeltaTable(str(path), version=version)


def open_target(path: str | Path, version: int | None = None) -> DeltaTable:
    """Open a table where it is written, for a commit, a checkpoint or a vacuum."""
    with _found(path, version):
        return opened(path, version)


@contextmanager
def _found(path: str | Path, version: int | None) -> Iterator[None]:
    try:
        yield
    except (TableNotFoundError, DeltaError) as reason:
        at = "" if version is None else f" at Delta version {version}"
        raise NotFound(
            f"there is no readable table {Path(path).name!r}{at}: {str(reason)[:300]}",
            value=str(path),
            hint="collect data into the dataset first, or choose a version that was not vacuumed",
        ) from reason


def exists(path: str | Path) -> bool:
    """Tell whether there is a Delta table."""
    tables_of(path).refresh(Path(path))
    return DeltaTable.is_deltatable(str(path))


def scan(path: str | Path, version: int | None = None, columns: list[str] | None = None) -> pl.LazyFrame:
    """Read a table lazily.

    Parameters
    ----------
    path, version
        The table, and the Delta version (None: the newest).
    columns
        Only these, in this order.
    """
    frame = scan_of(open_table(path, version))
    return frame.select(columns) if columns is not None else frame


def scan_of(table: DeltaTable) -> pl.LazyFrame:
    """Read a table that is open, lazily."""
    files(table)
    return pl.scan_delta(table)


def columns_now(path: str | Path) -> dict[str, pl.DataType]:
    """Return the columns of the newest version, from a table that is kept open between commits."""
    return schema_of(HANDLES.newest(path) or open_table(path))


def schema_of(table: DeltaTable) -> dict[str, pl.DataType]:
    """Return the columns of a table that is open; no file of it is looked at."""
    told = table.schema().to_json()
    if told not in _COLUMNS:
        if len(_COLUMNS) >= KEPT_SCHEMAS:
            _COLUMNS.clear()
        empty = Table.from_batches([], schema=table.schema().to_arrow())
        _COLUMNS[told] = dict(pl.DataFrame(empty).schema)
    return dict(_COLUMNS[told])


def open_newest(path: str | Path) -> DeltaTable | None:
    """Return the newest version, kept open between commits, for a look: it moves on with them; None where there is no table."""
    return HANDLES.newest(path)


def open_at(path: str | Path, version: int | None) -> DeltaTable:
    """Open a table for a look; the newest version is kept open between looks."""
    newest = HANDLES.newest(path)
    return newest if newest is not None and version in (None, newest.version()) else open_table(path, version)


def files(table: DeltaTable) -> list[str]:
    """List the Parquet files of a version, readable; right as long as tables carry no deletion vectors, which we never write."""
    return brought(table, listed(table))


def listed(table: DeltaTable) -> list[str]:
    """List the Parquet files of a version at their paths, whether they are here or not."""
    path = path_of(table)
    return [f"{path}/{name}" for name in names(table)]


def brought(table: DeltaTable, chosen: list[str]) -> list[str]:
    """Make some of the listed files readable; return them."""
    path = path_of(table)
    tables_of(path).bring(path, [file.removeprefix(f"{path}/") for file in chosen])
    return chosen


def names(table: DeltaTable) -> list[str]:
    """List the Parquet files of a version by their names below the table, whether they are here or not."""
    root = table.table_uri.removeprefix("file://")
    return [uri.removeprefix("file://").removeprefix(root) for uri in table.file_uris()]


def path_of(table: DeltaTable) -> Path:
    """Return the path that names a table which is open, wherever it was opened."""
    return path_at(table.table_uri)


def commit(path: str | Path, data: pl.DataFrame | Stream, order: Commit) -> Committed:
    """Write rows in ONE commit, exactly once per transaction.

    Parameters
    ----------
    path
        The table; created when it does not exist.
    data
        A frame, or a :class:`Stream`, which may break off: then nothing is committed and its own error is raised.
    order
        Transaction, metadata and mode.

    Returns
    -------
    Committed
        The version with these rows, now or from an earlier attempt.
    """
    with lease(path):
        return commit_held(path, data, order)


def commit_held(path: str | Path, data: pl.DataFrame | Stream, order: Commit) -> Committed:
    """Do what :func:`commit` does, for a caller who holds the lease."""
    table = HANDLES.newest(path)
    done = None if table is None else _made_before(path, table, order)
    if done is not None:
        return done
    fresh = table is None
    try:
        with HANDLES.forgotten(path):
            _write(path if table is None else table, data, order)
    except CommitFailedError as reason:
        raise Conflict(
            f"another writer changed table {Path(path).name!r} in the same moment", hint="repeat; nothing was written"
        ) from reason
    except DeltaError as reason:
        if fresh and not exists(path):
            tables_of(path).clear(Path(path))
        error = data.error if isinstance(data, Stream) else None
        raise error or full_disk(reason) or reason from None
    if table is not None:
        HANDLES.keep(path, table)
        mine = entry(path, table.version())
        if mine is not None and _is_of(mine, order):
            return Committed(version=mine.version, already=False)
    return Committed(version=found_of(path, order), already=False)


def _write(target: str | Path | DeltaTable, data: pl.DataFrame | Stream, order: Commit) -> None:
    fresh = not isinstance(target, DeltaTable)
    place = tables_of(target).target(Path(target)) if fresh else None
    merge: Literal["merge", "overwrite"] = "merge" if order.mode == "append" else "overwrite"
    write_deltalake(
        target if place is None else place.address,
        data,
        mode=order.mode,
        schema_mode=None if fresh else merge,
        configuration={**KEEP_HISTORY, STATS_COLUMNS: stats_columns(data.columns, order.private)} if fresh else None,
        storage_options=None if place is None or place.options is None else dict(place.options),
        commit_properties=CommitProperties(
            custom_metadata={**order.metadata, "aimass.transaction": f"{order.app_id}/{order.batch}"},
            app_transactions=[
                Transaction(app_id=order.app_id, version=order.batch),
                *(Transaction(app_id=mark, version=1) for mark in order.marks),
            ],
        ),
    )


def stats_columns(names: list[str], private: frozenset[str]) -> str:
    """Name the columns whose smallest and largest values may stand in the log: none with personal data.

    Examples
    --------
    >>> stats_columns(["mail", "age"], frozenset({"mail"}))
    'age'
    """
    kept = [name for name in names if name not in private and name.isidentifier() and name.isascii()]
    return ",".join(kept[:MAX_STATS_COLUMNS])


def committed_before(path: str | Path, order: Commit) -> Committed | None:
    """Return the commit of this transaction if it was made."""
    table = HANDLES.newest(path)
    return None if table is None else _made_before(path, table, order)


def _made_before(path: str | Path, table: DeltaTable, order: Commit) -> Committed | None:
    last = table.transaction_version(order.app_id)
    if order.follows is not None:
        if (last or 0) != order.follows:
            raise Conflict(
                f"batch {last} was committed meanwhile, and this one follows {order.follows}",
                hint="another collection of the same source runs; nothing was written",
            )
        return None
    if last is None or last < order.batch:
        return None
    run = order.metadata.get("aimass.run")
    made = _commits_of(path, order)
    if run and made and all(entry.info.get("aimass.run", run) != run for entry in made):
        return None
    return Committed(version=found_of(path, order), already=True)


def carried(path: str | Path, app_id: str) -> Carried | None:
    """Return the last commit under a transaction's name, with its metadata."""
    if not exists(path):
        return None
    table = open_table(path)
    last = table.transaction_version(app_id)
    if last is None:
        return None
    made = _commits_of(path, Commit(app_id=app_id, batch=last))
    if not made:
        return Carried(batch=last, version=table.version(), metadata={})
    told = {name: str(text) for name, text in made[0].info.items() if name.startswith("aimass.")}
    return Carried(batch=last, version=made[0].version, metadata=told)


def is_marked(table: DeltaTable, mark: str) -> bool:
    """Tell whether a commit has left this mark."""
    return table.transaction_version(mark) is not None


def found_of(path: str | Path, order: Commit) -> int:
    """Find the version of a transaction in the log, newest first."""
    made = _commits_of(path, order)
    run = order.metadata.get("aimass.run")
    mine = [entry for entry in made if run and entry.info.get("aimass.run") == run]
    return (mine or made)[0].version if made else open_table(path).version()


def made_after(path: str | Path, version: int, order: Commit) -> int:
    """Find the version of a transaction that was just made: mostly the one after the version that it was made from."""
    mine = entry(path, version + 1)
    return mine.version if mine is not None and _is_of(mine, order) else found_of(path, order)


def _commits_of(path: str | Path, order: Commit) -> list[Entry]:
    """Return the commits with the name of a transaction, newest first; more than one only after a restore."""
    for limit in (RECENT, None):
        made = [entry for entry in entries(path, limit) if _is_of(entry, order)]
        if made:
            return made
    return []


def _is_of(entry: Entry, order: Commit) -> bool:
    return entry.info.get("aimass.transaction") == f"{order.app_id}/{order.batch}"


@contextmanager
def lease(path: str | Path) -> Iterator[None]:
    """Hold the one write lease of a table; it is free again when the process dies."""
    with tables_of(path).lease(Path(path)):
        yield


def batches_of(frame: pl.DataFrame, size: int = 50_000) -> Iterator[RecordBatch]:
    """Cut a frame into Arrow batches."""
    for part in frame.iter_slices(size):
        yield from RecordBatchReader.from_arrow(part)


def watched(batches: Iterator[RecordBatch], seen: Callable[[int], None]) -> Iterator[RecordBatch]:
    """Pass batches on and tell how many rows went by."""
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        seen(rows)
        yield batch
