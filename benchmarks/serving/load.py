"""Load on one server: wrk's requests per second and p50, the CPU of its processes, and what it holds in memory."""

from __future__ import annotations

import re
import signal
import statistics
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psutil

from benchmarks.measure import cpu_s, pss_mb, tree

_SCRIPT = """
local requests, paths = {}, {%(paths)s}
function init()
  for body in io.lines("%(file)s") do
    requests[#requests + 1] = wrk.format("POST", paths[#requests %% #paths + 1], {["Content-Type"] = "application/json"%(header)s}, body)
  end
end
local turn = 0
request = function() turn = turn %% #requests + 1; return requests[turn] end
"""
_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round gave."""

    cpu_us: float
    per_s: float
    p50_us: float


@dataclass(slots=True, kw_only=True)
class Server:
    """A server under load."""

    name: str
    port: int
    pids: Sequence[int]
    script: Path
    goal: float | None = None
    rpc_port: int = -1
    start_s: float = 0.0
    memory: float = 0.0
    rounds: dict[int, list[Round]] = field(default_factory=lambda: defaultdict(list))

    def load(self, connections: int, seconds: int) -> None:
        """Run one round with so many connections."""
        pids = [process.pid for process in self._processes()]
        before = cpu_s(pids)
        url = f"http://127.0.0.1:{self.port}"
        words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s"]
        told = subprocess.run([*words, str(self.script), url], check=True, capture_output=True, text=True).stdout
        used = cpu_s([pid for pid in pids if psutil.pid_exists(pid)]) - before
        if "Non-2xx" in told or "Socket errors" in told:
            raise RuntimeError(f"{self.name}: {told}")
        requests = int(re.findall(r"(\d+) requests in", told)[0])
        p50, unit = re.findall(r"50%\s+([\d.]+)(us|ms|s)", told)[0]
        per_s = float(re.findall(r"Requests/sec:\s+([\d.]+)", told)[0])
        self.rounds[connections].append(
            Round(cpu_us=used / max(1, requests) * 1e6, per_s=per_s, p50_us=float(p50) * _UNITS[unit])
        )

    def median(self, connections: int, what: str) -> float:
        """Return the median of a figure over the rounds."""
        return statistics.median(getattr(one, what) for one in self.rounds[connections])

    def ratio(self, other: Server, connections: int, what: str) -> float:
        """Return the median over the rounds of this server's figure divided by another's in the same round."""
        pairs = zip(self.rounds[connections], other.rounds[connections], strict=True)
        return statistics.median(getattr(a, what) / getattr(b, what) for a, b in pairs)

    def cpu_s(self) -> float:
        """Return the seconds of CPU that its processes have used so far."""
        return cpu_s([process.pid for process in self._processes()])

    def weigh(self) -> None:
        """Note the proportional memory of its processes, in MB."""
        self.memory = sum(pss_mb(pid) for pid in self.pids)

    def stop(self, *, still: bool) -> None:
        """Hold its processes still while another is measured, or let them go on."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGSTOP if still else signal.SIGCONT)

    def _processes(self) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for pid in self.pids:
            with suppress(psutil.NoSuchProcess):
                found += tree(pid)
        return found


def take_turns(
    servers: Sequence[Server], connections: Sequence[int], rounds: int, seconds: int, *, hold: bool = True
) -> None:
    """Load servers in turn, round by round; ``hold`` keeps the others still (SIGSTOP) while one is measured."""
    try:
        for one in servers:
            one.load(16, 1)  # warm, and not counted
            one.rounds.clear()
            if hold:
                one.stop(still=True)
        for number in range(rounds):
            for count in connections:
                for one in servers:
                    one.stop(still=False)
                    one.load(count, seconds)
                    if hold:
                        one.stop(still=True)
            print(f"{servers[0].name}: round {number + 1} of {rounds}", flush=True)
    finally:
        for one in servers:
            one.stop(still=False)
    for one in servers:
        one.weigh()


def script(folder: Path, bodies: Sequence[Any], path: str | Sequence[str], header: str = "") -> Path:
    """Write the requests and the script that sends them in turn; with several paths, each body to the next one."""
    paths = ", ".join(f'"{one}"' for one in ([path] if isinstance(path, str) else path))
    lines, program = folder / "requests.txt", folder / "load.lua"
    lines.write_bytes(b"\n".join(map(orjson.dumps, bodies)) + b"\n")
    program.write_text(_SCRIPT % {"file": lines, "paths": paths, "header": header})
    return program
