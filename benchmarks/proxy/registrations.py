"""What a worker takes for a hundred thousand services with a route each that nobody asks for, and what a look-up among them costs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from aimass.gateway.plane.proxy.table import Document, read_document

COUNT, _ASKED = 100_000, 20_000
_INSTANCE = {"id": "01K8", "host": "10.1.2.3", "address": "10.1.2.3", "port": 8080, "tls": False, "weight": 1}
_UPSTREAM = {"balance": "round_robin", "hash_by": "", "connect_timeout_s": 2.0, "failures": 5, "open_s": 10.0}
_ROUTE = {"access": "key", "timeout_s": 30.0, "retries": 1, "rate_per_s": 0, "max_request_bytes": 1 << 20}


def registrations(folder: Path) -> tuple[float, float, float]:
    """Return the megabytes that a process grows by, and microseconds of a look-up that finds something and of one that does not."""
    path = folder / "services.txt"
    with path.open("w") as file:
        file.write('{"version":1,"id":"bench"}\n')
        for number in range(COUNT):
            named = {"workspace": "lab", "name": f"s{number}"}
            file.write(f"u lab/s{number} {json.dumps({**named, **_UPSTREAM, 'instances': [_INSTANCE]})}\n")
            file.write(f"r lab/s{number} {json.dumps({**named, **_ROUTE, 'prefix': f's{number}'})}\n")
    told = subprocess.run(
        [sys.executable, "-m", __name__, str(path)], check=True, capture_output=True, text=True
    ).stdout
    megabytes, hit, miss = map(float, told.split())
    return megabytes, hit, miss


def _rss() -> float:
    """Return the megabytes of memory of this process."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _each(find: Callable[[bytes], bytes | None], kind: bytes) -> float:
    keys = [b"lab/%b%d" % (kind, number) for number in range(0, COUNT, COUNT // _ASKED)]
    began = time.process_time()
    for key in keys:
        find(key)
    return (time.process_time() - began) / len(keys) * 1e6


def _measure(path: Path) -> None:
    before = _rss()
    document: Document = read_document(path)
    grown = _rss() - before
    find = document.routes.get
    sys.stdout.write(f"{grown} {_each(find, b's')} {_each(find, b'q')}\n")


if __name__ == "__main__":
    _measure(Path(sys.argv[1]))
