"""``make bench-data``: ingest beside dlt and a script, streams, features beside Feast, queries beside DuckDB.

``LONG=1`` adds what takes long. Each part is a program of its own too (``python -m benchmarks.data.ingest``, ...).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

from benchmarks.data import features, ingest, long, query, streams
from benchmarks.data.report import write
from benchmarks.measure import ROOT


def main() -> int:
    """Measure, and write what was seen; a goal that is missed is reported as missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=ingest.ROWS)
    parser.add_argument("--report", default=str(ROOT / "benchmarks" / "data.md"))
    wanted = parser.parse_args()
    rounds = wanted.rounds
    parts: dict[str, Callable[[], Any]] = {
        "ingest": lambda: ingest.run(rounds, wanted.rows),
        "streams": lambda: streams.run(rounds, min(streams.EVENTS, wanted.rows)),
        "features": lambda: features.run(rounds),
        "query": lambda: query.run(rounds),
    }
    if os.environ.get("LONG"):
        parts["long"] = long.run
    told: dict[str, Any] = {"rounds": rounds}
    for name, measure in parts.items():
        told[name] = measure()
        print(f"{name} is measured", flush=True)
    write(told, ROOT / wanted.report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
