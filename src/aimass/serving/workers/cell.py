"""A worker process in a place of its own: a folder with its package, its socket and its journal."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from aimass.infra.suspects import oldest_ns, read_left
from aimass.serving.workers.keeping import Keeping
from aimass.serving.workers.wishes import Kind, Wish

_SIGNALLED = 128  # a sandbox ends with this and the number of the signal that ended what it kept
_LOG_BYTES = 4000
_MOST_TOLD = 256 * 1024
_MOST_JOURNAL = 1024 * 1024
_MAX_LOG_BYTES = 16 * 1024 * 1024


class Cell:
    """One process, from its start as a spare to its end.

    Parameters
    ----------
    folder
        Where it lives; ``package`` in it is what it reads, ``io`` what it writes: socket ``s``, journal, ``ready.json``.
    log
        Where its output goes.
    """

    def __init__(self, folder: Path, log: Path, kind: Kind, keeping: Keeping) -> None:
        self.folder = folder
        self.kind = kind
        self.keeping = keeping
        self.log = log
        self._ready: dict[str, Any] | None = None
        self._calibration: dict[str, Any] | None = None
        self._is_planned = False
        for part in (self.package, self.io):
            part.mkdir(parents=True, mode=0o700)
        log.parent.mkdir(parents=True, exist_ok=True)
        command, variables = keeping.command(kind, self.package, self.io)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=variables,
                start_new_session=True,
            )

    @property
    def package(self) -> Path:
        """The folder from which the process reads its package."""
        return self.folder / "package"

    @property
    def io(self) -> Path:
        """The folder in which the process writes."""
        return self.folder / "io"

    def assign(self, wish: Wish, log: Path) -> None:
        """Tell the process which package it serves."""
        with suppress(FileNotFoundError):
            self.log = self.log.rename(log)
        self.keeping.bound(wish)
        _link(Path(wish.package), self.package)
        package, io = self.keeping.seen(self.package, self.io)
        told: dict[str, Any] = {
            "package": package,
            "folder": io,
            "threads": wish.threads,
            "device": wish.device,
            "memory_bytes": wish.memory_bytes,
        }
        told |= {"plan": wish.plan, "measured_threads": wish.measured_threads}
        self._is_planned = wish.plan is not None
        self._say(json.dumps(told).encode())

    def plan(self, wish: Wish) -> None:
        """Tell a process that has measured its model by which plan it runs requests."""
        if not self._is_planned and wish.plan is not None and self.calibration() is not None:
            self._is_planned = True
            self._say(json.dumps(wish.plan).encode())

    def calibration(self) -> Mapping[str, Any] | None:
        """Return what the process measured; None before."""
        if self._calibration is None:
            self._calibration = _read(self.io / "calibration.json")
        return self._calibration

    def _say(self, line: bytes) -> None:
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.write(line + b"\n")
                self._process.stdin.flush()

    def ready(self) -> Mapping[str, Any] | None:
        """Return what the process said when it began to answer; None before."""
        if self._ready is None:
            self._ready = _read(self.io / "ready.json")
        return self._ready

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process as it was started."""
        return self._process

    @property
    def pid(self) -> int:
        """The process that runs the model: in a sandbox it is below the two that keep it."""
        tree = _tree(self._process.pid)
        return tree[min(self.keeping.depth, len(tree) - 1)]

    def resident_bytes(self) -> int:
        """Return the resident memory of the process and of those below it; 0 where the system does not tell."""
        return sum(_resident(pid) for pid in _tree(self._process.pid))

    def runs_for_s(self) -> float:
        """Return for how long the batch that takes the longest has been running."""
        with suppress(OSError):
            began = oldest_ns(read_left(self.io / "running", _MOST_JOURNAL))
            return 0.0 if began is None else (time.monotonic_ns() - began) / 1e9
        return 0.0

    def has_ended(self) -> bool:
        """Tell whether the process is gone."""
        return self._process.poll() is not None

    def end(self) -> None:
        """Ask the process to answer what it has and end."""
        self._say(b"end")

    def kill(self) -> None:
        """End the process and those below it at once.

        A sandbox that is killed while it is made would leave the one inside waiting for it: all are stopped first.
        """
        if self.keeping.group is not None:
            self.keeping.group.kill()
        if self.has_ended():
            return
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in _tree(self._process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def trim_log(self) -> None:
        """Begin the log again when it is long; a model may write what it likes."""
        with suppress(OSError):
            if self.log.stat().st_size > _MAX_LOG_BYTES:
                os.truncate(self.log, 0)

    def how_it_ended(self) -> str:
        """Say how the process ended, with its last words."""
        if self.keeping.group is not None and self.keeping.group.has_run_out:
            return "it needed more memory than it may have"
        code = self._process.returncode
        if self.keeping.isolation == "sandbox" and code is not None and code > _SIGNALLED:
            code = _SIGNALLED - code
        how = f"it was killed by signal {-code}" if code is not None and code < 0 else f"it ended with code {code}"
        with suppress(OSError):
            lines = self.log.read_bytes()[-_LOG_BYTES:].decode(errors="replace").strip().splitlines()
            if lines:
                return f"{how}: {lines[-1][:500]}"
        return how

    def tidy(self, *, keep_log: bool = False) -> None:
        """Remove what an ended process leaves behind; the log of one that fell stays beside that of its successor."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        self._process.wait()
        if self.keeping.group is not None:
            self.keeping.group.remove()
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            before = self.log.with_suffix(".before.log")
            if keep_log:
                self.log.replace(before)
            else:
                self.log.unlink(missing_ok=True)
                before.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any] | None:
    """Read what a worker tells; the model in it may have written anything."""
    with suppress(OSError, ValueError):
        told = orjson.loads(read_left(path, _MOST_TOLD))  # strict: what it takes, everybody who shows it takes too
        return told if isinstance(told, dict) else None
    return None


def _link(source: Path, target: Path) -> None:
    """Let the files of a package appear in a cell: as links where that is possible, which costs no space."""
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file, place)
        except OSError:
            shutil.copy2(file, place)


def _tree(root: int) -> list[int]:
    """Return a process and those below it, as far as the system tells."""
    found, todo = [root], [root]
    while todo:
        pid = todo.pop()
        with suppress(OSError, ValueError):
            below = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            found += below
            todo += below
    return found


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
