"""Which place a path belongs to, in this process; what is mounted nowhere is a folder of this machine."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from aimass.infra.tables.folder import FolderTables
from aimass.infra.tables.port import LOG, Tables
from aimass.kernel.errors import Failed

ELSEWHERE = ".copies"  # what lies beside it are copies
_FOLDERS = FolderTables()


def is_copy(file: Path, root: Path) -> bool:
    """Tell whether a file below a folder of tables is one of a table, or serves the copies of those that lie elsewhere."""
    below = file.relative_to(root).parts
    folders = [root.joinpath(*below[:depth]) for depth in range(1, len(below))]
    return below[0] == ELSEWHERE or LOG in below or any((folder / LOG).is_dir() for folder in folders)


class Mounts:
    """Places by the folder that stands for them on this machine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[Path, Tables] = {}

    def mount(self, root: Path, tables: Tables) -> None:
        """Let everything below a folder belong to a place."""
        with self._lock:
            self._places = {**self._places, root: tables}

    def unmount(self, root: Path) -> None:
        """Let a folder be one of this machine again."""
        with self._lock:
            self._places = {place: tables for place, tables in self._places.items() if place != root}

    def tables_of(self, path: str | Path) -> Tables:
        """Return the place that a path belongs to."""
        for root, tables in self._places.items():
            if Path(path).is_relative_to(root):
                return tables
        for folder in _above(str(path)):
            if os.path.exists(f"{folder}/{ELSEWHERE}"):  # noqa: PTH110 see _above
                raise Failed(
                    "this table lies in an object store, and this process was not told its key",
                    value=Path(path).name,
                    hint="give the work to a job that is declared to work on tables",
                )
        return _FOLDERS

    def path_at(self, address: str) -> Path:
        """Return the path that names the table of an address, as a client of Delta writes it."""
        for root, tables in self._places.items():
            above = tables.target(root).address
            if address.startswith(f"{above}/"):
                return root / address.removeprefix(above).strip("/")
        return Path(unquote(address.removeprefix("file://")))


def _above(path: str) -> Iterator[str]:
    """Yield the folders above a path; a commit asks some twenty times, and texts cost a fifth of what paths do."""
    folder = path.rstrip("/")
    while (parent := os.path.dirname(folder)) != folder:  # noqa: PTH120 texts
        yield parent or "."
        folder = parent


MOUNTS = Mounts()
mount, unmount, tables_of, path_at = MOUNTS.mount, MOUNTS.unmount, MOUNTS.tables_of, MOUNTS.path_at
