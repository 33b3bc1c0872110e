"""Settings of the room, prefix ``AIMASS_STORAGE_``."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class StorageSettings(BaseSettings):
    """When things go for good that nobody needs."""

    model_config = SettingsConfigDict(env_prefix="AIMASS_STORAGE_")

    grace_h: float = Field(
        default=24.0, ge=1.0, description="Hours for which a file is kept that nothing names, since it was stored last"
    )
    every_h: float = Field(default=1.0, gt=0, description="Hours between two collections")
    log_mib: float = Field(default=32.0, gt=0, description="Size in MiB at which a log of a process is begun anew")
    keep_logs_days: float = Field(default=30.0, gt=0, description="Days for which the log of an ended process is kept")
    history_days: float = Field(default=400.0, gt=0, description="Days for which collections stay in the list")
