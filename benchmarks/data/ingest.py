"""A million rows from CSV, PostgreSQL and SQLite into a table: AI Mass, dlt's default, dlt's best, and a script written by hand.

``python -m benchmarks.data.ingest`` prints the figures. CPU seconds are those of all processes from their start to their end: of AI
Mass the job (with its guard) and what control does meanwhile, of the others the whole program with its imports. AI Mass types,
checks, quarantines, commits exactly once, and then proposes rules for the new version and reports how well it keeps them; its time
until the commit stands beside. The profile is no part of it: it is made when somebody asks for it.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import psutil

from benchmarks.data.environments import PROGRAMS, Spent, environment, spent
from benchmarks.data.made import COLUMNS, broken, csv_file, postgres, sqlite

ROWS = 1_000_000
DLT = (
    "dlt[filesystem,parquet,sql_database]==1.31.0",
    "pandas",
    "pyarrow",
    "sqlalchemy<2.1",
    "psycopg2-binary",
    "connectorx==0.4.6",
    "deltalake",
)
BEST = {"csv": ("arrow",), "postgres": ("connectorx", "pyarrow"), "sqlite": ("connectorx", "pyarrow")}
GOALS = {"dlt, best": 3.0, "dlt, default": 10.0}
HAND = 1.3
_TYPES = {
    "BIGINT": "integer",
    "VARCHAR": "string",
    "DOUBLE": "float",
    "BOOLEAN": "boolean",
    "TIMESTAMP": "timestamp",
    "DATE": "date",
}


@dataclass(slots=True, kw_only=True)
class Kind:
    """What was measured of one kind of source: runs by who, and why somebody could not run."""

    runs: dict[str, list[Spent]] = field(default_factory=dict[str, list[Spent]])
    why: dict[str, str] = field(default_factory=dict[str, str])

    def run(self, who: str, work: Callable[[], Spent]) -> None:
        """Measure one run; who failed once is not asked again."""
        if who in self.why:
            return
        try:
            self.runs.setdefault(who, []).append(work())
        except RuntimeError as reason:
            self.why[who] = str(reason)
            self.runs.pop(who, None)

    def told(self) -> dict[str, Any]:
        """Return medians, and the ratios to our own."""
        found = {who: _median(runs) for who, runs in self.runs.items()}
        best = [who for who in found if who.startswith("dlt ") and who != "dlt default"]
        own = found["AI Mass"]["cpu_s"]
        theirs: dict[str, float] = {}
        if best:
            theirs["dlt, best"] = min(found[who]["cpu_s"] for who in best)
        if "dlt default" in found:
            theirs["dlt, default"] = found["dlt default"]["cpu_s"]
        load, hand = found["AI Mass"]["load_cpu_s"], found["by hand"]["cpu_s"]
        told: dict[str, Any] = {"runs": found, "why": self.why, "of_hand": own / hand, "load_of_hand": load / hand}
        told["ratios"] = {who: cpu_s / own for who, cpu_s in theirs.items()}
        return {**told, "load_ratios": {who: cpu_s / load for who, cpu_s in theirs.items()}}


def run(rounds: int = 3, rows: int = ROWS) -> dict[str, Any]:
    """Measure each kind of source, all in turn; dlt's default, which takes a minute, once."""
    python, why = environment("dlt", DLT)
    with tempfile.TemporaryDirectory(prefix="aimass-bench-") as name:
        folder = Path(name)
        clean = csv_file(folder / "orders.csv", rows)
        count = broken(clean, folder / "broken.csv")
        database = sqlite(folder / "orders.db", rows)
        with postgres(clean) as port:
            url = f"postgresql://aimass@127.0.0.1:{port}/postgres"
            sources = {
                "csv": {"own": folder / "broken.csv", "hand": folder / "broken.csv", "dlt": clean},
                "postgres": {"own": port, "hand": url, "dlt": url},
                "sqlite": {"own": database, "hand": database, "dlt": f"sqlite:///{database}"},
            }
            told = {
                kind: _kind(kind, where, rounds, folder, python if why is None else None)
                for kind, where in sources.items()
            }
    for kind, found in told.items():
        expected = rows - count if kind == "csv" else rows
        wrong = {who: n for who, n in found.pop("rows").items() if n not in (expected, rows)}
        if wrong:
            raise RuntimeError(f"{kind}: not all rows came: {wrong}")
    return {"rows": rows, "broken": count, "why": why, "kinds": told}


def _kind(kind: str, where: Mapping[str, Any], rounds: int, folder: Path, python: Path | None) -> dict[str, Any]:
    found, rows = Kind(), dict[str, int]()

    def target(who: str, number: int) -> Path:
        return folder / "made" / kind / f"{who}-{number}".replace(" ", "-")

    for number in range(rounds):
        own = target("own", number)
        found.run("AI Mass", lambda own=own: collected(kind, where["own"], own))
        hand = target("hand", number)
        found.run(
            "by hand", lambda hand=hand: spent([sys.executable, PROGRAMS / "by_hand.py", kind, where["hand"], hand])
        )
        rows |= {"by hand": _counted(hand)}
        for backend in ("default", *BEST[kind]) if python else ():
            if backend == "default" and number:
                continue
            made = target(backend, number)
            command = [python, PROGRAMS / "dlt_ingest.py", kind, backend, where["dlt"], made]
            found.run(f"dlt {backend}", lambda c=command: spent(c, RUNTIME__DLTHUB_TELEMETRY="false"))
            rows |= {f"dlt {backend}": run.told["rows"] for run in found.runs.get(f"dlt {backend}", [])[-1:]}
    rows["AI Mass"] = int(found.runs["AI Mass"][-1].told["rows"])
    return {**found.told(), "rows": rows}


