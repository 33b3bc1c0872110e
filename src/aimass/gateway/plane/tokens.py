"""Signed tokens: checked once, remembered until the next snapshot, refused when they, their key or device were taken back."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.errors import UnknownKey, UnknownPlace, UnnamedPlace

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
        The API keys of the snapshot, and for each device what its person may do in each workspace: a token counts only as
        long as what it was given for.
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
        self._by_id: dict[str, dict[str, Key]] = {}
        for key in keys:
            self._by_id.setdefault(key.id, {})[key.workspace] = key
        self._found: dict[bytes, Key] = {}
        is_same = before is not None and before.public == self.public
        self.signed: dict[bytes, dict[str, Any]] = before.signed if before is not None and is_same else {}

    def key(self, text: bytes, place: bytes = b"") -> Key:
        """Return the key that a token stands for in a workspace, or refuse the token.

        A token of an API key has one workspace, whatever is named; a person's may have several.
        """
        mark = text + b" " + place if place else text
        found = self._found.get(mark)
        return found if found is not None else self._look(text, place, mark)

    def _look(self, text: bytes, place: bytes, mark: bytes) -> Key:
        claims = self.signed.get(text)
        if claims is None:
            claims = self._checked(text)
            _keep(self.signed, text, claims)
        kind, _, behind = str(claims.get("via")).partition(":")
        if kind not in ("key", "device"):
            raise UnknownKey("the token stands for a session", hint="sign in by a device code, or use an API key")
        if claims.get("iss") != self._issuer or claims.get("jti") in self._revoked or behind not in self._by_id:
            raise UnknownKey(
                "the token, or what stands behind it, was revoked or may call nothing", hint="ask for a new token"
            )
        scopes = str(claims.get("scope", "")).split()
        may_call, may_reach, may_edit = (
            not scopes or not those.isdisjoint(scopes) for those in (_CALLS, _REACHES, _EDITS)
        )
        held = self._by_id[behind]
        base = next(iter(held.values())) if kind == "key" else _of_place(held, place)
        key = base.until(claims["exp"], may_call=may_call, may_reach=may_reach, may_edit=may_edit)
        _keep(self._found, mark, key)
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


def _of_place(held: dict[str, Key], place: bytes) -> Key:
    """Return what a person may do in the workspace that is named, or in the only one."""
    name = place.decode("latin-1")
    if name in held:
        return held[name]
    if name:
        raise UnknownPlace(f"there is no workspace {name[:80]!r}", field="X-AIMass-Workspace", value=name)
    if len(held) > 1:
        hint = "send the header X-AIMass-Workspace"
        raise UnnamedPlace("which workspace is meant?", field="X-AIMass-Workspace", allowed=sorted(held), hint=hint)
    return next(iter(held.values()))


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
