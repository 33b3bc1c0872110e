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
from aimass.bootstrap.ports import NO_RPC, RpcPort, check_port, rpc_port
from aimass.bootstrap.settings import PlatformSettings, child_environment
from aimass.gateway import GatewaySettings, check_certificates
from aimass.infra.listening import open_listener, turn_away
from aimass.kernel.errors import Conflict
from aimass.kernel.layout import DataDir
from aimass.serving import Keeper

_GRACE_S = 10.0
_LOOK_S = 0.2
_ANSWERING_S = 30.0
_BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
_STEADY_S = 30.0
_GATEWAY = "gateway-"
CANNOT_START = 78  # EX_CONFIG: what a child ends with that would find the same fault again


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
    """One process that has to live.

    Attributes
    ----------
    port
        The socket that it serves on. It stays open here: while the process is started again, clients wait in the queue
        of the kernel instead of being refused.
    """

    name: str
    command: list[str]
    port: socket.socket | None = None
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
    rpc: RpcPort = NO_RPC
    _stopping: bool = False
    _lock: Any = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def prepare(self) -> None:
        """Take the data directory and check the port, before anything is started."""
        check_certificates(GatewaySettings.from_environment(data_dir=self.settings.data_dir))
        self._lock = lock_data_dir(self.settings.data_dir)
        try:
            self._take_ports()
        except Conflict:
            self._lock.close()
            raise

    def _take_ports(self) -> None:
        check_port(self.settings.host, self.settings.port)
        self.rpc = rpc_port(self.settings)
        layout = DataDir(self.settings.data_dir)
        require_whole(layout)
        layout.logs.mkdir(parents=True, exist_ok=True)
        is_shared = self.settings.gateways > 1
        for name, command in self.commands().items():
            child = Child(name, command)
            if name.startswith(_GATEWAY):
                child.port = open_listener(self.settings.host, self.settings.port, is_shared=is_shared)
            self.children.append(child)
        self.keeper = Keeper(layout)

    def commands(self) -> dict[str, list[str]]:
        """Return the command of each process."""
        parent = os.getpid()
        gateways = {
            f"{_GATEWAY}{n}": gateway_command(self.settings, n, parent, self.rpc.port)
            for n in range(self.settings.gateways)
        }
        return {"control": control_command(self.settings, parent), **gateways}

    def start(self) -> None:
        """Start every child."""
        for child in self.children:
            self._spawn(child)

    def _spawn(self, child: Child) -> None:
        log = (self.settings.data_dir / "logs" / f"{child.name}.log").open("ab")
        handed = [] if child.port is None else [child.port.fileno()]
        child.process = subprocess.Popen(
            [*child.command, *(f"--listen-fd={number}" for number in handed)],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env={**child_environment(self.settings), "AIMASS_RPC_PORT": str(max(0, self.rpc.port))},
            start_new_session=True,
            pass_fds=handed,
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
            was_asked_to_end = child.code == 0
            child.next_start = now if was_asked_to_end else now + _BACKOFF_S[min(child.falls, len(_BACKOFF_S) - 1)]
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
        gateways = [child for child in self.children if child.port is not None]
        for child in gateways:
            _close(child)
        for child in gateways:
            _end(child.process, _ANSWERING_S)
        for child in self.children:
            _end(child.process, _GRACE_S)
        if self.keeper is not None:
            self.keeper.close()
        if self._lock is not None:
            self._lock.close()


def control_command(settings: PlatformSettings, parent: int | None = None) -> list[str]:
    """Return the command of control; with a parent it ends when that one does."""
    place = DataDir(settings.data_dir).socket("control.sock")
    command = [sys.executable, "-m", "aimass.bootstrap.control"]
    command += ["--data-dir", str(settings.data_dir), "--socket", str(place)]
    return command if parent is None else [*command, "--parent", str(parent)]


def gateway_command(
    settings: PlatformSettings, worker: int, parent: int | None = None, grpc_port: int = -1
) -> list[str]:
    """Return the command of a gateway worker; with a parent it ends when that one does."""
    command = [sys.executable, "-m", "aimass.gateway.plane", "--data-dir", str(settings.data_dir)]
    command += ["--host", settings.host, "--port", str(settings.port)]
    command += ["--worker", str(worker), "--workers", str(max(settings.gateways, worker + 1))]
    command += [] if grpc_port < 0 else ["--grpc-port", str(grpc_port)]
    return [*command, "--detached"] if parent is None else [*command, "--parent-pid", str(parent)]


def _close(child: Child) -> None:
    """Let no new client come, leave the port to the process, and tell it to finish."""
    if child.port is not None:
        turn_away(child.port)
        child.port.close()
    if child.process is not None and child.process.poll() is None:
        child.process.terminate()


def _end(process: subprocess.Popen[bytes] | None, grace_s: float) -> None:
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
