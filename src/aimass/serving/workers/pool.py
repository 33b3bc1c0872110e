"""The pool: starts workers, looks after them, and keeps a warm spare of each kind."""

from __future__ import annotations

import os
import secrets
import select
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import Unavailable
from aimass.kernel.layout import DataDir
from aimass.serving.workers.cell import Cell
from aimass.serving.workers.environments import Environments
from aimass.serving.workers.keeping import Keeping, Keepings
from aimass.serving.workers.report import Report
from aimass.serving.workers.wishes import Kind, Wish, WorkerFacts

_BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_S = 60.0
_LOOK_S = 1.0
_TERM_S = 5.0
_STAGE_S = 0.25
_SPARE_AFTER_FAULT_S = 30.0


@dataclass(slots=True, kw_only=True)
class _Worker:
    wish: Wish
    cell: Cell | None = None
    started: float = 0.0
    next_start: float = 0.0
    looked: float = 0.0
    crashes: int = 0
    restarts: int = 0
    pid: int | None = None
    memory_bytes: int = 0
    is_up: bool = False
    reason: str = ""
    calibration: Mapping[str, Any] | None = None
    keeping: Keeping | None = None
    kind: Kind | None = None
    stage: str = ""
    is_hopeless: bool = False
    began_at: float | None = None
    up_since: float | None = None
    end_at: float | None = None
    kill_at: float | None = None

    @property
    def state(self) -> tuple[Any, ...]:
        return self.is_up, self.crashes, self.calibration is not None, self.stage, self.is_hopeless

    @property
    def _ready(self) -> Mapping[str, Any]:
        return (self.cell.ready() or {}) if self.is_up and self.cell is not None else {}

    def facts(self) -> WorkerFacts:
        return WorkerFacts(
            revision=self.wish.revision,
            replica=self.wish.replica,
            pid=self.pid,
            is_up=self.is_up,
            crashes=self.crashes,
            restarts=self.restarts,
            memory_bytes=self.memory_bytes,
            reason=self.reason,
            calibration=self.calibration,
            isolation=self.keeping.isolation if self.keeping is not None else None,
            isolation_reason=self.keeping.reason if self.keeping is not None else "",
            limits=self.keeping.limits if self.keeping is not None else "",
            limits_reason=self.keeping.limits_reason if self.keeping is not None else "",
            stage=self.stage,
            is_hopeless=self.is_hopeless,
            began_at=self.began_at,
            up_since=self.up_since,
            device=str(self._ready.get("device", "")),
            device_reason=str(self._ready.get("device_reason", "")),
        )


def socket_of(layout: DataDir, revision: str, replica: int = 0) -> Path:
    """Return the address of a worker: it stays the same when another process takes its place."""
    return layout.socket(f"w-{revision}-{replica}/s")


