"""What the connector for SQLite is and takes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from aimass.collector.connectors import ConnectorManifest


class Parameters(BaseModel):
    """What a connection to a database file needs."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(
        min_length=1,
        title="File",
        description="The database file, in a folder that connectors may read",
        json_schema_extra={"reach": "path"},
    )
    timeout_s: float = Field(default=10.0, gt=0, le=600, title="Patience", description="Seconds to wait for a lock")


CONNECTOR = ConnectorManifest(
    name="sqlite",
    version="1",
    title="SQLite",
    summary="Tables and views of a SQLite database file, read while others write",
    family="database",
    parameters=Parameters,
    modes=frozenset({"full", "incremental"}),
)
