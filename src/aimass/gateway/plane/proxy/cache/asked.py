"""What of a request decides which kept answer it gets."""

from __future__ import annotations

import math
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from aimass.gateway.plane.http import Headers, RequestHead
from aimass.gateway.plane.proxy.cache.freshness import directives, seconds
from aimass.gateway.plane.proxy.heads import Caller, cookies_for_services
from aimass.gateway.plane.proxy.keeping import Keeping
from aimass.gateway.plane.proxy.things import Route

MOST_BODY = 1024 * 1024
"""A POST with a longer body goes past the cache."""
_REMEMBERED = 256
_PAST = frozenset(
    {
        b"range", b"if-range", b"if-match", b"if-unmodified-since", b"upgrade",
        b"x-http-method", b"x-http-method-override", b"x-method-override", b"x-original-url", b"x-rewrite-url",
    }
)  # fmt: skip
"""With one of these a request means something else than its address says."""
_CREDENTIALS = (b"authorization", b"x-api-key")
_BODY_HEADERS = (b"content-type", b"content-encoding", b"content-language")


class Asked(NamedTuple):
    """A request that a kept answer may serve.

    Attributes
    ----------
    digest
        What it has in common with all requests that get the same answer.
    target
        Path and query, by which other requests change what it asks for.
    most_age_s
        How old an answer it takes.
    is_reload
        It wants an answer that was fetched for it.
    is_known
        It shows who asks, and only who shows the same gets the same answer.
    is_signed
        It carries credentials for the service itself.
    keeping
        What its route says.
    """

    digest: bytes
    target: bytes
    most_age_s: float
    is_reload: bool
    is_known: bool
    is_signed: bool
    keeping: Keeping

    def with_body(self, body: bytes) -> Asked:
        """Return the same request with its body."""
        return self._replace(digest=sha256(self.digest + body).digest())


@lru_cache(_REMEMBERED)
def asked_of(head: RequestHead, route: Route, caller: Caller) -> Asked | None:
    """Return what a request asks the cache for; None when it has to go past it.

    A head that comes again is the same object, and is understood once for each route and caller.
    """
    keeping = route.cache
    if keeping is None or not _may_be_kept(head, keeping):
        return None
    told = directives(head.headers) or directives(head.headers, b"pragma")
    is_heeded = keeping.heeds_reload
    if is_heeded and b"no-store" in told:
        return None
    most_age_s = seconds(told, b"max-age") if is_heeded else None
    shown = () if keeping.is_shared else _shown(head, route, caller)
    return Asked(
        _digest(head, route, keeping, caller, shown),
        target_of(head),
        math.inf if most_age_s is None else most_age_s,
        is_heeded and (b"no-cache" in told or most_age_s == 0),
        any(shown),
        any(_credentials(head, route)),
        keeping,
    )


def target_of(head: RequestHead) -> bytes:
    """Return path and query."""
    return head.path + b"?" + head.query


def values_of(headers: Headers, name: bytes) -> bytes:
    """Return all values of a header as one."""
    return b", ".join([value for key, value in headers if key == name])


def _may_be_kept(head: RequestHead, keeping: Keeping) -> bool:
    if any(name in _PAST for name, _ in head.headers):
        return False
    if head.method in (b"GET", b"HEAD"):
        return not head.has_body
    return head.method == b"POST" and keeping.takes_post and not head.is_chunked and (head.length or 0) <= MOST_BODY


def _shown(head: RequestHead, route: Route, caller: Caller) -> tuple[bytes, ...]:
    """Return everything by which the service could tell who asks."""
    cookies = b"; ".join(cookies_for_services(value) for name, value in head.headers if name == b"cookie")
    return (caller.consumer or "").encode(), cookies, caller.certificate, *_credentials(head, route)


def _credentials(head: RequestHead, route: Route) -> list[bytes]:
    """Return the credentials that reach the service; where the route asks for a key, they are the gateway's and end here."""
    return [] if route.is_key_needed else [values_of(head.headers, name) for name in _CREDENTIALS]


def _digest(head: RequestHead, route: Route, keeping: Keeping, caller: Caller, shown: tuple[bytes, ...]) -> bytes:
    """Return the digest of all that an answer depends on; the length before each part keeps parts apart."""
    is_post = head.method == b"POST"
    parts = [
        keeping.generation(head.path[len(route.prefix) :]),
        b"POST" if is_post else b"GET",
        caller.scheme,
        head.get(b"host") or b"",
        target_of(head),
        *(values_of(head.headers, name) for name in keeping.vary),
        *shown,
        *((values_of(head.headers, name) for name in _BODY_HEADERS) if is_post else ()),
    ]
    return sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts)).digest()
