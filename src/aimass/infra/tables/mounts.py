"""Which place a path belongs to, in this process; what is mounted nowhere is a folder of this machine."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import unquote

from aimass.infra.tables.folder import FolderTables
from aimass.infra.tables.port import Tables

_FOLDERS = FolderTables()


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
        return _FOLDERS

    def path_at(self, address: str) -> Path:
        """Return the path that names the table of an address, as a client of Delta writes it."""
        for root, tables in self._places.items():
            above = tables.target(root).address
            if address.startswith(f"{above}/"):
                return root / address.removeprefix(above).strip("/")
        return Path(unquote(address.removeprefix("file://")))


MOUNTS = Mounts()
mount, unmount, tables_of, path_at = MOUNTS.mount, MOUNTS.unmount, MOUNTS.tables_of, MOUNTS.path_at
