"""The one database: SQLite (WAL) or PostgreSQL by URL, and the unit of work that every writer uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.database.change import Change
    from aimass.infra.database.database import Database
    from aimass.infra.database.tables import audit_log, events_log, lineage_edges, metadata
    from aimass.infra.database.types import Instant, Json

__getattr__, __dir__ = door(
    __name__,
    {
        "Change": "aimass.infra.database.change",
        "Database": "aimass.infra.database.database",
        "Instant": "aimass.infra.database.types",
        "Json": "aimass.infra.database.types",
        "audit_log": "aimass.infra.database.tables",
        "events_log": "aimass.infra.database.tables",
        "lineage_edges": "aimass.infra.database.tables",
        "metadata": "aimass.infra.database.tables",
    },
)
__all__ = ["Change", "Database", "Instant", "Json", "audit_log", "events_log", "lineage_edges", "metadata"]
