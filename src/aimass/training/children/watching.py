"""What a training uses of the machine while it runs: processors and memory, of its process and of all below it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aimass.infra.compute import cpu_seconds, descendants, resident_bytes

MOST_POINTS = 240
_FIRST_S = 0.5
_MB = 1e6


@dataclass(slots=True)
class Usage:
    """Samples: seconds since the start, processors that were busy since the sample before, megabytes of memory."""

    samples: list[tuple[float, float, float]] = field(default_factory=list[tuple[float, float, float]])
    cpu_s: float = 0.0

    def system(self) -> dict[str, list[tuple[int, float]]]:
        """Return each figure by the second, the last one of each."""
        cores = {int(at): round(busy, 3) for at, busy, _ in self.samples}
        memory = {int(at): round(used, 1) for at, _, used in self.samples}
        return {"system.cpu_cores": list(cores.items()), "system.memory_mb": list(memory.items())}

    def metrics(self) -> dict[str, float]:
        """Return processor seconds in all, and the most memory that was seen."""
        return {"cpu_s": self.cpu_s, "peak_memory_mb": max((memory for *_, memory in self.samples), default=0.0)}


class Watch:
    """Samples in a thread of its own while the block lasts; seldom enough that a long training has few points.

    Examples
    --------
    >>> with Watch() as usage:
    ...     _ = sum(range(100_000))
    >>> usage.metrics()["peak_memory_mb"] > 1
    True
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)
        self.usage = Usage()

    def __enter__(self) -> Usage:
        """Begin."""
        self._began = self._last = self._clock()
        self._first = self._before = self._cpu()
        self._thread.start()
        return self.usage

    def __exit__(self, *_: object) -> None:
        """Take the last sample."""
        self._over.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        pause_s = _FIRST_S
        while not self._over.wait(pause_s):
            self._sample()
            if len(self.usage.samples) >= MOST_POINTS:
                self.usage.samples[:] = self.usage.samples[1::2]
                pause_s *= 2

    def _sample(self) -> None:
        now, cpu = self._clock(), self._cpu()
        cores = max(0.0, cpu - self._before) / max(now - self._last, 1e-3)
        memory = resident_bytes(self._processes()) / _MB
        self.usage.samples.append((now - self._began, cores, memory))
        self.usage.cpu_s = max(self.usage.cpu_s, cpu - self._first)
        self._last, self._before = now, cpu

    def _cpu(self) -> float:
        return cpu_seconds(self._processes())

    def _processes(self) -> list[int]:
        return [os.getpid(), *descendants(os.getpid())]
