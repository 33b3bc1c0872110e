"""Takes the frames of the gateway workers and answers them, in whatever order the model is done with them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from aimass.infra.batching import Batcher, Task
from aimass.infra.frames import FrameReader, Message, Row, bounded, encode_frame, encode_row, pack
from aimass.kernel.errors import AimassError
from aimass.serving.children.streams import Streams

_LOG = logging.getLogger("aimass.serving.worker")
ROWS = ""  # in place of columns: rows as bytes; no column has an empty name


class Desk(asyncio.Protocol):
    """The worker's end of one connection."""

    def __init__(self, batcher: Batcher, facts: Mapping[str, Any], streams: Streams) -> None:
        self._batcher = batcher
        self._streams = streams
        self._open: dict[int, Any] = {}
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
                if isinstance(message, Row):
                    self._batcher.put(self._row_task(message))
                elif not self._is_of_stream(message):
                    self._batcher.put(self._task(message))
        except (AimassError, ValueError, KeyError, TypeError) as reason:
            _LOG.warning("what came is no frame: %s", reason)
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the streams that nobody reads any more."""
        for stream in self._open.values():
            stream.cancel()

    def _is_of_stream(self, message: Message) -> bool:
        """Open, feed or end a stream when the message is about one; tell whether it is."""
        head = message.head
        if "stream" in head:
            number = head["id"]
            self._open[number] = self._streams.open(message, self._send, lambda: self._open.pop(number, None))
            return True
        if "more" not in head and "cancel" not in head:
            return False
        stream = self._open.get(head["id"])
        if stream is not None:
            stream.cancel() if "cancel" in head else stream.more(int(head["more"]))
        return True

    def _task(self, message: Message) -> Task:
        columns, head = message.columns, message.head
        rows = {len(values) for values in columns.values()}
        task = Task(max(rows, default=1), columns, partial(self._answer, head["id"]), head["id"])
        task.is_alone = bool(head.get("alone")) or len(rows) != 1
        task.deadline = asyncio.get_running_loop().time() + float(head["timeout_s"])
        return task

    def _row_task(self, row: Row) -> Task:
        task = Task(1, {ROWS: [row.data]}, partial(self._answer_row, row.id), row.id, row.is_alone)
        task.deadline = asyncio.get_running_loop().time() + row.timeout_s
        return task

    def _answer_row(self, number: int, outputs: Mapping[str, Any] | None, error: Exception | None) -> None:
        if outputs is None:
            self._answer(number, None, error)
        else:
            (answer,) = outputs[ROWS]
            self._send(encode_row(number, answer))

    def _answer(self, number: int, outputs: Mapping[str, Any] | None, error: Exception | None) -> None:
        if outputs is not None:
            try:
                self._send(bounded(encode_frame({"id": number}, pack(outputs))))
            except Exception as reason:  # noqa: BLE001 what cannot be sent belongs to this one request
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
