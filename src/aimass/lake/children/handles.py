"""Tables that a process keeps open between its commits.

Opening a table reads its whole state again, and a state that commits were added to one by one grows dearer with each of
them. So a handle stays open, takes over only what is new, and starts again from each new checkpoint: the ten thousandth
small commit costs what the tenth did.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from aimass.infra.tables import tables_of

KEPT = 16
_Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class _Mark:
    """The files that a table was read from: another commit of its version is another table, a new checkpoint a better start."""

    commit: _Stamp
    checkpoint: _Stamp


@dataclass(slots=True)
class _Open:
    table: DeltaTable
    mark: _Mark


class Handles:
    """The open tables of this process by path, the ones used last."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._lock = Lock()

    def newest(self, path: str | Path) -> DeltaTable | None:
        """Return a table at its newest version, or None where there is none."""
        key = str(path)
        tables_of(key).refresh(Path(key))
        with self._lock:
            held = self._open.pop(key, None)
        if held is None or not _moved_on(key, held):
            return self._opened(key)
        self._put(key, held.table, held.mark.checkpoint)
        return held.table

    def _opened(self, key: str) -> DeltaTable | None:
        checkpoint = _stamp(key, "_last_checkpoint")
        try:
            table = opened(key)
        except TableNotFoundError:
            return None
        self._put(key, table, checkpoint)
        return table

    def keep(self, path: str | Path, table: DeltaTable) -> None:
        """Keep a table open that was just written; after a checkpoint a fresh one is cheaper."""
        key = str(path)
        tables_of(key).refresh(Path(key))
        with self._lock:
            held = self._open.pop(key, None)
        if held is not None and held.mark.checkpoint == _stamp(key, "_last_checkpoint"):
            self._put(key, table, held.mark.checkpoint)

    def _put(self, key: str, table: DeltaTable, checkpoint: _Stamp) -> None:
        commit = _stamp(key, _commit(table.version()))
        if commit is None:
            return
        with self._lock:
            self._open[key] = _Open(table, _Mark(commit, checkpoint))
            while len(self._open) > KEPT:
                self._open.popitem(last=False)

    @contextmanager
    def forgotten(self, path: str | Path) -> Iterator[None]:
        """Let go of a table when what is done with it fails."""
        try:
            yield
        except BaseException:
            with self._lock:
                self._open.pop(str(path), None)
            raise


def opened(path: str | Path, version: int | None = None) -> DeltaTable:
    """Open a table where it is written."""
    place = tables_of(path).target(Path(path))
    return DeltaTable(
        place.address, version=version, storage_options=None if place.options is None else dict(place.options)
    )


def _moved_on(key: str, held: _Open) -> bool:
    version = held.table.version()
    if _Mark(_stamp(key, _commit(version)), _stamp(key, "_last_checkpoint")) != held.mark:
        return False
    try:
        if _stamp(key, _commit(version + 1)) is not None:
            held.table.update_incremental()
    except DeltaError:
        return False
    return True


def _commit(version: int) -> str:
    return f"{version:020}.json"


def _stamp(key: str, name: str) -> _Stamp:
    try:
        found = (Path(key) / "_delta_log" / name).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


HANDLES = Handles()
