"""Settings of the room cluster, prefix ``AIMASS_CLUSTER_``."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ClusterSettings(BaseSettings):
    """How much runs at once, and how long what is left of a job is kept."""

    model_config = SettingsConfigDict(env_prefix="AIMASS_CLUSTER_")

    slots: int = Field(default=0, ge=0, description="Slots of this machine; 0 means one for each core")
    queues: dict[str, int] = Field(
        default_factory=dict, description="Most slots that the jobs of a queue take at once, by queue"
    )
    workspace_slots: int = Field(
        default=0, ge=0, description="Most slots of a workspace that has no quota; 0 means no limit"
    )
    grace_s: float = Field(default=5.0, ge=0, description="Time a cancelled job gets before it is killed")
    keep_succeeded_h: float = Field(
        default=24.0, ge=0, description="Hours for which the files of a succeeded job are kept"
    )
    keep_failed_h: float = Field(
        default=168.0, ge=0, description="Hours for which the files of a failed or cancelled job are kept"
    )
    keep_rows_days: float = Field(default=365.0, gt=0, description="Days for which an ended job stays in the list")
