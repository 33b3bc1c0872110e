"""Settings of the room, prefix ``AIMASS_COLLECTOR_``."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class CollectorSettings(BaseSettings):
    """How large an upload may be, how long it is kept, and how many odd rows are nothing to speak of.

    Attributes
    ----------
    max_upload_bytes
        Largest upload in bytes; larger ones are refused with 413.
    keep_uploads_days
        Days for which an uploaded file is kept after it was sent or collected; what was collected from it is the dataset's.
    tolerated_quarantine
        Share of the rows of a collection that may be put aside before somebody is told.
    """

    model_config = SettingsConfigDict(env_prefix="AIMASS_COLLECTOR_")

    max_upload_bytes: int = 20 * 1024**3
    keep_uploads_days: float = 30.0
    tolerated_quarantine: float = Field(default=0.05, ge=0, le=1)
