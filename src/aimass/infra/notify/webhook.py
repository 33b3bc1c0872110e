"""Call a webhook: signed, to the address that was checked, without following redirects."""

from __future__ import annotations

import hmac
import ssl

import httpx2
import orjson

from aimass.infra.notify.addresses import AddressGuard
from aimass.infra.notify.messages import Webhook
from aimass.kernel.clock import Clock
from aimass.kernel.errors import Invalid, Unavailable

SIGNATURE = "X-AIMass-Signature"
DELIVERY = "X-AIMass-Delivery"
_AGAIN = frozenset({408, 409, 425, 429})
_SERVER_FAULT = 500
_FINE = 300


def call_webhook(guard: AddressGuard, clock: Clock, id_: str, hook: Webhook, timeout_s: float) -> None:
    """Post the document; raise ``Unavailable`` when it may be tried again, ``Invalid`` when not."""
    target = guard.check(hook.url)
    body = orjson.dumps(dict(hook.body), default=str)
    headers = {"Host": target.host_header, "Content-Type": "application/json", DELIVERY: id_}
    if hook.secret is not None:
        headers[SIGNATURE] = sign(hook.secret, int(clock.now().timestamp()), body)
    try:
        trusted = ssl.create_default_context()  # the machine's own list, and SSL_CERT_FILE where it is set
        with httpx2.Client(verify=trusted, timeout=timeout_s, trust_env=False, follow_redirects=False) as client:
            request = client.build_request("POST", target.connect_url, content=body, headers=headers)
            request.extensions["sni_hostname"] = target.host
            answer = client.send(request, stream=True)
            answer.close()
    except httpx2.HTTPError as reason:
        raise Unavailable(f"{target.host!r} cannot be reached: {type(reason).__name__}") from reason
    if answer.status_code >= _SERVER_FAULT or answer.status_code in _AGAIN:
        raise Unavailable(f"{target.host!r} answers {answer.status_code}")
    if answer.status_code >= _FINE:
        raise Invalid(f"{target.host!r} answers {answer.status_code}", hint="redirects are not followed")


def sign(secret: str, moment: int, body: bytes) -> str:
    """Return the signature header: HMAC-SHA-256 over the time and the body, so that an old call cannot be replayed.

    Examples
    --------
    >>> sign("s3cret", 1, b"{}")[:15]
    't=1,v1=3aef0699'
    """
    return f"t={moment},v1={hmac.digest(secret.encode(), f'{moment}.'.encode() + body, 'sha256').hex()}"


def verify_signature(secret: str, header: str, body: bytes, now: float, tolerance_s: float = 300) -> bool:
    """Tell whether a call is ours and fresh; for receivers, and as the definition of the header.

    Examples
    --------
    >>> header = sign("s3cret", 1000, b"{}")
    >>> [verify_signature("s3cret", header, b"{}", now) for now in (1001, 9999)]
    [True, False]
    """
    moment = header.partition(",")[0].removeprefix("t=")
    if not moment.isdigit() or abs(now - int(moment)) > tolerance_s:
        return False
    return hmac.compare_digest(sign(secret, int(moment), body), header)
