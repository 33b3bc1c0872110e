"""Model workers of a scoring: what they may use, and what is left when they or their job end in the middle."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest

from aimass.infra.compute import find_groups
from aimass.kernel.errors import Failed
from aimass.lake import OneDataset
from aimass.serving.children import scorers, written
from aimass.serving.children.score import score
from aimass.serving.domain.scoring import Scoring
from tests.fixtures.code import code_package
from tests.fixtures.gateway import wait_for
from tests.fixtures.packages import approved
from tests.fixtures.scoring import ANN, Batch, batch_rooms, context

MIB = 1 << 20
ROWS = 48_000
ALONE = {"isolation": "process"}  # these models write where a sandbox does not let them
GREEDY = """
import time

class Doubler:
    def __init__(self, folder):
        self.folder = folder

    def predict(self, columns):
        self.kept = b"x" * (400 << 20)
        time.sleep(120)
"""
CURIOUS = """
import os

class Doubler:
    def __init__(self, folder):
        self.folder = folder

    def predict(self, columns):
        cores = float(len(os.sched_getaffinity(0)))
        own = next((line[3:].strip() for line in open("/proc/self/cgroup") if line.startswith("0::")), "")
        try:
            quota, period = open(f"/sys/fs/cgroup{own}/cpu.max").read().split()
        except OSError:  # the group of all, or a system without groups
            quota = "max"
        if quota != "max":
            cores = min(cores, int(quota) / int(period))
        return {"said": [os.environ["OMP_NUM_THREADS"]] * len(columns["number"]), "twice": [cores] * len(columns["number"])}
"""
SLOW = """
import time

class Doubler:
    def __init__(self, folder):
        self.folder = folder

    def predict(self, columns):
        time.sleep(0.3)
        return {"said": columns["text"], "twice": [2 * number for number in columns["number"]]}
"""
MORTAL = """
import os, signal
from pathlib import Path

MARK = Path("MARK")

class Doubler:
    def __init__(self, folder):
        self.folder = folder

    def predict(self, columns):
        if 750 in columns["number"] and not MARK.exists():
            MARK.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"said": columns["text"], "twice": [2 * number for number in columns["number"]]}
"""


def wish(folder: Path, code: str, count: int, **worker: Any) -> dict[str, Any]:
    frame = pl.DataFrame({"id": range(count), "text": ["a"] * count, "number": [float(n) for n in range(count)]})
    frame.write_delta(str(folder / "source"))
    return {
        "scoring": "01TEST",
        "source": {"path": str(folder / "source"), "version": 0, "rows": count},
        "package": str(code_package(folder / "package", code).folder),
        "unseen": None,
        "inputs": {"text": "text", "number": "number"},
        "keep": ["id"],
        "prefix": "",
        "to": {"path": str(folder / "lake" / "y"), "mode": "overwrite", "private": []},
        "describe": {"rules": [], "classification": []},
        "data": str(folder),
        "record": None,
        "labels": {"workspace": "demo", "model": "twice", "version": "1"},
        "worker": {"memory_bytes": 2048 * MIB, **worker},
    }


def test_a_worker_beyond_its_memory_fails_the_job_and_nothing_is_written(tmp_path: Path) -> None:
    asked = wish(tmp_path, GREEDY, 50, memory_bytes=256 * MIB)
    with pytest.raises(Failed, match="used more than 268435456 bytes of memory|needed more memory"):
        score(context(tmp_path / "job", asked))
    assert not Path(asked["to"]["path"]).exists()
    assert workers() == []


def test_a_worker_has_the_cores_and_threads_of_its_deployment(tmp_path: Path) -> None:
    asked = wish(tmp_path, CURIOUS, 50, cpus=0.5, threads=3, **ALONE)
    score(context(tmp_path / "job", asked))
    table = pl.read_delta(asked["to"]["path"])
    cores = 1.0 if find_groups(tidy=False).root is None else 0.5  # a group bounds time; without one a part is a core
    assert (set(table["twice"]), set(table["said"])) == ({cores}, {"3"})


def test_a_worker_that_is_killed_ends_the_attempt_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written, "PART_ROWS", 300)
    monkeypatch.setattr(scorers.WorkerScorer, "chunk_rows", 100)
    asked = wish(tmp_path, MORTAL.replace('MARK"', f'{tmp_path / "mark"}"'), 1050, **ALONE)
    with pytest.raises(Failed, match="the rows from 700 on: it was killed by signal 9"):
        score(context(tmp_path / "job", asked))
    assert not Path(asked["to"]["path"]).exists()
    assert workers() == []
    again = context(tmp_path / "job", asked, attempt=2)
    logged: list[str] = []
    monkeypatch.setattr(again, "log", logged.append)
    score(again)
    assert "600 rows were scored before" in logged
    assert pl.read_delta(asked["to"]["path"]).sort("id")["twice"].to_list() == [2.0 * n for n in range(1050)]


def workers() -> list[int]:
    """Return the model workers below this process."""
    return [one.pid for one in below() if "serving.children.worker" in " ".join(one.cmdline())]


def below() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[Batch]:
    with batch_rooms(tmp_path) as batch:
        frame = pl.DataFrame({"id": range(ROWS), "text": ["a"] * ROWS, "number": [0.5] * ROWS})
        batch.dataset("customers", frame)
        approved(batch.rooms, ANN, "slow", code_package(tmp_path / "slow", SLOW).folder)
        yield batch


def under_way(batch: Batch) -> Scoring:
    """Start a scoring, and wait until it tells how far it is."""
    started = batch.start(model="slow", model_version=1, to="predicted", keep=["id"])
    batch.rooms.until(lambda: 0 < batch.get(started).rows < ROWS and 0 < batch.get(started).fraction < 1)
    return started


def test_a_job_that_is_killed_in_the_middle_runs_again_and_writes_each_row_once(batch: Batch) -> None:
    started = under_way(batch)
    processes = {one.pid: one.ppid() for one in below() if started.job in " ".join(one.cmdline())}
    (guard,) = [pid for pid, parent in processes.items() if parent not in processes]
    worker = next(pid for pid, parent in processes.items() if parent == guard)
    os.kill(worker, signal.SIGKILL)
    done = batch.ended(started)
    assert (done.state, done.rows, done.to_version) == ("SUCCEEDED", ROWS, 1), done.error
    assert batch.table("predicted").sort("id")["id"].to_list() == list(range(ROWS))
    wait_for(lambda: workers() == [])


def test_a_job_that_is_cancelled_in_the_middle_leaves_no_version_and_no_worker(batch: Batch) -> None:
    started = under_way(batch)
    batch.cancel(started)
    assert batch.ended(started).state == "CANCELLED"
    assert batch.lake.get_dataset(ANN, OneDataset(workspace="demo", dataset="predicted")).latest is None
    wait_for(lambda: workers() == [])
