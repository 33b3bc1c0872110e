"""Environments of peers, and programs that are measured from their start to their end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, peak_mb

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a program took, all its processes together, and what it told."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    told: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Watch(threading.Thread):
    """Looks at the memory of a program while it runs."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak_mb, self.ended = 0.0, threading.Event()
        self._pid = pid
        self.start()

    def run(self) -> None:
        """Look ten times a second; the peak is kept by the kernel, so that only the last moment may be missed."""
        while not self.ended.wait(0.1):
            self.peak_mb = max(self.peak_mb, peak_mb(self._pid))


def environment(name: str, requires: Sequence[str]) -> tuple[Path, str | None]:
    """Make a peer's own environment where it is missing; return its interpreter, and why there is none."""
    folder = ROOT / ".bench" / name
    python, mark = folder / "bin" / "python", folder / ".complete"
    wanted = "\n".join(requires)
    if mark.exists() and mark.read_text() == wanted:
        return python, None
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], check=True)
    command = [uv, "pip", "install", "-q", "--python", str(python), *requires]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        return python, done.stderr.strip().splitlines()[-1][:200]
    mark.write_text(wanted)
    return python, None


def spent(command: Sequence[str | Path], **environ: str) -> Spent:
    """Run a program to its end; the last line that it prints is JSON.

    Raises
    ------
    RuntimeError
        It failed; the last lines that it printed say why.
    """
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **environ}
    began = time.perf_counter()
    words = [str(word) for word in command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, cwd=ROOT) as run:
        watch = Watch(run.pid)
        said = run.stdout.read() if run.stdout else ""
        _, status, used = os.wait4(run.pid, 0)
        watch.ended.set()
        run.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    lines = said.strip().splitlines()
    if run.returncode:
        raise RuntimeError(" | ".join(lines[-3:])[-600:])
    told = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return Spent(cpu_s=used.ru_utime + used.ru_stime, wall_s=wall, peak_mb=watch.peak_mb, told=told)
