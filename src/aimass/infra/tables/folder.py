"""Tables in folders of this machine: what is named is what is there, and the lease is a lock that the kernel keeps."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from aimass.infra.tables.port import LOG, TableFile, Target


class FolderTables:
    """Tables where their paths say.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     tables, table = FolderTables(), Path(folder, "visits")
    ...     with tables.lease(table):
    ...         tables.rewrite(table, "_delta_log/00000000000000000000.json", b"{}")
    ...     [(file.name, file.size, file.is_log) for file in tables.files(table)]
    [('_delta_log/00000000000000000000.json', 2, True)]
    """

    @contextmanager
    def lease(self, path: Path) -> Iterator[None]:
        """Hold the one write lease of a table; released by the kernel when the process dies."""
        lock = _lock(path)
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("ab") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def target(self, path: Path) -> Target:
        """Return the folder itself; the one that it is made in is there afterwards."""
        return Target(address=str(path))

    def refresh(self, path: Path, version: int | None = None) -> None:
        """Do nothing: the log is the table's own."""

    def bring(self, path: Path, names: Iterable[str]) -> None:
        """Do nothing: they are there, or whoever reads misses them."""

    def files(self, path: Path) -> Iterator[TableFile]:
        """Yield all files of a table; those that go meanwhile are left out."""
        for file in sorted(path.rglob("*")):
            with suppress(FileNotFoundError):
                found = file.stat()
                if file.is_file():
                    at = datetime.fromtimestamp(found.st_mtime, UTC)
                    yield TableFile(name=file.relative_to(path).as_posix(), size=found.st_size, at=at)

    def put(self, path: Path, name: str, file: Path) -> None:
        """Give a finished file a second name, or copy it where the disk cannot."""
        _linked(file, path / name)

    def copy(self, source: Path, name: str, path: Path, new_name: str) -> bool:
        """Give a data file of another table a second name, or copy it where the disk cannot."""
        return _linked(source / name, path / new_name)

    def rewrite(self, path: Path, name: str, data: bytes) -> None:
        """Write a file of the log again, as a whole or not at all."""
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".tmp")
        draft.write_bytes(data)
        draft.rename(file)

    def remove(self, path: Path, names: Iterable[str]) -> None:
        """Remove files."""
        for name in names:
            (path / name).unlink(missing_ok=True)

    def sweep(self, path: Path) -> None:
        """Do nothing: there is no second copy."""

    def clear(self, path: Path) -> None:
        """Remove the folder."""
        shutil.rmtree(path, ignore_errors=True)

    def drop(self, path: Path) -> None:
        """Remove the folder and the file of its lease."""
        self.clear(path)
        _lock(path).unlink(missing_ok=True)

    def stamp(self, path: Path) -> None:
        """Let a table count as used now."""
        os.utime(path)

    def used_at(self, path: Path) -> datetime | None:
        """Return when a table was written or stamped last; None where there is no table."""
        try:
            moment = max(folder.stat().st_mtime for folder in (path / LOG, path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return datetime.fromtimestamp(moment, UTC)

    def folders(self, path: Path) -> list[Path]:
        """Return the folders in a folder."""
        return sorted(child for child in path.iterdir() if child.is_dir()) if path.is_dir() else []


def _lock(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _linked(file: Path, target: Path) -> bool:
    """Make a second name of the same bytes, or a copy; tell whether it is a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)
        return True
    return False
