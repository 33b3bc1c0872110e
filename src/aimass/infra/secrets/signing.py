"""Ed25519 keys that the platform signs with: tokens, the head of the audit log, packages."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from aimass.infra.secrets.keyfile import read_private, write_private
from aimass.infra.secrets.port import Secrets
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
    secrets
        Seals the private halves, where it is given; a file from before is sealed when it is opened.
    lead_s
        For so long after a rotation the old key goes on signing: who verifies has learned of the new one by then.
    """

    def __init__(self, path: Path, clock: Clock, *, secrets: Secrets | None = None, lead_s: float = 0.0) -> None:
        self._path = path
        self._clock = clock
        self._secrets = secrets
        self._lead_s = lead_s
        self._lock = Lock()
        if read_private(path) is None:
            write_private(path, self._with_new_key({}), new=True)
        self._seal()

    def sign(self, message: bytes) -> Signature:
        """Sign with the current key."""
        content = self._content()
        name = self._signer(content)
        private = Ed25519PrivateKey.from_private_bytes(_decode(self._private(name, content["keys"][name])))
        return Signature(key=name, value=private.sign(message))

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

    def rotate(self, *, is_leaked: bool = False) -> str:
        """Make a new key current and return its id; of keys that leaked nothing verifies any more."""
        with self._lock:
            content = self._content()
            fresh = self._with_new_key({} if is_leaked else content["keys"])
            if self._lead_s and not is_leaked:
                fresh["before"] = content["current"]
                fresh["keys"][content["current"]] = content["keys"][content["current"]]
            write_private(self._path, fresh)
            return str(fresh["current"])

    def retire(self) -> None:
        """Destroy the private half of the key before, once it signs no more."""
        with self._lock:
            content = self._content()
            before = content.get("before")
            if before is not None and self._signer(content) != before:
                content["keys"][before] = _public_half(content["keys"][before])
                write_private(self._path, {name: value for name, value in content.items() if name != "before"})

    def made_at(self) -> datetime:
        """Return when the current key was made."""
        content = self._content()
        return _moment(content["keys"][content["current"]])

    def all(self) -> list[tuple[str, datetime]]:
        """Return the id of every key and when it was made, the current one first."""
        keys = self._content()["keys"]
        return [(one["kid"], _moment(keys[one["kid"]])) for one in self.jwks()["keys"]]

    def jwk(self) -> dict[str, Any]:
        """Return the key that signs now with its private half as a JWK; hand it to a signer, nowhere else."""
        content = self._content()
        name = self._signer(content)
        kept = content["keys"][name]
        return {**_public_jwk(name, kept), "d": self._private(name, kept)}

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
        fresh = {"x": _encode(public), "at": instant(self._clock.now())}
        fresh |= self._hidden(name, _encode(private.private_bytes_raw()))
        retired = {key: _public_half(kept) for key, kept in old.items()}
        return {"format": 1, "current": name, "keys": {**retired, name: fresh}}

    def _hidden(self, name: str, private: str) -> dict[str, str]:
        """Return the private half as it is stored."""
        if self._secrets is None:
            return {"d": private}
        return {"sealed": _encode(self._secrets.seal(private.encode(), about=f"signing_key:{name}"))}

    def _private(self, name: str, kept: dict[str, str]) -> str:
        if "d" in kept:
            return kept["d"]
        if self._secrets is None or "sealed" not in kept:
            raise Failed(f"the private half of key {name!r} cannot be read", hint="restore it from a backup")
        return self._secrets.unseal(_decode(kept["sealed"]), about=f"signing_key:{name}").decode()

    def _seal(self) -> None:
        """Seal what was stored in the open."""
        with self._lock:
            content = self._content()
            bare = [name for name, kept in content["keys"].items() if "d" in kept]
            if self._secrets is None or not bare:
                return
            for name in bare:
                kept = content["keys"][name]
                content["keys"][name] = {**_public_half(kept), **self._hidden(name, kept["d"])}
            write_private(self._path, content)

    def _signer(self, content: dict[str, Any]) -> str:
        """Return the key that signs now: the one before while the current one is not known everywhere."""
        before, current = content.get("before"), str(content["current"])
        if before is None:
            return current
        age_s = (self._clock.now() - _moment(content["keys"][current])).total_seconds()
        return str(before) if 0 <= age_s < self._lead_s else current


def _public_half(kept: dict[str, str]) -> dict[str, str]:
    return {part: kept[part] for part in ("x", "at")}


def _moment(kept: dict[str, str]) -> datetime:
    return datetime.fromisoformat(kept["at"]).astimezone(UTC)


def _public_jwk(name: str, kept: dict[str, Any]) -> dict[str, Any]:
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": name, "x": kept["x"]}


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
