"""A graph that is loaded when it is first asked for, and let go when others need the memory."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from aimass.gateway.plane.errors import Loading, NotReady
from aimass.gateway.plane.moments import wall
from aimass.gateway.plane.package import PLATFORMS
from aimass.gateway.plane.runtimes.port import Done, Runtime
from aimass.gateway.plane.runtimes.single import SingleRow
from aimass.infra.devices import Device
from aimass.kernel.errors import AimassError

_LOG = logging.getLogger(__name__)
_RETRY_S = 5.0


class Shelf(Protocol):
    """Where loaded graphs stand."""

    wait_s: float

    def fetch(self, lazy: LazyRuntime) -> None:
        """Load one; :meth:`LazyRuntime.arrived` or :meth:`LazyRuntime.failed` is called when that is done."""
        ...

    def remove(self, lazy: LazyRuntime) -> None:
        """Let one go."""
        ...


@dataclass(slots=True, eq=False)
class _Waiting:
    values: dict[str, Any]
    rows: int
    ends_at: float
    done: Done | None
    timer: asyncio.TimerHandle | None = None

    def take(self) -> Done | None:
        """Return whom to answer, once."""
        done, self.done = self.done, None
        if self.timer is not None:
            self.timer.cancel()
        return done

    def late(self) -> None:
        """Say that it took too long."""
        done = self.take()
        if done is not None:
            done(None, Loading("the model is still being loaded", hint="ask again in a moment, or pin the model"))


class LazyRuntime:
    """Stands for a graph, in memory or not.

    Parameters
    ----------
    read
        Loads the graph; blocking.
    size
        How many bytes its files have; it takes no fewer.

    Attributes
    ----------
    single
        The cheap path of the graph while it is in memory.
    size
        How many bytes it took when it was loaded last; those of its files before.
    fault
        Why it could not be loaded the last time; empty when it could.
    """

    platform = PLATFORMS["onnx"]

    def __init__(self, read: Callable[[], Runtime], shelf: Shelf, size: int, *, is_pinned: bool = False) -> None:
        self.read = read
        self.size = self.least = size
        self.is_pinned = is_pinned
        self.single: SingleRow | None = None
        self.used_at = 0.0
        self.fault = ""
        self.is_closed = False
        self._shelf = shelf
        self._inner: Runtime | None = None
        self._is_coming = False
        self._failed_at = float("-inf")
        self._waiting: deque[_Waiting] = deque()

    @property
    def reader(self) -> SingleRow | None:
        """Return what learns to read requests for one row, while the graph is in memory."""
        return self.single

    @property
    def device(self) -> Device | None:
        """Return on which device the graph runs, while it is in memory."""
        return getattr(self._inner, "device", None)

    @property
    def is_ready(self) -> bool:
        """Tell whether requests can be answered, now or after a moment."""
        return not self.fault

    @property
    def is_loaded(self) -> bool:
        """Tell whether the graph is in memory."""
        return self._inner is not None

    def start(self, values: dict[str, Any], rows: int, timeout_s: float, done: Done) -> None:
        """Answer a request; while the graph is not in memory it waits for it, with all that came for the same."""
        self.used_at = wall()
        inner = self._inner
        if inner is not None:
            inner.start(values, rows, timeout_s, done)
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self.fault and now - self._failed_at < _RETRY_S:
            done(None, NotReady(f"the model cannot be loaded: {self.fault}"))
            return
        waiting = _Waiting(values, rows, now + timeout_s, done)
        waiting.timer = loop.call_later(min(timeout_s, self._shelf.wait_s), waiting.late)
        self._waiting.append(waiting)
        self.wake()

    def wake(self) -> None:
        """Begin to load the graph, unless it is there or on its way."""
        if self._inner is None and not self._is_coming:
            self._is_coming = True
            self._shelf.fetch(self)

    def retry(self) -> None:
        """Try again to load a graph that could not be loaded."""
        self.fault = ""
        self.wake()

    def arrived(self, inner: Runtime, size: int) -> None:
        """Answer what waited."""
        self._is_coming, self.fault = False, ""
        self._inner, self.size, self.single = inner, size, inner.single
        now = asyncio.get_running_loop().time()
        while self._waiting:
            waiting = self._waiting.popleft()
            done = waiting.take()
            if done is not None:
                inner.start(waiting.values, waiting.rows, max(0.001, waiting.ends_at - now), done)

    def failed(self, reason: Exception) -> None:
        """Refuse what waited; the next request tries again after a while."""
        self._is_coming = False
        self._failed_at = asyncio.get_running_loop().time()
        self.fault = reason.message if isinstance(reason, AimassError) else repr(reason)
        _LOG.error("a model cannot be loaded: %s", self.fault)
        while self._waiting:
            done = self._waiting.popleft().take()
            if done is not None:
                done(None, NotReady(f"the model cannot be loaded: {self.fault}"))

    def forget(self) -> None:
        """Let the graph go; what it has under way is answered, and the next request loads it again."""
        inner, self._inner, self.single = self._inner, None, None
        if inner is not None:
            inner.close()

    async def connect(self) -> None:
        """Do nothing: the graph is in this process."""

    def close(self) -> None:
        """Let the graph go for good; requests that wait for it are answered first."""
        self.is_closed = True
        if not self._is_coming:
            self._shelf.remove(self)
