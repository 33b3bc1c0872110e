"""What becomes of a request's body: kept, or read and dropped."""

from __future__ import annotations

from collections.abc import Callable

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.errors import BodyTooLarge
from aimass.gateway.plane.http import error_reply


class Quiet:
    """A sink that does not care whether the client is slow or gone."""

    ends_with_client = False

    def piece(self, data: bytes) -> None:
        """Drop a part of the body."""

    def end(self) -> None:
        """Hear that the body is complete."""

    def lost(self) -> None:
        """Hear that the client is gone."""

    def writable(self, *, is_open: bool) -> None:
        """Hear that the client reads slowly, or reads again."""


class Answer(Quiet):
    """Drops the body and answers when it is complete."""

    def __init__(self, connection: Connection, reply: bytes) -> None:
        self._connection = connection
        self._reply = reply

    def end(self) -> None:
        """Answer."""
        self._connection.reply(self._reply)
        self._connection.finish()


class Drop(Quiet):
    """Drops the body of a request that is answered already."""


class Collect(Quiet):
    """Keeps the body up to a limit, then hands it over."""

    def __init__(self, connection: Connection, limit: int, then: Callable[[bytes], None]) -> None:
        self._connection = connection
        self._limit = limit
        self._then = then
        self._pieces: list[bytes] = []
        self._size = 0

    def piece(self, data: bytes) -> None:
        """Keep a part; answer at once when there is too much."""
        self._size += len(data)
        if self._size <= self._limit:
            self._pieces.append(data)
        elif self._pieces is not None and self._size - len(data) <= self._limit:
            self._pieces = []
            self._connection.keep = False
            error = BodyTooLarge(value=self._size, allowed=f"at most {self._limit} bytes")
            self._connection.reply(error_reply(error, keep=False))
            self._connection.finish()

    def end(self) -> None:
        """Hand the body over."""
        self._then(b"".join(self._pieces))
