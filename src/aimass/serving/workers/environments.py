"""The environments that workers need: made beside everything else, one process each, with progress to tell."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aimass.infra.compute import Environment, environment_of, installer_environment
from aimass.kernel.errors import AimassError

_RETRY_S = 30.0
_LOG_BYTES = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an environment is: ready, being made (``stage`` says what is done), or impossible (``fault`` says why)."""

    environment: Environment | None = None
    stage: str = ""
    fault: str = ""


@dataclass(slots=True)
class _Making:
    process: subprocess.Popen[bytes]
    log: Path
    failed_at: float | None = None


class Environments:
    """Makes environments in the background, and remembers what failed for a while."""

    def __init__(self, root: Path, logs: Path, monotonic: Callable[[], float]) -> None:
        self._root = root
        self._logs = logs
        self._monotonic = monotonic
        self._makings: dict[Path, _Making] = {}
        self._known: dict[tuple[Path, str], Environment] = {}

    def look(self, lock: Path, python: str) -> Progress:
        """Return how far the environment of a lock is; begin to make it when nobody has."""
        environment = self._known.get((lock, python))
        try:
            if environment is None:
                environment = self._known[lock, python] = environment_of(self._root, lock, python)
        except (OSError, AimassError) as reason:
            return Progress(fault=reason.message if isinstance(reason, AimassError) else "its lock cannot be read")
        if environment.is_ready:
            environment.touch()
            self._forget(environment.root)
            return Progress(environment=environment)
        making = self._makings.get(environment.root)
        if making is None or (making.failed_at is not None and self._monotonic() - making.failed_at > _RETRY_S):
            making = self._makings[environment.root] = self._begin(environment, lock, python)
        if making.process.poll() is None:
            return Progress(stage=_last(making.log) or "making an environment")
        if making.failed_at is None:
            making.failed_at = self._monotonic()
        return Progress(fault=_last(making.log) or "its environment could not be made")

    def _begin(self, environment: Environment, lock: Path, python: str) -> _Making:
        self._forget(environment.root)
        self._root.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"environment-{environment.root.name}.log"
        command = [
            sys.executable,
            "-m",
            "aimass.serving.children.environment",
            str(environment.root),
            str(lock),
            python,
        ]
        variables = installer_environment()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--parent-pid", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=variables,
                start_new_session=True,
            )
        return _Making(process, log)

    def _forget(self, root: Path) -> None:
        making = self._makings.pop(root, None)
        if making is not None:
            making.process.wait()

    def close(self) -> None:
        """Give up what is being made."""
        for making in self._makings.values():
            with suppress(ProcessLookupError):
                os.killpg(making.process.pid, 9)
            making.process.wait()
        self._makings.clear()


def _last(log: Path) -> str:
    """Return the last line of a log."""
    try:
        lines = log.read_bytes()[-_LOG_BYTES:].decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:600] if lines else ""
