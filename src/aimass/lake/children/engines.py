"""The engines that queries run on: each may read the files of its datasets and nothing else.

To open and to close an engine takes 20 to 30 ms of CPU, more than a short query, so a data child keeps the ones that it used
last. One is lent to a single query at a time, and only to one that may read exactly the same files within the same limits:
what it can reach is closed before its first query and cannot be opened again. Each query works on a connection of its own,
whose views and variables end with it.
"""

from __future__ import annotations

import itertools
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import duckdb

from aimass.lake.children.quoting import sql_literal

MEMORY_MB = 512
THREADS = 2
KEPT = 3
_CONFIG = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "enable_external_file_cache": "false",  # an engine that waits holds no rows
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a query may use.

    Attributes
    ----------
    spill
        Folder for what is too large for the memory; empty: there is none.
    spill_mb
        How much may lie there; None: what the disk has.
    """

    memory_mb: int = MEMORY_MB
    threads: int = THREADS
    spill: str = ""
    spill_mb: int | None = None


@contextmanager
def opened(limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB without extensions; it works in UTC."""
    con = _open(limits)
    try:
        yield con
    finally:
        con.close()


@contextmanager
def engine(
    memory_mb: int = MEMORY_MB, threads: int = THREADS, spill: str | None = None, spill_mb: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open one for the work of a child itself; what it may read is up to who opened it."""
    with opened(Limits(memory_mb=memory_mb, threads=threads, spill=spill or "", spill_mb=spill_mb)) as con:
        yield con


def close_all_but(con: duckdb.DuckDBPyConnection, files: Sequence[str]) -> None:
    """Let a connection read some files, and never again anything else; its settings stay as they are."""
    con.execute(f"SET allowed_paths = [{', '.join(map(sql_literal, files))}]")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def _open(limits: Limits) -> duckdb.DuckDBPyConnection:
    config = {**_CONFIG, "memory_limit": f"{limits.memory_mb}MB", "threads": limits.threads}
    con = duckdb.connect(config=config)
    con.execute("SET GLOBAL TimeZone = 'UTC'")  # of every connection to it
    con.execute(f"SET temp_directory = {sql_literal(limits.spill)}")
    if limits.spill_mb is not None:
        con.execute(f"SET max_temp_directory_size = '{limits.spill_mb}MB'")
    return con


_Key = tuple[tuple[str, ...], int, int | None]


class Engines:
    """The engines of this process that wait for the next query of the same files, the ones used last.

    Parameters
    ----------
    kept
        How many wait at most.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._idle: OrderedDict[_Key, duckdb.DuckDBPyConnection] = OrderedDict()
        self._lock = Lock()
        self._numbers = itertools.count()

    @contextmanager
    def lent(self, files: Sequence[str], limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
        """Lend a connection that reads these files alone; an engine whose query failed is not used again.

        Parameters
        ----------
        files
            What may be read.
        limits
            Each engine spills into a folder of its own below the temporary one of the process, whatever ``spill`` says.
        """
        key = (tuple(sorted(files)), limits.memory_mb, limits.spill_mb)
        with self._lock:
            engine = self._idle.pop(key, None)
        engine = engine or self._fresh(key)
        try:
            with engine.cursor() as con:
                yield con
        except BaseException:
            engine.close()
            raise
        self._give_back(key, engine)

    def _fresh(self, key: _Key) -> duckdb.DuckDBPyConnection:
        files, memory_mb, spill_mb = key
        spill = Path(tempfile.gettempdir()) / f"spill-{next(self._numbers)}"
        engine = _open(Limits(memory_mb=memory_mb, spill=str(spill), spill_mb=spill_mb))
        close_all_but(engine, files)
        return engine

    def _give_back(self, key: _Key, engine: duckdb.DuckDBPyConnection) -> None:
        with self._lock:
            twin = self._idle.pop(key, None)
            self._idle[key] = engine
            gone = [self._idle.popitem(last=False)[1] for _ in range(len(self._idle) - self._kept)]
        for one in [*gone, *([twin] if twin else [])]:
            one.close()

    def close(self) -> None:
        """Close those that wait."""
        with self._lock:
            while self._idle:
                self._idle.popitem()[1].close()


ENGINES = Engines()
