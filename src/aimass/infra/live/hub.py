"""Topics with the last message kept, so that a page that joins late is right at once."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

_KEPT_TOPICS = 2_000
_QUEUE = 500


class Listener:
    """One open page: the topics it follows, and the messages that wait for it.

    A page that does not read loses its oldest messages, never slows the others.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.topics: set[str] = set()
        self.waiting: deque[dict[str, Any]] = deque(maxlen=_QUEUE)
        self._loop = loop
        self._ready = asyncio.Event()

    def give(self, message: dict[str, Any]) -> None:
        """Hand a message over, from any thread."""
        self.waiting.append(message)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ready.set)

    async def take(self) -> list[dict[str, Any]]:
        """Wait for messages and take all of them."""
        await self._ready.wait()
        self._ready.clear()
        taken: list[dict[str, Any]] = []
        while self.waiting:
            taken.append(self.waiting.popleft())
        return taken


class LiveHub:
    """Publish and follow topics inside one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seq = 0
        self._last: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._listeners: set[Listener] = set()

    def publish(self, topic: str, data: dict[str, Any]) -> None:
        """Send data to everybody who follows the topic; the last one is kept for late ones."""
        with self._lock:
            self._seq += 1
            message = {"topic": topic, "seq": self._seq, "data": data}
            self._last[topic] = message
            self._last.move_to_end(topic)
            if len(self._last) > _KEPT_TOPICS:
                self._last.popitem(last=False)
            targets = [one for one in self._listeners if topic in one.topics]
        for listener in targets:
            listener.give(message)

    def join(self, listener: Listener) -> None:
        """Add a page."""
        with self._lock:
            self._listeners.add(listener)

    def leave(self, listener: Listener) -> None:
        """Drop a page."""
        with self._lock:
            self._listeners.discard(listener)

    def follow(self, listener: Listener, topics: Iterable[str]) -> None:
        """Follow more topics and hand over the last message of each."""
        with self._lock:
            listener.topics.update(topics)
            late = [self._last[topic] for topic in topics if topic in self._last]
        for message in late:
            listener.give(message)
