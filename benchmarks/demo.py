"""The demo: ``aimass demo --exit`` once on a fresh data directory, after the set-up."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from benchmarks.measure import Figure, free_port

BAR_S = 60.0
LIMIT_S = 600.0
_STEP = re.compile(r"^\s*(\d+) done\s+([\d.]+) s  ([^:]+):", re.MULTILINE)


def figures() -> Iterator[Figure]:
    """Run the story and read its own times; a story that fails is an error."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "aimass", "demo", "--exit", "--data-dir", f"{folder}/d"]
        before, began = os.times(), time.perf_counter()
        done = subprocess.run(
            [*command, "--port", str(free_port())],
            env={**os.environ, "COLUMNS": "300"},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        took, after = time.perf_counter() - began, os.times()
    if done.returncode:
        raise RuntimeError(f"the demo failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    yield Figure("demo, in all", took, "s", BAR_S, note=f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    yield Figure("demo, CPU of all its processes", used, "s")
    for number, seconds, title in _STEP.findall(done.stdout):
        yield Figure(f"demo, step {number}: {title}", float(seconds), "s")
