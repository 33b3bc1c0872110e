"""Ed25519 keys that the platform signs with: tokens, the head of the audit log, packages."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from aimass.infra.secrets.keyfile import read_private, write_private
from aimass.kernel.clock import Clock, instant
from aimass.kernel.errors import Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature, and the id of the key that made it."""

    key: str
    value: bytes


class SigningKeys:
    """The signing keys of one purpose, in a file of their own with mode 0600.

    A rotation destroys the old private key and keeps its public half, so that old signatures still verify.

    Parameters
    ----------
    path
        The key file; made when it is missing.
    clock
        Gives the time of creation that is kept beside a key.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = Lock()
        if read_private(path) is None:
            write_private(path, self._with_new_key({}), new=True)

    def sign(self, message: bytes) -> Signature:
        """Sign with the current key."""
        content = self._content()
        private = Ed25519PrivateKey.from_private_bytes(_decode(content["keys"][content["current"]]["d"]))
        return Signature(key=content["current"], value=private.sign(message))

    def verify(self, message: bytes, signature: Signature) -> bool:
        """Tell whether one of our keys, current or old, made this signature."""
        kept = self._content()["keys"].get(signature.key)
        if kept is None:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(_decode(kept["x"])).verify(signature.value, message)
        except InvalidSignature:
            return False
        return True

    def rotate(self) -> str:
        """Make a new key current and return its id."""
        with self._lock:
            content = self._with_new_key(self._content()["keys"])
            write_private(self._path, content)
            return str(content["current"])

    def jwk(self) -> dict[str, Any]:
        """Return the current key with its private half as a JWK; hand it to a signer, nowhere else."""
        content = self._content()
        kept = content["keys"][content["current"]]
        return {**_public_jwk(content["current"], kept), "d": kept["d"]}

    def jwks(self) -> dict[str, Any]:
        """Return the public halves of all keys as a JWK set (RFC 7517), the current one first."""
        content = self._content()
        names = sorted(content["keys"], key=lambda name: name != content["current"])
        return {"keys": [_public_jwk(name, content["keys"][name]) for name in names]}

    def _content(self) -> dict[str, Any]:
        content = read_private(self._path)
        if content is None:
            raise Failed(f"the key file {self._path} is gone", hint="restore it from a backup")
        return content

    def _with_new_key(self, old: dict[str, Any]) -> dict[str, Any]:
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        name = sha256(public).hexdigest()[:16]
        fresh = {"x": _encode(public), "d": _encode(private.private_bytes_raw()), "at": instant(self._clock.now())}
        retired = {key: {part: kept[part] for part in ("x", "at")} for key, kept in old.items()}
        return {"format": 1, "current": name, "keys": {**retired, name: fresh}}


def _public_jwk(name: str, kept: dict[str, Any]) -> dict[str, Any]:
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": name, "x": kept["x"]}


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
