"""The supervisor: starts gateway and control, starts them again when they die, and takes them along when it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aimass.bootstrap.lock import lock_data_dir
from aimass.bootstrap.settings import PlatformSettings, child_environment
from aimass.kernel.errors import Conflict
from aimass.kernel.layout import DataDir
from aimass.serving import Keeper

_GRACE_S = 10.0
_LOOK_S = 0.2
_BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
_STEADY_S = 30.0
CANNOT_START = 78  # EX_CONFIG: what a child ends with that would find the same fault again


def check_port(host: str, port: int) -> None:
    """Refuse a port that somebody else holds.

    Raises
    ------
    Conflict
        The port is taken.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as reason:
            raise Conflict(
                f"port {port} on {host} is taken", value=port, hint="choose another one with --port"
            ) from reason


def require_whole(layout: DataDir) -> None:
    """Refuse a data directory into which a restore was cut off.

    Raises
    ------
    Conflict
        What is there does not count.
    """
    if layout.restoring.exists():
        raise Conflict(
            f"a restore into {str(layout.root)!r} did not finish",
            value=str(layout.root),
            hint="repeat 'aimass restore', or choose another --data-dir",
        )


@dataclass(slots=True)
class Child:
    """One process that has to live."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    falls: int = 0
    code: int | None = None
    next_start: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Keeps the processes of one platform alive.

    Parameters
    ----------
    settings
        How the platform runs.
    """

    settings: PlatformSettings
    children: list[Child] = field(default_factory=list[Child])
    keeper: Keeper | None = None
    _stopping: bool = False
    _lock: Any = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def prepare(self) -> None:
        """Take the data directory and check the port, before anything is started."""
        self._lock = lock_data_dir(self.settings.data_dir)
        check_port(self.settings.host, self.settings.port)
        layout = DataDir(self.settings.data_dir)
        require_whole(layout)
        layout.logs.mkdir(parents=True, exist_ok=True)
        self.children = [Child(name, command) for name, command in self.commands().items()]
        self.keeper = Keeper(layout)

    def commands(self) -> dict[str, list[str]]:
        """Return the command of each process."""
        python, data = sys.executable, str(self.settings.data_dir)
        layout = DataDir(self.settings.data_dir)
        control = [
            python,
            "-m",
            "aimass.bootstrap.control",
            "--data-dir",
            data,
            "--socket",
            str(layout.socket("control.sock")),
        ]
        control += ["--parent", str(os.getpid())]
        found = {"control": control}
        for worker in range(self.settings.gateways):
            address = ["--host", self.settings.host, "--port", str(self.settings.port), "--worker", str(worker)]
            address += ["--workers", str(self.settings.gateways), "--parent-pid", str(os.getpid())]
            found[f"gateway-{worker}"] = [python, "-m", "aimass.gateway.plane", "--data-dir", data, *address]
        return found

    def start(self) -> None:
        """Start every child."""
        for child in self.children:
            self._spawn(child)

    def _spawn(self, child: Child) -> None:
        log = (self.settings.data_dir / "logs" / f"{child.name}.log").open("ab")
        child.process = subprocess.Popen(
            child.command,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=child_environment(self.settings),
            start_new_session=True,
        )
        log.close()
        child.started = time.monotonic()

    def watch(self) -> None:
        """Start again what died; called a few times a second, always by a thread that stays: a child dies with it."""
        with self._turn:
            if self._stopping:
                return
            for child in self.children:
                self._look_after(child)
            if self.keeper is not None:
                self.keeper.tick()

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is not None and child.process.poll() is not None:
            child.code = child.process.returncode
            steady = now - child.started > _STEADY_S
            child.falls = 0 if steady else child.falls + 1
            child.next_start = now + _BACKOFF_S[min(child.falls, len(_BACKOFF_S) - 1)]
            child.process = None
        if child.process is None and now >= child.next_start:
            self._spawn(child)

    def refusing(self) -> Child | None:
        """Return a child that says that it can never start, if one does."""
        return next((child for child in self.children if child.code == CANNOT_START), None)

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Watch until told to stop by a signal, or by ``until``."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        while not self._stopping and not until():
            self.watch()
            self._pause()
        self.stop()

    def _pause(self) -> None:
        """Wait a moment, less when a model worker ends meanwhile."""
        if self.keeper is not None:
            self.keeper.pause(_LOOK_S)
        else:
            time.sleep(_LOOK_S)

    def _on_signal(self, *_: object) -> None:
        self._stopping = True

    def stop(self) -> None:
        """End the gateway first, so that its requests are answered, then control and the model workers."""
        with self._turn:
            self._stopping = True
        for child in reversed(self.children):
            _end(child.process)
        if self.keeper is not None:
            self.keeper.close()
        if self._lock is not None:
            self._lock.close()


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
