"""AI Mass under the same load: key check, rate limit, metrics and records on; inline, and in a worker of its own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson

from benchmarks.measure import free_port
from benchmarks.serving.load import Server, script

_KEY = "aim_" + "b" * 43
_RATE = 1_000_000


@contextmanager
def own(package: Path, bodies: Sequence[Any], folder: Path, *, isolated: bool) -> Iterator[Server]:
    """Start a gateway with one endpoint on the package."""
    name = "AI Mass isolated" if isolated else "AI Mass"
    with ExitStack() as stack:
        (folder / "data" / "gateway").mkdir(parents=True)
        pids: list[int] = []
        socket = None
        if isolated:
            socket = folder / "worker" / "s"
            pids.append(stack.enter_context(_worker(package, socket)))
        snapshot = _snapshot(package, socket)
        (folder / "data" / "gateway" / "snapshot.json").write_bytes(orjson.dumps(snapshot))
        began, port = time.perf_counter(), free_port()
        pids.append(stack.enter_context(_gateway(folder / "data", port)))
        took = time.perf_counter() - began
        program = script(folder, bodies, "/v2/models/churn/infer", f', ["Authorization"] = "Bearer {_KEY}"')
        yield Server(name=name, port=port, pids=pids, script=program, start_s=took)


@contextmanager
def _gateway(data: Path, port: int) -> Iterator[int]:
    command = [sys.executable, "-m", "aimass.gateway.plane", "--data-dir", str(data), "--port", str(port)]
    with _running(subprocess.Popen(command, stderr=subprocess.DEVNULL)) as pid:
        status = data / "gateway" / "status-0.json"
        while not (status.exists() and orjson.loads(status.read_bytes())["port"]):
            time.sleep(0.01)
        yield pid


@contextmanager
def _worker(package: Path, socket: Path) -> Iterator[int]:
    socket.parent.mkdir(parents=True)
    command = [sys.executable, "-m", "aimass.serving.children.worker", "--module", "aimass.models.runtimes.onnx"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if process.stdin is None:
        raise RuntimeError("the worker has no input")
    told = {"package": str(package), "folder": str(socket.parent), "plan": {"lanes": 0, "max_rows": 128}}
    process.stdin.write(json.dumps(told).encode() + b"\n")
    process.stdin.flush()
    with _running(process) as pid:
        while not (socket.parent / "ready.json").exists():
            time.sleep(0.01)
        yield pid


@contextmanager
def _running(process: subprocess.Popen[bytes]) -> Iterator[int]:
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def _snapshot(package: Path, socket: Path | None) -> dict[str, Any]:
    key = {"id": "k", "consumer": "bench", "workspace": "demo", "use": ["*"], "expires_at": None, "rate_per_s": _RATE}
    deployment = {"id": "d", "name": "champion", "revision": "r-1", "weight": 100, "model": "churn", "version": 1}
    deployment |= {"runtime": "onnx", "package": str(package), "socket": None if socket is None else str(socket)}
    endpoint = {"id": "e", "name": "churn", "workspace": "demo", "timeout_s": 30, "max_body_bytes": 16777216}
    endpoint |= {"record": {"sample": 1.0, "payload": True}, "deployments": [deployment]}
    endpoint |= {"shadow": None, "fallback": None}
    keys = {hashlib.sha256(_KEY.encode()).hexdigest(): key}
    return {"version": 1, "control_socket": "", "keys": keys, "endpoints": {"demo/churn": endpoint}}
