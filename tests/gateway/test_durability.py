from __future__ import annotations

import resource
import signal
import threading
from pathlib import Path

import pytest

from aimass.infra.segments import closed_segments
from tests.fixtures.gateway import (
    Gateway,
    ask,
    deployment,
    endpoint,
    infer,
    oip,
    read_answer,
    request,
    snapshot,
    wait_for,
)


@pytest.fixture
def ready(alone: Gateway, packages: dict[str, Path]) -> Gateway:
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    return alone


def test_kill_9_under_load_loses_no_acknowledged_record(ready: Gateway) -> None:
    ready.start()
    acknowledged: list[str] = []

    def load(caller: int) -> None:
        with ready.connect() as connection:
            for number in range(100_000):
                id_ = f"{caller}-{number}"
                try:
                    connection.sendall(request("POST", "/v2/models/churn/infer", oip(id=id_)))
                    answer, _ = read_answer(connection)
                except (OSError, AssertionError):
                    return
                assert answer.status == 200
                acknowledged.append(id_)

    threads = [threading.Thread(target=load, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(acknowledged) > 300)
    ready.stop(signal.SIGKILL)
    for thread in threads:
        thread.join()
    ids = [record["id"] for record in ready.records()]
    assert set(acknowledged) <= set(ids)
    assert len(ids) == len(set(ids))
    assert len(ids) <= len(acknowledged) + 4


def test_a_restart_closes_what_the_dead_worker_left(ready: Gateway) -> None:
    ready.start()
    infer(ready, oip(id="before"))
    ready.stop(signal.SIGKILL)
    folder = ready.data / "records" / "0"
    (left,) = folder.glob("*.open")
    with left.open("ab") as file:
        file.write(b"\x99\x00\x00\x00torn")
    ready.start()
    assert [p.stem for p in closed_segments(folder)] == [left.stem]
    infer(ready, oip(id="after"))
    assert [r["id"] for r in ready.records()] == ["before", "after"]


def test_segments_are_handed_over_by_age(packages: dict[str, Path], tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "data", segment_age_s=0.2, sync_s=0.1)
    gateway.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    gateway.start()
    folder = gateway.data / "records" / "0"
    for number in (1, 2):
        infer(gateway)
        wait_for(lambda number=number: len(closed_segments(folder)) == number)
    assert gateway.stop() == 0


def test_with_a_full_disk_it_goes_on_serving_and_says_what_is_lost(ready: Gateway) -> None:
    ready.start(preexec=_small_files)
    statuses = [infer(ready, oip(id=f"full-{n}")).status for n in range(60)]
    assert statuses == [200] * 60
    written = [r["id"] for r in ready.records()]
    assert 0 < len(written) < 60
    text = ask(ready, "GET", "/metrics").body.decode()
    lost = next(line for line in text.splitlines() if line.startswith("aimass_gateway_records_lost_total"))
    assert int(float(lost.split()[1])) == 60 - len(written)
    assert ready.log.read_text().count("cannot write inference records") == 1


def _small_files() -> None:
    """Files of at most 8 kB: to a writer this is a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))


def test_the_segment_is_on_the_disk_before_the_reply(ready: Gateway) -> None:
    ready.start()
    for number in range(50):
        infer(ready, oip(id=f"n-{number}"))
        assert ready.records()[-1]["id"] == f"n-{number}"


def test_idle_memory_stays_small(ready: Gateway) -> None:
    ready.start()
    infer(ready)
    assert ready.process is not None
    status = Path(f"/proc/{ready.process.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident < 100 * 1024
    assert len(list(Path(f"/proc/{ready.process.pid}/task").iterdir())) < 12
