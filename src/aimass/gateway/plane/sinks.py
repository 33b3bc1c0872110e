"""What becomes of a request's body: kept, or read and dropped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.errors import BodyTooLarge, Overloaded
from aimass.gateway.plane.http import error_reply, reply
from aimass.kernel.errors import AimassError, Failed

_LOG = logging.getLogger(__name__)


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


class Later(Quiet):
    """Drops the body, and answers when something that takes a while is done; an error of it is an answer too."""

    def __init__(self, connection: Connection, work: Callable[[], Awaitable[bytes]]) -> None:
        self._connection = connection
        self._work = work
        self._task: asyncio.Task[None] | None = None

    def end(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            answer = reply(200, await self._work(), keep=self._connection.keep)
        except AimassError as error:
            answer = error_reply(error, keep=self._connection.keep)
        except Exception:  # noqa: BLE001 the client hears that it failed, the log why
            _LOG.exception("what a client asked for failed")
            answer = error_reply(Failed(), keep=self._connection.keep)
        self._connection.reply(answer)
        self._connection.finish()


class Drop(Quiet):
    """Drops the body of a request that is answered already."""


class Collect(Quiet):
    """Keeps the body up to a limit, then hands it over; all bodies of a worker share its budget."""

    def __init__(self, connection: Connection, limit: int, then: Callable[[bytes], None]) -> None:
        self._connection = connection
        self._budget = connection.host.budget
        self._limit = limit
        self._then = then
        self._first = b""
        self._more = bytearray()
        self._size = 0
        self._is_refused = False

    def piece(self, data: bytes) -> None:
        """Keep a part; answer at once when there is too much."""
        if self._is_refused:
            return
        self._size += len(data)
        has_room = self._budget.take(len(data))
        if self._size > self._limit:
            self._refuse(BodyTooLarge(value=self._size, allowed=f"at most {self._limit} bytes"))
        elif not has_room:
            self._refuse(Overloaded("the gateway holds as many bytes of bodies as it may"))
        elif self._first:
            self._more += data
        else:
            self._first = data

    def _refuse(self, error: AimassError) -> None:
        self._is_refused = True
        self._forget()
        self._connection.keep = False
        self._connection.reply(error_reply(error, keep=False))
        self._connection.finish()

    def _forget(self) -> bytes:
        """Give back what is held; return it."""
        body = self._first + self._more if self._more else self._first
        self._first, self._more = b"", bytearray()
        self._budget.take(-self._size)
        self._size = 0
        return body

    def lost(self) -> None:
        """Forget the body of a client that is gone."""
        self._forget()

    def end(self) -> None:
        """Hand the body over."""
        self._then(self._forget())
