"""What a connection to NATS needs; readable in control."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from aimass.collector.connectors import ConnectorManifest


class NatsParameters(BaseModel):
    """A NATS server with JetStream."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        pattern=r"^(nats|tls)://[^@\s]+$",
        description="Address of the server, such as nats://broker:4222; several with commas. Names and passwords do not belong here.",
        json_schema_extra={"reach": "url"},
    )
    user: str | None = Field(default=None, description="Name of the user")
    password: SecretStr | None = Field(default=None, description="Password of the user")
    token: SecretStr | None = Field(default=None, description="Token, instead of user and password")
    ca: str | None = Field(default=None, description="Certificate of the authority that signed the server's (PEM text)")
    domain: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_-]+$", description="JetStream domain, for leaf nodes"
    )
    timeout_s: float = Field(default=5.0, gt=0, le=60, description="Seconds to wait for an answer")


class NatsStream(BaseModel):
    """How the messages of one stream are read."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["json", "text"] = Field(
        default="json", description="json: an object becomes columns, a list of objects rows; text: one column `value`"
    )
    envelope: bool = Field(default=True, description="Add the columns _subject, _sequence and _time of each message")
    batch: int = Field(default=10_000, ge=1, le=100_000, description="Most messages in one part")


CONNECTOR = ConnectorManifest(
    name="nats",
    version="1",
    title="NATS JetStream",
    summary="Messages of a JetStream stream, by their sequence: exactly once, whatever is redelivered",
    family="stream",
    parameters=NatsParameters,
    stream=NatsStream,
    modes=frozenset({"stream"}),
    extra="connectors",
)