def _counted(target: Path) -> int:
    return int(pl.scan_delta(str(target)).select(pl.len()).collect().item())


def collected(kind: str, source: Any, folder: Path) -> Spent:
    """Collect in a process of its own; return what was spent from the start of the collection to its end."""
    command = [sys.executable, "-m", "benchmarks.data.ingest", "own", kind, str(source), str(folder)]
    told = dict(spent(command, AIMASS_COLLECTOR_LOOPBACK="true", AIMASS_COLLECTOR_FOLDERS='["/"]').told)
    return Spent(cpu_s=told.pop("cpu_s"), wall_s=told.pop("wall_s"), peak_mb=told.pop("peak_mb"), told=told)


def _median(runs: list[Spent]) -> dict[str, Any]:
    made: dict[str, Any] = {
        name: statistics.median(getattr(one, name) for one in runs) for name in ("cpu_s", "wall_s", "peak_mb")
    }
    if "load_cpu_s" in runs[0].told:
        made["load_cpu_s"] = statistics.median(one.told["load_cpu_s"] for one in runs)
    return made


def own(kind: str, source: str, folder: Path) -> dict[str, Any]:
    """Collect through a platform of its own; what its opening takes does not count."""
    from aimass.bootstrap.platform import open_platform
    from aimass.bootstrap.settings import PlatformSettings
    from aimass.infra.compute import WarmChild

    platform = open_platform(PlatformSettings(data_dir=folder / "data"))
    try:
        begin = _upload(platform, Path(source)) if kind == "csv" else _connection(platform, kind, source)
        warm = platform.registry.get(WarmChild)
        before, wall = _used(warm), time.monotonic()
        ended = _ended(platform, begin())
        told = {"cpu_s": _used(warm) - before, "wall_s": time.monotonic() - wall, "rows": ended.rows}
        told["peak_mb"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        return {**told, "load_cpu_s": told["cpu_s"] - _describing(platform)}
    finally:
        platform.close()


def _describing(platform: Any) -> float:
    """Return the CPU seconds that the last step of the job took: what is told of the new version."""
    from aimass.lake import Lake, describe_version

    given = {"path": str(platform.registry.get(Lake).table_path("bench", "orders")), "now": "2026-05-01T00:00:00+00:00"}
    given["profile"] = False
    before = time.process_time()
    describe_version(given)
    return time.process_time() - before


def _used(warm: Any) -> float:
    mine, below = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    data = [psutil.Process(pid).cpu_times() for pid in warm.pids]
    return mine.ru_utime + mine.ru_stime + below.ru_utime + below.ru_stime + sum(one.user + one.system for one in data)


def _ended(platform: Any, begun: Any) -> Any:
    from aimass.cluster import Runner
    from aimass.collector import Collector, OneCollection
    from aimass.kernel.principal import SYSTEM

    collector, runner = platform.registry.get(Collector), platform.registry.get(Runner)
    one = OneCollection(workspace="bench", collection=begun.id)
    while (found := collector.get_collection(SYSTEM, one)).state == "RUNNING":
        runner.step()
        time.sleep(0.1)
    if found.state != "SUCCEEDED":
        raise RuntimeError(f"the collection ended as {found.state}: {found}")
    return found


def _connection(platform: Any, kind: str, source: str) -> Callable[[], Any]:
    from aimass.collector import Collector, CollectStreams, CreateConnection, StartCollection, StreamWish
    from aimass.collector.commands import LoadedColumn
    from aimass.kernel.principal import SYSTEM

    collector = platform.registry.get(Collector)
    parameters: dict[str, Any] = {"path": source}
    if kind == "postgres":
        parameters = {"host": "127.0.0.1", "port": int(source), "database": "postgres", "user": "aimass"}
    stream = "public.orders" if kind == "postgres" else "orders"
    columns = [LoadedColumn(name=name, type=_TYPES[told]) for name, told in COLUMNS.items()]
    made = CreateConnection(workspace="bench", name="Shop", connector=kind, parameters=parameters)
    connection = collector.create_connection(SYSTEM, made)
    wish = StreamWish(stream=stream, name="orders", columns=columns)
    command = CollectStreams(
        workspace="bench", connection=connection.slug, streams=[wish], reading="full", into="append"
    )
    (found,) = collector.collect_streams(SYSTEM, command)
    return lambda: collector.start_collection(SYSTEM, StartCollection(workspace="bench", source=found.slug))


def _upload(platform: Any, path: Path) -> Callable[[], Any]:
    from aimass.collector import Collector, CreateSource, PinTypes, StartCollection, Upload
    from aimass.collector.domain import ColumnPlan
    from aimass.infra.blobs import Blobs
    from aimass.kernel.principal import SYSTEM

    collector = platform.registry.get(Collector)
    with path.open("rb") as file:
        blob = platform.registry.get(Blobs).put(file)
    upload = collector.keep_upload(SYSTEM, "bench", Upload(upload=blob.sha256, size=blob.size, filename=path.name))
    source = collector.create_source(SYSTEM, CreateSource(workspace="bench", name="Orders"))
    columns = [ColumnPlan(name=name, type=_TYPES[told], nullable=True) for name, told in COLUMNS.items()]
    fields = {"format": "csv", "delimiter": ",", "encoding": "utf-8", "header": True}
    collector.pin_types(SYSTEM, PinTypes(workspace="bench", source=source.slug, columns=columns, **fields))
    start = StartCollection(workspace="bench", source=source.slug, upload=upload.upload)
    return lambda: collector.start_collection(SYSTEM, start)


if __name__ == "__main__":
    if sys.argv[1:2] == ["own"]:
        print(json.dumps(own(sys.argv[2], sys.argv[3], Path(sys.argv[4]))))
    else:
        print(json.dumps(run(), indent=1))
