"""What a connection to an MQTT broker needs; readable in control."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from aimass.collector.connectors import ConnectorManifest

WINDOW = 4_000  # messages on their way that are not committed yet; each costs 5 bytes of the state, or 10 after a crash


class MqttParameters(BaseModel):
    """A broker that speaks MQTT 5."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        pattern=r"^mqtts?://[^@\s/:]+(:\d+)?$",
        description="Address of the broker, such as mqtts://broker:8883. Names and passwords do not belong here.",
        json_schema_extra={"reach": "url"},
    )
    user: str | None = Field(default=None, description="Name of the user")
    password: SecretStr | None = Field(default=None, description="Password of the user")
    ca: str | None = Field(default=None, description="Certificate of the authority that signed the broker's (PEM text)")
    look_at: str = Field(default="#", description="Topic filter that discovery listens to")
    look_s: float = Field(default=3.0, gt=0, le=60, description="Seconds for which discovery and preview listen")
    timeout_s: float = Field(default=10.0, gt=0, le=60, description="Seconds to wait for an answer")


class MqttStream(BaseModel):
    """How the messages of a topic filter are read."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["json", "text"] = Field(
        default="json",
        description="json: an object becomes columns, a number or text the column `value`; text: always `value`",
    )
    envelope: bool = Field(default=True, description="Add the columns _topic and _received of each message")
    batch: int = Field(default=WINDOW, ge=1, le=WINDOW, description="Most messages on their way between two commits")
    client_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=120,
        description="Name of the session at the broker; by default that of the source",
    )
    keep_session_s: int = Field(
        default=7 * 86400,
        ge=60,
        le=2**32 - 2,
        description="Seconds for which the broker keeps messages while nobody reads",
    )


CONNECTOR = ConnectorManifest(
    name="mqtt",
    version="1",
    title="MQTT",
    summary="What devices publish, by topic filters; a session at the broker keeps what comes while nobody reads",
    family="stream",
    parameters=MqttParameters,
    stream=MqttStream,
    modes=frozenset({"stream"}),
    extra="connectors",
)
