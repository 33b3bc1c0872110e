"""Streams: answers that come in chunks, each taken out of the model only when the other side has room for it.

A request head with ``stream`` opens one; its number is how many chunks may be sent at first. ``more`` allows further
ones, ``cancel`` ends it. Chunks go out as ``{"id": n, "part": k}`` with their columns, the end as ``{"id": n, "end":
true}`` or ``{"id": n, "error": sentence}``, with ``refused`` (field, allowed, hint) where the request is at fault.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aimass.infra.frames import Message, bounded, encode_frame, pack
from aimass.kernel.errors import Invalid

_LOG = logging.getLogger("aimass.serving.worker")
_PLACES = 8
Send = Callable[[bytes], Any]
Tell = Callable[[Mapping[str, Any], Mapping[str, Any]], Iterable[Mapping[str, Any]]]


class _Stream:
    """One stream, run by a thread of its own."""

    def __init__(self, number: int, chunks: Callable[[], Iterable[Mapping[str, Any]]], room: int, send: Send) -> None:
        self._number = number
        self._chunks = chunks
        self._send = send
        self._room = threading.Semaphore(room)
        self._is_cancelled = False

    def more(self, count: int) -> None:
        """Allow so many further chunks."""
        self._room.release(count)

    def cancel(self) -> None:
        """End it before the next chunk."""
        self._is_cancelled = True
        self._room.release()

    def run(self) -> None:
        """Take chunks out of the model until it has no more, fails, or nobody wants them."""
        try:
            self._tell(self._chunks())
        except Invalid as reason:
            self._send(encode_frame({"id": self._number, **_refusal(reason)}))
        except (Exception, SystemExit) as reason:  # noqa: BLE001 whatever a model raises belongs to this one stream
            _LOG.exception("a stream failed")
            self._send(encode_frame({"id": self._number, "error": f"{type(reason).__name__}: {reason}"[:500]}))
        else:
            self._send(encode_frame({"id": self._number, "end": True}))

    def _tell(self, chunks: Iterable[Mapping[str, Any]]) -> None:
        try:
            for part, chunk in enumerate(chunks):
                self._room.acquire()
                if self._is_cancelled:
                    return
                self._send(bounded(encode_frame({"id": self._number, "part": part}, pack(chunk))))
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()


def _refusal(reason: Invalid) -> dict[str, Any]:
    """Return what a model says of a request that it cannot answer; a broken package is no fault of who asks."""
    if type(reason) is not Invalid:
        return {"error": f"{type(reason).__name__}: {reason}"[:500]}
    allowed = reason.allowed if isinstance(reason.allowed, str | list) else None
    return {"error": reason.message[:500], "refused": {"field": reason.field, "allowed": allowed, "hint": reason.hint}}


class Streams:
    """All streams of a worker.

    Parameters
    ----------
    model
        Streams when it has a ``predict_stream(columns, parameters)`` that returns chunks: mappings from output names to
        columns.
    """

    def __init__(self, model: Any) -> None:
        self._tell: Tell | None = getattr(model, "predict_stream", None)
        self._executor = ThreadPoolExecutor(_PLACES, thread_name_prefix="stream")
        self._open: set[_Stream] = set()

    @property
    def places(self) -> int:
        """Return how many streams there may be at once; 0 when the model has none."""
        return _PLACES if self._tell is not None else 0

    def open(self, message: Message, send: Send, ended: Callable[[], None]) -> _Stream:
        """Begin a stream; ``send`` and ``ended`` are called in the loop, the latter when no more will be sent."""
        tell, head, loop = self._tell, message.head, asyncio.get_running_loop()
        if tell is None:
            raise ValueError("this model has no streams")
        stream = _Stream(
            head["id"],
            lambda: tell(message.columns, head.get("parameters") or {}),
            int(head["stream"]),
            lambda frame: loop.call_soon_threadsafe(send, frame),
        )
        self._open.add(stream)

        def over() -> None:
            self._open.discard(stream)
            ended()

        loop.run_in_executor(self._executor, stream.run).add_done_callback(lambda _: over())
        return stream

    @property
    def is_idle(self) -> bool:
        """Tell whether none is open."""
        return not self._open

    def close(self) -> None:
        """End what is open before its next chunk, and let the threads go."""
        for stream in self._open:
            stream.cancel()
        self._executor.shutdown(wait=False, cancel_futures=True)


def only_streams(columns: Any) -> Any:
    """Stand in for the ``predict`` of a model that has none."""
    del columns
    raise TypeError("this model answers in chunks only")
