"""Where the tables of the lake lie: a log and data files by table, and one writer at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.tables.folder import FolderTables
    from aimass.infra.tables.granting import granted, open_tables
    from aimass.infra.tables.grants import TablesGrant, accept
    from aimass.infra.tables.mounts import is_copy, mount, path_at, tables_of, unmount
    from aimass.infra.tables.objects import ObjectTables
    from aimass.infra.tables.port import LOG, TableFile, Tables, Target

__getattr__, __dir__ = door(
    __name__,
    {
        "FolderTables": "aimass.infra.tables.folder",
        "TablesGrant": "aimass.infra.tables.grants",
        "LOG": "aimass.infra.tables.port",
        "ObjectTables": "aimass.infra.tables.objects",
        "TableFile": "aimass.infra.tables.port",
        "Tables": "aimass.infra.tables.port",
        "Target": "aimass.infra.tables.port",
        "accept": "aimass.infra.tables.grants",
        "granted": "aimass.infra.tables.granting",
        "is_copy": "aimass.infra.tables.mounts",
        "mount": "aimass.infra.tables.mounts",
        "open_tables": "aimass.infra.tables.granting",
        "path_at": "aimass.infra.tables.mounts",
        "tables_of": "aimass.infra.tables.mounts",
        "unmount": "aimass.infra.tables.mounts",
    },
)
__all__ = [
    "LOG",
    "FolderTables",
    "ObjectTables",
    "TableFile",
    "Tables",
    "TablesGrant",
    "Target",
    "accept",
    "granted",
    "is_copy",
    "mount",
    "open_tables",
    "path_at",
    "tables_of",
    "unmount",
]
