"""Settings of the secrets port, prefix ``AIMASS_SECRETS_``."""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class SecretsSettings(BaseSettings):
    """Where the master keys come from.

    Attributes
    ----------
    adapter
        ``file``: a key file below the data directory, made at the first start. ``environment``: ``keys`` below.
    keys
        Base64 of 32 bytes each, separated by commas; the first one seals, all of them open.
    """

    model_config = SettingsConfigDict(env_prefix="AIMASS_SECRETS_")

    adapter: Literal["file", "environment"] = "file"
    keys: SecretStr = SecretStr("")
