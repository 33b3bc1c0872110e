"""Files below a folder, whatever they are called: none to which a link leads from outside, and none that is no file."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


def told(name: str) -> str:
    r"""Write a name as text that any place can keep; bytes that are no text stand as escapes.

    Examples
    --------
    >>> told("bad-\udcff.log")
    'bad-\\xff.log'
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def files_below(root: Path) -> dict[str, Path]:
    """Return the files below a folder by their names in it, in the order of the names; hidden ones are among them."""
    found: dict[str, Path] = {}
    for here, _, names in os.walk(root):
        for name in names:
            path = Path(here, name)
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                continue
            if path.is_file():
                found.setdefault(told(path.relative_to(root).as_posix()), path)
    return dict(sorted(found.items()))


def opened_below(root: Path, path: Path) -> int | None:
    """Open a file for reading and return its descriptor; None when it went, or leads out of the folder by now.

    The file that was opened is compared with the one at the resolved place, so that a link that is put there in between
    opens nothing else.
    """
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError):
        real = path.resolve()
        if not real.is_relative_to(root):
            return None
        handle = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        if _is_same(handle, real, root):
            return handle
        os.close(handle)
    return None


def _is_same(handle: int, real: Path, root: Path) -> bool:
    mine = os.fstat(handle)
    try:
        there = real.lstat()
        is_there = (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino) and real.resolve().is_relative_to(root)
    except OSError:
        return False
    return is_there and stat.S_ISREG(mine.st_mode)
