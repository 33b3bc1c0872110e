"""The default executor: each job is a tree of child processes on this machine."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import stat as stat_module
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from aimass.infra.compute.confiding import handed_over
from aimass.infra.compute.directory import Fenced, JobDirectory
from aimass.infra.compute.files import read_json, write_atomic
from aimass.infra.compute.logs import read_lines
from aimass.infra.compute.port import Capabilities, JobEvent, JobHandle, JobSpec, JobState, KeptFiles, LogLine
from aimass.infra.compute.processes import descendants, kill_all, marked, start_of
from aimass.infra.scrubbing import scrub_folder
from aimass.kernel.erasing import Person
from aimass.kernel.errors import Conflict, NotFound, Unavailable
from aimass.kernel.tracing import parent_of

_THREAD_CAPS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
_MARK = "AIMASS_JOB"
_GUARD_GRACE_S = 2.0
_CLOSE_S = 10.0
_EVENTS_BATCH = 2000


class ProcessCompute:
    """Runs jobs as child processes below one folder.

    Parameters
    ----------
    root
        Folder of the job directories.
    environment
        What the children see of the environment, see :func:`~aimass.infra.compute.child_environment`.
    nice
        How much the jobs stand back behind the platform itself.
    data
        The data directory whose paths the jobs may name; they are kept without where it lies.
    """

    def __init__(self, root: Path, *, environment: Mapping[str, str], nice: int = 5, data: Path | None = None) -> None:
        self._root = root.resolve()
        self._root.mkdir(parents=True, exist_ok=True)
        self._environment = dict(environment)
        self._data = "" if data is None else str(data)
        self._nice = nice
        self._lock = threading.Lock()
        self._running: dict[str, tuple[int, subprocess.Popen[bytes]]] = {}
        self._kill_at: dict[str, float] = {}
        self._lifeline, self._lifeline_end = os.pipe()

    def submit(self, spec: JobSpec, secrets: Mapping[str, Any] | None = None) -> JobHandle:
        """Start the next attempt at a job."""
        directory = JobDirectory(self._root / spec.id, self._data)
        try:
            directory.freeze(asdict(spec))
            self._evict(directory)
            attempt = directory.take()
            child = self._start(directory, attempt, spec, secrets or {})
        except OSError as reason:
            hint = "free memory or disk, then retry the job"
            raise Unavailable(f"job {spec.id!r} cannot start: {reason}", hint=hint) from reason
        with self._lock:
            self._running[spec.id] = (attempt, child)
            self._kill_at.pop(spec.id, None)
        return JobHandle(job=spec.id, attempt=attempt)

    def _start(
        self, directory: JobDirectory, attempt: int, spec: JobSpec, confided: Mapping[str, Any]
    ) -> subprocess.Popen[bytes]:
        caps: dict[str, str] = dict.fromkeys(_THREAD_CAPS, str(spec.slots))
        # a Delta commit may wait for another one inside its own stream: with a single I/O thread both would wait for ever
        caps["TOKIO_WORKER_THREADS"] = str(max(spec.slots, 2))
        traced = {"TRACEPARENT": parent_of(spec.trace, secrets.randbits(64) or 1)} if spec.trace else {}
        environment = {**self._environment, **caps, **traced, _MARK: str(directory.path)}
        command = [sys.executable, "-P", "-m", "aimass.infra.compute.child", str(directory.path)]
        command += ["--attempt", str(attempt), "--lifeline", str(self._lifeline), "--nice", str(self._nice)]
        command += ["--data", self._data]
        with directory.log.open("ab") as log, handed_over(confided) as whispers:
            command += ["--secrets", str(whispers[0])] if whispers else []
            return subprocess.Popen(
                command,
                env=environment,
                cwd=directory.work,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(self._lifeline, *whispers),
                start_new_session=True,
            )

    def poll(self, handle: JobHandle) -> JobState:
        """Tell how an attempt stands."""
        directory = self._directory(handle.job)
        self._enforce(handle.job)
        if self._is_alive(directory, handle):
            return JobState(state="running", attempt=handle.attempt)
        return _state(directory.result(handle.attempt) or self._write_off(directory, handle), handle.attempt)

    def _is_alive(self, directory: JobDirectory, handle: JobHandle) -> bool:
        with self._lock:
            attempt, child = self._running.get(handle.job, (0, None))
            if child is not None and attempt == handle.attempt:
                if child.poll() is None:
                    return True
                del self._running[handle.job]
                self._kill_at.pop(handle.job, None)
                return False
        return _owner(directory, handle.attempt) is not None

    def _write_off(self, directory: JobDirectory, handle: JobHandle) -> dict[str, Any]:
        """Write the end of an attempt whose guard died with it."""
        self._evict(directory)
        state = "cancelled" if directory.cancel.exists() else "killed"
        if directory.attempt() != handle.attempt:
            detail = f"attempt {handle.attempt} lost the job to attempt {directory.attempt()}"
        else:
            detail = "the job was cancelled" if state == "cancelled" else "the processes of the job were killed"
        tail = [line.text for line in _last_lines(directory.log, 20)]
        error = {"type": f"urn:aimass:error:job_{state}", "title": "JobEnded", "status": 500, "code": f"job_{state}"}
        outcome = {"state": state, "error": {**error, "detail": detail, "tail": tail}}
        with suppress(Fenced, OSError):
            directory.finish(handle.attempt, outcome)
        return directory.result(handle.attempt) or outcome

    def cancel(self, handle: JobHandle, grace_s: float = 5.0) -> None:
        """Raise the cancel flag, ask the processes to end, kill them after the grace."""
        directory = self._directory(handle.job)
        with directory.locked():
            if directory.attempt() != handle.attempt or directory.result(handle.attempt) is not None:
                return
            with suppress(OSError):  # on a full disk the signal alone has to do
                write_atomic(directory.cancel, json.dumps({"grace_s": grace_s}).encode(), durable=False)
        with self._lock:
            attempt, child = self._running.get(handle.job, (0, None))
            if child is not None and attempt == handle.attempt:
                self._kill_at.setdefault(handle.job, time.monotonic() + grace_s + _GUARD_GRACE_S)
                child.send_signal(signal.SIGTERM)
                return
        owner = _owner(directory, handle.attempt)
        if owner is not None:
            kill_all([owner], signal.SIGTERM)

    def _enforce(self, job: str) -> None:
        """Kill a guard that did not end in time after a cancel."""
        with self._lock:
            if time.monotonic() < self._kill_at.get(job, float("inf")):
                return
            child = self._running[job][1]
            kill_all([child.pid, *descendants(child.pid)])

    def logs(self, job: str, after: int = 0, limit: int = 500) -> list[LogLine]:
        """Return the log lines that follow line number ``after``."""
        return read_lines(self._directory(job).log, after, limit)

    def events(self, job: str, after: int = 0) -> tuple[list[JobEvent], int]:
        """Return the reports behind position ``after`` and the position to go on from."""
        try:
            with self._directory(job).events.open("rb") as file:
                file.seek(after)
                lines = [line for line in islice(file, _EVENTS_BATCH) if line.endswith(b"\n")]
        except FileNotFoundError:
            return [], after
        return list(_events(lines)), after + sum(map(len, lines))

    def outputs(self, job: str) -> Path:
        """Return the folder that holds what a job left in ``ctx.out``."""
        return self._directory(job).out

    def recover(self) -> list[JobHandle]:
        """Kill what earlier platforms left behind and return the attempts that have no end."""
        paths = [path for path in sorted(self._root.iterdir()) if (path / "job.json").exists()]
        directories = [JobDirectory(path, self._data) for path in paths]
        for pid in marked(f"{_MARK}={directory.path}" for directory in directories):
            kill_all([pid])
        open_ = [(d, d.attempt()) for d in directories]
        return [JobHandle(job=d.path.name, attempt=n) for d, n in open_ if n and d.result(n) is None]

    def kept(self) -> Iterator[KeptFiles]:
        """Yield the jobs whose files are here."""
        for path in sorted(self._root.iterdir()):
            facts = [stat for file in path.rglob("*") if (stat := _stat(file)) is not None]
            if facts:
                used_at = datetime.fromtimestamp(max(stat.st_mtime for stat in facts), UTC)
                yield KeptFiles(job=path.name, size_bytes=sum(stat.st_size for stat in facts), used_at=used_at)

    def scrub(self, job: str, person: Person) -> int:
        """Take what names a person out of the files of a job that has ended."""
        directory = self._directory(job)
        handle = JobHandle(job=job, attempt=directory.attempt())
        if self._is_alive(directory, handle):
            raise Conflict(f"job {job!r} still runs", value=job, hint="wait for its end")
        return scrub_folder(directory.path, person)

    def remove(self, job: str) -> None:
        """Delete everything of a job that does not run; what an earlier removal left that was killed goes too."""
        directory = JobDirectory(self._root / job, self._data)
        if os.sep in job or not directory.path.is_dir():
            raise NotFound(f"there is no job {job!r}", value=job)
        handle = JobHandle(job=job, attempt=directory.attempt())
        if self._is_alive(directory, handle):
            raise Conflict(f"job {job!r} still runs", value=job, hint="cancel it first")
        shutil.rmtree(directory.path)

    def capabilities(self) -> Capabilities:
        """Tell what this machine offers."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return Capabilities(name="process", cores=_cores(), memory_bytes=memory)

    def close(self) -> None:
        """Kill everything that runs: the guards see the lifeline end."""
        with self._lock:
            children = [child for _, child in self._running.values()]
            self._running.clear()
            if self._lifeline_end >= 0:
                os.close(self._lifeline_end)
                os.close(self._lifeline)
                self._lifeline_end = -1
        for child in children:
            try:
                child.wait(_CLOSE_S)
            except subprocess.TimeoutExpired:
                kill_all([child.pid, *descendants(child.pid)])
                child.wait()

    def _directory(self, job: str) -> JobDirectory:
        directory = JobDirectory(self._root / job, self._data)
        if os.sep in job or not directory.spec_file.exists():
            raise NotFound(f"there is no job {job!r}", value=job)
        return directory

    def _evict(self, directory: JobDirectory) -> None:
        """Kill what runs for a job: its guard, everything below, and what carries its mark."""
        attempt = directory.attempt()
        if not attempt:
            return
        owner = _owner(directory, attempt)
        if owner is not None:
            kill_all([owner, *descendants(owner)])
        kill_all(marked([f"{_MARK}={directory.path}"]))
        with self._lock:
            _, child = self._running.pop(directory.path.name, (0, None))
        if child is not None:
            child.wait(_CLOSE_S)


