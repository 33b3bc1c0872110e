"""A folder with a short name for sockets, which is found and removed when its owner was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

PLACE = Path("/tmp")  # noqa: S108 a socket's address holds about a hundred bytes: not the folder of the job, however deep it lies
PREFIX = "aim-"


@contextmanager
def short_place(at: Path = PLACE) -> Iterator[Path]:
    """Make a folder for the length of the block; those that killed owners left behind go.

    The owner holds a lock on its folder. The kernel lets go of it whichever way the owner ends, so a folder that can be
    locked belongs to nobody.

    Examples
    --------
    >>> with short_place() as folder:
    ...     folder.is_dir(), len(str(folder)) < 20
    (True, True)
    >>> folder.exists()
    False
    """
    for left in at.glob(f"{PREFIX}*"):
        _remove_if_left(left)
    folder, handle = _made(at)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _made(at: Path) -> tuple[Path, int]:
    """Return a new folder with its lock; another process may have swept it away before it was locked."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=at))
        with suppress(FileNotFoundError):
            handle = _opened(folder)
            flock(handle, LOCK_EX)
            if folder.exists():
                return folder, handle
            os.close(handle)


def _remove_if_left(folder: Path) -> None:
    """Remove a folder of ours that nobody holds."""
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):  # gone, or another user's
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return
        handle = _opened(folder)
        try:
            flock(handle, LOCK_EX | LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            return  # its owner lives
        finally:
            os.close(handle)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
