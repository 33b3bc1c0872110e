"""Bring the schema of a data directory up to date."""

from __future__ import annotations

from aimass.infra.database import Database, metadata
from aimass.kernel.layout import DataDir


def upgrade(database: Database, layout: DataDir) -> None:
    """Create what is missing."""
    del layout
    metadata.create_all(database.engine)
