"""Nothing goes for good while a backup is written, and one collection runs at a time: a lock in the data directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aimass.kernel.errors import Conflict

_NAME = "collecting.lock"


@contextmanager
def collecting(run: Path) -> Iterator[None]:
    """Hold the right to remove things for good.

    Raises
    ------
    Conflict
        Another collection runs, or a backup is being written.
    """
    with _opened(run) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as reason:
            raise Conflict("a collection runs, or a backup is being written", hint="repeat in a moment") from reason
        yield


@contextmanager
def nothing_goes(run: Path) -> Iterator[None]:
    """Keep everything that is there until the end of the block; wait for a collection that runs."""
    with _opened(run) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


@contextmanager
def _opened(run: Path) -> Iterator[int]:
    run.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(run / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
