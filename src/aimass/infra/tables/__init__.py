"""Where the tables of the lake lie: a log and data files by table, and one writer at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.tables.folder import FolderTables
    from aimass.infra.tables.mounts import mount, path_at, tables_of, unmount
    from aimass.infra.tables.port import LOG, TableFile, Tables, Target

__getattr__, __dir__ = door(
    __name__,
    {
        "FolderTables": "aimass.infra.tables.folder",
        "LOG": "aimass.infra.tables.port",
        "TableFile": "aimass.infra.tables.port",
        "Tables": "aimass.infra.tables.port",
        "Target": "aimass.infra.tables.port",
        "mount": "aimass.infra.tables.mounts",
        "path_at": "aimass.infra.tables.mounts",
        "tables_of": "aimass.infra.tables.mounts",
        "unmount": "aimass.infra.tables.mounts",
    },
)
__all__ = ["LOG", "FolderTables", "TableFile", "Tables", "Target", "mount", "path_at", "tables_of", "unmount"]
