"""What takes long (``LONG=1``): a hundred thousand tiny commits, and a file of ten gigabytes.

``python -m benchmarks.data.long`` prints the figures.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from aimass.lake.children.append import append
from aimass.lake.children.maintain import maintain
from benchmarks.data.ingest import collected
from benchmarks.data.made import csv_file

COMMITS, BLOCK, GOAL = 100_000, 100, 1.1
FILE_GB, PEAK_MB = 10, 500
_ROWS_PER_GB = 9_700_000


def run(commits: int = COMMITS, gigabytes: int = FILE_GB) -> dict[str, Any]:
    """Measure both."""
    return {"commits": tiny_commits(commits), "file": large_file(gigabytes)}


def tiny_commits(count: int) -> dict[str, Any]:
    """Append ten rows again and again; return milliseconds of CPU of a commit in the first and the last third.

    The table is tended as the platform tends it: after every hundred commits, what is not needed goes with every tenth time.
    While it goes through its last third, a second table goes through its first, block by block in turn: others use the machine
    too, more at some times than at others, so only what was measured at one time is compared.
    """
    blocks = count // BLOCK
    third = max(1, blocks // 3)
    begun: list[float] = []
    old: list[float] = []
    young: list[float] = []
    with tempfile.TemporaryDirectory(prefix="aimass-bench-") as name:
        for block in range(blocks):
            spent = _block(Path(name) / "old", block)
            if block < third:
                begun.append(spent)
            if block >= blocks - third:
                old.append(spent)
                young.append(_block(Path(name) / "young", block - blocks + third))
    first, last, beside = (statistics.median(each) for each in (begun, old, young))
    return {
        "commits": count,
        "first_ms": first * 1e3,
        "last_ms": last * 1e3,
        "beside_ms": beside * 1e3,
        "ratio": last / beside,
        "goal": GOAL,
    }


def _block(table: Path, block: int) -> float:
    """Append a hundred times, and tend the table; return seconds of CPU of a commit."""
    began = time.process_time()
    for batch in range(block * BLOCK + 1, (block + 1) * BLOCK + 1):
        rows = [{"n": batch * 10 + one, "text": "ten letters"} for one in range(10)]
        append({"path": str(table), "rows": rows, "app_id": "bench", "batch": batch})
    maintain({"path": str(table), "pinned": [], "retain_hours": 0, "vacuum": block % 10 == 9})
    return (time.process_time() - began) / BLOCK


def large_file(gigabytes: int) -> dict[str, Any]:
    """Collect one CSV file."""
    with tempfile.TemporaryDirectory(prefix="aimass-bench-") as name:
        path = csv_file(Path(name) / "large.csv", gigabytes * _ROWS_PER_GB)
        size = path.stat().st_size
        found = collected("csv", path, Path(name) / "own")
    return {
        "gb": size / 1e9,
        "cpu_s": found.cpu_s,
        "wall_s": found.wall_s,
        "peak_mb": found.peak_mb,
        "goal_mb": PEAK_MB,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
