"""Settings of the room, prefix ``AIMASS_COLLECTOR_``."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

REFUSED = ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "0.0.0.0/32", "::/128")


class CollectorSettings(BaseSettings):
    """How large an upload may be, how long it is kept, what connectors may reach, and when somebody is told.

    Attributes
    ----------
    max_upload_bytes
        Largest upload in bytes; larger ones are refused with 413.
    max_unpacked_bytes
        Most bytes to which a packed file (gzip, bzip2, xz, zstd) may unpack; a larger one is refused, and nothing is stored.
    max_push_bytes
        Most bytes of one push, unpacked; a larger one is refused with 413.
    max_inbox_bytes
        Most bytes that wait in the inbox of one source; when it is full, pushes are refused with 429 until they are collected.
    spare_disk_bytes
        Bytes of the disk that stay free: pushes are refused with 429 before they would take the last ones.
    keep_uploads_days
        Days for which an uploaded file is kept after it was sent or collected; what was collected from it is the dataset's.
    tolerated_quarantine
        Share of the rows of a collection that may be put aside before somebody is told.
    folders
        Folders of this machine whose files connectors may read, as a JSON list; none by default.
    loopback
        True lets connectors reach services of this machine itself.
    modules
        Python modules whose dlt sources may be collected, as a JSON list; none by default: they run inside the platform.
    refused_networks
        Networks that connectors must not reach, as a JSON list; by default those where clouds tell a machine its credentials.
    """

    model_config = SettingsConfigDict(env_prefix="AIMASS_COLLECTOR_")

    max_upload_bytes: int = 20 * 1024**3
    max_unpacked_bytes: int = Field(default=20 * 1024**3, ge=1)
    max_push_bytes: int = Field(default=16 * 1024**2, ge=1024)
    max_inbox_bytes: int = Field(default=1024**3, ge=1024)
    spare_disk_bytes: int = Field(default=256 * 1024**2, ge=0)
    keep_uploads_days: float = 30.0
    tolerated_quarantine: float = Field(default=0.05, ge=0, le=1)
    folders: list[str] = Field(default_factory=list[str])
    loopback: bool = False
    modules: list[str] = Field(default_factory=list[str])
    refused_networks: list[str] = Field(default_factory=lambda: list(REFUSED))
