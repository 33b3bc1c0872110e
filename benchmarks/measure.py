"""What the benchmarks share: processes, their memory and CPU, medians, and the report."""

from __future__ import annotations

import json
import os
import platform
import socket
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure against its bar; ``bar`` is the most allowed unless ``at_least``."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Tell whether the bar is met; None without a bar."""
        if self.bar is None:
            return None
        return self.value >= self.bar if self.at_least else self.value <= self.bar


def free_port() -> int:
    """Return a port that is free right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and everything below it."""
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def pss_mb(pid: int) -> float:
    """Return the proportional memory of a process tree in MB."""
    return sum(p.memory_full_info().pss for p in tree(pid)) / 1e6


def peak_mb(pid: int | str = "self") -> float:
    """Return the most memory that a process has held since it began its program.

    ``ru_maxrss`` would tell of the process that started it too: that outlives an exec.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def cpu_s(pids: list[int]) -> float:
    """Return user and system seconds of processes so far."""
    total = 0.0
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        total += times.user + times.system
    return total


def median_of(measure: Callable[[], float], rounds: int) -> float:
    """Return the median of several rounds."""
    return statistics.median(measure() for _ in range(rounds))


def wall_s(command: list[str], **options: object) -> float:
    """Run a command and return its wall time."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    return time.perf_counter() - began


def write_report(figures: list[Figure], path: Path) -> None:
    """Write the report as Markdown and as JSON."""
    machine = f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    lines = [
        "# Benchmark report",
        "",
        f"`make bench` on {machine}. Ratios were taken side by side in one run; shared machines are noisy.",
        "",
    ]
    lines += ["| what | measured | bar | met |", "| --- | --- | --- | --- |"]
    words = {True: "yes", False: "**no**", None: ""}
    for f in figures:
        bar = "" if f.bar is None else f"{'at least' if f.at_least else 'at most'} {f.bar:g} {f.unit}"
        note = f" ({f.note})" if f.note else ""
        lines.append(f"| {f.name}{note} | {f.value:.3g} {f.unit} | {bar} | {words[f.is_met]} |")
    path.write_text("\n".join(lines) + "\n")
    path.with_suffix(".json").write_text(json.dumps([asdict(f) for f in figures], indent=2) + "\n")
