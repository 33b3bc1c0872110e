"""Start every server on the same ONNX file, load them in turn, and write the report.

While one is measured the others are held still (SIGSTOP), Ray Serve apart, whose processes miss each other: it is
measured against AI Mass at the end, with nothing else running. Peers run with one worker and without keys, limits or
records; AI Mass checks a key and a rate, counts, and writes a record of each request.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measure import ROOT, free_port, tree
from benchmarks.serving.alone import Found, measure, rpc_cpu_us
from benchmarks.serving.graphs import measure_graphs
from benchmarks.serving.load import Server, script, take_turns
from benchmarks.serving.many import measure_many
from benchmarks.serving.own import How, own
from benchmarks.serving.peers import PEERS, Peer, tensors
from benchmarks.serving.report import table, write

CONNECTIONS = (1, 16, 64)
_START_S = 120.0
_APART = "Ray Serve"
_RPC_GOAL = 1.5
PLAN = {"lanes": 0, "max_rows": 128}


def main() -> int:
    """Measure, and write what was seen; a peer that cannot be installed or started is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", action="append", help="name of a peer; all when absent")
    parser.add_argument(
        "--many", action="store_true", help="only many models in one worker; prints, and writes no report"
    )
    parser.add_argument("--graphs", action="store_true", help="only graphs of models; prints, and writes no report")
    wanted = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    if wanted.many:
        with _churn() as folder:
            print("\n".join(table("one gateway worker", _many(folder, wanted))))
        return 0
    if wanted.graphs:
        with _churn() as folder:
            print("\n".join(table("graphs", _graphs(folder, wanted))))
        return 0
    peers = [peer for peer in PEERS if not wanted.only or peer.name in wanted.only]
    skipped = {peer.name: why for peer in peers if (why := peer.install()) is not None}
    peers = [peer for peer in peers if peer.name not in skipped]
    with _churn() as folder:
        groups = [[p for p in peers if p.name != _APART], [p for p in peers if p.name == _APART]]
        found = [_measured(folder, n, group, skipped, wanted) for n, group in enumerate(groups) if group]
        bodies = [tensors(row) for row in _rows(folder)]
        alone = measure(folder, partial(_new, folder), bodies, wanted.rounds, wanted.seconds)
        alone += _graphs(folder, wanted)
        alone += _rpc(folder, [peer for peer in peers if peer.has_rpc], skipped, wanted)
        many = _many(folder, wanted)
    write(found, skipped, CONNECTIONS, alone, many, ROOT / "benchmarks" / "serving.md")
    return 0


@contextmanager
def _churn() -> Iterator[Path]:
    """Train the models that are served, in a folder that goes again."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "benchmarks.churn", name]
        subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
        yield Path(name)


def _many(folder: Path, wanted: argparse.Namespace) -> list[Found]:
    bodies = [tensors(row) for row in _rows(folder)]
    return measure_many(folder, partial(_new, folder), bodies, wanted.rounds, wanted.seconds)


def _graphs(folder: Path, wanted: argparse.Namespace) -> list[Found]:
    bodies = [tensors(row) for row in _rows(folder)]
    return measure_graphs(folder, partial(_new, folder), bodies, wanted.rounds, wanted.seconds)


def _rpc(folder: Path, peers: Sequence[Peer], skipped: dict[str, str], wanted: argparse.Namespace) -> list[Found]:
    """Ask over gRPC, in turn."""
    rows, found = _rows(folder), []
    with ExitStack() as stack:
        bodies = [tensors(row) for row in rows]
        mine = stack.enter_context(own(folder / "lightgbm", bodies, _new(folder, "rpc"), How(rpc=True)))
        lines = folder / "rpc" / "requests.txt"
        for peer in peers:
            try:
                other = stack.enter_context(_peer(peer, folder, rows, "-rpc"))
                pairs = [
                    [rpc_cpu_us(one, lines, seconds=wanted.seconds) for one in (other, mine)]
                    for _ in range(wanted.rounds)
                ]
            except (RuntimeError, subprocess.SubprocessError) as reason:
                skipped[f"{peer.name} over gRPC"] = str(reason)[:300]
            else:
                value = statistics.median(theirs / ours for theirs, ours in pairs)
                name = f"gRPC against {peer.name}, CPU/request at 16"
                found.append(Found(name=name, value=value, goal=_RPC_GOAL, unit="x"))
    return found


def _measured(
    folder: Path, number: int, peers: Sequence[Peer], skipped: dict[str, str], wanted: argparse.Namespace
) -> list[Server]:
    rows = _rows(folder)
    with ExitStack() as stack:
        package = folder / "lightgbm"
        servers = [
            stack.enter_context(own(package, [tensors(r) for r in rows], _new(folder, f"own{number}{place}"), how))
            for place, how in enumerate((How(), How(name="AI Mass isolated", plan=PLAN)))
        ]
        for peer in peers:
            try:
                servers.append(stack.enter_context(_peer(peer, folder, rows)))
            except (RuntimeError, subprocess.SubprocessError) as reason:
                skipped[peer.name] = str(reason)[:300]
        take_turns(servers, CONNECTIONS, wanted.rounds, wanted.seconds, hold=number == 0)
    return servers


@contextmanager
def _peer(peer: Peer, folder: Path, rows: Sequence[dict[str, Any]], suffix: str = "") -> Iterator[Server]:
    place, port = _new(folder, peer.name.replace(" ", "-") + suffix), free_port()
    bodies = [peer.body(row) for row in rows]
    began = time.perf_counter()
    process = peer.start(place, port)
    try:
        _until_it_answers(process, f"http://127.0.0.1:{port}{peer.path}", bodies[0], place / "log")
        took = time.perf_counter() - began
        program = script(place, bodies, peer.path)
        yield Server(
            name=peer.name,
            port=port,
            rpc_port=port + 1 if peer.has_rpc else -1,
            pids=[process.pid],
            script=program,
            goal=peer.goal,
            start_s=took,
        )
    finally:
        _end(process)


def _until_it_answers(process: subprocess.Popen[bytes], url: str, body: Any, log: Path) -> None:
    end, why = time.monotonic() + _START_S, "no answer"
    while time.monotonic() < end and process.poll() is None:
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                answer.read()
        except urllib.error.HTTPError as reason:
            why = f"{reason.code}: {reason.read()[:200]!r}"
        except OSError as reason:
            why = str(reason)
        else:
            return
        time.sleep(0.1)
    raise RuntimeError(f"{why}; {log.read_text(errors='replace')[-300:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server with everything that it started."""
    with suppress(psutil.NoSuchProcess):
        for one in tree(process.pid):
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGCONT)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _new(folder: Path, name: str) -> Path:
    place = folder / name
    place.mkdir()
    return place


def _rows(folder: Path) -> list[dict[str, Any]]:
    requests = json.loads((folder / "requests.json").read_text())
    return [{one["name"]: one["data"][0] for one in request["inputs"]} for request in requests]


if __name__ == "__main__":
    raise SystemExit(main())
