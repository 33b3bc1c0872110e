"""Speaking with an identity provider: what it says of itself, its keys, and the exchange of a code."""

from __future__ import annotations

import json
import ssl
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from threading import Lock
from typing import Any

import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from aimass.access.domain.providers import ALGORITHMS
from aimass.access.errors import ProviderSilent
from aimass.infra.notify import AddressGuard
from aimass.kernel.errors import Invalid, Unauthenticated, Unavailable

_KEEP_S, _AGAIN_S, _SILENT_S = 600.0, 10.0, 10.0
_MOST_BYTES = 1_000_000
_FINE, _FAULT = 300, 500
_HINT = "it is asked again in some seconds; sign in with a password, or wait"
_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(slots=True)
class _Known:
    document: dict[str, Any]
    keys: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    read_at: float = 0.0
    keys_at: float = 0.0


class Discovery:
    """Reads what providers publish and keeps it for ten minutes; a key that is not known is looked for again.

    A provider that did not answer is not asked for ten seconds, so that those who sign in meanwhile hear so at once: each
    of them would hold a thread for as long as the time limit.

    Parameters
    ----------
    allow
        Hosts and networks inside that may be reached, and spoken to without TLS.
    timeout_s
        Longest wait for one answer.
    """

    def __init__(self, allow: list[str], timeout_s: float) -> None:
        self._guard = AddressGuard(allow)
        self._timeout_s = timeout_s
        self._known: dict[str, _Known] = {}
        self._silent: dict[str, tuple[float, ProviderSilent]] = {}
        self._lock = Lock()

    def document(self, issuer: str, *, fresh: bool = False) -> dict[str, Any]:
        """Return what a provider says of itself."""
        return self._look(issuer, fresh=fresh).document

    def keys(self, issuer: str) -> int:
        """Return how many signing keys a provider has."""
        return len(self._keys(issuer, None))

    def claims(self, issuer: str, token: str) -> dict[str, Any]:
        """Return the claims of a token that the provider signed."""
        try:
            head = json.loads(_decoded(token.partition(".")[0]))
            kid = head.get("kid")
            keys = KeySet.import_key_set({"keys": self._keys(issuer, kid)})
            return dict(jwt.decode(token, keys, algorithms=ALGORITHMS).claims)
        except (JoseError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as reason:
            raise Unauthenticated("the provider's token cannot be verified", hint="sign in again") from reason

    def ask(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        fresh: bool = False,
    ) -> dict[str, Any]:
        """Send a request to an address that was checked, and return the JSON object of the answer.

        ``fresh`` asks also a provider that did not answer a moment ago.
        """
        target = self._target(url)
        if not fresh:
            self._need_answering(target.host_header)
        sent = {"Host": target.host_header, "Accept": "application/json", **(headers or {})}
        try:
            trusted = ssl.create_default_context()
            with httpx2.Client(verify=trusted, timeout=self._timeout_s, trust_env=False) as client:
                request = client.build_request(method, target.connect_url, data=form, headers=sent)
                request.extensions["sni_hostname"] = target.host
                answer = client.send(request, stream=True, follow_redirects=False)
                body = _read(answer)
        except httpx2.HTTPError as reason:
            silent = ProviderSilent(f"{target.host!r} cannot be reached: {type(reason).__name__}", hint=_HINT)
            self._silent[target.host_header] = (time.monotonic() + _SILENT_S, silent)
            raise silent from reason
        self._silent.pop(target.host_header, None)
        return _object(target.host, answer.status_code, body)

    def _need_answering(self, host: str) -> None:
        """Refuse to ask a provider that did not answer a moment ago."""
        until, silent = self._silent.get(host, (0.0, None))
        if silent is not None and time.monotonic() < until:
            raise ProviderSilent(silent.message, hint=silent.hint)

    def _target(self, url: str) -> Any:
        try:
            target = self._guard.check(url)
        except Unavailable as reason:
            raise ProviderSilent(reason.message) from reason
        except Invalid as error:
            hint = "an administrator can list it in AIMASS_ACCESS_PROVIDERS_ALLOW" if error.value else error.hint
            raise Invalid(error.message, field="issuer", value=error.value, allowed=error.allowed, hint=hint) from error
        if target.scheme != "https" and ip_address(target.address).is_global:
            raise Invalid("a provider on the internet is asked by https alone", field="issuer", allowed="https://host")
        return target

    def _look(self, issuer: str, *, fresh: bool = False) -> _Known:
        now = time.monotonic()
        known = self._known.get(issuer)
        if known is not None and not fresh and now - known.read_at < _KEEP_S:
            return known
        document = self.ask("GET", issuer.rstrip("/") + "/.well-known/openid-configuration", fresh=fresh)
        if document.get("issuer") != issuer:
            raise Invalid(
                "the provider calls itself by another address",
                field="issuer",
                value=issuer,
                allowed=str(document.get("issuer"))[:200],
            )
        missing = [name for name in _NEEDED if not isinstance(document.get(name), str)]
        if missing:
            raise Invalid(f"the provider does not name its {missing[0]!r}", field="issuer", value=issuer)
        with self._lock:
            self._known[issuer] = _Known(document, read_at=now)
        return self._known[issuer]

    def _keys(self, issuer: str, kid: str | None) -> list[dict[str, Any]]:
        """Return the signing keys; asked for again when one is not among them, at most every ten seconds."""
        known, now = self._look(issuer), time.monotonic()
        is_missing = kid is not None and kid not in {key.get("kid") for key in known.keys}
        if not known.keys or (is_missing and now - known.keys_at > _AGAIN_S) or now - known.keys_at > _KEEP_S:
            found = self.ask("GET", known.document["jwks_uri"]).get("keys")
            known.keys_at = now
            known.keys = [key for key in found or [] if isinstance(key, dict) and _signs(key)]
        return known.keys


def _signs(key: dict[str, Any]) -> bool:
    return key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig" and "d" not in key


def _read(answer: httpx2.Response) -> bytes:
    """Read a body that is not too long."""
    body = b""
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > _MOST_BYTES:
            answer.close()
            raise ProviderSilent("the provider's answer is too long")
    return body


def _object(host: str, status: int, body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if _FINE <= status < _FAULT:
        told = document.get("error") if isinstance(document, dict) else None
        raise Unauthenticated(f"{host!r} refuses: {str(told or status)[:80]}", hint="sign in again", value=status)
    if status >= _FAULT or not isinstance(document, dict):
        raise ProviderSilent(f"{host!r} answers {status} without a document")
    return document


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
