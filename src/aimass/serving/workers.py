"""The isolated workers: one process per revision that executes Python, kept alive, bounded in memory, reached by a socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aimass.infra.compute import child_environment
from aimass.kernel.layout import DataDir

_BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_S = 60.0
_LOOK_S = 1.0
_TERM_S = 5.0
_CONNECT_S = 0.2
_LOG_BYTES = 4000
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A worker that shall run: for which revision, from which package, within which limits."""

    revision: str
    package: str
    memory_bytes: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """How a worker does.

    Attributes
    ----------
    crashes
        How often it ended since it was last steady; ``reason`` says how it ended last.
    """

    revision: str
    pid: int | None
    is_up: bool
    crashes: int
    restarts: int
    memory_bytes: int
    reason: str


@dataclass(slots=True, kw_only=True)
class _Worker:
    wish: Wish
    socket: Path
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    next_start: float = 0.0
    looked: float = 0.0
    crashes: int = 0
    restarts: int = 0
    memory_bytes: int = 0
    is_up: bool = False
    reason: str = ""
    end_at: float | None = None
    kill_at: float | None = None

    def facts(self) -> WorkerFacts:
        return WorkerFacts(
            revision=self.wish.revision,
            pid=self.process.pid if self.process is not None else None,
            is_up=self.is_up,
            crashes=self.crashes,
            restarts=self.restarts,
            memory_bytes=self.memory_bytes,
            reason=self.reason,
        )


class WorkerPool:
    """Keeps the isolated workers of one platform.

    :meth:`tick` starts processes and must always be called from the same thread, one that stays: workers end with it.

    Parameters
    ----------
    layout
        Where sockets and logs lie.
    drain_s
        How long a worker that is no longer wanted still answers.
    """

    def __init__(
        self, layout: DataDir, *, drain_s: float = 5.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._layout = layout
        self._drain_s = drain_s
        self._monotonic = monotonic
        self._workers: dict[str, _Worker] = {}
        self._lock = threading.RLock()
        self.changes = 0

    def path(self, revision: str) -> Path:
        """Return the socket of a revision's worker."""
        return self._layout.socket(f"w-{revision}.sock")

    def want(self, wish: Wish) -> None:
        """Wish for a worker, which starts with the next tick."""
        with self._lock:
            worker = self._workers.get(wish.revision)
            if worker is None:
                path = self.path(wish.revision)
                log = self._layout.logs / f"worker-{wish.revision}.log"
                worker = self._workers[wish.revision] = _Worker(wish=wish, socket=path, log=log)
            if worker.kill_at is None:
                worker.end_at = None

    def keep(self, revisions: Collection[str]) -> None:
        """Let every other worker go, after it had time to answer what it has."""
        with self._lock:
            for revision, worker in self._workers.items():
                if revision not in revisions and worker.end_at is None:
                    worker.end_at = self._monotonic() + self._drain_s

    def facts(self) -> Mapping[str, WorkerFacts]:
        """Return how every worker does, by revision."""
        with self._lock:
            return {revision: worker.facts() for revision, worker in self._workers.items()}

    def tick(self) -> None:
        """Start what shall run, end what shall not, and look at those that run."""
        with self._lock:
            for revision, worker in list(self._workers.items()):
                before = (worker.is_up, worker.crashes)
                if worker.end_at is None or self._monotonic() < worker.end_at:
                    self._look(worker)
                elif self._has_ended(worker):
                    del self._workers[revision]
                self.changes += before != (worker.is_up, worker.crashes) or revision not in self._workers

    def _has_ended(self, worker: _Worker) -> bool:
        """End a worker without waiting for it: it is asked first, and killed when it takes too long."""
        if worker.process is not None and worker.process.poll() is None:
            now = self._monotonic()
            if worker.kill_at is None:
                worker.process.terminate()
                worker.kill_at, worker.is_up = now + _TERM_S, False
            elif now >= worker.kill_at:
                worker.process.kill()
            return False
        _tidy(worker)
        return True

    def _look(self, worker: _Worker) -> None:
        now = self._monotonic()
        if worker.process is not None and worker.process.poll() is not None:
            self._fell(worker, now)
        if worker.process is None:
            if worker.end_at is None and now >= worker.next_start:
                self._start(worker, now)
            return
        if not worker.is_up:
            worker.is_up = _answers(worker.socket)
        if now - worker.looked >= _LOOK_S:
            worker.looked = now
            worker.memory_bytes = _resident(worker.process.pid)
            if worker.memory_bytes > worker.wish.memory_bytes:
                worker.process.kill()
                worker.process.wait()
                self._fell(worker, now, f"it used more than {worker.wish.memory_bytes} bytes of memory")

    def _fell(self, worker: _Worker, now: float, reason: str = "") -> None:
        code = worker.process.returncode if worker.process is not None else None
        steady = worker.is_up and now - worker.started > _STEADY_S
        worker.crashes = 1 if steady else worker.crashes + 1
        worker.next_start = now + _BACKOFF_S[min(worker.crashes, len(_BACKOFF_S)) - 1]
        worker.reason = reason or _how_it_ended(code, worker.log)
        worker.process, worker.is_up, worker.memory_bytes = None, False, 0

    def _start(self, worker: _Worker, now: float) -> None:
        worker.log.parent.mkdir(parents=True, exist_ok=True)
        worker.socket.parent.mkdir(parents=True, exist_ok=True)
        worker.socket.unlink(missing_ok=True)
        with worker.log.open("wb") as log:
            worker.process = subprocess.Popen(
                worker_command(worker.wish, worker.socket),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**child_environment(), **thread_settings(worker.wish.threads)},
                start_new_session=True,
            )
        worker.restarts += worker.started > 0
        worker.started, worker.looked = now, now

    def close(self) -> None:
        """End every worker."""
        with self._lock:
            for worker in self._workers.values():
                if worker.process is not None:
                    worker.process.terminate()
            for worker in self._workers.values():
                _end(worker)
            self._workers.clear()


def thread_settings(threads: int) -> dict[str, str]:
    """Return the variables that keep numeric libraries to some threads."""
    return dict.fromkeys(_THREADS, str(threads))


def worker_command(wish: Wish, path: Path) -> list[str]:
    """Return the command line of a worker."""
    program = [sys.executable, "-m", "aimass.serving.children.worker"]
    limits = ["--threads", str(wish.threads), "--parent-pid", str(os.getpid())]
    return [*program, "--package", wish.package, "--socket", str(path), *limits]


def _end(worker: _Worker) -> None:
    """Wait for the end of a worker that was asked to end."""
    if worker.process is not None:
        try:
            worker.process.wait(_TERM_S)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
    _tidy(worker)


def _tidy(worker: _Worker) -> None:
    with suppress(OSError):
        worker.socket.unlink(missing_ok=True)
        worker.log.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_CONNECT_S)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _resident(pid: int) -> int:
    """Return the resident memory of a process; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _how_it_ended(code: int | None, log: Path) -> str:
    """Say how a process ended, with its last words."""
    how = f"it was killed by signal {-code}" if code is not None and code < 0 else f"it ended with code {code}"
    with suppress(OSError):
        lines = log.read_bytes()[-_LOG_BYTES:].decode(errors="replace").strip().splitlines()
        if lines:
            return f"{how}: {lines[-1][:500]}"
    return how
