from __future__ import annotations

import errno
import os
import shutil
import signal
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aimass.kernel.layout import DataDir
from aimass.serving import OneEndpoint
from aimass.serving.workers import cell
from aimass.serving.workers.pool import WorkerPool, socket_of
from aimass.serving.workers.wishes import Wish, WorkerFacts
from tests.fixtures.gateway import wait_for
from tests.fixtures.kept import MOODY, moody
from tests.fixtures.packages import packages
from tests.fixtures.stage import ANN, Stage

MIB = 1024 * 1024


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    with tempfile.TemporaryDirectory(prefix="am") as folder:
        pool = WorkerPool(DataDir(Path(folder)), drain_s=0.2)
        yield pool
        pool.close()


def wish(package: Path, memory_bytes: int = 2048 * MIB, **more: Any) -> Wish:
    plan: dict[str, Any] = {"lanes": 1, "max_rows": 32}
    module = "aimass.models.runtimes.python"
    return Wish(revision="r1", package=str(package), memory_bytes=memory_bytes, **{"module": module, **plan, **more})


def up(pool: WorkerPool) -> WorkerFacts:
    wait_for(lambda: pool.tick() or pool.facts()["r1-0"].is_up, within=60)
    return pool.facts()["r1-0"]


def test_a_killed_worker_is_started_again(pool: WorkerPool) -> None:
    pool.want([wish(packages()["python"])])
    first = up(pool).pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: pool.tick() or pool.facts()["r1-0"].pid not in (None, first))
    again = up(pool)
    assert (again.restarts, again.crashes, again.reason) == (1, 1, "it was killed by signal 9")


def test_a_worker_over_its_memory_is_ended_with_the_reason(pool: WorkerPool) -> None:
    pool.want([wish(packages()["python"], memory_bytes=MIB)])
    wait_for(lambda: pool.tick() or pool.facts()["r1-0"].crashes, within=60)
    assert "more than 1048576 bytes of memory" in pool.facts()["r1-0"].reason


def test_a_worker_that_a_request_keeps_busy_without_end_is_started_again(pool: WorkerPool) -> None:
    pool.want([wish(packages()["python"])])
    first = up(pool).pid
    journal = socket_of(pool._layout, "r1").with_name("running")
    journal.write_bytes(struct.pack("<3Q", 1, time.monotonic_ns() - 3601 * 10**9, 7).ljust(4096, b"\0"))
    wait_for(lambda: pool.tick() or pool.facts()["r1-0"].pid != first, within=60)
    assert "a request ran for more than 3600 s" in pool.facts()["r1-0"].reason


def _list(path: Path) -> None:
    path.write_text("[1]")


def _nested(path: Path) -> None:
    path.write_text("[" * 100_000)


def _link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _endless(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 42)


def test_what_a_worker_tells_can_be_shown_by_everybody(pool: WorkerPool) -> None:
    pool.want([wish(packages()["python"])])
    up(pool)
    for told in ('{"device": "\\ud800"}', '{"device": NaN}', '{"device": 1e999}'):
        left = socket_of(pool._layout, "r1").with_name("calibration.json")
        left.unlink(missing_ok=True)
        left.write_text(told)
        assert cell._read(left) is None
    left.write_text('{"device": "cpu"}')
    assert cell._read(left) == {"device": "cpu"}


@pytest.mark.parametrize("name", ["ready.json", "running"])
@pytest.mark.parametrize("write", [os.mkfifo, _list, _nested, _link, _endless])
def test_what_a_model_leaves_in_its_folder_holds_nobody_up(
    pool: WorkerPool, name: str, write: Callable[[Path], None]
) -> None:
    pool.want([wish(packages()["python"])])
    up(pool)
    left = socket_of(pool._layout, "r1").with_name(name)
    left.unlink()
    write(left)
    pool.tick()
    assert pool.facts()["r1-0"].pid is not None


