"""The one database: SQLite (WAL) or PostgreSQL by URL, and the unit of work that every writer uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.database.change import Change
    from aimass.infra.database.database import Database, clear_errors
    from aimass.infra.database.leaving import belonging, drop_workspace
    from aimass.infra.database.moment import copy_files
    from aimass.infra.database.reflecting import tables_there
    from aimass.infra.database.rows import copy_rows, first_filled
    from aimass.infra.database.scrubbing import mentioning, rows_mentioning, scrub
    from aimass.infra.database.tables import OUTLIVES, audit_log, events_log, lineage_edges, metadata
    from aimass.infra.database.types import Instant, Json, PlacedJson, PlacedText

__getattr__, __dir__ = door(
    __name__,
    {
        "Change": "aimass.infra.database.change",
        "Database": "aimass.infra.database.database",
        "Instant": "aimass.infra.database.types",
        "Json": "aimass.infra.database.types",
        "PlacedJson": "aimass.infra.database.types",
        "PlacedText": "aimass.infra.database.types",
        "audit_log": "aimass.infra.database.tables",
        "clear_errors": "aimass.infra.database.database",
        "OUTLIVES": "aimass.infra.database.tables",
        "belonging": "aimass.infra.database.leaving",
        "drop_workspace": "aimass.infra.database.leaving",
        "copy_files": "aimass.infra.database.moment",
        "copy_rows": "aimass.infra.database.rows",
        "events_log": "aimass.infra.database.tables",
        "mentioning": "aimass.infra.database.scrubbing",
        "rows_mentioning": "aimass.infra.database.scrubbing",
        "scrub": "aimass.infra.database.scrubbing",
        "first_filled": "aimass.infra.database.rows",
        "lineage_edges": "aimass.infra.database.tables",
        "metadata": "aimass.infra.database.tables",
        "tables_there": "aimass.infra.database.reflecting",
    },
)
__all__ = [
    "OUTLIVES",
    "Change",
    "Database",
    "Instant",
    "Json",
    "PlacedJson",
    "PlacedText",
    "audit_log",
    "belonging",
    "clear_errors",
    "copy_files",
    "copy_rows",
    "drop_workspace",
    "events_log",
    "first_filled",
    "lineage_edges",
    "mentioning",
    "metadata",
    "rows_mentioning",
    "scrub",
    "tables_there",
]
