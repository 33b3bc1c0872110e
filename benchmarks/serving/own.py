"""AI Mass under the same load: key check, rate limit, metrics and records on; inline, in a worker of its own, and so on."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.measure import free_port
from benchmarks.serving.load import Server, script

KEY = "aim_" + "b" * 43
HEADERS = f', ["Authorization"] = "Bearer {KEY}"'
_RATE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How AI Mass is set up for a measurement.

    Attributes
    ----------
    plan
        How a worker of its own runs requests; None to answer in the gateway itself.
    workers
        How many gateway workers share the port.
    bare
        Whether neither rate nor record is asked for; the key is always checked.
    policies
        Whether the policies of traffic are on: two deployments split by a header, a fallback with a time limit, and a
        static answer. (A shadow is no policy: it is a second inference.)
    rpc
        Whether gRPC is on.
    beside
        Packages that the gateway serves beside, each on an endpoint of its own and loaded when it is asked for.
    """

    name: str = "AI Mass"
    plan: dict[str, int] | None = None
    workers: int = 1
    bare: bool = False
    policies: bool = False
    rpc: bool = False
    beside: tuple[Path, ...] = ()

    @property
    def names(self) -> list[str]:
        """Return the names of the endpoints."""
        return ["churn", *(f"churn-{number}" for number in range(len(self.beside)))]


@contextmanager
def own(package: Path, bodies: Sequence[Any], folder: Path, how: How) -> Iterator[Server]:
    """Start a gateway with one endpoint on the package."""
    with ExitStack() as stack:
        (folder / "data" / "gateway").mkdir(parents=True)
        pids: list[int] = []
        socket = None
        if how.plan is not None:
            socket = folder / "worker" / "s"
            pids.append(stack.enter_context(_worker(package, socket, how.plan)))
        snapshot = _snapshot(package, socket, how)
        (folder / "data" / "gateway" / "snapshot.json").write_bytes(orjson.dumps(snapshot))
        began, port = time.perf_counter(), free_port()
        rpc_port = free_port() if how.rpc else -1
        pids += [
            stack.enter_context(_gateway(folder / "data", port, rpc_port, number, how.workers))
            for number in range(how.workers)
        ]
        took = time.perf_counter() - began
        more = HEADERS + (', ["X-Customer"] = "c-17"' if how.policies else "")
        program = script(folder, bodies, "/v2/models/churn/infer", more)
        yield Server(name=how.name, port=port, rpc_port=rpc_port, pids=pids, script=program, start_s=took)


@contextmanager
def _gateway(data: Path, port: int, rpc_port: int, number: int, workers: int) -> Iterator[int]:
    command = [sys.executable, "-m", "aimass.gateway.plane", "--data-dir", str(data), "--port", str(port)]
    command += ["--grpc-port", str(rpc_port), "--worker", str(number), "--workers", str(workers)]
    with _running(subprocess.Popen(command, stderr=subprocess.DEVNULL)) as pid:
        status = data / "gateway" / f"status-{number}.json"
        while not (status.exists() and orjson.loads(status.read_bytes())["port"]):
            time.sleep(0.01)
        if wrong := orjson.loads(status.read_bytes())["error"]:
            raise RuntimeError(f"the gateway does not take its snapshot: {wrong}")
        yield pid


@contextmanager
def _worker(package: Path, socket: Path, plan: dict[str, int]) -> Iterator[int]:
    socket.parent.mkdir(parents=True)
    runtime = json.loads((package / "manifest.json").read_bytes())["runtime"]
    module = f"aimass.models.runtimes.{runtime}"
    command = [sys.executable, "-m", "aimass.serving.children.worker", "--module", module]
    environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    if process.stdin is None:
        raise RuntimeError("the worker has no input")
    told = {"package": str(package), "folder": str(socket.parent), "plan": plan}
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


def _snapshot(package: Path, socket: Path | None, how: How) -> dict[str, Any]:
    rate = None if how.bare else _RATE
    key = {"id": "k", "consumer": "bench", "workspace": "demo", "use": ["*"], "expires_at": None, "rate_per_s": rate}
    runtime = json.loads((package / "manifest.json").read_bytes())["runtime"]
    endpoint = {"id": "e", "name": "churn", "workspace": "demo", "timeout_s": 30, "max_body_bytes": 16777216}
    endpoint |= {"record": {"sample": 0.0 if how.bare else 1.0, "payload": True}, "shadow": None, "fallback": None}

    def deployment(name: str, weight: int = 0) -> dict[str, Any]:
        made = {"id": name, "name": name, "revision": f"r-{name}", "weight": weight, "model": "churn", "version": 1}
        return {**made, "runtime": runtime, "package": str(package), "socket": None if socket is None else str(socket)}

    endpoint["deployments"] = [deployment("champion", 100)]
    if how.policies:
        endpoint["deployments"] = [deployment("champion", 50), deployment("canary", 50)]
        endpoint["fallback"] = deployment("spare")
        endpoint["traffic"] = {
            "split": "header", "split_by": "X-Customer", "fallback_after_s": 5,
            "static": [{"name": "label", "type": "string", "value": "No"}],
        }  # fmt: skip
    endpoints = {"demo/churn": endpoint}
    for name, other in zip(how.names[1:], how.beside, strict=True):
        made = {**deployment(name, 100), "package": str(other), "proven": True}
        endpoints[f"demo/{name}"] = {**endpoint, "id": name, "name": name, "deployments": [made]}
    keys = {hashlib.sha256(KEY.encode()).hexdigest(): key}
    return {"version": 1, "control_socket": "", "keys": keys, "endpoints": endpoints}
