"""Copy SQLite files that other processes write to, all of them as they were at one moment."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from aimass.kernel.errors import Failed, Unavailable

_PAGES = 1024
_BUSY_S = 30.0


def copy_files(files: Sequence[tuple[Path, Path]], told: Callable[[float, str], None] | None = None) -> None:
    """Copy database files at one moment; a copy is complete and sound, or there is none.

    For a moment nobody can write to any of them; the copying itself hinders nobody. A platform that is started from the
    copies finds what it would find had it been killed at that moment.

    Parameters
    ----------
    files
        Pairs of a database file and the file to be made.
    told
        Called with a share of the whole and the name of a file.

    Raises
    ------
    Failed
        A database is damaged.
    Unavailable
        Somebody keeps writing to a database.
    """
    with _one_moment([source for source, _ in files]) as readers:
        for number, (reader, (_, target)) in enumerate(zip(readers, files, strict=True)):

            def step(status: int, left: int, pages: int, number: int = number, name: str = target.name) -> None:
                del status
                if told is not None:
                    told((number + (pages - left) / max(pages, 1)) / len(files), name)

            part = target.with_name(target.name + ".part")
            part.unlink(missing_ok=True)
            try:
                with _no_damage(target.name), closing(sqlite3.connect(part)) as copy:
                    reader.backup(copy, pages=_PAGES, progress=step)
                    _require_sound(copy, target)
                with part.open("rb") as written:
                    os.fsync(written.fileno())
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)


@contextmanager
def _one_moment(paths: Sequence[Path]) -> Iterator[list[sqlite3.Connection]]:
    """Give a connection per file; what they read is the state of one moment, whatever is written meanwhile."""
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(_open(path))) for path in paths]
        with _no_damage(" and ".join(path.name for path in paths)), ExitStack() as held:
            for path in paths:
                held.enter_context(closing(_open(path))).execute("begin immediate")
            for reader in readers:
                reader.execute("begin")
                reader.execute("select 1 from sqlite_master").fetchone()
        yield readers


@contextmanager
def _no_damage(name: str) -> Iterator[None]:
    """Say in one sentence what SQLite refused."""
    try:
        yield
    except sqlite3.DatabaseError as reason:
        told = str(reason)
        if "locked" in told:
            raise Unavailable("the database is busy", hint="repeat in a moment") from reason
        if "full" in told:
            raise Unavailable("the disk is full: the database was not copied", hint="free some space") from reason
        if "malformed" in told or "not a database" in told:
            raise _damaged(name, told) from reason
        raise Unavailable(f"{name} was not copied: {told}", hint="look at the disk, and repeat") from reason


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path.absolute().as_uri() + "?mode=rw", uri=True, timeout=_BUSY_S, isolation_level=None)


def _require_sound(copy: sqlite3.Connection, target: Path) -> None:
    verdict = copy.execute("pragma quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise _damaged(target.name, verdict)


def _damaged(name: str, reason: str) -> Failed:
    return Failed(f"{name} is damaged: {reason}", hint="restore the last backup: aimass restore")