def test_a_package_that_cannot_be_laid_out_holds_no_other_up(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        if "bad" in str(source):
            raise OSError(errno.ENOSPC, "No space left on device")
        link(source, target)

    link, good = cell._link, packages()["python"]
    bad = Path(pool._layout.root) / "bad"
    shutil.copytree(good, bad)
    monkeypatch.setattr(cell, "_link", full)
    pool.want([replace(wish(bad), revision="r0"), wish(good)])
    up(pool)
    found = pool.facts()["r0-0"]
    assert (found.is_up, found.is_hopeless) == (False, True)
    assert "No space left on device" in found.reason


def test_a_package_that_does_not_load_is_told_in_the_worker_s_own_words(pool: WorkerPool, tmp_path: Path) -> None:
    pool.want([wish(tmp_path)])
    wait_for(lambda: pool.tick() or pool.facts()["r1-0"].crashes, within=60)
    assert "there is no manifest.json" in pool.facts()["r1-0"].reason


def test_a_worker_without_a_plan_measures_its_model_and_waits_for_one(pool: WorkerPool) -> None:
    pool.want([wish(packages()["python"], lanes=None)])
    wait_for(lambda: pool.tick() or pool.facts()["r1-0"].calibration, within=60)
    calibration = pool.facts()["r1-0"].calibration
    assert calibration is not None
    assert list(calibration["call_us"]) == ["1", "8", "32", "128"]
    assert calibration["call_us"]["1"] > 0
    assert not pool.facts()["r1-0"].is_up
    pid = pool.facts()["r1-0"].pid
    pool.want([wish(packages()["python"])])
    assert up(pool).pid == pid


def test_a_package_without_samples_is_not_measured_and_says_so(pool: WorkerPool, tmp_path: Path) -> None:
    pool.want([wish(moody(tmp_path / "p"), module=MOODY, isolation="process", lanes=None, replica=-1)])
    wait_for(lambda: pool.tick() or pool.facts()["r1--1"].calibration, within=60)
    calibration = pool.facts()["r1--1"].calibration
    assert calibration is not None
    assert calibration["error"] == "the package holds no samples.json"


def test_a_worker_that_is_not_wanted_drains_and_ends(pool: WorkerPool) -> None:
    pool.want([wish(packages()["python"])])
    pid = up(pool).pid
    pool.want([])
    pool.tick()
    assert pool.facts()["r1-0"].pid == pid
    wait_for(lambda: pool.tick() or pool.facts() == {}, within=30)
    assert not socket_of(pool._layout, "r1").parent.is_symlink()


def test_a_long_data_directory_gets_a_short_socket() -> None:
    assert len(str(socket_of(DataDir(Path("/srv/" + "x" * 120)), "0" * 26))) < 100


def test_a_python_package_answers_from_a_worker_of_its_own(stage: Stage) -> None:
    stage.turn()
    stage.start_gateway()
    stage.deploy(1, model="scikit")
    stage.until(lambda: stage.deployment().state == "READY", within=60)
    assert stage.answers().json()["outputs"][0]["data"][0] in ("Yes", "No")
    (replica,) = stage.serving.get_status(ANN, OneEndpoint(workspace="demo", endpoint="churn")).replicas
    assert replica.is_up
    assert replica.pid is not None
    os.kill(replica.pid, signal.SIGKILL)
    stage.until(lambda: stage.deployment().state == "DEGRADED")
    stage.until(lambda: stage.deployment().state == "READY", within=60)
    assert stage.answers().status == 200


def test_a_worker_that_never_starts_leaves_the_old_revision_serving(live: Stage) -> None:
    for file in (live.rooms.folder / "packages").rglob("model.skops"):
        file.write_bytes(b"nothing")
    live.rooms.get(WorkerPool).drain_s = 0.1
    live.deploy(1, model="scikit")
    live.until(lambda: live.deployment().state == "DEGRADED", within=60)
    assert "its worker does not start: it ended with code 1: file 'model.skops' does not" in live.deployment().reason
    assert live.answers().json()["model_version"] == "1"
