"""Settings of the room, prefix ``AIMASS_COLLECTOR_``."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict


class CollectorSettings(BaseSettings):
    """How large an upload may be.

    Attributes
    ----------
    max_upload_bytes
        Largest upload in bytes; larger ones are refused with 413.
    """

    model_config = SettingsConfigDict(env_prefix="AIMASS_COLLECTOR_")

    max_upload_bytes: int = 20 * 1024**3
