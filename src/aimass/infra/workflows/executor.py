"""A unique and stable name for each process that runs workflows, held by a file lock."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TextIO

from aimass.kernel.errors import Conflict
from aimass.kernel.ids import new_id


class ExecutorIdentity:
    """The name of this executor; as long as it lives no other process can take it."""

    def __init__(self, name: str, lock: TextIO) -> None:
        self.name = name
        self._lock = lock

    def close(self) -> None:
        """Give the name free."""
        self._lock.close()


def executor_identity(folder: Path, role: str) -> ExecutorIdentity:
    """Take the name ``<node id>-<role>-0``, the same after every restart on this data directory.

    Two live executors with one name would run each other's steps twice, so the second is refused.

    Raises
    ------
    Conflict
        Another process holds the name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    node = folder / "node-id"
    if not node.exists():
        node.write_text(new_id())
    lock = (folder / f"executor-{role}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as reason:
        lock.close()
        raise Conflict(f"another {role} already runs on {folder}", hint="stop it first") from reason
    return ExecutorIdentity(f"{node.read_text().strip()}-{role}-0", lock)
