"""HTTP/1.1 heads: parse them (httptools), check their framing, and write heads and replies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import httptools
import orjson

from aimass.gateway.plane.errors import BadRequest, HeadTooLarge, TargetTooLong, oip_body
from aimass.gateway.plane.limits import Limits
from aimass.kernel.errors import AimassError, Failed, Unauthenticated, Unavailable

Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"content-length",
    }
)
_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}
_LENGTH = re.compile(rb"[0-9]{1,18}")
_HOST = re.compile(rb"[A-Za-z0-9.\-_~%:\[\]]*")
_VERSIONS = (b" HTTP/1.0", b" HTTP/1.1")
_NO_BODY = frozenset({204, 304})
_SHORT, _REMEMBERED = 2048, 256  # heads that come again and again are understood once


@dataclass(slots=True, kw_only=True, eq=False)
class RequestHead:
    """A request head with its framing already checked; the same bytes may give the same object again, so nobody changes it."""

    method: bytes
    target: bytes
    path: bytes
    query: bytes
    headers: Headers
    is_old: bool
    keep_alive: bool
    length: int | None
    is_chunked: bool
    websocket: bool
    expects: bool

    def get(self, name: bytes) -> bytes | None:
        """Return the first value of a header."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def has_body(self) -> bool:
        """Tell whether a body follows."""
        return self.is_chunked or bool(self.length)


@dataclass(slots=True, kw_only=True, eq=False)
class ReplyHead:
    """The head of an answer that comes from elsewhere; nobody changes it."""

    status: int
    headers: Headers
    keep_alive: bool
    length: int | None
    is_chunked: bool

    def get(self, name: bytes) -> bytes:
        """Return the first value of a header, empty without one."""
        return next((value for key, value in self.headers if key == name), b"")


