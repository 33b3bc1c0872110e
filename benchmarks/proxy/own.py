"""AI Mass as the same door: a public route, and one with key, rates and metrics; and how fast a change of policy is live."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson

from benchmarks.measure import free_port
from benchmarks.proxy.peers import asking
from benchmarks.serving.load import Server

KEY = "aim_" + "b" * 43
_HEADER = f'["Authorization"] = "Bearer {KEY}"'
_START_S = 30.0
_SEEN = (
    ("public", "public", False),
    ("key", "key", False),
    ("all", "all", False),
    ("each query new", "key", True),
    ("from the cache", "kept", False),
)
_ROUTE: dict[str, Any] = {
    "workspace": "demo", "upstream": "geo", "paused": False, "access": "public", "strip_prefix": True, "timeout_s": 10.0,
    "max_request_bytes": 1 << 30, "max_reply_bytes": 0, "retries": 2, "retry_unsafe": False, "retry_after_s": 1,
    "rate_per_s": 0.0, "allow_from": [], "cors_origins": [], "request_headers": {}, "reply_headers": {},
}  # fmt: skip
_KEPT = {
    "id": "kept", "cache": True, "cache_s": 3600.0, "cache_stale_s": 0.0, "cache_post": False, "cache_vary": [], "cache_shared": True,
    "cache_reload": True, "cache_bytes": 1 << 20,
}  # fmt: skip
_POLICIES = {
    "access": "key", "rate_per_s": 1_000_000.0, "allow_from": ["127.0.0.0/8"], "cors_origins": ["https://shop.test"],
    "request_headers": {"X-From": "gateway"}, "reply_headers": {"X-Frame-Options": "DENY"},
}  # fmt: skip


def document(behind: int, *, version: int = 1, **changed: Any) -> bytes:
    """Return the file of services: one upstream, a public route, one with a key, one with every policy on, and one that keeps answers."""
    instance = {"id": "i", "host": "127.0.0.1", "address": "127.0.0.1", "port": behind, "tls": False, "weight": 1}
    upstream = {
        "workspace": "demo", "name": "geo", "balance": "round_robin", "hash_by": "", "connect_timeout_s": 2.0,
        "failures": 3, "open_s": 0.5, "instances": [instance],
    }  # fmt: skip
    routes = [
        {**_ROUTE, "name": "public"},
        {**_ROUTE, "name": "key", "access": "key"},
        {**_ROUTE, "name": "all", **_POLICIES},
        {**_ROUTE, "name": "kept", **_KEPT},
    ]
    lines = [json.dumps({"version": version, "id": "bench"}), f"u demo/geo {json.dumps(upstream)}"]
    lines += [f"r demo/{one['name']} {json.dumps({**one, 'prefix': one['name'], **changed})}" for one in routes]
    return ("\n".join(lines) + "\n").encode()


@contextmanager
def doors(folder: Path, behind: int, workers: int = 1) -> Iterator[list[Server]]:
    """Start the gateway; return it several times, as seen through each of its routes, and by requests that are all different."""
    data, port = folder / "data", free_port()
    (data / "gateway").mkdir(parents=True)
    key = {"id": "k", "consumer": "bench", "workspace": "demo", "use": ["*"], "routes": ["*"], "expires_at": None}
    keys = {hashlib.sha256(KEY.encode()).hexdigest(): {**key, "rate_per_s": 1_000_000}}
    (data / "gateway" / "snapshot.json").write_bytes(
        orjson.dumps({"version": 1, "control_socket": "", "keys": keys, "endpoints": {}})
    )
    (data / "gateway" / "services.txt").write_bytes(document(behind))
    with ExitStack() as stack:
        pids = [stack.enter_context(_worker(data, port, number, workers)) for number in range(workers)]
        found = []
        for shown, name, is_new in _SEEN:
            place = folder / shown.replace(" ", "-")
            place.mkdir()
            header = "" if name in ("public", "kept") else _HEADER
            program = asking(place, f"/s/demo/{name}/search?q=Paris", header, is_new=is_new)
            found.append(Server(name=f"AI Mass, {shown}", port=port, pids=pids, script=program))
            _until_it_answers(port, name)
        yield found


@contextmanager
def _worker(data: Path, port: int, number: int, workers: int) -> Iterator[int]:
    command = [sys.executable, "-m", "aimass.gateway.plane", "--data-dir", str(data), "--port", str(port)]
    command += ["--worker", str(number), "--workers", str(workers)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        status = data / "gateway" / f"status-{number}.json"
        while not (status.exists() and orjson.loads(status.read_bytes())["port"]):
            time.sleep(0.01)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def asked(port: int, name: str) -> int:
    """Ask once, on a connection of its own; return the status."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/s/demo/{name}/", headers={"Authorization": f"Bearer {KEY}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as reason:
        return reason.code


def _until_it_answers(port: int, name: str) -> None:
    end = time.monotonic() + _START_S
    while (status := asked(port, name)) != 200:
        if time.monotonic() > end:
            raise RuntimeError(f"route {name!r} answers {status}")
        time.sleep(0.05)


def change_live_s(folder: Path, behind: int, workers: int = 2) -> float:
    """Pause a route, and return the seconds until every worker says so: the last of them counts."""
    with doors(folder, behind, workers) as (server, *_):
        data = folder / "data" / "gateway"
        draft = data / "draft"
        draft.write_bytes(document(behind, version=2, paused=True))
        began = time.perf_counter()
        draft.rename(data / "services.txt")
        paths = [data / f"status-{number}.json" for number in range(workers)]
        while not all(orjson.loads(path.read_bytes()).get("services") == 2 for path in paths):
            time.sleep(0.005)
        took = time.perf_counter() - began
        if {asked(server.port, "public") for _ in range(10)} != {503}:
            raise RuntimeError("a worker lets a request through a paused route")
        return took
