"""The reconcile loops and the event dispatcher of control: a few threads, each fault logged and survived."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from aimass.infra.database import Database
from aimass.infra.events import Dispatcher
from aimass.kernel.capability import Capability, load
from aimass.kernel.registry import Registry

_log = structlog.get_logger("aimass.loops")
_PAUSE_AFTER_FAULT_S = 1.0
_IDLE_S = 1.0


class Loops:
    """Runs every loop of the capabilities in a thread of its own until stopped."""

    def __init__(self, registry: Registry, capabilities: list[Capability]) -> None:
        self._registry = registry
        self._stop = threading.Event()
        self._threads = [self._dispatcher(registry, capabilities)]
        for capability in capabilities:
            for name, loop in capability.loops.items():
                function = load(loop.run)
                self._threads.append(self._thread(name, lambda f=function: f(registry), loop.every_s))

    def _thread(self, name: str, function: Callable[[], object], every_s: float) -> threading.Thread:
        def run() -> None:
            while not self._stop.is_set():
                begin = time.monotonic()
                pause = every_s
                try:
                    function()
                except Exception as fault:  # noqa: BLE001 a loop outlives its faults; each one is logged
                    _log.error("loop failed", loop=name, exc_info=fault)
                    pause = max(every_s, _PAUSE_AFTER_FAULT_S)
                self._stop.wait(max(0.0, pause - (time.monotonic() - begin)))

        return threading.Thread(target=run, name=f"loop-{name}", daemon=True)

    def _dispatcher(self, registry: Registry, capabilities: list[Capability]) -> threading.Thread:
        database, dispatcher = registry.get(Database), registry.get(Dispatcher)
        for capability in capabilities:
            for pattern, face in capability.events.items():
                handler = load(face)
                dispatcher.subscribe(
                    f"{capability.name}:{pattern}", pattern, lambda event, h=handler: h(registry, event)
                )
        seen = [0]

        def once() -> None:
            while dispatcher.run_once():
                if self._stop.is_set():
                    return
            seen[0] = database.wait(seen[0], _IDLE_S)

        return self._thread("events", once, 0.0)

    def start(self) -> None:
        """Start every thread."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask every thread to end, and wait for them."""
        self._stop.set()
        database = self._registry.get(Database)
        with database.committed:
            database.committed.notify_all()
        for thread in self._threads:
            thread.join(timeout=5)