class _Collector:
    """Receives what httptools finds in one head."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: Headers = []

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip()))


def parse_request(data: bytes, limits: Limits) -> RequestHead:
    """Parse one whole request head, up to and with its empty line.

    Raises
    ------
    BadRequest
        It is not valid HTTP/1, or two readers could understand it in two ways.
    HeadTooLarge, TargetTooLong
        It has too many headers, or too long an address.
    """
    return _known_request(data, limits) if len(data) <= _SHORT else _parsed_request(data, limits)


def _parsed_request(data: bytes, limits: Limits) -> RequestHead:
    found = _Collector()
    parser = httptools.HttpRequestParser(found)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as reason:
        raise BadRequest(f"the request head is not valid HTTP: {reason}") from reason
    _check_size(found, limits)
    is_old = _is_old(data, parser.get_http_version())
    length, is_chunked = framing_of(found.headers)
    if is_old and is_chunked:
        raise BadRequest("HTTP/1.0 knows no chunks", field="Transfer-Encoding", value="chunked")
    _check_host(found.headers, is_old=is_old)
    target, path, query = _split_target(found.target)
    connection = tokens_of(found.headers, b"connection")
    return RequestHead(
        method=parser.get_method(),
        target=target,
        path=path,
        query=query,
        headers=found.headers,
        is_old=is_old,
        keep_alive=not is_old and b"close" not in connection,
        length=length,
        is_chunked=is_chunked,
        websocket=b"upgrade" in connection and b"websocket" in tokens_of(found.headers, b"upgrade"),
        expects=not is_old and b"100-continue" in tokens_of(found.headers, b"expect"),
    )


_known_request = lru_cache(_REMEMBERED)(_parsed_request)


def _check_size(found: _Collector, limits: Limits) -> None:
    if len(found.target) > limits.target_bytes:
        raise TargetTooLong(value=len(found.target), allowed=f"at most {limits.target_bytes} bytes")
    if len(found.headers) > limits.headers:
        raise HeadTooLarge("there are too many headers", value=len(found.headers), allowed=limits.headers)


def _is_old(data: bytes, version: str) -> bool:
    """Tell whether this is HTTP/1.0; refuse what is neither that nor HTTP/1.1 (the parser knows RTSP and ICE too)."""
    if not data[: data.find(b"\r\n")].endswith(_VERSIONS):
        raise BadRequest(f"HTTP version {version!r} is not spoken here", value=version, allowed=["1.0", "1.1"])
    return version == "1.0"


def _check_host(headers: Headers, *, is_old: bool) -> None:
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and not is_old):
        raise BadRequest("exactly one Host header is needed", field="Host", value=len(hosts))
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise BadRequest("the Host header is not a host", field="Host", value=hosts[0].decode("latin-1"))


def parse_reply(data: bytes, *, is_head: bool) -> ReplyHead:
    """Parse one whole reply head; ``is_head`` says that it answers a HEAD request, so no body follows."""
    return _known_reply(data, is_head) if len(data) <= _SHORT else _parsed_reply(data, is_head)


def _parsed_reply(data: bytes, is_head: bool) -> ReplyHead:
    found = _Collector()
    parser = httptools.HttpResponseParser(found)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as reason:
        raise BadRequest(f"the head of the answer is invalid: {reason}") from reason
    status = parser.get_status_code()
    length, is_chunked = framing_of(found.headers)
    if is_head or status in _NO_BODY:
        length, is_chunked = 0, False
    return ReplyHead(
        status=status,
        headers=found.headers,
        keep_alive=b"close" not in tokens_of(found.headers, b"connection") and (is_chunked or length is not None),
        length=length,
        is_chunked=is_chunked,
    )


_known_reply = lru_cache(_REMEMBERED)(_parsed_reply)


def tokens_of(headers: Headers, name: bytes) -> set[bytes]:
    """Return the comma separated tokens of a header, lower case."""
    return {t.strip().lower() for key, value in headers if key == name for t in value.split(b",")}


def framing_of(headers: Headers) -> tuple[int | None, bool]:
    """Return (content length, is chunked); refuse what two readers could understand in two ways."""
    lengths = [value for name, value in headers if name == b"content-length"]
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    if codings and lengths:
        raise BadRequest("Content-Length and Transfer-Encoding exclude each other", field="Transfer-Encoding")
    if codings and codings != [b"chunked"]:
        text = b", ".join(codings).decode("latin-1")
        raise BadRequest(f"Transfer-Encoding {text!r} is not known", field="Transfer-Encoding", allowed=["chunked"])
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(value) for value in lengths):
        text = b", ".join(lengths).decode("latin-1")
        raise BadRequest(f"Content-Length {text!r} is not one number", field="Content-Length", value=text)
    return (int(lengths.pop()) if lengths else None), bool(codings)


def _split_target(target: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (origin form, path, query); an absolute target loses its scheme and host."""
    if not target.startswith(b"/") and target != b"*":
        try:
            url = httptools.parse_url(target)
        except httptools.HttpParserInvalidURLError as reason:
            raise BadRequest("the request target is not a path", value=target.decode("latin-1")) from reason
        if not url.schema:
            raise BadRequest("the request target is not a path", value=target.decode("latin-1"))
        target = (url.path or b"/") + (b"?" + url.query if url.query else b"")
    path, _, query = target.partition(b"?")
    return target, path, query


def status_line(status: int) -> bytes:
    """Return the first line of a reply."""
    return _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n".encode()


def reply(
    status: int, body: bytes, *, kind: bytes = b"application/json", extra: bytes = b"", keep: bool = True
) -> bytes:
    """Return a whole reply; ``extra`` are header lines, each with its line end."""
    return b"%b%b%bContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        status_line(status),
        extra,
        b"" if keep else b"Connection: close\r\n",
        kind,
        len(body),
        body,
    )


def error_reply(error: AimassError, *, body: bytes = b"", extra: bytes = b"", keep: bool = True) -> bytes:
    """Return an error as a reply; without a body of its own it has the shape of the Open Inference Protocol."""
    retry_after_s: int = getattr(error, "retry_after_s", int(isinstance(error, Unavailable)))
    if retry_after_s:
        extra += b"Retry-After: %d\r\n" % retry_after_s
    extra += getattr(error, "lines", b"")
    if isinstance(error, Unauthenticated):
        extra += b'WWW-Authenticate: Bearer realm="aimass"\r\n'
    return reply(error.status, body or dump(oip_body(error)), extra=extra, keep=keep)


def dump(document: Any) -> bytes:
    """Write JSON; what JSON cannot say becomes text, so that an error never fails."""
    try:
        return orjson.dumps(document, default=str)
    except TypeError as reason:
        raise Failed(f"the answer cannot be written as JSON: {reason}") from reason
