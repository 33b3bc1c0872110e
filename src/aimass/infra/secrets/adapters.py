"""The adapters: master keys in a file of our own, or handed in by the environment."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from pathlib import Path
from threading import Lock

from aimass.infra.secrets.envelope import KEY_BYTES, KeyRing, header_key, key_id, reseal, seal, unseal
from aimass.infra.secrets.keyfile import read_private, write_private
from aimass.infra.secrets.port import Secrets
from aimass.infra.secrets.settings import SecretsSettings
from aimass.kernel.errors import Conflict, Failed, Invalid


class _Enveloped(ABC):
    """What both adapters share: the envelope, over a ring that the adapter provides."""

    @abstractmethod
    def _ring(self) -> KeyRing:
        """Return the master keys as they are now."""

    def seal(self, plain: bytes, *, about: str) -> bytes:
        """Return the sealed value."""
        return seal(self._ring(), plain, about)

    def unseal(self, sealed: bytes, *, about: str) -> bytes:
        """Return the value."""
        return unseal(self._ring(), sealed, about)

    def key_of(self, sealed: bytes) -> str:
        """Return the id of the master key in the header."""
        return header_key(sealed)

    def current_key(self) -> str:
        """Return the id of the master key that seals new values."""
        return self._ring().current

    def reseal(self, sealed: bytes, *, about: str) -> bytes:
        """Move a value below the current master key."""
        return reseal(self._ring(), sealed, about)


class KeyFileSecrets(_Enveloped):
    """Master keys in a file with mode 0600; made when it is missing.

    The file is read again when it changes, so a rotation by another process is seen.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._seen: tuple[int, int] | None = None
        self._loaded = self._load() or self._create()

    def rotate(self) -> str:
        """Make a new master key current, and keep the old ones for reading."""
        with self._lock:
            ring = self._load() or self._loaded
            key = os.urandom(KEY_BYTES)
            self._loaded = KeyRing(current=key_id(key), keys={**ring.keys, key_id(key): key})
            write_private(self._path, _document(self._loaded))
            self._seen = self._stamp()
            return self._loaded.current

    def _ring(self) -> KeyRing:
        if self._stamp() == self._seen:
            return self._loaded
        with self._lock:
            self._loaded = self._load() or self._loaded
            return self._loaded

    def _create(self) -> KeyRing:
        key = os.urandom(KEY_BYTES)
        write_private(self._path, _document(KeyRing(current=key_id(key), keys={key_id(key): key})), new=True)
        ring = self._load()
        if ring is None:
            raise Failed(f"the key file {self._path} disappeared while it was made")
        return ring

    def _load(self) -> KeyRing | None:
        stamp = self._stamp()
        content = read_private(self._path)
        if content is None:
            return None
        keys = {name: _key_from(text) for name, text in content["keys"].items()}
        self._seen = stamp
        return KeyRing(current=content["current"], keys=keys)

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino


class EnvironmentSecrets(_Enveloped):
    """Master keys handed in by the environment or by a key service's agent; the first one seals, all of them open."""

    def __init__(self, keys: str) -> None:
        found = [_key_from(text.strip()) for text in keys.split(",") if text.strip()]
        if not found:
            raise Invalid(
                "no master key was given",
                field="AIMASS_SECRETS_KEYS",
                allowed="base64 of 32 bytes, several separated by commas",
                hint="make one with: openssl rand -base64 32",
            )
        self._fixed = KeyRing(current=key_id(found[0]), keys={key_id(key): key for key in found})

    def rotate(self) -> str:
        """Refuse: the keys belong to who starts the process."""
        raise Conflict(
            "master keys from the environment are rotated in the environment",
            hint="put a new key before the old ones in AIMASS_SECRETS_KEYS and start again",
        )

    def _ring(self) -> KeyRing:
        return self._fixed


def open_secrets(settings: SecretsSettings, folder: Path) -> Secrets:
    """Open the adapter that the settings ask for; ``folder`` is where a key file lives."""
    if settings.adapter == "environment":
        return EnvironmentSecrets(settings.keys.get_secret_value())
    return KeyFileSecrets(folder / "secrets.json")


def _key_from(text: str) -> bytes:
    try:
        key = b64decode(text, validate=True)
    except BadBase64 as reason:
        raise Invalid("a master key is not base64", allowed="base64 of 32 bytes") from reason
    if len(key) != KEY_BYTES:
        raise Invalid(f"a master key has {len(key)} bytes", allowed="base64 of 32 bytes")
    return key


def _document(ring: KeyRing) -> dict[str, object]:
    return {"format": 1, "current": ring.current, "keys": {n: b64encode(k).decode() for n, k in ring.keys.items()}}
