"""kill -9 of the whole platform: jobs go on, nothing is left behind, nothing is done twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from aimass.infra.database import Database, events_log

PROGRAM = Path(__file__).parent / "jobs" / "platform_program.py"


def platform(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "platform.log").open("ab") as log:
        return subprocess.Popen([sys.executable, str(PROGRAM), str(folder)], stdout=log, stderr=log)


def children_of(folder: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder / "jobs") in process.environ().get("AIMASS_JOB", "") and process.status() != "zombie":
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def until(condition: Callable[[], object], timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def ended(folder: Path) -> Counter[str]:
    database = Database.file(folder / "aimass.db")
    with database.read() as conn:
        ends = list(
            conn.execute(select(events_log.c.subject).where(events_log.c.type == "cluster.job.succeeded")).scalars()
        )
    database.close()
    return Counter(ends)


@pytest.mark.sqlite
def test_killed_at_random_points_the_platform_ends_every_job_once(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    moments = random.Random(seed)
    for round_ in range(4):
        running = platform(tmp_path)
        until(lambda round_=round_: (tmp_path / "platform.log").read_text().count("ready") > round_)
        time.sleep(moments.uniform(0, 0.6))
        running.kill()
        running.wait()
        until(lambda: not children_of(tmp_path), 5)
    running = platform(tmp_path)
    try:
        until(lambda: len(ended(tmp_path)) == 4)
    finally:
        running.kill()
        running.wait()
    assert set(ended(tmp_path).values()) == {1}
    for file in (tmp_path / "jobs").glob("*/out/steps.txt"):
        ran = Counter(int(line) for line in file.read_text().split())
        assert sorted(ran) == list(range(30))
        assert sum(ran.values()) <= 30 + 5  # at most the step in flight ran again after each kill
    until(lambda: not children_of(tmp_path), 5)
