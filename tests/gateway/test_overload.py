"""More than a worker can do: it answers what it can, says 503 to the rest, keeps its memory, and recovers."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
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
    read_answer,
    request,
    snapshot,
    wait_for,
)

HEAVY = request("POST", "/v2/models/churn/infer", oip([ROW] * 8000))  # so heavy that the callers are always faster


def memory_mb(gateway: Gateway) -> float:
    assert gateway.process is not None
    text = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


@dataclass
class Storm:
    """Callers that never wait."""

    gateway: Gateway
    data: bytes
    callers: int
    counts: Counter[int] = field(default_factory=Counter)
    refusals: list[Answer] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def rage(self, until: float) -> None:
        """Ask until so many requests were answered well."""
        threads = [threading.Thread(target=self._call, args=(until,)) for _ in range(self.callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _call(self, until: float) -> None:
        try:
            with self.gateway.connect() as connection:
                connection.settimeout(60)
                while self.counts[200] < until:
                    connection.sendall(self.data)
                    answer, _ = read_answer(connection)
                    self.counts[answer.status] += 1
                    if answer.status != 200:
                        self.refusals.append(answer)
        except (OSError, AssertionError) as reason:
            self.failures.append(repr(reason))


def test_at_several_times_its_load_it_sheds_with_503_and_recovers(alone: Gateway, packages: dict[str, Path]) -> None:
    alone.settings["max_wait_s"] = 0.002
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]), max_body_bytes=64 << 20)))
    alone.start()
    Storm(alone, HEAVY, 1).rage(5)
    before = memory_mb(alone)
    storm = Storm(alone, HEAVY, 32)
    storm.rage(100)
    assert storm.failures == []
    assert set(storm.counts) == {200, 503}
    assert storm.counts[503] >= 3 * storm.counts[200]
    assert {(a.json()["code"], a.headers["retry-after"]) for a in storm.refusals} == {("overloaded", "1")}
    assert memory_mb(alone) - before < 150
    assert [infer(alone).status for _ in range(20)] == [200] * 20


def test_without_overload_nothing_is_shed(alone: Gateway, packages: dict[str, Path]) -> None:
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    alone.start()
    storm = Storm(alone, request("POST", "/v2/models/churn/infer", oip()), 16)
    storm.rage(3000)
    assert (storm.failures, set(storm.counts)) == ([], {200})


@pytest.mark.parametrize("limit", ["requests", "bytes"])
def test_an_isolated_model_that_stands_still_does_not_fill_the_gateway(
    alone: Gateway, packages: dict[str, Path], short: Path, limit: str
) -> None:
    body = oip([ROW] * 5000)
    size = len(request("POST", "/v2/models/slow/infer", body))
    alone.settings |= {"max_in_flight": 4} if limit == "requests" else {"max_buffered_bytes": 5 * size}
    path = short / f"still-{limit}" / "s"
    worker = ModelWorker(packages["python"], path)
    slow = endpoint("slow", deployment(packages["python"], "slow", runtime="python", socket=str(path)), timeout_s=60)
    alone.publish(snapshot(1, slow, endpoint("churn", deployment(packages["one"]))))
    alone.start()
    wait_for(lambda: infer(alone, name="slow").status == 200)
    worker.process.send_signal(signal.SIGSTOP)
    with ExitStack() as stack:
        held = [stack.enter_context(alone.connect()) for _ in range(12)]
        for connection in held:
            connection.settimeout(60)
            connection.sendall(request("POST", "/v2/models/slow/infer", body))
            time.sleep(0.05)
        shed = [read_answer(connection)[0] for connection in held[6:]]
        assert {(a.status, a.json()["code"], a.headers["retry-after"]) for a in shed} == {(503, "overloaded", "1")}
        assert infer(alone).status == 200
        worker.process.send_signal(signal.SIGCONT)
        assert {read_answer(connection)[0].status for connection in held[:4]} == {200}
        assert infer(alone, name="slow").status == 200
    worker.stop()
