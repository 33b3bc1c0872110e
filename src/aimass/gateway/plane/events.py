"""Answers as server-sent events: one event for each chunk, held back while the client reads slowly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aimass.gateway.plane.calls import Call, Source, Work
from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.framing import LAST_CHUNK, chunk
from aimass.gateway.plane.http import error_reply
from aimass.gateway.plane.replies import about
from aimass.gateway.plane.sinks import Quiet
from aimass.gateway.plane.snapshot import Deployment
from aimass.kernel.errors import AimassError

_HEAD = b"HTTP/1.1 200 OK\r\n%bContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n%b\r\n"
_CHUNKED, _CLOSE = b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"


def event(body: bytes) -> bytes:
    r"""Write one event.

    Examples
    --------
    >>> event(b'{"text_output":"Hel"}')
    b'data: {"text_output":"Hel"}\n\n'
    """
    return b"data: %b\n\n" % body


class OverEvents(Quiet):
    """A request that came over HTTP and is answered by events; also what hears that its client is slow or gone."""

    ends_with_client = True

    def __init__(self, connection: Connection, *, is_old: bool) -> None:
        self._connection = connection
        self._is_old = is_old
        self._source: Source | None = None
        self._gone: Callable[[], None] | None = None
        self._is_begun = False
        self._is_open = True
        self._owed = 0

    # -- a caller

    @property
    def chunks(self) -> OverEvents:
        """Return this: chunks are welcome."""
        return self

    @property
    def is_gone(self) -> bool:
        """Tell whether the client has closed."""
        return self._connection.is_lost

    @property
    def trace(self) -> bytes:
        """Return the trace that the client put the request in; empty without one."""
        return self._connection.trace

    def write(self, work: Work, outputs: dict[str, Any]) -> bytes:
        """Return a whole answer as one event."""
        return event(work.call.dialect.write(work, outputs).body)

    def send(self, work: Work, answer: bytes) -> None:
        """Send a whole answer."""
        self._say(work, answer)
        self._finish()

    def refuse(self, call: Call, error: AimassError, deployment: Deployment | None = None) -> None:
        """Send an error before the first chunk, as an ordinary reply."""
        connection = self._connection
        extra = deployment.head_lines if deployment is not None else b""
        connection.send(error_reply(error, body=call.dialect.refuse(error), extra=extra, keep=connection.keep))
        self._source = self._gone = None
        connection.finish()

    # -- of chunks

    def begin(self, work: Work, source: Source, gone: Callable[[], None]) -> None:
        """Hear where chunks come from."""
        self._source, self._gone = source, gone
        self._connection.attend(self)

    def part(self, work: Work, outputs: dict[str, Any]) -> None:
        """Send a chunk; the next one may come when the client reads."""
        self._say(work, self.write(work, outputs))
        self._owed += 1
        self._ask()

    def ended(self, work: Work, error: AimassError | None) -> None:
        """Send the end; an error in the middle is an event of its own."""
        self._source = self._gone = None
        if self._connection.is_lost:
            return
        self._say(work, event(work.call.dialect.refuse(error)) if error is not None else b"")
        self._finish()

    def _say(self, work: Work, text: bytes) -> None:
        if not self._is_begun:
            self._is_begun = self._connection.is_replying = True
            self._connection.keep = self._connection.keep and not self._is_old
            framing = b"" if self._is_old else _CHUNKED
            self._connection.send(_HEAD % (about(work), framing if self._connection.keep else framing + _CLOSE))
        if text:
            self._connection.send(text if self._is_old else chunk(text))

    def _finish(self) -> None:
        if not self._is_old:
            self._connection.send(LAST_CHUNK)
        self._connection.finish()

    def _ask(self) -> None:
        if self._is_open and self._owed and self._source is not None:
            owed, self._owed = self._owed, 0
            self._source.more(owed)

    # -- a sink

    def writable(self, *, is_open: bool) -> None:
        """Let chunks come only while the client reads."""
        self._is_open = is_open
        self._ask()

    def lost(self) -> None:
        """Stop the model's work for a client that is gone."""
        gone, self._gone, self._source = self._gone, None, None
        if gone is not None:
            gone()
