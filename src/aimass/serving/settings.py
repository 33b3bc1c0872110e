"""Settings of the room serving, prefix ``AIMASS_SERVING_``."""

from __future__ import annotations

import os

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServingSettings(BaseSettings):
    """How long starting may take, and how isolated workers are watched."""

    model_config = SettingsConfigDict(env_prefix="AIMASS_SERVING_")

    start_timeout_s: float = Field(
        60.0, gt=0, description="A revision that is not loaded everywhere by then has failed"
    )
    start_crashes: int = Field(3, ge=1, description="Crashes of a starting worker after which its revision has failed")
    drain_s: float = Field(5.0, ge=0, description="How long a replaced worker still answers what it has")
    quiet_s: float = Field(5.0, gt=0, description="Time without a report after which a gateway worker counts as gone")
    look_s: float = Field(
        2.0, gt=0, description="Everything is looked at this often, also when nothing seems to change"
    )
    public_url: str = Field("", description="Address in the programs shown to callers; the platform's own when empty")


def platform_url() -> str:
    """Return the public address of the platform, as its supervisor tells every process."""
    return f"http://{os.environ.get('AIMASS_HOST', '127.0.0.1')}:{os.environ.get('AIMASS_PORT', '8800')}"
