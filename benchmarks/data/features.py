"""The point-in-time join against Feast's file offline store: the same rows, one process each, in turn.

``python -m benchmarks.data.features`` prints the figures. CPU seconds are those of the join itself, without the start of the
process and its imports, which would be in Feast's disfavour.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measure import ROOT, peak_mb

FEAST = "feast==0.67.0"
PEER = ROOT / ".bench" / "feast"
PROGRAM = Path(__file__).parent / "programs" / "feast_features.py"
SIZES = ((100_000, 1_000_000),)
GOAL = 5.0
ENTITIES = 20_000
DAYS = 365
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


def run(rounds: int = 3, sizes: tuple[tuple[int, int], ...] = SIZES) -> dict[str, Any]:
    """Measure each size, the two in turn.

    Parameters
    ----------
    rounds
        How often each is run; medians count.
    sizes
        Rows of the spine, and rows of the view.
    """
    why = install()
    return {f"{spine} x {rows}": _size(rounds, spine, rows, why) for spine, rows in sizes}


def install() -> str | None:
    """Make Feast's environment where it is missing; return why that failed."""
    if (PEER / ".complete").exists():
        return None
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(PEER)], check=True)
    command = [uv, "pip", "install", "-q", "--python", str(PEER / "bin" / "python"), FEAST]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:200]
    (PEER / ".complete").touch()
    return None


def _size(rounds: int, spine: int, rows: int, why: str | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="aimass-bench-") as name:
        folder = Path(name)
        make(folder, spine, rows)
        own, feast = list[dict[str, Any]](), list[dict[str, Any]]()
        for _ in range(rounds):
            own.append(_once([sys.executable, "-m", "benchmarks.data.features", "own", str(folder)]))
            if why is None:
                feast.append(_once([str(PEER / "bin" / "python"), str(PROGRAM), str(folder)]))
        told: dict[str, Any] = {"own": _median(own), "goal": GOAL}
        if why is not None:
            return {**told, "feast": None, "why": why}
        told["feast"] = _median(feast)
        told["ratio"] = told["feast"]["cpu_s"] / told["own"]["cpu_s"]
        told["ratio_of_whole_job"] = told["feast"]["cpu_s"] / told["own"]["job_cpu_s"]
        told["same_rows_known"] = told["feast"]["known"] == told["own"]["known"]
        return told


def _once(command: list[str]) -> dict[str, Any]:
    env = {**os.environ, "FEAST_USAGE": "False", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env, cwd=ROOT)
    return json.loads(done.stdout.strip().splitlines()[-1])


def _median(found: list[dict[str, Any]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


def make(folder: Path, spine: int, rows: int) -> None:
    """Write a spine and the rows of a view, the same each time; rows are written down up to a day after their event."""
    dice = np.random.default_rng(7)
    moments = pl.Series(dice.integers(0, DAYS * 86_400_000_000, rows)).cast(pl.Duration("us"))
    late = pl.Series(dice.integers(0, 86_400_000_000, rows)).cast(pl.Duration("us"))
    facts = pl.DataFrame(
        {
            "customer": dice.integers(0, ENTITIES, rows),
            "f0": dice.normal(size=rows),
            "f1": dice.normal(size=rows),
            "f2": dice.integers(0, 1000, rows),
        }
    ).with_columns((pl.lit(BEGIN, pl.Datetime("us", "UTC")) + moments).alias("event_timestamp"))
    facts = facts.with_columns((pl.col("event_timestamp") + late).alias("created"))
    facts.write_parquet(folder / "rows.parquet")
    facts.write_delta(str(folder / "rows"))
    asked = pl.Series(dice.integers(0, DAYS * 86_400_000_000, spine)).cast(pl.Duration("us"))
    wanted = pl.DataFrame({"customer": dice.integers(0, ENTITIES, spine), "label": dice.integers(0, 2, spine)})
    wanted = wanted.with_columns((pl.lit(BEGIN, pl.Datetime("us", "UTC")) + asked).alias("event_timestamp"))
    wanted.write_parquet(folder / "spine.parquet")
    wanted.write_delta(str(folder / "spine"))


def own(folder: Path) -> dict[str, Any]:
    """Join by the job's own code: into a table alone, then as the whole job with checks, commit and description."""
    from aimass.lake.children.engines import engine
    from aimass.lake.children.join import MEMORY_MB, RESULT, SPINE, join, joined
    from aimass.lake.children.rewrite import attach

    features = [
        {"name": n, "type": t, "default": None} for n, t in (("f0", "float"), ("f1", "float"), ("f2", "integer"))
    ]
    view = {"view": "facts", "entity": ["customer"], "dataset": "facts", "sql": None, "event_time": "event_timestamp"}
    view |= {"created_time": "created", "features": features, "ttl_s": None}
    order: dict[str, Any] = {
        "spine": {
            "columns": ["customer", "label", "event_timestamp"],
            "event_time": "event_timestamp",
            "label": "label",
        },
        "tables": {
            SPINE: {"path": str(folder / "spine"), "version": 0},
            "facts": {"path": str(folder / "rows"), "version": 0},
        },
        "views": [view],
        "names": [["facts", one["name"], one["name"]] for one in features],
        # Feast takes what was written down after the moment too: the same work is compared
        "by_created": False,
    }
    with tempfile.TemporaryDirectory() as scratch, engine(MEMORY_MB, spill=scratch) as con:
        attach(con, order["tables"])
        cpu, wall = time.process_time(), time.monotonic()
        con.execute(f"CREATE TEMP TABLE {RESULT} AS {joined(order)}")
        told = {"cpu_s": time.process_time() - cpu, "wall_s": time.monotonic() - wall}
        told["known"] = con.execute(f"SELECT count(f2) FROM {RESULT}").fetchall()[0][0]  # noqa: S608 own name
    with tempfile.TemporaryDirectory() as scratch:
        more = {"path": str(Path(scratch) / "made"), "key": "bench", "inherited": {}, "describe": {"keys": []}}
        ctx = SimpleNamespace(
            params={**order, **more, "by_created": True}, work=Path(scratch), report=lambda *_, **__: None
        )
        cpu = time.process_time()
        join(ctx)
        told["job_cpu_s"] = time.process_time() - cpu
    told["peak_mb"] = peak_mb()
    return told


if __name__ == "__main__":
    if sys.argv[1:2] == ["own"]:
        print(json.dumps(own(Path(sys.argv[2]))))
    else:
        print(json.dumps(run(), indent=2))
