"""Heads of requests to services and of their answers: rebuilt from parsed values, with what the route's policies say."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from aimass.gateway.plane.http import HOP_BY_HOP, Headers, ReplyHead, RequestHead, status_line, tokens_of
from aimass.gateway.plane.proxy.things import Instance, Route

_FROM_CLIENT = HOP_BY_HOP | {b"expect", b"forwarded", b"x-real-ip", b"host", b"via", b"traceparent", b"tracestate"}
_OURS = (b"x-forwarded-", b"x-aimass-")
_KEYS = frozenset({b"authorization", b"x-api-key"})
_OWN_COOKIES = (b"aimass_session", b"aimass_csrf")
_NOT_FROM_SERVICE = HOP_BY_HOP | {
    b"service-worker-allowed",
    b"via",
    b"traceresponse",
    b"clear-site-data",
    b"strict-transport-security",
}
_SWITCHED, _REMEMBERED = 101, 256
_BODILESS = frozenset({204, 304})
_SANDBOX = b"content-security-policy: sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts"


class Caller(NamedTuple):
    """What the gateway says of who asks: his address, his name where he showed a key, and the gateway's own.

    ``scheme`` is that by which he came; ``certificate`` is fingerprint and subject of the certificate that he showed, where that was asked for.
    """

    peer: str
    consumer: str | None
    through: bytes
    scheme: bytes
    certificate: bytes = b""


@lru_cache(_REMEMBERED)
def request_head(head: RequestHead, route: Route, instance: Instance, caller: Caller) -> bytes:
    """Rebuild the head of a request for an instance, with what the gateway itself says of the caller.

    A head that comes again is the same object (:func:`parse_request`), and is rebuilt once for each route and caller.
    """
    dropped = _FROM_CLIENT | tokens_of(head.headers, b"connection") | route.remove_request
    dropped |= _KEYS if route.is_key_needed else frozenset()
    lines = [b"%b %b HTTP/1.1" % (head.method, _target(head, route)), b"host: " + host_of(instance)]
    for name, value in head.headers:
        plain = name.replace(b"_", b"-")  # WSGI and CGI take the two for one
        if plain.startswith(_OURS) or plain in dropped or name in dropped:
            continue
        if name == b"cookie":
            value = cookies_for_services(value)  # noqa: PLW2901 what is left of it
            if not value:
                continue
        lines.append(b"%b: %b" % (name, value))
    lines += [b"%b: %b" % pair for pair in (*_said_of(head, route, caller), *route.set_request)]
    if head.is_chunked:
        lines.append(b"transfer-encoding: chunked")
    elif head.length is not None:
        lines.append(b"content-length: %d" % head.length)
    if head.websocket:
        lines += [b"connection: Upgrade", b"upgrade: websocket"]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _target(head: RequestHead, route: Route) -> bytes:
    """Return path and query for the service."""
    path = (head.path[len(route.prefix) :] or b"/") if route.strip else head.path
    return path + (b"?" + head.query if head.query else b"")


def _said_of(head: RequestHead, route: Route, caller: Caller) -> Headers:
    """Return what the gateway says of a request: who asked, from where, for what, and through whom it came."""
    host, peer = head.get(b"host") or b"", caller.peer
    shown = f'"[{peer}]"' if ":" in peer else peer
    said: Headers = [
        (b"x-forwarded-for", peer.encode()),
        (b"x-forwarded-proto", caller.scheme),
        (b"x-forwarded-host", host),
        (b"forwarded", b'for=%b;host="%b";proto=%b' % (shown.encode(), host, caller.scheme)),
        (b"via", _via_of(head, caller.through)),
        (b"x-aimass-workspace", route.workspace.encode()),
    ]
    if route.strip and route.prefix:
        said.append((b"x-forwarded-prefix", route.prefix))
    if caller.consumer is not None:
        said.append((b"x-aimass-consumer", quote(caller.consumer, safe=" @:+").encode()))
    if caller.certificate:
        said.append((b"x-aimass-client-certificate", caller.certificate))
    return said


def _via_of(head: RequestHead, own: bytes) -> bytes:
    """Return the header ``Via`` with ourselves at its end."""
    before = [value for name, value in head.headers if name == b"via"]
    return b", ".join([*before, b"1.1 " + own])


def has_passed(head: RequestHead, own: bytes) -> bool:
    """Tell whether a request came through this gateway before."""
    if not own:
        return False
    return any(own in value for name, value in head.headers if name == b"via")


def host_of(instance: Instance) -> bytes:
    """Return what the ``Host`` header says to an instance."""
    host = f"[{instance.host}]" if ":" in instance.host else instance.host
    usual = 443 if instance.is_tls else 80
    return (host if instance.port == usual else f"{host}:{instance.port}").encode()


def cookies_for_services(value: bytes) -> bytes:
    """Return a ``Cookie`` header without those of the console: no service may act as the person who calls it.

    Examples
    --------
    >>> cookies_for_services(b"a=1; aimass_session=secret; b=2")
    b'a=1; b=2'
    """
    pairs = (pair.strip() for pair in value.split(b";"))
    return b"; ".join(pair for pair in pairs if pair and pair.partition(b"=")[0].strip() not in _OWN_COOKIES)


class _Asked(NamedTuple):
    """What of a request the head of its answer depends on."""

    is_head: bool
    is_old: bool
    origin: bytes | None
    keep: bool


def reply_head(reply: ReplyHead, request: RequestHead, route: Route, instance: Instance, *, keep: bool) -> bytes:
    """Rebuild the head of a service's answer for the client; one that comes again is rebuilt once.

    A service shares its origin with the console, so a browser is told to run its pages apart from it, and it sets none of
    the console's cookies.
    """
    origin = request.get(b"origin") if route.cors else None
    return _rebuilt(reply, route, instance, _Asked(request.method == b"HEAD", request.is_old, origin, keep))


@lru_cache(_REMEMBERED)
def _rebuilt(reply: ReplyHead, route: Route, instance: Instance, asked: _Asked) -> bytes:
    dropped = _NOT_FROM_SERVICE | tokens_of(reply.headers, b"connection") | route.remove_reply
    if route.cors:
        dropped |= frozenset({b"access-control-allow-origin", b"access-control-allow-credentials"})
    if asked.is_head:
        dropped -= {b"content-length"}
    lines = [status_line(reply.status)[:-2]]
    for name, value in reply.headers:
        if name in dropped or (name == b"set-cookie" and _names_ours(value)):
            continue
        shown = _location(value, route, instance) if name == b"location" else value
        lines.append(b"%b: %b" % (name, shown))
    lines += [b"%b: %b" % pair for pair in route.set_reply]
    lines.append(_SANDBOX)
    if asked.origin is not None and may_read(asked.origin, route):
        lines += [b"access-control-allow-origin: " + asked.origin, b"vary: Origin"]
    lines += _framing(reply, asked)
    if not asked.keep:
        lines.append(b"connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _framing(reply: ReplyHead, asked: _Asked) -> Iterable[bytes]:
    """Return the lines that say how the body ends."""
    if reply.status == _SWITCHED:
        return [b"connection: Upgrade", b"upgrade: websocket"]
    if asked.is_head or reply.status in _BODILESS:
        return []
    if not reply.is_chunked and reply.length is not None:
        return [b"content-length: %d" % reply.length]
    return [] if asked.is_old else [b"transfer-encoding: chunked"]


def _names_ours(cookie: bytes) -> bool:
    """Tell whether a cookie is one of the console's, or becomes one: a browser sends ``=a=b``, which has no name, as ``a=b``.

    Examples
    --------
    >>> [_names_ours(text) for text in (b"aimass_csrf=x", b"=aimass_session=x", b"own=1")]
    [True, True, False]
    """
    name = cookie.partition(b"=")[0].strip()
    return not name or name in _OWN_COOKIES


def _location(value: bytes, route: Route, instance: Instance) -> bytes:
    """Return where a service sends its caller, as an address of the gateway."""
    for scheme in (b"http://", b"https://"):
        own = scheme + host_of(instance)
        if value == own or value.startswith(own + b"/"):
            value = value[len(own) :] or b"/"
    if value.startswith(b"/") and not value.startswith(b"//") and route.strip and not _is_below(value, route.prefix):
        return route.prefix + value
    return value


def _is_below(path: bytes, prefix: bytes) -> bool:
    return path == prefix or path.startswith(prefix + b"/")


def may_read(origin: bytes, route: Route) -> bool:
    """Tell whether pages of an origin may read what the route answers."""
    return b"*" in route.cors or origin in route.cors


def preflight(head: RequestHead, route: Route) -> bytes | None:
    """Return the answer to a browser that asks whether it may call, or None when this is no such question."""
    origin, method = head.get(b"origin"), head.get(b"access-control-request-method")
    if not route.cors or head.method != b"OPTIONS" or origin is None or method is None:
        return None
    lines = [b"HTTP/1.1 204 No Content", b"vary: Origin"]
    if may_read(origin, route):
        lines += [b"access-control-allow-origin: " + origin, b"access-control-allow-methods: " + method]
        wanted = head.get(b"access-control-request-headers")
        lines += [b"access-control-allow-headers: " + wanted] if wanted else []
        lines.append(b"access-control-max-age: 600")
    return b"\r\n".join(lines) + b"\r\n\r\n"
