"""What the connector for Delta tables is and takes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from aimass.collector.connectors import ConnectorManifest


class Parameters(BaseModel):
    """Where the tables lie."""

    model_config = ConfigDict(extra="forbid")

    folder: str = Field(
        min_length=1,
        title="Folder",
        description="A Delta table, or a folder with some, inside one that connectors may read",
        json_schema_extra={"reach": "path"},
    )


CONNECTOR = ConnectorManifest(
    name="delta",
    version="1",
    title="Delta tables",
    summary="Delta tables of other programs: copied once, then whatever is appended to them",
    family="files",
    parameters=Parameters,
    modes=frozenset({"full", "stream"}),
)
