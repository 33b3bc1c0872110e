"""Streams of isolated models: chunks come as fast as their reader takes them, and stop when he is gone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from aimass.gateway.plane.encode import as_arrays
from aimass.gateway.plane.errors import WorkerFailed, WorkerGone, WorkerSlow
from aimass.infra.frames import Message, encode_frame
from aimass.kernel.errors import AimassError, Invalid

ROOM = 8
_SLOW = "the model did not come up with its next chunk within its time limit"


class Reader(Protocol):
    """Whoever reads a stream."""

    def part(self, outputs: dict[str, Any]) -> None:
        """Take a chunk: arrays by output name."""
        ...

    def end(self, error: AimassError | None) -> None:
        """Hear that there is no more, or why; called once."""
        ...


class Stream:
    """One stream as the gateway sees it.

    Attributes
    ----------
    deadline
        When the next chunk must have come; for ever while the reader has no room.
    """

    def __init__(
        self,
        number: int,
        request: bytes,
        reader: Reader,
        timeout_s: float,
        now: Callable[[], float],
    ) -> None:
        self.id = number
        self._request = request
        self._reader: Reader | None = reader
        self._timeout_s = timeout_s
        self._now = now
        self.deadline = now() + timeout_s
        self._send: Callable[[bytes], None] | None = None
        self._room = ROOM
        self._signature: list[dict[str, Any]] = []

    @property
    def is_read(self) -> bool:
        """Tell whether anybody still reads it."""
        return self._reader is not None

    def begin(self, send: Callable[[bytes], None], signature: list[dict[str, Any]]) -> None:
        """Send the request to a worker."""
        self._send, self._signature = send, signature
        send(self._request)

    def heard(self, message: Message) -> bool:
        """Hand on what the worker said; tell whether it was the last."""
        head = message.head
        if "part" not in head:
            self.end(_error_of(head))
            return True
        self._room -= 1
        if self._room < 0 and self._reader is not None:
            self.give_up(WorkerFailed("the worker sends chunks that nobody has asked for"))
            return False
        self.deadline = self._now() + self._timeout_s if self._room > 0 else float("inf")
        if self._reader is not None:
            try:
                outputs = as_arrays(message.columns, self._signature)
            except (KeyError, TypeError, ValueError) as reason:
                self.give_up(WorkerFailed(f"a chunk of the model does not keep to the signature: {reason!r}"))
            else:
                self._reader.part(outputs)
        return False

    def more(self, count: int) -> None:
        """Let so many further chunks come."""
        if self._send is not None and self._reader is not None:
            self._room += count
            self.deadline = self._now() + self._timeout_s
            self._send(encode_frame({"id": self.id, "more": count}))

    def cancel(self) -> None:
        """Stop the model's work; nobody reads any more."""
        self._reader = None
        self.deadline = float("inf")
        if self._send is not None:
            self._send(encode_frame({"id": self.id, "cancel": True}))

    def give_up(self, error: AimassError) -> None:
        """Tell the reader why there is no more, and stop the model's work."""
        self.end(error)
        self.cancel()

    def end(self, error: AimassError | None) -> None:
        """Tell the reader that there is no more."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.end(error)


def _error_of(head: dict[str, Any]) -> AimassError | None:
    """Return why a stream ended before its end: the request cannot be answered, or the model failed; None at its end."""
    error, refused = head.get("error"), head.get("refused")
    if error is None:
        return None
    if not isinstance(refused, dict):
        return WorkerFailed(f"the model failed: {str(error)[:300]}")
    field, hint = (str(refused.get(name) or "")[:300] for name in ("field", "hint"))
    return Invalid(str(error)[:300], field=field or None, hint=hint, allowed=refused.get("allowed"))


class Place(Protocol):
    """A worker that has places for streams."""

    def streams_left(self) -> int:
        """Return how many further streams it takes."""
        ...

    def stream(self, stream: Stream) -> None:
        """Take one."""
        ...


class Queue:
    """The streams of one revision that wait for a place, and those that have one."""

    def __init__(self, places: Callable[[], list[Place]]) -> None:
        self._places = places
        self._waiting: deque[Stream] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, stream: Stream) -> None:
        """Give a stream the emptiest place, or let it wait for one."""
        self._waiting.append(stream)
        self.pump()

    def pump(self) -> None:
        """Give those that wait what places there are."""
        while self._waiting:
            place = max(self._places(), key=lambda place: place.streams_left(), default=None)
            if place is None or place.streams_left() <= 0:
                return
            stream = self._waiting.popleft()
            if stream.is_read:
                place.stream(stream)

    def look(self, now: float, *, may_wait: bool) -> None:
        """Give up those that have waited too long."""
        for stream in list(self._waiting):
            if not may_wait:
                stream.give_up(WorkerGone("the worker of this model is not running"))
            elif stream.deadline <= now:
                stream.give_up(WorkerSlow("every place for streams of this model was taken"))
        self._waiting = deque(stream for stream in self._waiting if stream.is_read)


def look_at(streams: list[Stream], now: float) -> None:
    """Give up the streams whose model takes too long for a chunk."""
    for stream in streams:
        if stream.is_read and stream.deadline <= now:
            stream.give_up(WorkerSlow(_SLOW, hint="raise timeout_s of the endpoint: it holds for each chunk"))
