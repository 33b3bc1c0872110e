"""What happens to requests when the worker that runs them dies."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fixtures.gateway import (
    ROW,
    Answer,
    Gateway,
    ModelWorker,
    deployment,
    endpoint,
    infer,
    oip,
    snapshot,
    wait_for,
)
from tests.fixtures.kept import Kept, kept, moody, reached, wish
from tests.fixtures.moody.run import DEADLY, GREEDY, WRONG


@pytest.fixture
def pool() -> Iterator[Kept]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    with kept(folder) as one:
        yield one
    shutil.rmtree(folder)


@pytest.fixture
def served(pool: Kept, alone: Gateway, tmp_path: Path) -> Gateway:
    """A gateway whose model answers with the mark of each row, from a worker that has a spare."""
    package = moody(tmp_path / "moody")
    pool.want(wish(package))
    pool.up()
    pool.spare()
    alone.publish(snapshot(1, reached(pool, package)))
    return alone.start()


def ask(gateway: Gateway, mark: int, charges: float = 1.0) -> Answer:
    return infer(gateway, oip([{**ROW, "tenure": mark, "charges": charges}], id=f"m-{mark}"))


def asked(gateway: Gateway, rows: list[tuple[int, float]]) -> dict[int, Answer]:
    with ThreadPoolExecutor(len(rows)) as callers:
        found = {mark: callers.submit(ask, gateway, mark, charges) for mark, charges in rows}
        return {mark: answer.result(60) for mark, answer in found.items()}


def marks(answers: dict[int, Answer]) -> dict[int, str]:
    return {mark: answer.json()["outputs"][0]["data"][0].split()[0] for mark, answer in answers.items()}


def test_a_model_that_puts_a_pipe_in_place_of_its_journal_stops_nobody(
    alone: Gateway, packages: dict[str, Path], short: Path
) -> None:
    place = short / "pipe" / "s"
    worker = ModelWorker(packages["one"], place)
    place.with_name("running").unlink(missing_ok=True)
    os.mkfifo(place.with_name("running"))
    try:
        alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"], socket=str(place)))))
        alone.start()
        wait_for(lambda: infer(alone).status == 200)
    finally:
        worker.stop()


def test_only_the_request_that_kills_the_worker_fails(served: Gateway, pool: Kept) -> None:
    first = pool.up().pid
    rows = [(0, -0.2), *((mark, 1.0) for mark in range(1, 12)), (50, DEADLY), *((mark, 1.0) for mark in range(12, 24))]
    answers = asked(served, rows)
    guilty = answers.pop(50)
    assert (guilty.status, guilty.json()["code"]) == (503, "worker_gone")
    assert marks(answers) == {mark: str(mark) for mark in range(24)}
    assert pool.up().pid != first
    assert served.wait_for_record("m-50")["status"] == 503


def test_a_spare_takes_the_place_of_a_worker_that_fell(served: Gateway, pool: Kept) -> None:
    waiting, worker = pool.spare(), pool.up()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    assert marks({7: ask(served, 7)}) == {7: "7"}
    assert pool.up().pid == waiting
    assert pool.up().restarts == 1
    assert pool.spare() != waiting


def test_what_waited_when_the_worker_was_killed_is_answered_by_the_next(served: Gateway, pool: Kept) -> None:
    with ThreadPoolExecutor(8) as callers:
        running = callers.submit(ask, served, 99, -5.0)
        wait_for(lambda: _running(pool) == 1)
        waiting = [callers.submit(ask, served, mark) for mark in range(5)]
        pid = pool.up().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert running.result(60).status == 503
        assert [answer.result(60).json()["outputs"][0]["data"][0].split()[0] for answer in waiting] == list("01234")


def _running(pool: Kept) -> int:
    """Return how many requests the worker says it runs."""
    from aimass.infra.suspects import running_ids
    from aimass.serving.workers.pool import socket_of

    journal = socket_of(pool.layout, "rev-champion-1").with_name("running")
    return sum(map(len, running_ids(journal.read_bytes())))


def test_a_row_that_the_model_refuses_fails_alone(served: Gateway) -> None:
    answers = asked(served, [(0, -0.2), (1, 1.0), (2, WRONG), (3, 1.0)])
    assert (answers[2].status, answers[2].json()["code"]) == (500, "model_failed")
    assert "such a value is not possible" in answers[2].json()["error"]
    del answers[2]
    assert marks(answers) == {0: "0", 1: "1", 3: "3"}


def test_a_row_that_wants_more_memory_than_the_worker_may_have_fails_alone(served: Gateway, pool: Kept) -> None:
    first = pool.up().pid
    answer = ask(served, 2, GREEDY)
    assert (answer.status, answer.json()["code"]) == (500, "model_failed")
    assert "MemoryError" in answer.json()["error"]
    assert marks({3: ask(served, 3)}) == {3: "3"}
    assert pool.up().pid == first


def test_requests_that_wait_together_run_together(served: Gateway) -> None:
    answers = asked(served, [(0, -0.5), *((mark, 1.0) for mark in range(1, 10))])
    together = [int(answer.json()["outputs"][0]["data"][0].split()[2]) for answer in answers.values()]
    assert max(together) > 1
    assert marks(answers) == {mark: str(mark) for mark in range(10)}


def test_nobody_is_left_when_a_pool_ends(pool: Kept, tmp_path: Path) -> None:
    pool.want(wish(moody(tmp_path / "moody")))
    pids = [pool.up().pid, pool.spare()]
    pool.close()
    assert [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()] == []
    assert list(pool.pool._cells.iterdir()) == []
