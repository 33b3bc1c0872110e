"""Settings of the room monitoring, prefix ``AIMASS_MONITORING_``."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MonitoringSettings(BaseSettings):
    """How often things are computed, and how long they are kept."""

    model_config = SettingsConfigDict(env_prefix="AIMASS_MONITORING_")

    retention_days: int = Field(
        default=90, ge=1, description="Days for which records are kept where the endpoint says nothing"
    )
    max_bytes: int = Field(
        default=10 * 2**30, ge=2**20, description="Largest size of an endpoint's records where it says nothing"
    )
    window_rows: int = Field(default=500, ge=50, description="Rows in the live window of a new monitor")
    min_rows: int = Field(
        default=200, ge=20, description="Fewest rows in the window for drift to be computed by itself"
    )
    every_s: float = Field(default=60.0, ge=0, description="Shortest time between two computations of a monitor")
    new_rows: int = Field(default=50, ge=1, description="New rows after which a monitor computes again")
    settle_s: float = Field(default=300.0, ge=0, description="Fewer new rows are computed after this time")
    evaluate_s: float = Field(
        default=5.0, gt=0, description="Alert rules on traffic are evaluated this often while there is any"
    )
    abandoned_s: float = Field(
        default=60.0, ge=1, description="A segment whose gateway worker died is taken over after this time"
    )
    tries: int = Field(default=5, ge=1, description="A segment that fails this often is set aside")
    call_s: float = Field(default=120.0, gt=0, description="Longest time of one call in the data child")
    series_10s_h: float = Field(default=6.0, gt=0, description="Hours for which series keep a resolution of 10 seconds")
    series_1m_days: float = Field(default=7.0, gt=0, description="Days for which series keep a resolution of 1 minute")
    series_1h_days: float = Field(default=400.0, gt=0, description="Days for which series are kept at all")
    history_days: float = Field(
        default=400.0, gt=0, description="Days for which drift, quality and resolved alerts are kept"
    )
    compact_files: int = Field(default=40, ge=2, description="Small files of a table after which they are put together")
