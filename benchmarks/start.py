"""Start and idle: seconds to ready, processes, memory; imports; size of the core installation."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from aimass.bootstrap.settings import PlatformSettings
from aimass.bootstrap.waiting import answers
from benchmarks.measure import ROOT, Figure, free_port, median_of, pss_mb, tree, wall_s

_SETTLE_S = 5.0


def figures() -> Iterator[Figure]:
    """Measure."""
    yield from start_and_idle()
    python = [sys.executable, "-c"]
    yield Figure(
        "import aimass",
        median_of(lambda: wall_s([*python, "import aimass"]), 5) - median_of(lambda: wall_s([*python, "pass"]), 5),
        "s",
        0.3,
    )
    yield Figure("aimass --help", median_of(lambda: wall_s([sys.executable, "-m", "aimass", "--help"]), 5), "s", 0.3)
    yield core_size()


def start_and_idle() -> Iterator[Figure]:
    """Start a platform on a used data directory and let it idle."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "aimass.bootstrap.first", "--data-dir", folder],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        port = free_port()
        command = [sys.executable, "-m", "aimass", "up", "--quiet", "--data-dir", folder, "--port", str(port)]
        began = time.perf_counter()
        process = subprocess.Popen(command)
        settings = PlatformSettings(data_dir=Path(folder), port=port)
        while not answers(settings, "/readyz"):
            time.sleep(0.02)
        ready = time.perf_counter() - began
        time.sleep(_SETTLE_S)
        try:
            found = tree(process.pid)
            gateway = [p for p in found if "aimass.gateway.plane" in " ".join(p.cmdline())]
            yield Figure("ready after", ready, "s", 5)
            yield Figure("processes, idle", len(found), "processes", 3)
            yield Figure("memory, idle (PSS)", pss_mb(process.pid), "MB", 400)
            yield Figure("gateway worker, idle (PSS)", gateway[0].memory_full_info().pss / 1e6, "MB", 100)
            yield Figure("CPU, idle", _idle_percent(found), "% of a core", note="over 5 s")
        finally:
            process.terminate()
            process.wait(30)


def _idle_percent(found: list[psutil.Process]) -> float:
    def used() -> float:
        return sum(sum(p.cpu_times()[:2]) for p in found)

    before = used()
    time.sleep(5)
    return (used() - before) / 5 * 100


def core_size() -> Figure:
    """Install the core alone into an empty environment and add its files up, without bytecode."""
    with tempfile.TemporaryDirectory() as folder:
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, f"{folder}/v"], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", f"{folder}/v/bin/python", str(ROOT)], check=True)
        files = [p for p in Path(folder).rglob("*") if p.is_file() and not p.is_symlink() and p.suffix != ".pyc"]
        return Figure(
            "core installation", sum(p.stat().st_size for p in files) / 1e6, "MB", 850, note="without bytecode"
        )
