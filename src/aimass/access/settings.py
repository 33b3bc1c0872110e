"""Settings of the room access, prefix ``AIMASS_ACCESS_``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class AccessSettings(BaseSettings):
    """How long things live, how hard passwords are, and when a guesser is locked out."""

    model_config = SettingsConfigDict(env_prefix="AIMASS_ACCESS_")

    session_idle_s: int = Field(default=12 * 3600, gt=0, description="A session ends after this long without a request")
    session_s: int = Field(default=7 * 86400, gt=0, description="A session ends after this long in any case")
    token_s: int = Field(default=900, gt=0, description="Life of a signed token for SDK and CLI")
    token_key_days: int = Field(
        default=90, ge=0, description="Days after which tokens are signed with a new key; 0 for never by itself"
    )
    device_clients: list[str] = Field(
        default_factory=lambda: ["aimass-cli"], description="Programs that people may sign in by a device code"
    )
    device_code_s: int = Field(default=600, gt=0, description="Life of a device code that nobody has answered")
    device_interval_s: int = Field(default=5, ge=1, description="Seconds between two questions of a program that waits")
    device_idle_s: int = Field(
        default=30 * 86400, gt=0, description="A device is signed out after this long without use"
    )
    device_s: int = Field(default=90 * 86400, gt=0, description="A device is signed out after this long in any case")
    refresh_grace_s: int = Field(
        default=30, ge=0, description="A refresh token whose answer was lost may be sent once more for so long"
    )
    invitation_s: int = Field(default=7 * 86400, gt=0, description="Life of an invitation link")
    reset_s: int = Field(default=86400, gt=0, description="Life of a link that sets a lost password anew")
    password_min: int = Field(default=10, ge=8, description="Fewest characters of a password")
    password_memory_kib: int = Field(default=65536, ge=1024, description="argon2id memory of one hash")
    password_rounds: int = Field(default=3, ge=1, description="argon2id passes")
    password_lanes: int = Field(default=4, ge=1, description="argon2id lanes")
    hashes_at_once: int = Field(default=2, ge=1, description="Passwords hashed at the same time in one process")
    hash_wait_s: float = Field(default=20.0, gt=0, description="Longest wait for a turn to hash")
    lock_after: int = Field(default=5, ge=1, description="Wrong attempts before a name is locked")
    lock_s: int = Field(default=30, ge=1, description="First lock; it doubles with each further wrong attempt")
    lock_most_s: int = Field(default=900, ge=1, description="Longest lock")
    cache_s: float = Field(
        default=1.0, ge=0, description="How long a checked key or session is believed without a look"
    )
    workspaces_by: Literal["users", "administrators"] = Field(default="users", description="Who may create workspaces")
    head_every_s: int = Field(default=60, ge=1, description="The head of the audit log is signed at least this often")
    head_every_rows: int = Field(default=1000, ge=1, description="... or after so many rows")
    issuer: str = Field(default="aimass", min_length=1, description="Name of the platform in authenticators")
    providers_allow: list[str] = Field(
        default_factory=list[str], description="Hosts and networks inside at which identity providers may be"
    )
    provider_timeout_s: float = Field(default=5.0, gt=0, description="Longest wait for an identity provider")
    public_url: str = Field(
        default="http://127.0.0.1:8800",
        description="Address of the platform in letters and links, and the issuer of its tokens",
    )
