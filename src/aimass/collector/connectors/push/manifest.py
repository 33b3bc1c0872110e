"""What a source that is pushed to needs; readable in control."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from aimass.collector.connectors import ConnectorManifest


class PushParameters(BaseModel):
    """Who may push: people and service accounts with a key, and webhooks that sign what they send."""

    model_config = ConfigDict(extra="forbid")

    secret: SecretStr | None = Field(
        default=None, description="Secret with which webhooks sign (HMAC-SHA256); without one only keys may push"
    )
    signature_header: str = Field(
        default="X-Hub-Signature-256",
        pattern=r"^[A-Za-z0-9-]+$",
        description="Header with the signature, in hexadecimal digits, with or without 'sha256='",
    )
    signed: Literal["body", "timestamp.body"] = Field(
        default="body", description="What is signed: the body, or the moment, a point and the body"
    )
    timestamp_header: str = Field(
        default="X-Timestamp", pattern=r"^[A-Za-z0-9-]+$", description="Header with the moment, in seconds since 1970"
    )
    tolerance_s: int = Field(default=300, ge=1, le=86_400, description="How old a signed moment may be")
    key_header: str = Field(
        default="Idempotency-Key",
        pattern=r"^[A-Za-z0-9-]+$",
        description="Header whose value names a delivery: the same one again is stored once",
    )


class PushStream(BaseModel):
    """How what was pushed is read."""

    model_config = ConfigDict(extra="forbid")

    batch: int = Field(default=10_000, ge=1, le=100_000, description="Most rows in one part")


CONNECTOR = ConnectorManifest(
    name="push",
    version="1",
    title="Push and webhooks",
    summary="Rows that programs and webhooks send; acknowledged when they are safe on disk",
    family="push",
    parameters=PushParameters,
    stream=PushStream,
    modes=frozenset({"stream"}),
)
