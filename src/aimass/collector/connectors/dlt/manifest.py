"""What a dlt source needs; readable in control."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from aimass.collector.connectors import ConnectorManifest


class DltParameters(BaseModel):
    """A function that dlt's decorators made a source or a resource, in a package that is installed."""

    model_config = ConfigDict(extra="forbid")

    function: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="Module and name, such as dlt_shop.source:orders; an administrator lists the modules that may be used",
        json_schema_extra={"reach": "module"},
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Arguments of the function; no secrets")
    secret: SecretStr | None = Field(default=None, description="A secret that the function wants")
    secret_argument: str = Field(
        default="api_key", pattern=r"^[A-Za-z_]\w*$", description="Name of the argument that takes the secret"
    )


class DltStream(BaseModel):
    """Nothing has to be said of a resource."""

    model_config = ConfigDict(extra="forbid")

    batch: int = Field(default=10_000, ge=1, le=100_000, description="Most rows in one part")


CONNECTOR = ConnectorManifest(
    name="dlt",
    version="1",
    title="dlt source",
    summary="Any source written for dlt: its rows are collected without a dlt pipeline; its incremental state is kept",
    family="api",
    parameters=DltParameters,
    stream=DltStream,
    modes=frozenset({"full", "incremental"}),
    extra="connectors",
)
