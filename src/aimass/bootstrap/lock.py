"""The locks of a data directory: one platform runs on it, and an upgrade that takes long is seen."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from aimass.kernel.errors import Conflict, Invalid
from aimass.kernel.layout import DataDir

_UPGRADE = "upgrade.lock"


def make_data_dir(data_dir: Path) -> None:
    """Make the data directory, for its owner alone; one that is there keeps its rights.

    Raises
    ------
    Invalid
        It cannot be made there.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as reason:
        raise Invalid(
            f"{str(data_dir)!r} cannot be made: {reason.strerror}",
            value=str(data_dir),
            hint="choose another --data-dir, or change the rights of the folder above",
        ) from reason


def lock_data_dir(data_dir: Path) -> TextIO:
    """Hold the data directory for this process; keep the returned file open.

    Raises
    ------
    Conflict
        Another platform runs on it.
    """
    make_data_dir(data_dir)
    run = data_dir / "run"
    run.mkdir(parents=True, exist_ok=True)
    lock = (run / "platform.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as reason:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise Conflict(
            f"another platform (process {owner}) runs on {str(data_dir)!r}",
            value=str(data_dir),
            hint="stop it, or choose another --data-dir",
        ) from reason
    lock.seek(0)
    lock.truncate()
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


@contextmanager
def hold_upgrade(layout: DataDir) -> Iterator[None]:
    """Let others see that the database is being copied and upgraded; another upgrade of the same folder waits."""
    layout.run.mkdir(parents=True, exist_ok=True)
    with (layout.run / _UPGRADE).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_upgrading(layout: DataDir) -> bool:
    """Tell whether an upgrade goes on; one whose process died does not."""
    path = layout.run / _UPGRADE
    if not path.exists():
        return False
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
