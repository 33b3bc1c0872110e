"""Takes the frames of the gateway workers and answers them, in whatever order the model is done with them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from aimass.infra.batching import Batcher, Task
from aimass.infra.frames import FrameReader, Message, encode_frame, pack
from aimass.kernel.errors import AimassError

_LOG = logging.getLogger("aimass.serving.worker")


class Desk(asyncio.Protocol):
    """The worker's end of one connection."""

    def __init__(self, batcher: Batcher, facts: Mapping[str, Any]) -> None:
        self._batcher = batcher
        self._facts = facts
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduce the worker."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(encode_frame({"worker": self._facts}))

    def data_received(self, data: bytes) -> None:
        """Hand every complete request to the model."""
        try:
            for message in self._reader.feed(data):
                self._batcher.put(self._task(message))
        except (AimassError, ValueError, KeyError, TypeError) as reason:
            _LOG.warning("what came is no frame: %s", reason)
            if self._transport is not None:
                self._transport.abort()

    def _task(self, message: Message) -> Task:
        columns, head = message.columns, message.head
        rows = {len(values) for values in columns.values()}
        task = Task(max(rows, default=1), columns, partial(self._answer, head["id"]), head["id"])
        task.is_alone = bool(head.get("alone")) or len(rows) != 1
        task.deadline = asyncio.get_running_loop().time() + float(head["timeout_s"])
        return task

    def _answer(self, number: int, outputs: Mapping[str, Any] | None, error: Exception | None) -> None:
        if outputs is not None:
            try:
                self._send(encode_frame({"id": number}, pack(outputs)))
            except (TypeError, ValueError, AttributeError) as reason:
                error = reason
        if error is not None:
            self._send(encode_frame({"id": number, "error": f"{type(error).__name__}: {error}"[:500]}))

    def _send(self, frame: bytes) -> None:
        """Write at the end of this turn: the answers of a batch leave together."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(frame)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(out))
