"""What every place of tables does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

LOG = "_delta_log"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A file of a table: its name below the table, its size in bytes, and when it was written."""

    name: str
    size: int
    at: datetime

    @property
    def is_log(self) -> bool:
        """Tell whether it belongs to the log.

        Examples
        --------
        >>> from datetime import UTC, datetime
        >>> TableFile(name="_delta_log/00000000000000000000.json", size=1, at=datetime.now(UTC)).is_log
        True
        """
        return self.name.split("/", 1)[0] == LOG

    @property
    def is_data(self) -> bool:
        """Tell whether it holds rows."""
        return self.name.endswith(".parquet") and not self.is_log


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a writer of Delta commits to: an address, and what its client has to be told, which holds secrets."""

    address: str
    options: Mapping[str, str] | None = field(default=None, repr=False)


@runtime_checkable
class Tables(Protocol):
    """Keeps Delta tables; a table is named by a path of this machine, wherever its files lie.

    What is read is read at that path, as files: :meth:`refresh` makes the log there what the table's log is, :meth:`bring` brings
    data files, whose bytes never change. What is written goes to the :meth:`target`. A commit is a file of the log that is put where
    none is, so that of two writers one wins and the other sees it, with the lease or without.
    """

    def lease(self, path: Path) -> AbstractContextManager[None]:
        """Hold the one write lease of a table; that of a process which died is free again by itself."""
        ...

    def target(self, path: Path) -> Target:
        """Return where a table is written."""
        ...

    def refresh(self, path: Path, version: int | None = None) -> None:
        """Make the log at the path tell the newest version, or the one that is asked for; a table that is gone goes there too."""
        ...

    def bring(self, path: Path, names: Iterable[str]) -> None:
        """Make data files readable below the path, as many of them as the table still has."""
        ...

    def files(self, path: Path) -> Iterator[TableFile]:
        """Yield all files of a table, of whatever version, log included; none where there is no table."""
        ...

    def put(self, path: Path, name: str, file: Path) -> None:
        """Make a finished file one of the table's, under a name that no other has."""
        ...

    def copy(self, source: Path, name: str, path: Path, new_name: str) -> bool:
        """Give a table a data file of another one; tell whether its bytes were copied."""
        ...

    def rewrite(self, path: Path, name: str, data: bytes) -> None:
        """Write a file of the log again; the caller holds the lease."""
        ...

    def remove(self, path: Path, names: Iterable[str]) -> None:
        """Remove files; a missing one is no error; the caller holds the lease."""
        ...

    def sweep(self, path: Path) -> None:
        """Let no bytes stay at the path that the table has no more; to be called after files were removed from it."""
        ...

    def clear(self, path: Path) -> None:
        """Remove everything of a table."""
        ...

    def drop(self, path: Path) -> None:
        """Remove everything below a path for good, leases too; nobody writes there any more."""
        ...

    def stamp(self, path: Path) -> None:
        """Let a table count as used now."""
        ...

    def used_at(self, path: Path) -> datetime | None:
        """Return when a table was written or stamped last; None where there is no table."""
        ...

    def folders(self, path: Path) -> list[Path]:
        """Return the folders in a folder, in the order of their names."""
        ...
