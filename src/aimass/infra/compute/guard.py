"""The guard of a job: a small process between the platform and the one that runs the job.

It is the subreaper of everything the job starts, so nothing escapes it: not by a double fork, not by a new session.
It copies what the job prints to the log, keeps the limits, and kills the rest when the platform or the worker is gone.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aimass.infra.compute.directory import Fenced, JobDirectory
from aimass.infra.compute.files import read_json
from aimass.infra.compute.logs import LogWriter
from aimass.infra.compute.processes import descendants, kill_all, resident_bytes, signal_group

_TICK_S = 0.25
_GRACE_S = 5.0
_READ_BYTES = 256 * 1024
_TEXTS = {
    "cancelled": "the job was cancelled",
    "timed_out": "the job ran longer than its limit of {timeout_s} s",
    "stalled": "the job made no report for {stall_s} s",
    "memory": "the job used more than its limit of {memory_bytes} bytes of memory",
}
_STATES = {"cancelled": "cancelled", "timed_out": "timed_out", "stalled": "timed_out", "memory": "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipes:
    """Ends of the pipes a guard listens to: the platform's life, the worker's output, signals."""

    lifeline: int | None
    output: int
    signals: int


class Guard:
    """Watches one worker until it and everything below it is gone."""

    def __init__(self, directory: JobDirectory, attempt: int, worker: int, pipes: Pipes) -> None:
        self._directory = directory
        self._attempt = attempt
        self._worker = worker
        self._pipes = pipes
        self._spec = directory.spec()
        self._log = LogWriter(directory.log)
        self._began = time.monotonic()
        self._reason: str | None = None
        self._kill_at: float | None = None
        self._is_orphan = False
        self._status: int | None = None
        self._reported = (0.0, self._began)

    def watch(self) -> None:
        """Run until the job has ended; write how, unless the worker did."""
        with selectors.DefaultSelector() as selector:
            for pipe in (self._pipes.lifeline, self._pipes.output, self._pipes.signals):
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ)
            while self._status is None and not self._is_orphan:
                for key, _ in selector.select(_TICK_S):
                    if not self._read(key.fd):
                        selector.unregister(key.fd)
                self._reap()
                self._tick()
        self._kill_rest()
        self._drain()
        self._finish(self._log.close())

    def _read(self, pipe: int) -> bool:
        data = os.read(pipe, _READ_BYTES)
        if pipe == self._pipes.output:
            self._log.feed(data)
        elif pipe == self._pipes.lifeline:
            self._is_orphan = not data
        elif signal.SIGTERM in data:
            self._cancel()
        return bool(data)

    def _drain(self) -> None:
        """Take what the worker printed last."""
        with suppress(BlockingIOError):
            while data := os.read(self._pipes.output, _READ_BYTES):
                self._log.feed(data)

    def _reap(self) -> None:
        """Collect the worker, and orphans that ended."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._worker:
                    self._status = ended[1]

    def _tick(self) -> None:
        if self._status is not None:
            return
        os.utime(self._directory.heartbeat)
        now, spec = time.monotonic(), self._spec
        if self._kill_at is not None and now >= self._kill_at:
            kill_all([*descendants(os.getpid())])
        elif self._directory.attempt() != self._attempt:
            kill_all(descendants(os.getpid()))
        elif self._reason is None and spec.get("timeout_s") and now - self._began > spec["timeout_s"]:
            self._end("timed_out", _GRACE_S)
        elif self._reason is None and spec.get("stall_s") and self._silence_s(now) > spec["stall_s"]:
            self._end("stalled", _GRACE_S)
        elif self._reason is None and spec.get("memory_bytes") and self._memory() > spec["memory_bytes"]:
            self._end("memory", 0)

    def _memory(self) -> int:
        return resident_bytes(descendants(os.getpid()))

    def _silence_s(self, now: float) -> float:
        """Return the time since a report was last seen; a jump of the machine's clock does not count."""
        changed, _ = self._reported
        events = self._directory.events
        if events.exists() and events.stat().st_mtime != changed:
            self._reported = (events.stat().st_mtime, now)
        return now - self._reported[1]

    def _cancel(self) -> None:
        flag = read_json(self._directory.cancel) or {}
        self._end("cancelled", float(flag.get("grace_s", _GRACE_S)))

    def _end(self, reason: str, grace_s: float) -> None:
        self._reason = self._reason or reason
        at = time.monotonic() + grace_s
        self._kill_at = at if self._kill_at is None else min(at, self._kill_at)
        signal_group(self._worker, signal.SIGTERM)

    def _kill_rest(self) -> None:
        """Kill what is left below us until nothing is."""
        until = time.monotonic() + _GRACE_S
        with suppress(ChildProcessError):
            while time.monotonic() < until:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == self._worker:
                    self._status = status
                if not pid:
                    kill_all(descendants(os.getpid()))
                    time.sleep(0.002)

    def _finish(self, tail: list[str]) -> None:
        if self._is_orphan:
            return
        state, detail = self._classified()
        error: dict[str, Any] = {"type": f"urn:aimass:error:job_{state}", "code": f"job_{state}", "title": "JobEnded"}
        error |= {"status": 500, "detail": detail, "tail": tail[-20:]}
        with suppress(Fenced, OSError):  # without room on the disk the platform writes the end, when there is room
            self._directory.finish(self._attempt, {"state": state, "error": error})

    def _classified(self) -> tuple[str, str]:
        """Tell how a worker ended that wrote no result."""
        if self._reason is not None:
            return _STATES[self._reason], _TEXTS[self._reason].format_map(self._spec)
        if self._directory.cancel.exists():
            return "cancelled", _TEXTS["cancelled"]
        status = self._status or 0
        if os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status)).name
            return "killed", f"the process of the job died of {name}"
        return "failed", f"the process of the job ended with code {os.WEXITSTATUS(status)} and wrote no result"


def log_note(directory: JobDirectory, attempt: int) -> None:
    """Begin the log with the trace that the job belongs to, and mark where a later attempt begins."""
    trace = directory.spec().get("trace")
    note = f"--- attempt {attempt} ---" if attempt > 1 else (f"trace {trace}" if trace else "")
    if note:
        writer = LogWriter(directory.log)
        writer.note(note)
        writer.close()
