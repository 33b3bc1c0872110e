"""Several workers of one model, more and fewer of them while requests run, and none at all."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimass.serving.workers.pool import socket_of
from tests.fixtures.gateway import ROW, Gateway, deployment, endpoint, infer, oip, snapshot, wait_for
from tests.fixtures.kept import Kept, kept, moody, wish


@pytest.fixture
def pool(short: Path, request: pytest.FixtureRequest) -> Iterator[Kept]:
    with kept(short / f"{abs(hash(request.node.name)) % 10**6}", spares=0) as pool:
        yield pool


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return moody(tmp_path / "moody")


def document(version: int, pool: Kept, package: Path, count: int, **more: Any) -> dict[str, Any]:
    sockets = [str(socket_of(pool.layout, "rev-champion-1", number)) for number in range(count)]
    one = deployment(package, runtime="python", socket=None, sockets=sockets, **more)
    return snapshot(version, endpoint("churn", one, timeout_s=20))


def wishes(package: Path, count: int) -> list[Any]:
    return [wish(package, replica=number, max_rows=1) for number in range(count)]


def takes(seconds: float) -> dict[str, Any]:
    return oip([{**ROW, "charges": -seconds}])


def under_way(gateway: Gateway) -> list[int]:
    return sorted(gateway.status().get("load", {}).get("dep-champion", {}).get("workers", {}).values())


def test_requests_go_to_the_worker_with_the_least_under_way(alone: Gateway, pool: Kept, package: Path) -> None:
    pool.want(*wishes(package, 3))
    for number in range(3):
        pool.up(f"rev-champion-1-{number}")
    alone.publish(document(1, pool, package, 3))
    alone.start()
    wait_for(lambda: infer(alone).status == 200)
    threads = [threading.Thread(target=lambda: infer(alone, takes(3))) for _ in range(3)]
    wait_for(lambda: under_way(alone) == [0, 0, 0])
    for thread in threads:
        thread.start()
    wait_for(lambda: under_way(alone) == [1, 1, 1])
    for thread in threads:
        thread.join()


def test_no_request_fails_while_workers_come_and_go(alone: Gateway, pool: Kept, package: Path) -> None:
    pool.want(*wishes(package, 1))
    pool.up()
    alone.publish(document(1, pool, package, 1))
    alone.start()
    wait_for(lambda: infer(alone).status == 200)
    over, found = threading.Event(), Counter[int]()

    def ask() -> None:
        while not over.is_set():
            found[infer(alone, takes(0.02)).status] += 1

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        for version, count in enumerate((3, 1, 2, 1), start=2):
            pool.want(*wishes(package, count))
            alone.publish(document(version, pool, package, count))
            for number in range(count):
                pool.up(f"rev-champion-1-{number}")
            wait_for(lambda count=count: len(pool.pool.facts()) == count, within=60)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert set(found) == {200}
    assert found[200] > 20


def test_a_worker_that_leaves_ends_a_long_request_first(alone: Gateway, pool: Kept, package: Path) -> None:
    pool.want(*wishes(package, 2))
    for number in range(2):
        pool.up(f"rev-champion-1-{number}")
    alone.publish(document(1, pool, package, 2))
    alone.start()
    wait_for(lambda: infer(alone).status == 200)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(infer(alone, takes(8)).status)) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_for(lambda: under_way(alone) == [1, 1])
    alone.publish(document(2, pool, package, 1))
    pool.want(*wishes(package, 1))
    for thread in threads:
        thread.join()
    assert found == [200, 200]
    wait_for(lambda: len(pool.pool.facts()) == 1, within=60)


def test_the_first_request_waits_for_the_worker_that_it_starts(alone: Gateway, pool: Kept, package: Path) -> None:
    alone.publish(document(1, pool, package, 0, on_demand=True))
    alone.start()
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(infer(alone).status)) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_for(lambda: alone.status()["load"].get("dep-champion", {}).get("waiting") == 3)
    assert alone.status()["loaded"] == {"dep-champion": "rev-champion-1"}
    pool.want(*wishes(package, 1))
    alone.publish(document(2, pool, package, 1, on_demand=True))
    for thread in threads:
        thread.join()
    assert found == [200] * 3


def test_who_waits_too_long_for_the_first_worker_is_told_to_come_again(
    alone: Gateway, pool: Kept, package: Path
) -> None:
    waiting = document(1, pool, package, 0, on_demand=True)
    waiting["endpoints"]["demo/churn"]["timeout_s"] = 0.3
    alone.publish(waiting)
    alone.start()
    refused = infer(alone)
    assert (refused.status, refused.json()["code"], refused.headers["retry-after"]) == (503, "loading", "1")
