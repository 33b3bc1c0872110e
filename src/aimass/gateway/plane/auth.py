"""API keys: looked up by SHA-256 in the snapshot, with an optional rate per second."""

from __future__ import annotations

import binascii
import math
from base64 import b64decode
from collections.abc import Callable
from copy import copy
from hashlib import sha256
from typing import Any

from aimass.gateway.plane.errors import QuotaUsed, RateLimited, UnknownKey
from aimass.gateway.plane.http import Headers
from aimass.gateway.plane.quotas import DAY_S, DailyQuota, Quotas, of_key
from aimass.gateway.plane.rates import Rates, SharedBucket

_BEARER, _BASIC, _SIGNED = b"bearer ", b"basic ", b"eyJ"
PLACE = b"x-aimass-workspace"


class Key:
    """What the snapshot says about one API key."""

    __slots__ = ("bucket", "consumer", "edit", "expires_at", "id", "quota", "routes", "use", "uses_all", "workspace")

    def __init__(self, spec: dict[str, Any], bucket: SharedBucket | None, quota: DailyQuota | None = None) -> None:
        self.id: str = spec["id"]
        self.consumer: str = spec["consumer"]
        self.workspace: str = spec["workspace"]
        self.use = frozenset(spec.get("use") or ())
        self.uses_all = "*" in self.use
        self.edit = frozenset(spec.get("edit") or ())
        self.routes = frozenset(spec.get("routes") or ())
        expires_at = spec.get("expires_at")
        self.expires_at: float = math.inf if expires_at is None else float(expires_at)
        self.bucket = bucket
        self.quota = quota

    def may_use(self, endpoint: str) -> bool:
        """Tell whether this key may use the endpoint."""
        return self.uses_all or endpoint in self.use

    def may_reach(self, route: str) -> bool:
        """Tell whether this key may use the route to a service."""
        return "*" in self.routes or route in self.routes

    def may_edit(self, endpoint: str) -> bool:
        """Tell whether this key may load and unload the endpoint."""
        return "*" in self.edit or endpoint in self.edit

    def until(self, end: float, *, may_call: bool, may_reach: bool, may_edit: bool) -> Key:
        """Return this key for a token that ends at ``end``; both share one rate."""
        cut = copy(self)
        cut.expires_at = min(self.expires_at, end)
        if not may_call:
            cut.use, cut.uses_all = frozenset(), False
        if not may_reach:
            cut.routes = frozenset()
        if not may_edit:
            cut.edit = frozenset()
        return cut

    def check(self, now: float) -> None:
        """Refuse an expired key."""
        if now >= self.expires_at:
            raise UnknownKey("the API key or token has expired", hint="ask for a new one")

    def admit(self, now: float) -> None:
        """Refuse an expired key, and one over its rate or its quota of the day."""
        self.check(now)
        if self.bucket is not None:
            wait = self.bucket.take(now)
            if wait:
                raise RateLimited(
                    f"the key of {self.consumer!r} is over its rate",
                    retry_after_s=wait,
                    allowed=f"{self.bucket.rate:g} requests a second",
                )
        if self.quota is not None and not self.quota.take(now):
            raise self._used_up(self.quota, now)

    def _used_up(self, quota: DailyQuota, now: float) -> QuotaUsed:
        left_s = quota.left(now)[1]
        told = (quota.limit, DAY_S, left_s)
        return QuotaUsed(
            f"the key of {self.consumer!r} has used its requests of the day",
            retry_after_s=left_s,
            reason="key_quota",
            lines=b'RateLimit-Policy: "key";q=%d;w=%d\r\nRateLimit: "key";r=0;t=%d\r\n' % told,
            allowed=f"{quota.limit} requests a day (UTC)",
        )


def read_keys(specs: dict[str, Any], old: dict[str, Key], rates: Rates, counts: Callable[[], Quotas]) -> dict[str, Key]:
    """Read the keys of a snapshot; what they have used stays in the files that workers share."""
    keys: dict[str, Key] = {}
    for digest, spec in specs.items():
        rate = float(spec.get("rate_per_s") or 0)
        before = old.get(digest)
        bucket = before.bucket if before is not None else None
        if rate and (bucket is None or bucket.rate != rate):
            bucket = rates.bucket(int(digest[:16], 16) or 1, rate)
        most = spec.get("daily_quota")
        quota = DailyQuota(counts(), of_key(spec["id"]), most) if most else None
        keys[digest] = Key(spec, bucket if rate else None, quota)
    return keys


def find_key(headers: Headers, get: Callable[[str], Key | None], token: Callable[[bytes, bytes], Key]) -> Key:
    """Return the key that a request carries, itself or as a signed token, or refuse it.

    A token is looked up together with the workspace that the request names, which counts where a person stands behind it.
    """
    text = _presented(headers)
    if text[:3] == _SIGNED:
        return token(text, next((value for name, value in headers if name == PLACE), b""))
    if not text:
        raise UnknownKey("no API key was sent", hint="send 'Authorization: Bearer <key>' or 'X-API-Key: <key>'")
    key = get(sha256(text).hexdigest())
    if key is None:
        raise UnknownKey("the API key is not known", hint="check the key, or ask for a new one")
    return key


def _presented(headers: Headers) -> bytes:
    """Return the key of a request: a bearer token, the password of basic credentials, or a header of its own."""
    for name, value in headers:
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            return value[len(_BEARER) :].strip()
        if name == b"authorization" and value[: len(_BASIC)].lower() == _BASIC:
            return _password(value[len(_BASIC) :])
        if name == b"x-api-key":
            return value
    return b""


def _password(credentials: bytes) -> bytes:
    """Return the password of basic credentials; nothing when they are none."""
    try:
        return b64decode(credentials.strip(), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""
