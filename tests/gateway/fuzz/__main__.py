"""``python -m tests.gateway.fuzz stream --seconds 600``: fuzz one target with atheris, as long as you like.

What it finds is written to ``crash-...`` in the folder; ``--input FILE`` runs one such file again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    """Fuzz."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.fuzz", description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=-1, help="stop after so many inputs")
    parser.add_argument("--seed", type=int, default=0, help="make a run repeatable")
    parser.add_argument("--folder", type=Path, help="where the corpus is kept and what is found is written")
    parser.add_argument("--input", type=Path, help="run this input alone")
    given = parser.parse_args()
    atheris = _atheris()
    with atheris.instrument_imports(include=["aimass.gateway.plane"]):
        from tests.gateway.fuzz.plane import Plane
        from tests.gateway.fuzz.targets import TARGETS, seeds
    folder = given.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    corpus = folder / given.target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(given.target)):
        (corpus / f"seed-{number:03d}").write_bytes(seed)
    plane, target = Plane(), TARGETS[given.target]
    limits = [f"-max_total_time={given.seconds}", f"-runs={given.runs}", f"-seed={given.seed}", "-timeout=20"]
    limits += ["-max_len=6000", "-rss_limit_mb=2048", f"-artifact_prefix={folder}/"]
    places = [str(given.input)] if given.input else [str(corpus)]
    atheris.Setup([sys.argv[0], *limits, *places], lambda data: target(plane, data))
    atheris.Fuzz()


def _atheris() -> Any:
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: it has wheels for Linux on x86-64 alone (pip install atheris)")
    return atheris


if __name__ == "__main__":
    main()
