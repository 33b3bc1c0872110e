"""Addresses of files that count for a short time, without any other proof of who asks."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from aimass.infra.secrets import read_private, write_private
from aimass.kernel.errors import Failed

KEEP_S = 3_600
_NONCE = 12
_ABOUT = b"delta-sharing file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One file of one version of a dataset, until a moment (seconds since 1970)."""

    workspace: str
    dataset: str
    number: int
    file: str
    until: int
    copy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Seals what an address allows, so that it can neither be read nor made by others.

    Examples
    --------
    >>> links = Links(key=b"0" * 32)
    >>> grant = Grant(workspace="demo", dataset="churn", number=1, file="a.parquet", until=100)
    >>> links.open(links.seal(grant), now=99) == grant, links.open(links.seal(grant), now=100), links.open("x", now=0)
    (True, None, None)
    """

    key: bytes

    @classmethod
    def kept(cls, path: Path) -> Links:
        """Read the key from its file, which is made when it is not there yet."""
        if not path.exists():
            write_private(path, {"key": secrets.token_hex(32)}, new=True)
        found = read_private(path)
        if found is None:
            raise Failed(f"the key {path.name!r} cannot be read")
        return cls(key=bytes.fromhex(found["key"]))

    def seal(self, grant: Grant) -> str:
        """Return the part of an address that stands for a grant."""
        nonce = secrets.token_bytes(_NONCE)
        plain = orjson.dumps([grant.workspace, grant.dataset, grant.number, grant.file, grant.until, grant.copy])
        return urlsafe_b64encode(nonce + AESGCM(self.key).encrypt(nonce, plain, _ABOUT)).decode().rstrip("=")

    def open(self, sealed: str, *, now: int) -> Grant | None:
        """Return the grant, or None when it was not made here or is over."""
        try:
            raw = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            told = orjson.loads(AESGCM(self.key).decrypt(raw[:_NONCE], raw[_NONCE:], _ABOUT))
        except (ValueError, InvalidTag):
            return None
        workspace, dataset, number, file, until, copy = told
        grant = Grant(workspace=workspace, dataset=dataset, number=number, file=file, until=until, copy=copy)
        return grant if now < until else None