def _stat(file: Path) -> os.stat_result | None:
    """Return the facts of a file; None for a folder, and for what goes at this moment."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found if stat_module.S_ISREG(found.st_mode) else None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _owner(directory: JobDirectory, attempt: int) -> int | None:
    """Return the pid of the guard of an attempt, when that very process is alive."""
    owner = read_json(directory.process)
    if owner is None or owner.get("attempt") != attempt:
        return None
    return owner["pid"] if start_of(owner["pid"]) == owner["start"] else None


def _events(lines: list[bytes]) -> Iterator[JobEvent]:
    for line in lines:
        try:
            event = json.loads(line)
            known = {"seq": event["seq"], "attempt": event["attempt"], "time": event["t"]}
        except (ValueError, KeyError, TypeError):
            continue
        optional = {name: event[name] for name in ("fraction", "stage", "metrics") if name in event}
        yield JobEvent(**known, **optional)


def _last_lines(path: Path, count: int) -> list[LogLine]:
    lines: list[LogLine] = []
    while page := read_lines(path, lines[-1].number if lines else 0, 5000):
        lines = [*lines, *page][-count:]
    return lines


def _state(result: Mapping[str, Any], attempt: int) -> JobState:
    return JobState(
        state=result["state"],
        attempt=attempt,
        result=result.get("result"),
        error=result.get("error"),
        usage=result.get("usage", {}),
    )
