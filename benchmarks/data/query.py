"""Queries through the query service against bare DuckDB over the same files, in turn.

``python -m benchmarks.data.query`` prints the figures. CPU seconds are those of all processes that take part: of the service the data
child that runs the query, and control, which checks who asks, decides policies, and writes history, audit entry and event.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import psutil

from aimass.bootstrap.platform import Platform, open_platform
from aimass.bootstrap.settings import PlatformSettings
from aimass.infra.compute import WarmChild
from aimass.kernel.principal import SYSTEM, Grant, Principal
from aimass.lake import CreateDataset, Lake, NewVersion, QueryRows

ROWS = 5_000_000
GOAL = 1.10
REPEATS = 5
THREADS = 2
PLACE: dict[str, Any] = {"workspace": "bench", "dataset": "orders"}
ASKS = {
    "group by two columns": "SELECT region, product, count(*) AS n, sum(amount) AS total FROM orders GROUP BY ALL ORDER BY ALL",
    "filter and top 20": "SELECT * FROM orders WHERE amount > 150 ORDER BY amount DESC, id LIMIT 20",
    "distinct by week": "SELECT date_trunc('week', moment) AS week, count(DISTINCT customer) AS n FROM orders GROUP BY week ORDER BY week",
    "rank within a group": "SELECT customer, amount FROM orders QUALIFY row_number() OVER (PARTITION BY region ORDER BY amount DESC, id) <= 3",
}
ANALYST = Principal(
    id="analyst", name="Analyst", kind="user", grants=(Grant(workspace="bench", permissions=frozenset({"lake.use"})),)
)


def run(rounds: int = 3, rows: int = ROWS) -> dict[str, Any]:
    """Measure each query, the two in turn.

    Parameters
    ----------
    rounds
        How often each is measured; medians count.
    rows
        Rows of the table.
    """
    with tempfile.TemporaryDirectory(prefix="aimass-bench-") as name:
        platform = open_platform(PlatformSettings(data_dir=Path(name)))
        try:
            return _measured(platform, rounds, rows)
        finally:
            platform.close()


def _measured(platform: Platform, rounds: int, rows: int) -> dict[str, Any]:
    lake = platform.registry.get(Lake)
    table = make(lake, rows)
    files = sorted(str(path) for path in table.glob("*.parquet"))
    with duckdb.connect(config={"threads": THREADS}) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.read_parquet(files).create_view("orders")
        told = {name: _ask(platform, con, sql, rounds) for name, sql in ASKS.items()}
    own, bare = (sum(one[who] for one in told.values()) for who in ("own_cpu_s", "duckdb_cpu_s"))
    return {"rows": rows, "queries": told, "ratio": own / bare, "goal": GOAL}


def make(lake: Lake, rows: int) -> Path:
    """Make the dataset, the same each time, and note its version; return where it lies."""
    dice = np.random.default_rng(7)
    lake.create_dataset(SYSTEM, CreateDataset(workspace="bench", name="orders"))
    path = lake.table_path(**PLACE)
    seconds = pl.Series(dice.integers(0, 365 * 86_400, rows) * 1_000_000).cast(pl.Datetime("us", "UTC"))
    pl.DataFrame(
        {
            "id": np.arange(rows),
            "customer": dice.integers(0, 100_000, rows),
            "region": pl.Series([f"region {n}" for n in range(12)])[dice.integers(0, 12, rows)],
            "product": pl.Series([f"product {n}" for n in range(40)])[dice.integers(0, 40, rows)],
            "amount": dice.normal(100, 20, rows).round(2),
            "moment": seconds,
        }
    ).write_delta(str(path))
    given = {"path": str(path), "version": 0, "keys": [], "now": "2026-01-01T00:00:00Z"}
    described = lake._call("describe:describe_version", given, 600.0)  # noqa: SLF001 what a job does, without its process
    lake.add_version(NewVersion(**PLACE, described=described, origin="bench"))
    return path


def _ask(platform: Platform, con: duckdb.DuckDBPyConnection, sql: str, rounds: int) -> dict[str, Any]:
    """Ask both in turn, after each was asked once."""
    lake, warm = platform.registry.get(Lake), platform.registry.get(WarmChild)

    def own() -> list[Any]:
        return lake.query(ANALYST, QueryRows(workspace="bench", sql=sql, limit=10_000)).rows

    def bare() -> list[Any]:
        return con.cursor().execute(sql).fetchall()

    same = len(own()) == len(bare())
    measured = [(_cpu(own, warm), _cpu(bare, warm)) for _ in range(rounds)]
    ours, theirs = (statistics.median(pair[n] for pair in measured) for n in (0, 1))
    return {"own_cpu_s": ours, "duckdb_cpu_s": theirs, "ratio": ours / theirs, "same_number_of_rows": same}


def _cpu(work: Callable[[], Any], warm: WarmChild) -> float:
    """Return the CPU seconds of one call, of this process and the data children."""
    before = _spent(warm)
    for _ in range(REPEATS):
        work()
    return (_spent(warm) - before) / REPEATS


def _spent(warm: WarmChild) -> float:
    own = time.process_time()
    children = [psutil.Process(pid).cpu_times() for pid in warm.pids]
    return own + sum(child.user + child.system for child in children)


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
