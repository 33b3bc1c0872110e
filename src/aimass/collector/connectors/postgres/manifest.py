"""What the connector for PostgreSQL tables is and takes."""

from __future__ import annotations

from pydantic import Field

from aimass.collector.connectors import ConnectorManifest
from aimass.collector.connectors.postgres_changes.manifest import ChangesParameters


class Parameters(ChangesParameters):
    """A PostgreSQL database (10 or newer) and a role that may read it."""

    user: str = Field(min_length=1, description="Role that reads; the right SELECT is enough")


CONNECTOR = ConnectorManifest(
    name="postgres",
    version="1",
    title="PostgreSQL",
    summary="Tables and views of a PostgreSQL database, read by COPY: whole, or what is above a cursor",
    family="database",
    parameters=Parameters,
    modes=frozenset({"full", "incremental"}),
    extra="postgres",
)
