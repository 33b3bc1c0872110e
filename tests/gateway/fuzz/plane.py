"""A real worker in this process, whose clients are byte strings instead of sockets."""

from __future__ import annotations

import asyncio
import logging
import re
import tempfile
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import uvloop

from aimass.gateway.plane.connection import Connection
from aimass.gateway.plane.server import running
from aimass.gateway.plane.worker import Worker
from aimass.gateway.settings import GatewaySettings
from tests.fixtures.gateway import Gateway, deployment, endpoint, onnx_of, snapshot, trained, write_package

_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
_LENGTH = re.compile(rb"(?im)^content-length: (\d+)\r$")
_TURNS = 5000


class Wire(asyncio.Transport):
    """The client's side of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.protocol: Connection = cast("Connection", None)
        self.is_paused = False
        self._is_closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()


class Faults(logging.Handler):
    """Keeps what the worker logs about itself as a failure."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


class Plane:
    """The worker; one at a time."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        root = Path(self._folder.name)
        package = write_package(root / "one", "model.onnx", onnx_of(trained(0)))
        gateway = Gateway(root / "data")
        gateway.publish(snapshot(1, endpoint("churn", deployment(package), max_body_bytes=100_000)), wait=False)
        settings = GatewaySettings(data_dir=root / "data", port=0, linger_s=0.0, drain_timeout_s=0.1)
        self._loop = uvloop.new_event_loop()
        self._stack = AsyncExitStack()
        self.worker: Worker
        self.worker, _ = self._loop.run_until_complete(self._stack.enter_async_context(running(settings)))
        self._faults = Faults()
        logging.getLogger().addHandler(self._faults)
        self._loop.set_exception_handler(lambda _, context: self._faults.found.append(repr(context)))

    def close(self) -> None:
        logging.getLogger().removeHandler(self._faults)
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.close()
        self._folder.cleanup()

    def talk(self, pieces: Iterable[bytes]) -> list[int]:
        """Bring the pieces one after the other; return the statuses of the answers.

        Raises
        ------
        AssertionError
            The worker failed, hung, lost count, or answered with what is not HTTP or with a fault of its own.
        """
        return self._loop.run_until_complete(self._talk(pieces))

    async def _talk(self, pieces: Iterable[bytes]) -> list[int]:
        wire = Wire()
        wire.protocol = connection = Connection(self.worker)
        connection.connection_made(wire)
        for piece in pieces:
            await self._settle(lambda: not wire.is_paused or wire.is_closing())
            if wire.is_closing():
                break
            connection.data_received(piece)
        await self._settle(lambda: connection.deadline > 0 or wire.is_closing())
        if not wire.is_closing() and not connection.eof_received():
            wire.close()
        await self._settle(lambda: connection.deadline > 0 or connection.is_lost)
        wire.close()
        await self._settle(lambda: connection.is_lost)
        worker = self.worker
        assert not self._faults.found, self._faults.found
        assert (len(worker.connections), worker.budget.held, worker.control.in_use) == (0, 0, 0)
        return statuses(bytes(wire.written))

    async def _settle(self, true: Any) -> None:
        for turn in range(_TURNS):
            await asyncio.sleep(0 if turn < 20 else 0.001)
            if turn > 1 and true():
                return
        raise AssertionError("the connection hangs")


def statuses(data: bytes) -> list[int]:
    """Return the status of each reply in a stream; what is not a reply is a failure."""
    found: list[int] = []
    at = 0
    while at < len(data):
        head = _HEAD.match(data, at)
        assert head is not None, data[at : at + 200]
        status = int(head[1])
        assert 100 <= status < 500 or status == 503, data[at : at + 500]
        found.append(status)
        at = head.end()
        length = _LENGTH.search(head[2])
        if length is not None and data[at : at + 9] != b"HTTP/1.1 ":  # a reply to HEAD has no body
            at += int(length[1])
    return found
