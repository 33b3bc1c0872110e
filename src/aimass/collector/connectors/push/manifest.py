"""What a source that is pushed to needs; readable in control."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aimass.collector.connectors import ConnectorManifest
from aimass.collector.domain import PUSHED

RECEIVED, PUSH = "_received", "_push"


class PushParameters(BaseModel):
    """There is no origin to reach: rows come by themselves."""

    model_config = ConfigDict(extra="forbid")


class PushStream(BaseModel):
    """How webhooks of a source sign, and how what was pushed is read."""

    model_config = ConfigDict(extra="forbid")

    scheme: Literal["none", "github", "stripe", "standard"] = Field(
        default="none",
        description="How webhooks sign: none takes no webhooks, github X-Hub-Signature-256, stripe Stripe-Signature, standard webhook-signature",
    )
    tolerance_s: int = Field(
        default=300, ge=1, le=86_400, description="How far a signed moment may be away, in seconds: stripe and standard"
    )
    batch: int = Field(default=10_000, ge=1, le=100_000, description="Most rows in one part")


CONNECTOR = ConnectorManifest(
    name=PUSHED,
    version="1",
    title="Push, webhooks",
    summary="Rows that programs and webhooks send; acknowledged when they are safe on disk",
    family="push",
    parameters=PushParameters,
    stream=PushStream,
    modes=frozenset({"stream"}),
)
