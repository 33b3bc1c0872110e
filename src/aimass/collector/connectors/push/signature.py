"""Signatures of webhooks: checked in constant time, and good for a while only."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from aimass.collector.connectors.push.manifest import PushParameters
from aimass.kernel.errors import Unauthenticated

_HINT = "sign the body as it is sent, with the secret of the connection"


def checked(told: PushParameters, headers: Mapping[str, str], body: bytes, now_s: float) -> str:
    """Check the signature of a body and return it; the headers' names are in small letters.

    Examples
    --------
    >>> told = PushParameters(secret="s", signature_header="X-Sig")
    >>> checked(told, {"x-sig": "sha256=" + hmac.new(b"s", b"body", "sha256").hexdigest()}, b"body", 0.0)[:8]
    '42b8bcd4'
    """
    if told.secret is None:
        raise Unauthenticated("nobody is signed in, and this source takes no signed webhooks", hint="send an API key")
    given = headers.get(told.signature_header.lower(), "").removeprefix("sha256=").strip().lower()
    if not given:
        raise Unauthenticated(f"the header {told.signature_header} is missing", hint=_HINT)
    signed = body
    if told.signed == "timestamp.body":
        signed = _moment(told, headers, now_s).encode() + b"." + body
    wanted = hmac.new(told.secret.get_secret_value().encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted.encode(), given.encode()):
        raise Unauthenticated("the signature does not fit the body", field=told.signature_header, hint=_HINT)
    return wanted


def _moment(told: PushParameters, headers: Mapping[str, str], now_s: float) -> str:
    text = headers.get(told.timestamp_header.lower(), "").strip()
    if not text.isdigit():
        raise Unauthenticated(f"the header {told.timestamp_header} holds no moment", hint="seconds since 1970")
    if abs(now_s - int(text)) > told.tolerance_s:
        raise Unauthenticated(
            f"the signed moment is more than {told.tolerance_s} s away",
            field=told.timestamp_header,
            hint="send it as soon as it is signed, and set the clock",
        )
    return text
