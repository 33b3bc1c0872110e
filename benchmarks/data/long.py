"""What takes long (``LONG=1``): a hundred thousand tiny commits, and a file of ten gigabytes.

``python -m benchmarks.data.long`` prints the figures.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aimass.lake.children.append import append
from aimass.lake.children.maintain import maintain
from benchmarks.data.ingest import collected
from benchmarks.data.made import csv_file

COMMITS, BLOCK, FRESH, GOAL = 100_000, 100, 20, 1.1
FILE_GB, PEAK_MB = 10, 500
_ROWS_PER_GB = 9_700_000


def run(commits: int = COMMITS, gigabytes: int = FILE_GB) -> dict[str, Any]:
    """Measure both."""
    return {"commits": tiny_commits(commits), "file": large_file(gigabytes)}


def tiny_commits(count: int) -> dict[str, Any]:
    """Append ten rows again and again; return milliseconds of CPU of a commit in the first and the last third.

    The table is tended as the platform tends it: after every hundred commits, what is not needed goes with every tenth time.
    Beside it a new table gets its first hundred commits now and then: how these change is the machine, and not the table.
    """
    spent: list[float] = []
    fresh: list[float] = []
    with tempfile.TemporaryDirectory(prefix="aimass-bench-") as name:
        for block in range(count // BLOCK):
            spent.append(_block(Path(name) / "t", block))
            if block % FRESH == 0:
                fresh.append(_block(Path(name) / f"fresh-{block}", 0))
    (first, last), (before, after) = _thirds(spent), _thirds(fresh)
    return {
        "commits": count,
        "first_ms": first * 1e3,
        "last_ms": last * 1e3,
        "ratio": last / first,
        "fresh_ratio": after / before,
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


def _thirds(values: Sequence[float]) -> tuple[float, float]:
    third = max(1, len(values) // 3)
    return statistics.median(values[:third]), statistics.median(values[-third:])


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
