"""Who gets an answer: the HTTP connection of a client, or nobody."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from aimass.gateway.plane.calls import Call, Work
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.encode import compress
from aimass.gateway.plane.http import error_reply, reply
from aimass.gateway.plane.snapshot import Deployment
from aimass.kernel.errors import AimassError

_MAX_HEADER = 200
_WORTH_PACKING = 1024


class OverHttp:
    """A request that came over HTTP and is answered in its dialect."""

    __slots__ = ("_connection",)
    chunks = None

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def is_gone(self) -> bool:
        """Tell whether the client has closed."""
        return self._connection.is_lost

    @property
    def trace(self) -> bytes:
        """Return the trace that the client put the request in; empty without one."""
        return self._connection.trace

    def write(self, work: Work, outputs: dict[str, Any]) -> bytes:
        """Return the whole reply."""
        call = work.call
        written = call.dialect.write(work, outputs)
        extra = about(work) + written.extra
        body = written.body
        if call.accepts and len(body) >= _WORTH_PACKING:
            body = compress(body, call.accepts)
            extra += b"Content-Encoding: %b\r\nVary: Accept-Encoding\r\n" % call.accepts
        return reply(200, body, kind=written.kind, extra=extra, keep=self._connection.keep)

    def send(self, work: Work, answer: bytes) -> None:
        """Send the reply and go on with the next request of the connection."""
        self._connection.send(answer)
        self._connection.finish()

    def refuse(self, call: Call, error: AimassError, deployment: Deployment | None = None) -> None:
        """Send an error in the shape of the dialect."""
        connection = self._connection
        extra = deployment.head_lines if deployment is not None else b""
        body = call.dialect.refuse(error)
        connection.send(error_reply(error, body=body, extra=extra, keep=connection.keep))
        connection.finish()


class ToNobody:
    """A copy of a request whose answer is recorded and thrown away."""

    __slots__ = ()
    chunks = None
    is_gone = False
    trace = b""

    def write(self, work: Work, outputs: dict[str, Any]) -> None:
        """Write nothing."""

    def send(self, work: Work, answer: None) -> None:
        """Send nothing."""

    def refuse(self, call: Call, error: AimassError, deployment: Deployment | None = None) -> None:
        """Send nothing."""


def about(work: Work) -> bytes:
    """Return the header lines that say who answers what."""
    extra = b"%bX-Request-Id: %b\r\n" % (work.deployment.head_lines, header_text(work.id))
    return extra + b"X-Aimass-Fallback: %b\r\n" % header_text(work.rescue) if work.rescue else extra


def header_text(text: str) -> bytes:
    """Return a caller's id in the form in which a header can carry it.

    Examples
    --------
    >>> header_text("a-1"), header_text("é")
    (b'a-1', b'%C3%A9')
    """
    if text.isascii() and text.isprintable():
        return text.encode()
    return quote(text)[:_MAX_HEADER].encode()
