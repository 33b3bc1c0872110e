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
    """
    spent: list[float] = []
    with tempfile.TemporaryDirectory(prefix="aimass-bench-") as name:
        path = str(Path(name) / "t")
        for block in range(count // BLOCK):
            began = time.process_time()
            for batch in range(block * BLOCK + 1, (block + 1) * BLOCK + 1):
                rows = [{"n": batch * 10 + one, "text": "ten letters"} for one in range(10)]
                append({"path": path, "rows": rows, "app_id": "bench", "batch": batch})
            maintain({"path": path, "pinned": [], "retain_hours": 0, "vacuum": block % 10 == 9})
            spent.append((time.process_time() - began) / BLOCK)
    third = len(spent) // 3
    first, last = statistics.median(spent[:third]), statistics.median(spent[-third:])
    return {"commits": count, "first_ms": first * 1e3, "last_ms": last * 1e3, "ratio": last / first, "goal": GOAL}


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
