"""Settings of notifications, prefix ``AIMASS_NOTIFY_``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class NotifySettings(BaseSettings):
    """How mail goes out, where webhooks may go, and how often a delivery is tried."""

    model_config = SettingsConfigDict(env_prefix="AIMASS_NOTIFY_")

    smtp_host: str = Field(default="", description="Mail server; empty switches mail off")
    smtp_port: int = Field(default=587, gt=0, lt=65536, description="Its port")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the connection is protected"
    )
    smtp_user: str = Field(default="", description="Name to sign in with; empty sends without")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="Password to sign in with")
    mail_from: str = Field(default="aimass@localhost", description="Sender of all letters")
    allow: list[str] = Field(
        default_factory=list, description="Hosts and networks inside that webhooks may reach, as a JSON list"
    )
    timeout_s: float = Field(default=10.0, gt=0, description="Longest wait for a server")
    tries: int = Field(default=8, ge=1, description="Deliveries tried before a message is given up")
    first_wait_s: float = Field(default=10.0, gt=0, description="Wait after the first failure; doubles each time")
    keep_s: int = Field(default=7 * 86400, gt=0, description="How long delivered and given-up messages stay listed")
