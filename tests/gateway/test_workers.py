"""Several workers on one port: one rate per key, and metrics of all of them."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimass.gateway.plane.rates import shared_rates
from tests.fixtures.gateway import SLOW, Answer, oip, read_answer, request, snapshot, wait_for
from tests.gateway.test_drain import Gateways, is_up, pid_of, supervised


@pytest.fixture
def pair(tmp_path: Path, packages: dict[str, Path]) -> Iterator[Gateways]:
    with supervised(tmp_path / "data", packages["one"], 2) as supervisor:
        yield supervisor


def asked(pair: Gateways, *parts: Any, **more: Any) -> Answer:
    with socket.create_connection(("127.0.0.1", pair.settings.port), 10) as connection:
        connection.sendall(request(*parts, **more))
        return read_answer(connection)[0]


def workers_of(text: str, start: str) -> dict[str, float]:
    """Return the value of each worker's series that starts like this."""
    lines = [line for line in text.splitlines() if line.startswith(start)]
    return {line.partition('worker="')[2][0]: float(line.rpartition(" ")[2]) for line in lines}


def metrics(pair: Gateways) -> str:
    return asked(pair, "GET", "/metrics").body.decode()


def test_metrics_show_all_workers_whoever_is_asked(pair: Gateways) -> None:
    for _ in range(60):
        assert asked(pair, "POST", "/v2/models/churn/infer", oip()).status == 200
    for _ in range(6):
        text = metrics(pair)
        counts = workers_of(text, 'aimass_gateway_requests_total{code="200"')
        assert set(counts) == {"0", "1"}
        assert sum(counts.values()) == 60
        assert workers_of(text, "aimass_gateway_worker_up") == {"0": 1, "1": 1}
        assert text.count("# TYPE aimass_gateway_requests_total counter") == 1


def test_metrics_are_what_prometheus_reads(pair: Gateways) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    asked(pair, "POST", "/v2/models/churn/infer", oip())
    families = list(text_string_to_metric_families(metrics(pair)))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert {"aimass_gateway_worker_up", "aimass_gateway_requests", "aimass_gateway_latency_seconds"} <= set(names)


def test_a_worker_that_is_not_there_is_shown_as_down(pair: Gateways) -> None:
    old = pid_of(pair.settings.data_dir, 1)
    os.kill(old, signal.SIGSTOP)
    try:
        seen = None
        for _ in range(20):
            try:
                with socket.create_connection(("127.0.0.1", pair.settings.port), 3) as connection:
                    connection.settimeout(3)
                    connection.sendall(request("GET", "/metrics"))
                    seen = workers_of(read_answer(connection)[0].body.decode(), "aimass_gateway_worker_up")
                    break
            except TimeoutError:
                continue
        assert seen == {"0": 1, "1": 0}
    finally:
        os.kill(old, signal.SIGCONT)
    wait_for(lambda: workers_of(metrics(pair), "aimass_gateway_worker_up") == {"0": 1, "1": 1})


def test_a_rate_counts_for_all_workers_together(pair: Gateways) -> None:
    began = time.monotonic()
    answers = [asked(pair, "POST", "/v2/models/churn/infer", oip(), key=SLOW) for _ in range(20)]
    took = time.monotonic() - began
    admitted = sum(answer.status == 200 for answer in answers)
    assert 1 <= admitted <= 2 + took
    assert {answer.status for answer in answers} == {200, 429}


def test_one_connection_gets_the_whole_rate(pair: Gateways) -> None:
    with socket.create_connection(("127.0.0.1", pair.settings.port), 10) as connection:
        admitted, began = 0, time.monotonic()
        while admitted < 4:
            connection.sendall(request("POST", "/v2/models/churn/infer", oip(), key=SLOW))
            answer, _ = read_answer(connection)
            if answer.status == 200:
                admitted += 1
            assert time.monotonic() - began < 30
            time.sleep(0.1)
        assert time.monotonic() - began >= 2.9


def test_a_snapshot_and_a_restart_leave_a_shared_rate_as_it_is(pair: Gateways) -> None:
    data = pair.settings.data_dir
    assert asked(pair, "POST", "/v2/models/churn/infer", oip(), key=SLOW).status in (200, 429)
    old = pid_of(data, 0)
    os.kill(old, signal.SIGTERM)
    wait_for(lambda: is_up(data, 0, old))
    assert asked(pair, "GET", "/v2/health/ready").status == 200
    assert snapshot(1)["version"] == 1
    assert (data / "gateway" / "rates").stat().st_mode & 0o077 == 0


def test_a_file_of_rates_that_cannot_be_made_leaves_each_worker_its_own(tmp_path: Path) -> None:
    (tmp_path / "rates").mkdir()
    assert [shared_rates(tmp_path / "rates").bucket(1, 1.0).take(100.0) for _ in range(2)] == [0.0, 0.0]
    found = shared_rates(tmp_path / "other")
    assert (tmp_path / "other").stat().st_blocks * 512 >= 1 << 20
    found.close()
