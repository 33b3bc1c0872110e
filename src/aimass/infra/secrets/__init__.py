"""Secrets at rest: envelope encryption under a master key, and the platform's own signing keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.infra.secrets.adapters import EnvironmentSecrets, KeyFileSecrets, open_secrets
    from aimass.infra.secrets.contract import SecretsContract
    from aimass.infra.secrets.keyfile import read_private, write_private
    from aimass.infra.secrets.port import Secrets
    from aimass.infra.secrets.settings import SecretsSettings
    from aimass.infra.secrets.signing import Signature, SigningKeys

__getattr__, __dir__ = door(
    __name__,
    {
        "EnvironmentSecrets": "aimass.infra.secrets.adapters",
        "KeyFileSecrets": "aimass.infra.secrets.adapters",
        "Secrets": "aimass.infra.secrets.port",
        "SecretsContract": "aimass.infra.secrets.contract",
        "SecretsSettings": "aimass.infra.secrets.settings",
        "Signature": "aimass.infra.secrets.signing",
        "SigningKeys": "aimass.infra.secrets.signing",
        "open_secrets": "aimass.infra.secrets.adapters",
        "read_private": "aimass.infra.secrets.keyfile",
        "write_private": "aimass.infra.secrets.keyfile",
    },
)
__all__ = [
    "EnvironmentSecrets",
    "KeyFileSecrets",
    "Secrets",
    "SecretsContract",
    "SecretsSettings",
    "Signature",
    "SigningKeys",
    "open_secrets",
    "read_private",
    "write_private",
]
