"""Settings of the room messaging, prefix ``AIMASS_MESSAGING_``."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MessagingSettings(BaseSettings):
    """How large messages may be and how late a schedule still counts as on time."""

    model_config = SettingsConfigDict(env_prefix="AIMASS_MESSAGING_")

    message_bytes: int = Field(default=256 * 1024, gt=0, description="Largest message, as JSON")
    in_flight: int = Field(
        default=1000, gt=0, description="Most messages of a subscription that are delivered and not acknowledged"
    )
    on_time_s: float = Field(default=60.0, ge=0, description="A schedule that fires later than this has missed its run")
    missed_most: int = Field(
        default=100, gt=0, description="Most missed runs that are made up for under the policy 'all'"
    )