class WorkerPool:
    """Keeps the isolated workers of one platform.

    :meth:`tick` starts processes and must always be called from the same thread, one that stays: workers end with it.

    Parameters
    ----------
    layout
        Where sockets and logs lie.
    drain_s
        How long a worker that is no longer wanted still answers.
    spares
        How many processes of each kind wait with everything imported, to take the place of one that fell.
    """

    def __init__(
        self,
        layout: DataDir,
        *,
        drain_s: float = 5.0,
        spares: int = 1,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._layout = layout
        self.drain_s = drain_s
        self.spares = spares
        self._monotonic = monotonic
        self._workers: dict[str, _Worker] = {}
        self._spares: dict[Kind, list[Cell]] = {}
        self._next_spare: dict[Kind, float] = {}
        self._environments = Environments(layout.environments, layout.logs, monotonic)
        self._keepings = Keepings(hide=(layout.root,))
        self._lock = threading.RLock()
        self._report = Report(layout)
        self.changes = 0
        shutil.rmtree(self._cells, ignore_errors=True)

    @property
    def _cells(self) -> Path:
        return self._layout.socket("cells/0000000000/io/s").parents[2]

    def want(self, wishes: Sequence[Wish]) -> None:
        """Wish for exactly these workers; they start and end with the next ticks."""
        with self._lock:
            for wish in wishes:
                worker = self._workers.setdefault(wish.key, _Worker(wish=wish))
                worker.wish = wish
                if worker.kill_at is None:
                    worker.end_at = None
            wanted = {wish.key for wish in wishes}
            for key, worker in self._workers.items():
                if key not in wanted and worker.end_at is None:
                    worker.end_at = self._monotonic() + self.drain_s

    def facts(self) -> Mapping[str, WorkerFacts]:
        """Return how every worker does, by key."""
        with self._lock:
            return {key: worker.facts() for key, worker in self._workers.items()}

    def tick(self) -> None:
        """Start what shall run, end what shall not, and look at those that run."""
        with self._lock:
            for key, worker in list(self._workers.items()):
                before = worker.state
                if worker.end_at is None or self._monotonic() < worker.end_at or self._is_busy(worker):
                    self._look(worker)
                elif self._has_ended(worker):
                    del self._workers[key]
                self.changes += before != worker.state or key not in self._workers
            self._keep_spares()
            self._report.write(self.changes, self.facts())

    def _is_busy(self, worker: _Worker) -> bool:
        """Tell whether a worker that is to leave still runs a request, which it may end within its time limit."""
        if worker.end_at is None or worker.kill_at is not None or worker.cell is None or not worker.is_up:
            return False
        return self._monotonic() < worker.end_at + worker.wish.max_run_s and worker.cell.runs_for_s() > 0

    def pause(self, seconds: float) -> None:
        """Wait so long, or until a process ends."""
        descriptors: list[int] = []
        try:
            with self._lock:
                cells = [worker.cell for worker in self._workers.values() if worker.cell is not None]
            for cell in cells if hasattr(os, "pidfd_open") else ():
                with suppress(OSError):
                    descriptors.append(os.pidfd_open(cell.process.pid))
            if descriptors:
                select.select(descriptors, [], [], seconds)
            else:
                time.sleep(seconds)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    # -- one worker

    def _has_ended(self, worker: _Worker) -> bool:
        """End a worker without waiting for it: it is asked first, and killed when it takes too long."""
        cell = worker.cell
        if cell is None:
            return True
        if not cell.has_ended():
            now = self._monotonic()
            if worker.kill_at is None:
                cell.end()
                worker.kill_at, worker.is_up = now + _TERM_S, False
            elif now >= worker.kill_at:
                cell.kill()
            return False
        self._leave(worker)
        return True

    def _look(self, worker: _Worker) -> None:
        now = self._monotonic()
        if worker.cell is not None and worker.cell.has_ended():
            self._fell(worker, now)
        cell = worker.cell
        if cell is None:
            if worker.end_at is None and now >= worker.next_start:
                self._start(worker, now)
            return
        if not worker.is_up:
            self._hear(worker, cell)
        if now - worker.looked >= _LOOK_S:
            worker.looked = now
            self._watch(worker, cell)

    def _hear(self, worker: _Worker, cell: Cell) -> None:
        """Hear what a starting process has to say, and tell it what it needs to know."""
        worker.calibration = cell.calibration() or worker.calibration
        cell.plan(worker.wish)
        worker.pid, worker.is_up = cell.pid, cell.ready() is not None
        worker.up_since = SystemClock().now().timestamp() if worker.is_up else None

    def _watch(self, worker: _Worker, cell: Cell) -> None:
        cell.trim_log()
        worker.memory_bytes = cell.resident_bytes()
        if worker.memory_bytes > worker.wish.memory_bytes:
            self._cut(worker, cell, f"it used more than {worker.wish.memory_bytes} bytes of memory")
        elif cell.runs_for_s() > worker.wish.max_run_s:
            self._cut(worker, cell, f"a request ran for more than {worker.wish.max_run_s:g} s")

    def _cut(self, worker: _Worker, cell: Cell, reason: str) -> None:
        cell.kill()
        cell.process.wait()
        self._fell(worker, self._monotonic(), reason)

    def _fell(self, worker: _Worker, now: float, reason: str = "") -> None:
        cell = worker.cell
        steady = worker.is_up and now - worker.started > _STEADY_S
        worker.crashes = 1 if steady else worker.crashes + 1
        worker.next_start = now + _BACKOFF_S[min(worker.crashes, len(_BACKOFF_S)) - 1]
        worker.reason = reason or (cell.how_it_ended() if cell is not None else "")
        self._leave(worker, keep_log=True)

    def _leave(self, worker: _Worker, *, keep_log: bool = False) -> None:
        """Give up the cell of a worker that has ended."""
        if worker.cell is not None:
            worker.cell.tidy(keep_log=keep_log)
        with suppress(OSError):
            socket_of(self._layout, worker.wish.revision, worker.wish.replica).parent.unlink(missing_ok=True)
        worker.cell, worker.pid, worker.is_up, worker.memory_bytes = None, None, False, 0
        worker.up_since = None

    def _start(self, worker: _Worker, now: float) -> None:
        wish, environment = worker.wish, self._environment(worker, now)
        if environment is None:
            return
        kind = wish.kind(environment)
        spares = self._spares.get(kind)
        try:
            cell = spares.pop() if spares else self._new_cell(kind)
        except (Unavailable, OSError) as refusal:
            self._give_up(worker, now, _why(refusal))
            return
        try:
            cell.assign(wish, self._layout.logs / f"worker-{wish.key}.log")
            _point(socket_of(self._layout, wish.revision, wish.replica).parent, cell.io)
        except OSError as refusal:
            cell.kill()
            cell.tidy()
            self._give_up(worker, now, _why(refusal))
            return
        worker.cell, worker.pid, worker.kind = cell, cell.process.pid, kind
        worker.keeping, worker.is_hopeless = cell.keeping, False
        worker.restarts += worker.started > 0
        worker.started, worker.looked = now, now
        worker.began_at = worker.began_at or SystemClock().now().timestamp()

    def _environment(self, worker: _Worker, now: float) -> str | None:
        """Return the folder of the environment that a worker needs; None while it is made, or when it cannot be."""
        if worker.wish.lock is None:
            return ""
        progress = self._environments.look(Path(worker.wish.lock), worker.wish.python)
        worker.stage, worker.next_start = progress.stage, now + _STAGE_S
        if progress.fault:
            self._give_up(worker, now, progress.fault)
        return str(progress.environment.root) if progress.environment is not None else None

    def _give_up(self, worker: _Worker, now: float, reason: str) -> None:
        """Note that a worker cannot be started, which is tried again after a while."""
        worker.crashes += 1
        worker.is_hopeless, worker.reason, worker.next_start = True, reason, now + _BACKOFF_S[-1]

    def _new_cell(self, kind: Kind) -> Cell:
        name = secrets.token_hex(5)
        keeping = self._keepings.of(kind, name)
        return Cell(self._cells / name, self._layout.logs / f"spare-{name}.log", kind, keeping)

    # -- spares

    def _keep_spares(self) -> None:
        """Keep a spare of each kind that runs; one is made when nothing else is starting."""
        serving = [worker for worker in self._workers.values() if worker.wish.serves and worker.end_at is None]
        kinds = {worker.kind for worker in serving if worker.kind is not None}
        for kind, cells in list(self._spares.items()):
            for cell in [cell for cell in cells if kind not in kinds or cell.has_ended()]:
                if kind in kinds:
                    self._next_spare[kind] = self._monotonic() + _SPARE_AFTER_FAULT_S
                cells.remove(cell)
                cell.kill()
                cell.tidy()
        if any(not (worker.is_up or worker.stage or worker.is_hopeless) for worker in serving):
            return
        for kind in kinds:
            cells = self._spares.setdefault(kind, [])
            if len(cells) < self.spares and self._monotonic() >= self._next_spare.get(kind, 0.0):
                try:
                    cells.append(self._new_cell(kind))
                except (
                    Unavailable,
                    OSError,
                ):  # what runs goes on; the worker that needs it next says why there is none
                    self._next_spare[kind] = self._monotonic() + _SPARE_AFTER_FAULT_S
                return

    def close(self) -> None:
        """End every worker."""
        with self._lock:
            self._environments.close()
            spares = [cell for cells in self._spares.values() for cell in cells]
            cells = [worker.cell for worker in self._workers.values() if worker.cell is not None]
            for cell in spares:
                cell.kill()
            for cell in cells:
                cell.end()
            end = self._monotonic() + _TERM_S
            while any(not cell.has_ended() for cell in cells) and self._monotonic() < end:
                time.sleep(0.01)
            for cell in cells:
                cell.kill()
            for cell in spares:
                cell.tidy()
            for worker in self._workers.values():
                self._leave(worker)
            self._workers.clear()
            self._spares.clear()


def _why(refusal: Unavailable | OSError) -> str:
    return refusal.message if isinstance(refusal, Unavailable) else f"its process cannot be made: {refusal}"


def _point(link: Path, target: Path) -> None:
    """Let an address lead to this folder, at once."""
    draft = link.with_name(f"{link.name}.new")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(link)
