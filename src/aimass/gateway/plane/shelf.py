"""Which graphs are in memory: those that were used last, up to a number of bytes, and those that are pinned."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from time import perf_counter

from aimass.gateway.plane.errors import ModelTooLarge
from aimass.gateway.plane.memory import give_back, keep_little, used_bytes
from aimass.gateway.plane.metrics import Metrics
from aimass.gateway.plane.moments import wall
from aimass.gateway.plane.runtimes.lazy import LazyRuntime
from aimass.gateway.plane.runtimes.port import Runtime
from aimass.infra.rows import ready_tensors

_LOG = logging.getLogger(__name__)
_FREE_AFTER_S = 0.5
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_HINT = "raise AIMASS_GATEWAY_MAX_MODEL_BYTES, unpin others, or deploy it with placement 'isolated'"


class Shelf:
    """The graphs of one gateway worker.

    One thread loads them, one after the other, so that what a graph takes can be measured, and so that its memory lies
    together and goes together.

    Parameters
    ----------
    most_bytes
        How much memory loaded graphs may take together.
    wait_s
        How long a request waits for its graph.
    """

    def __init__(self, most_bytes: int, wait_s: float, loop: asyncio.AbstractEventLoop, metrics: Metrics) -> None:
        self.most_bytes = most_bytes
        self.wait_s = wait_s
        self._loop = loop
        self._metrics = metrics
        self._times = metrics.histogram("gateway_model_load_seconds", (), _BOUNDS)
        self._loaded: dict[int, LazyRuntime] = {}
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="models", initializer=keep_little)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_freeing = False

    @property
    def size(self) -> int:
        """How many bytes are taken."""
        return sum(lazy.size for lazy in self._loaded.values())

    @property
    def count(self) -> int:
        """How many graphs are in memory."""
        return len(self._loaded)

    def fetch(self, lazy: LazyRuntime) -> None:
        """Load one beside everything else; those who wait for it hear how that went."""
        task = self._loop.create_task(self._fetch(lazy))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self, lazy: LazyRuntime) -> None:
        try:
            await self.load(lazy)
        except Exception as reason:  # noqa: BLE001 whatever is wrong with a package, those who wait are told
            lazy.failed(reason)

    async def load(self, lazy: LazyRuntime) -> None:
        """Load one, and make room for it.

        Raises
        ------
        ModelTooLarge
            It takes more than all models may, or than pinned ones leave.
        """
        async with self._turn:
            if lazy.is_loaded:
                return
            try:
                self._make_room(lazy, lazy.size)
                began = perf_counter()
                inner, size = await self._loop.run_in_executor(self._thread, _measured, lazy)
                self._times.observe(perf_counter() - began)
                self._put(lazy, inner, size)
            except Exception:
                self._metrics.count("gateway_model_load_failures", ())
                raise

    def _put(self, lazy: LazyRuntime, inner: Runtime, size: int) -> None:
        try:
            self._make_room(lazy, size)
        except ModelTooLarge:
            lazy.size = size
            inner.close()
            self._free_soon()
            raise
        self._metrics.count("gateway_model_loads", ())
        lazy.used_at = wall()
        self._loaded[id(lazy)] = lazy
        lazy.arrived(inner, size)
        if lazy.is_closed:
            self.remove(lazy)

    def _make_room(self, lazy: LazyRuntime, size: int) -> None:
        """Let the least recently used ones go until so many bytes more have room."""
        others = sorted((one for one in self._loaded.values() if not one.is_pinned), key=_used_at)
        held = self.size
        least = held - sum(one.size for one in others)
        if least + size > self.most_bytes:
            beside = f", {least} of them taken by pinned ones" if least else ""
            raise ModelTooLarge(
                f"the model takes {size} bytes, and all models of a gateway worker may take {self.most_bytes}{beside}",
                value=size,
                allowed=f"at most {self.most_bytes - least} bytes",
                hint=_HINT,
            )
        for one in others:
            if held + size <= self.most_bytes:
                return
            held -= one.size
            self._metrics.count("gateway_model_evictions", ())
            self.remove(one)

    def remove(self, lazy: LazyRuntime) -> None:
        """Let one go; requests that it has are answered first."""
        if self._loaded.pop(id(lazy), None) is not None:
            lazy.forget()
            self._free_soon()

    def _free_soon(self) -> None:
        """Give memory back to the system, a moment from now."""
        if not self._is_freeing:
            self._is_freeing = True
            self._loop.call_later(_FREE_AFTER_S, self._free)

    def _free(self) -> None:
        self._is_freeing = False
        self._loop.run_in_executor(self._thread, give_back)

    def close(self) -> None:
        """Load nothing more."""
        for task in self._tasks:
            task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)


def _measured(lazy: LazyRuntime) -> tuple[Runtime, int]:
    """Load a graph; return it with the bytes that it takes, which are no fewer than those of its files."""
    _warm_up()
    before = used_bytes()
    inner = lazy.read()
    return inner, max(used_bytes() - before, lazy.least)


@cache
def _warm_up() -> None:
    """Run a graph of no size: what the library itself needs is not the first model's."""
    ready_tensors(["", "a"], (1,))


def _used_at(lazy: LazyRuntime) -> float:
    return lazy.used_at
