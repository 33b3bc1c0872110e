"""How the reverse proxy says no: a problem document for programs, with what pages of other origins need to read it."""

from __future__ import annotations

from aimass.gateway.plane.http import RequestHead, dump, error_reply
from aimass.gateway.plane.proxy.heads import may_read
from aimass.gateway.plane.proxy.things import Route
from aimass.kernel.errors import AimassError


def error_answer(error: AimassError, head: RequestHead, route: Route, *, keep: bool) -> bytes:
    """Return an error as a whole reply."""
    origin, extra = head.get(b"origin"), b""
    if origin is not None and may_read(origin, route):
        extra = b"Access-Control-Allow-Origin: %b\r\nVary: Origin\r\n" % origin
    return error_reply(error, body=dump(error.problem()), extra=extra, keep=keep)


def status_of(answer: bytes) -> int:
    r"""Return the status of a whole reply.

    Examples
    --------
    >>> status_of(b"HTTP/1.1 200 OK\r\n\r\n")
    200
    """
    return int(answer[9:12])
