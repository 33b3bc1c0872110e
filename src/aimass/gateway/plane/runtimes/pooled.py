"""A slow graph in threads of this process, so that the loop stays free: each request alone, or together with others."""

from __future__ import annotations

import asyncio
from typing import Any

from aimass.gateway.plane.errors import WorkerFailed, WorkerSlow
from aimass.gateway.plane.runtimes.onnx import OnnxRuntime
from aimass.gateway.plane.runtimes.port import Done
from aimass.infra.batching import Batcher, Task
from aimass.infra.plans import Plan
from aimass.kernel.errors import AimassError


class PooledRuntime:
    """A loaded package whose requests run by a plan."""

    single = reader = None
    is_ready = True
    used_at = 0.0

    def __init__(self, inner: OnnxRuntime, plan: Plan) -> None:
        self.platform, self.device = inner.platform, inner.device
        self._batcher = Batcher(inner.run, plan)

    def start(self, values: dict[str, Any], rows: int, timeout_s: float, done: Done) -> None:
        """Answer in a thread; a request whose time is over is answered before it was run, or while it runs."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(done)
        task = Task(rows, values, waiting.answered)
        task.deadline = loop.time() + timeout_s
        waiting.timer = loop.call_later(timeout_s, waiting.late, timeout_s)
        self._batcher.put(task)

    async def connect(self) -> None:
        """Do nothing: the model is in this process."""

    def close(self) -> None:
        """Let the threads go when they have answered what waits."""
        self._batcher.close()


class _Waiting:
    """Whoever waits for one answer, which comes once."""

    __slots__ = ("_done", "timer")

    def __init__(self, done: Done) -> None:
        self._done: Done | None = done
        self.timer: asyncio.TimerHandle | None = None

    def answered(self, outputs: dict[str, Any] | None, error: Exception | None) -> None:
        """Hand the answer over."""
        failed: AimassError | None = None
        if error is not None:
            failed = WorkerFailed(f"the model failed on this request: {str(error)[:200]}")
        self._tell(outputs, failed)

    def late(self, timeout_s: float) -> None:
        """Say that it took too long."""
        self._tell(None, WorkerSlow(f"the model did not answer within {timeout_s:g} s", allowed=timeout_s))

    def _tell(self, outputs: dict[str, Any] | None, error: AimassError | None) -> None:
        done, self._done = self._done, None
        if self.timer is not None:
            self.timer.cancel()
        if done is not None:
            done(outputs, error)
