"""The isolated runtime: a model worker behind a Unix socket; many requests at once on one connection."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aimass.gateway.plane.encode import as_arrays
from aimass.gateway.plane.errors import WorkerBusy, WorkerFailed, WorkerGone, WorkerSlow
from aimass.gateway.plane.package import PLATFORMS, Package
from aimass.gateway.plane.runtimes.port import Done
from aimass.infra.frames import FrameReader, encode_frame
from aimass.kernel.errors import AimassError

_LOG = logging.getLogger(__name__)
_MAX_WAITING_BYTES = 64 * 1024 * 1024


class IsolatedRuntime(asyncio.Protocol):
    """The gateway's end of one worker."""

    single = None

    def __init__(self, path: str, package: Package) -> None:
        self.path = path
        self.platform = PLATFORMS[package.runtime]
        self._signature = package.signature["outputs"]
        self._transport: asyncio.WriteTransport | None = None
        self._reader = FrameReader()
        self._calls: dict[int, tuple[Done, asyncio.TimerHandle]] = {}
        self._next = 0
        self._is_closed = False

    @property
    def is_ready(self) -> bool:
        """Tell whether the worker is there."""
        return self._transport is not None

    async def connect(self) -> None:
        """Try to reach the worker when it is not reached yet; called again and again by the watcher."""
        if self._transport is not None or self._is_closed:
            return
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: self, self.path)
        except OSError as reason:
            _LOG.debug("the model worker at %s is not there: %s", self.path, reason)

    def start(self, values: dict[str, Any], rows: int, timeout_s: float, done: Done) -> None:
        """Send one request; ``done`` gets arrays by output name, or an error."""
        del rows
        if self._transport is None:
            done(None, WorkerGone("the worker of this model is not running", hint="try again in a few seconds"))
            return
        if self._transport.get_write_buffer_size() > _MAX_WAITING_BYTES:
            done(None, WorkerBusy(hint="send fewer requests at once, or give the deployment more replicas"))
            return
        self._next += 1
        number = self._next
        timer = asyncio.get_running_loop().call_later(timeout_s, self._late, number, timeout_s)
        self._calls[number] = (done, timer)
        self._transport.write(encode_frame({"id": number, "inputs": values}))

    def _late(self, number: int, timeout_s: float) -> None:
        self._finish(number, None, WorkerSlow(f"the model did not answer within {timeout_s:g} s", allowed=timeout_s))

    def _finish(self, number: int, outputs: dict[str, Any] | None, error: AimassError | None) -> None:
        done, timer = self._calls.pop(number, (None, None))
        if done is not None and timer is not None:
            timer.cancel()
            done(outputs, error)
        if self._is_closed:
            self.close()

    def _answered(self, message: dict[str, Any]) -> None:
        number = message["id"]
        error = message.get("error")
        if error is not None:
            self._finish(number, None, WorkerFailed(f"the model failed: {str(error)[:300]}"))
            return
        try:
            outputs = as_arrays(message["outputs"], self._signature)
        except (KeyError, TypeError, ValueError) as reason:
            self._finish(number, None, WorkerFailed(f"the worker's answer does not keep to the signature: {reason!r}"))
        else:
            self._finish(number, outputs, None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._reader = FrameReader()
        self._transport = transport  # pyright: ignore[reportAttributeAccessIssue]
        if self._is_closed:
            self.close()

    def data_received(self, data: bytes) -> None:
        """Hand complete answers to those who wait."""
        try:
            for message in self._reader.feed(data):
                self._answered(message)
        except (AimassError, ValueError, KeyError, TypeError) as reason:
            _LOG.warning("the model worker at %s sent what is no frame: %s", self.path, reason)
            self._drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Answer everybody who waits."""
        self._transport = None
        for number in list(self._calls):
            self._finish(number, None, WorkerGone("the worker of this model ended while it had this request"))

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Let the worker go; what is under way is answered first."""
        self._is_closed = True
        if self._transport is not None and not self._calls:
            self._transport.close()
