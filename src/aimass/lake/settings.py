"""Settings of the room lake, prefix ``AIMASS_LAKE_``."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LakeSettings(BaseSettings):
    """What a query may take, and how long is remembered what was asked."""

    model_config = SettingsConfigDict(env_prefix="AIMASS_LAKE_")

    query_slots: int = Field(default=3, ge=1, le=32, description="Queries that run at once")
    query_slots_each: int = Field(default=2, ge=1, le=32, description="Queries of one person that run at once")
    query_waiting: int = Field(default=8, ge=0, le=20, description="Queries that may wait until they can run")
    query_wait_s: float = Field(default=30.0, ge=0, description="Seconds for which a query waits until it can run")
    query_timeout_s: float = Field(default=300.0, gt=0, description="Longest time of a query, whatever it asks for")
    query_memory_mb: int = Field(
        default=1024, ge=64, description="Memory of one query in MB; what is more goes to disk"
    )
    query_disk_mb: int = Field(default=8192, ge=0, description="Disk in MB that one query may take while it runs")
    query_rows: int = Field(default=10_000, ge=1, le=10_000, description="Most rows of an answer as JSON")
    query_answer_mb: int = Field(default=64, ge=1, description="Largest answer as JSON, in MB before it is written")
    query_file_mb: int = Field(
        default=8192, ge=1, description="Largest answer as a file or Arrow stream, in MB of rows"
    )
    query_history_days: int = Field(default=30, ge=1, description="Days for which is remembered who asked what")
