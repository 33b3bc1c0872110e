"""The gateway: CPU per inference request (key check, record and metrics on) against nginx ``return 200``.

The same requests go to both, from wrk with 16 connections; the rounds take turns. The CPU is user and system time of
the processes that answer. wrk and nginx come from the distribution (``apt-get install wrk nginx``).
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from benchmarks.churn import RECIPES
from benchmarks.measure import ROOT, Figure, cpu_s, free_port, pss_mb, tree

CONNECTIONS = 16
BAR = 5.0
_KEY = "aim_" + "b" * 43
_SCRIPT = """
local requests = {}
function init()
  for body in io.lines("%(file)s") do
    requests[#requests + 1] = wrk.format("POST", "/v2/models/%(name)s/infer",
      {["Content-Type"] = "application/json", ["Authorization"] = "Bearer %(key)s"}, body)
  end
end
local turn = 0
request = function() turn = turn %% #requests + 1; return requests[turn] end
"""
_NGINX = """
worker_processes 1;
daemon off;
pid %(folder)s/nginx.pid;
error_log %(folder)s/nginx.log;
events { worker_connections 256; }
http {
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path %(folder)s/body;
  server { listen 127.0.0.1:%(port)d; location / { return 200 "{}"; } }
}
"""
_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}


@dataclass(slots=True, kw_only=True)
class Target:
    """A server under load, and what its rounds gave."""

    name: str
    port: int
    pid: int
    script: Path | None
    cpu_us: list[float] = field(default_factory=list[float])
    per_s: list[float] = field(default_factory=list[float])
    p50_us: list[float] = field(default_factory=list[float])

    def load(self, seconds: float) -> None:
        """Run one round."""
        processes = [process.pid for process in tree(self.pid)]
        before = cpu_s(processes)
        script = ["-s", str(self.script)] if self.script else []
        done = subprocess.run(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", *script, self._url],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        used = cpu_s(processes) - before
        if "Non-2xx" in done or "Socket errors" in done:
            raise RuntimeError(f"{self.name}: {done}")
        (requests,) = re.findall(r"(\d+) requests in", done)
        (p50, unit) = re.findall(r"50%\s+([\d.]+)(us|ms|s)", done)[0]
        self.cpu_us.append(used / int(requests) * 1e6)
        self.per_s.append(float(re.findall(r"Requests/sec:\s+([\d.]+)", done)[0]))
        self.p50_us.append(float(p50) * _UNITS[unit])

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def figures(rounds: int = 5, seconds: float = 3.0) -> Iterator[Figure]:
    """Measure; yields one figure that says so where wrk or nginx cannot be had."""
    missing = [tool for tool in ("wrk", "nginx") if shutil.which(tool) is None]
    if missing:
        yield Figure("gateway", float("nan"), "", note=f"skipped: {' and '.join(missing)} not installed")
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        subprocess.run(
            [sys.executable, "-m", "benchmarks.churn", str(folder)], check=True, cwd=ROOT, capture_output=True
        )
        nginx = stack.enter_context(_nginx(folder))
        bare = replace(nginx, name="nginx, GET", script=None, cpu_us=[], per_s=[], p50_us=[])
        targets = stack.enter_context(_gateway(folder))
        for _ in range(rounds):
            for target in (nginx, bare, *targets):
                target.load(seconds)
        memory = pss_mb(targets[0].pid)
        for each, note in ((nginx, "the same requests as the gateway"), (bare, "GET without a body")):
            yield Figure("nginx return 200, CPU per request", statistics.median(each.cpu_us), "us", note=note)
        for target in targets:
            yield from _figures_of(target, nginx, rounds)
            ratio = statistics.median(a / b for a, b in zip(target.cpu_us, bare.cpu_us, strict=True))
            yield Figure(f"gateway, {target.name}: times the CPU of nginx on a bare GET", ratio, "x", BAR)
        yield Figure("gateway worker after load (PSS)", memory, "MB", 100, note=f"{len(targets)} models")


def _figures_of(target: Target, nginx: Target, rounds: int) -> Iterator[Figure]:
    ratio = statistics.median(a / b for a, b in zip(target.cpu_us, nginx.cpu_us, strict=True))
    note = f"19 inputs, one row, JSON, {CONNECTIONS} connections, median of {rounds} rounds"
    yield Figure(f"gateway, {target.name}: CPU per request", statistics.median(target.cpu_us), "us", note=note)
    yield Figure(f"gateway, {target.name}: times the CPU of nginx", ratio, "x", BAR, note=note)
    yield Figure(f"gateway, {target.name}: requests per second", statistics.median(target.per_s), "1/s")
    yield Figure(f"gateway, {target.name}: p50", statistics.median(target.p50_us), "us")


def _script(folder: Path, name: str) -> Path:
    lines = folder / "requests.txt"
    if not lines.exists():
        lines.write_bytes(b"\n".join(map(orjson.dumps, json.loads((folder / "requests.json").read_text()))) + b"\n")
    path = folder / f"{name}.lua"
    path.write_text(_SCRIPT % {"file": lines, "name": name, "key": _KEY})
    return path


@contextmanager
def _nginx(folder: Path) -> Iterator[Target]:
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_NGINX % {"folder": folder, "port": port})
    process = subprocess.Popen(["nginx", "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        yield Target(name="nginx", port=port, pid=process.pid, script=_script(folder, "lightgbm"))
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def _gateway(folder: Path) -> Iterator[list[Target]]:
    data, port = folder / "data", free_port()
    (data / "gateway").mkdir(parents=True)
    (data / "gateway" / "snapshot.json").write_bytes(orjson.dumps(_snapshot(folder)))
    command = [sys.executable, "-m", "aimass.gateway.plane", "--data-dir", str(data), "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        status = data / "gateway" / "status-0.json"
        while not (status.exists() and orjson.loads(status.read_bytes())["port"]):
            time.sleep(0.05)
        yield [Target(name=name, port=port, pid=process.pid, script=_script(folder, name)) for name in RECIPES]
    finally:
        process.terminate()
        process.wait(30)


def _snapshot(folder: Path) -> dict[str, object]:
    key = {"id": "k", "consumer": "bench", "workspace": "demo", "use": ["*"], "expires_at": None, "rate_per_s": None}
    endpoints = {f"demo/{name}": _endpoint(name, folder / name) for name in RECIPES}
    keys = {hashlib.sha256(_KEY.encode()).hexdigest(): key}
    return {"version": 1, "control_socket": "", "keys": keys, "endpoints": endpoints}


def _endpoint(name: str, package: Path) -> dict[str, object]:
    deployment = {
        "id": name,
        "name": "champion",
        "revision": f"{name}-1",
        "weight": 100,
        "model": name,
        "version": 1,
        "runtime": "onnx",
        "package": str(package),
        "socket": None,
    }
    return {
        "id": name,
        "name": name,
        "workspace": "demo",
        "timeout_s": 30,
        "max_body_bytes": 16777216,
        "record": {"sample": 1.0, "payload": True},
        "deployments": [deployment],
        "shadow": None,
        "fallback": None,
    }
