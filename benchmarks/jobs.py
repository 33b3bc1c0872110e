"""Job start: from submission to the first line of user code, against a local Ray in an environment of its own."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from aimass.infra.compute import JobSpec, ProcessCompute, child_environment
from benchmarks.measure import ROOT, Figure

_RAY = """
import time
began = time.perf_counter()
import ray
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR", _node_ip_address="127.0.0.1")
@ray.remote
def now():
    return time.time()
ray.get(now.remote())
print(time.perf_counter() - began)
ray.shutdown()
"""


def figures(rounds: int = 3) -> Iterator[Figure]:
    """Measure both in turn."""
    own, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        python = _ray_environment(Path(folder))
        for number in range(rounds):
            own.append(own_start_s(Path(folder) / f"jobs{number}"))
            if python:
                done = subprocess.run([python, "-c", _RAY], capture_output=True, text=True, check=True, timeout=300)
                theirs.append(float(done.stdout.split()[-1]))
    yield Figure("job start", statistics.median(own), "s", note="process runner, median")
    if theirs:
        yield Figure("local Ray, start to first task", statistics.median(theirs), "s", note="median")
        yield Figure(
            "job start, times faster than a local Ray",
            statistics.median(theirs) / statistics.median(own),
            "x",
            50,
            at_least=True,
        )


def own_start_s(folder: Path) -> float:
    """Return the seconds from submission to the first line of the job's function."""
    compute = ProcessCompute(folder, environment={**child_environment(), "PYTHONPATH": str(ROOT)})
    began = time.time()
    handle = compute.submit(JobSpec(id="j", run="benchmarks.jobs:note_time", params={}))
    while compute.poll(handle).state == "running":
        time.sleep(0.002)
    state = compute.poll(handle)
    compute.close()
    if state.result is None:
        raise RuntimeError(str(state.error))
    return float(state.result["now"]) - began


def note_time(ctx: object) -> dict[str, float]:
    """Return the time at which the job's own code runs."""
    del ctx
    return {"now": time.time()}


def _ray_environment(folder: Path) -> str | None:
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder / "ray")], check=True)
    python = str(folder / "ray/bin/python")
    done = subprocess.run([uv, "pip", "install", "-q", "--python", python, "ray"], check=False, capture_output=True)
    return python if done.returncode == 0 else None
