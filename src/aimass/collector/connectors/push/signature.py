"""Signatures of webhooks, in the three forms that senders use: HMAC-SHA256, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import orjson

from aimass.kernel.errors import Invalid, Unauthenticated

PREFIX = "whsec_"
_HINT = "sign the body as it is sent, with the secret of the source"
_SHORTEST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A request of somebody who can only sign; the names of headers are in small letters."""

    headers: Mapping[str, str]
    body: bytes
    now_s: float
    tolerance_s: int


def delivery_of(scheme: str, request: Signed, secrets: Sequence[str]) -> str:
    """Check a signature against the secrets that are valid, and return the sender's name of the delivery; empty: none.

    Examples
    --------
    >>> told = "sha256=" + hmac.new(b"a secret of ours", b"body", "sha256").hexdigest()
    >>> request = Signed(headers={"x-hub-signature-256": told}, body=b"body", now_s=0, tolerance_s=300)
    >>> delivery_of("github", request, ["another secret", "a secret of ours"])
    ''
    """
    read = {"github": _github, "stripe": _stripe, "standard": _standard}[scheme]
    message, given, name = read(request)
    keys = [_key_of(scheme, secret) for secret in secrets if fits(scheme, secret)]
    wanted = [hmac.new(key, message, hashlib.sha256).digest() for key in keys]
    pairs = [(one, other) for one in wanted for other in given]
    if sum(hmac.compare_digest(one, other) for one, other in pairs) == 0:  # each pair is looked at, whichever fits
        raise Unauthenticated("the signature does not fit the body", hint=_HINT)
    return _id_in(request.body) if scheme == "stripe" else name


def fits(scheme: str, secret: str) -> bool:
    """Tell whether a sender of this form can have such a secret.

    Examples
    --------
    >>> fits("github", "no base64, but long"), fits("standard", "no base64, but long")
    (True, False)
    """
    try:
        _key_of(scheme, secret)
    except ValueError:  # also of texts outside of ASCII
        return False
    return True


def check_secret(scheme: str, secret: str) -> None:
    """Refuse a secret that a sender of this form cannot have."""
    if len(secret.removeprefix(PREFIX)) < _SHORTEST:  # what every secret begins with makes none harder to guess
        raise Invalid("the secret is too short", field="secret", allowed=f"at least {_SHORTEST} characters")
    if not fits(scheme, secret):
        hint = f"the sender shows it as {PREFIX}..."
        raise Invalid("the secret is no base64", field="secret", allowed=f"{PREFIX} and base64", hint=hint)


def _key_of(scheme: str, secret: str) -> bytes:
    if scheme == "standard":
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return secret.encode()


def _github(request: Signed) -> tuple[bytes, list[bytes], str]:
    given = _header(request, "x-hub-signature-256").removeprefix("sha256=")
    return request.body, _from_hex([given]), request.headers.get("x-github-delivery", "")


def _stripe(request: Signed) -> tuple[bytes, list[bytes], str]:
    pairs = [part.strip().partition("=")[::2] for part in _header(request, "stripe-signature").split(",")]
    stamp = next((value for name, value in pairs if name == "t"), "")
    _require_now(request, stamp, "stripe-signature")
    given = [value for name, value in pairs if name == "v1"]
    return f"{stamp}.".encode() + request.body, _from_hex(given), ""


def _standard(request: Signed) -> tuple[bytes, list[bytes], str]:
    name, stamp = _header(request, "webhook-id"), _header(request, "webhook-timestamp")
    _require_now(request, stamp, "webhook-timestamp")
    parts = [one.partition(",")[::2] for one in _header(request, "webhook-signature").split()]
    given = [_from_base64(value) for version, value in parts if version == "v1"]
    return f"{name}.{stamp}.".encode() + request.body, given, name


def _header(request: Signed, name: str) -> str:
    found = request.headers.get(name, "").strip()
    if not found:
        raise Unauthenticated(f"the header {name} is missing", hint=_HINT)
    return found


def _require_now(request: Signed, stamp: str, header: str) -> None:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):  # noqa: PLR2004 the year 33658
        raise Unauthenticated(f"the header {header} holds no moment", hint="seconds since 1970")
    if abs(request.now_s - int(stamp)) > request.tolerance_s:
        told = f"the signed moment is more than {request.tolerance_s} s away"
        raise Unauthenticated(told, hint="sign again when you send again, and set the clock")


def _from_hex(given: Sequence[str]) -> list[bytes]:
    found: list[bytes] = []
    for one in given:
        with suppress(ValueError):  # one that is none does not spoil those beside it
            found.append(bytes.fromhex(one))
    return found


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _id_in(body: bytes) -> str:
    """Return the id of an event: a sender of this form repeats an event with another signature, and the same id."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    found = told.get("id") if isinstance(told, dict) else None
    return found if isinstance(found, str) else ""
