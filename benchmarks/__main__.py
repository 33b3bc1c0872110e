"""``make bench``: run every benchmark, or the ones that are named, and write ``benchmarks/report.md``."""

from __future__ import annotations

import sys
from importlib import import_module

from benchmarks.measure import ROOT, Figure, write_report

PARTS = ("start", "jobs", "gateway", "demo")


def main() -> int:
    """Measure and report; a bar that is missed is reported, not an error."""
    wanted = [part for part in PARTS if part in sys.argv[1:]] or list(PARTS)
    figures: list[Figure] = []
    for part in wanted:
        for figure in import_module(f"benchmarks.{part}").figures():
            print(f"{figure.name}: {figure.value:.3g} {figure.unit}", flush=True)
            figures.append(figure)
    if wanted == list(PARTS):
        write_report(figures, ROOT / "benchmarks" / "report.md")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
