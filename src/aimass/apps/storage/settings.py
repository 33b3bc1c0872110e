"""Settings of the room, prefix ``AIMASS_STORAGE_``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class StorageSettings(BaseSettings):
    """When things go for good that nobody needs, and how erasures are kept."""

    model_config = SettingsConfigDict(env_prefix="AIMASS_STORAGE_")

    grace_h: float = Field(
        default=24.0, ge=1.0, description="Hours for which a file is kept that nothing names, since it was stored last"
    )
    every_h: float = Field(default=1.0, gt=0, description="Hours between two collections")
    log_mib: float = Field(default=32.0, gt=0, description="Size in MiB at which a log of a process is begun anew")
    keep_logs_days: float = Field(default=30.0, gt=0, description="Days for which the log of an ended process is kept")
    settle_s: float = Field(
        default=90.0,
        ge=0,
        description="Seconds after which an erasure looks once more, for records that were on their way",
    )
    ledger_copy: Path | None = Field(
        default=None, description="A second file, on another disk, to which the ledger of erasures is written as well"
    )
    history_days: float = Field(default=400.0, gt=0, description="Days for which collections stay in the list")
