"""Signed tokens: checked once, remembered until the next snapshot, refused when they or their key were taken back."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.errors import UnknownKey

_MOST = 4096
_LONGEST = 4096
_ALGORITHMS = ("Ed25519", "EdDSA")
_CALLS = frozenset({"serving.use", "serving.edit", "serving.manage", "*.use", "*.edit", "*.manage"})
_EDITS = frozenset({"serving.edit", "serving.manage", "*.edit", "*.manage"})
_REACHES = frozenset({"gateway.use", "gateway.edit", "gateway.manage", "*.use", "*.edit", "*.manage"})


class Tokens:
    """The tokens that a snapshot lets in.

    Parameters
    ----------
    spec
        Issuer, public keys by id, and the ``jti`` of every token that was taken back.
    keys
        The API keys of the snapshot: a token counts only as long as the key that it was given for.
    before
        Those of the snapshot before: signatures that were checked there need no second check.

    Attributes
    ----------
    public, signed
        The keys as they were published, and the claims of tokens whose signature was checked.
    """

    __slots__ = ("_by_id", "_found", "_issuer", "_public", "_revoked", "public", "signed")

    def __init__(
        self, spec: dict[str, Any] | None = None, keys: Iterable[Key] = (), before: Tokens | None = None
    ) -> None:
        spec = spec or {}
        self._issuer = spec.get("issuer")
        self.public: dict[str, str] = dict(spec.get("keys") or {})
        self._public = {kid: Ed25519PublicKey.from_public_bytes(_bytes(x)) for kid, x in self.public.items()}
        self._revoked = frozenset(spec.get("revoked") or ())
        self._by_id = {key.id: key for key in keys}
        self._found: dict[bytes, Key] = {}
        is_same = before is not None and before.public == self.public
        self.signed: dict[bytes, dict[str, Any]] = before.signed if before is not None and is_same else {}

    def key(self, text: bytes) -> Key:
        """Return the key that a token stands for, or refuse the token."""
        found = self._found.get(text)
        return found if found is not None else self._look(text)

    def _look(self, text: bytes) -> Key:
        claims = self.signed.get(text)
        if claims is None:
            claims = self._checked(text)
            _keep(self.signed, text, claims)
        kind, _, behind = str(claims.get("via")).partition(":")
        if kind != "key":
            raise UnknownKey("the token stands for a session", hint="ask for a token with an API key")
        if claims.get("iss") != self._issuer or claims.get("jti") in self._revoked or behind not in self._by_id:
            raise UnknownKey("the token, or the key behind it, was revoked", hint="ask for a new token")
        scopes = str(claims.get("scope", "")).split()
        held = (not scopes or not those.isdisjoint(scopes) for those in (_CALLS, _REACHES, _EDITS))
        may_call, may_reach, may_edit = held
        key = self._by_id[behind].until(claims["exp"], may_call=may_call, may_reach=may_reach, may_edit=may_edit)
        _keep(self._found, text, key)
        return key

    def _checked(self, text: bytes) -> dict[str, Any]:
        """Return the claims of a token whose signature is ours."""
        message, _, signature = text.rpartition(b".")
        head, _, body = message.partition(b".")
        try:
            header = json.loads(_bytes(head)) if len(text) <= _LONGEST else {}
            _ALGORITHMS.index(header["alg"])
            self._public[header["kid"]].verify(_bytes(signature), message)
            claims = json.loads(_bytes(body))
            claims["exp"] = float(claims["exp"])
        except (ValueError, KeyError, TypeError, InvalidSignature, binascii.Error, RecursionError) as reason:
            raise UnknownKey("the token is not ours", hint="ask for one at /oauth2/token") from reason
        return claims


def _keep(store: dict[bytes, Any], text: bytes, value: Any) -> None:
    if len(store) >= _MOST:
        store.clear()
    store[text] = value


def _bytes(text: str | bytes) -> bytes:
    """Decode base64url without padding, as JOSE writes it.

    Examples
    --------
    >>> _bytes("YWI")
    b'ab'
    """
    raw = text.encode() if isinstance(text, str) else text
    return urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
