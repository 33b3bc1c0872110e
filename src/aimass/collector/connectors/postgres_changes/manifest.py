"""What change capture of a PostgreSQL database needs; readable in control."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from aimass.collector.connectors import ConnectorManifest


class ChangesParameters(BaseModel):
    """A PostgreSQL database (10 or newer) with ``wal_level = logical`` and a role with the right REPLICATION."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(
        default="localhost",
        description="Name or address of the server, or the folder of its socket",
        json_schema_extra={"reach": "host"},
    )
    port: int = Field(default=5432, ge=1, le=65535, description="Port of the server")
    database: str = Field(min_length=1, description="Name of the database")
    user: str = Field(min_length=1, description="Role that reads; it owns the tables or the publication")
    password: SecretStr | None = Field(default=None, description="Password of the role")
    ssl: Literal["disable", "prefer", "require", "verify-full"] = Field(
        default="prefer", description="verify-full checks the certificate and the name of the server"
    )
    ca: str | None = Field(default=None, description="Path of the authority's certificate, for verify-full")
    timeout_s: float = Field(default=10.0, gt=0, le=120, description="Seconds to wait for a connection")


class ChangesStream(BaseModel):
    """How the changes of one table are read."""

    model_config = ConfigDict(extra="forbid")

    publication: str | None = Field(
        default=None,
        max_length=63,
        description="A publication that holds the table; by default one is made for this source",
    )
    slot: str | None = Field(
        default=None, pattern=r"^[a-z0-9_]{1,63}$", description="Name of the slot; by default that of the source"
    )
    snapshot: bool = Field(
        default=True, description="Begin with the rows that are there; false: only with what changes"
    )
    whole_rows: int = Field(
        default=100_000,
        ge=1,
        le=1_000_000,
        description="A transaction with at most so many changes of the table is committed whole",
    )
    on_lost_slot: Literal["again", "stop"] = Field(
        default="again", description="When the slot is gone: empty the dataset and read everything again, or stop"
    )


CONNECTOR = ConnectorManifest(
    name="postgres_changes",
    version="1",
    title="PostgreSQL changes",
    summary="Every insert, update and delete of a table, from a logical replication slot; first the rows that are there",
    family="database",
    parameters=ChangesParameters,
    stream=ChangesStream,
    modes=frozenset({"changes"}),
    extra="postgres",
)
