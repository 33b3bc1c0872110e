"""What the gateway really writes, from its first byte to the findings; and control killed while it takes it over."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aimass.infra.segments import closed_segments
from aimass.kernel.principal import SYSTEM
from aimass.monitoring.domain.records import GetRecording, Label, ListRecords, SendFeedback
from aimass.monitoring.domain.series import GetEndpointMetrics
from aimass.monitoring.service.ground import Ground
from aimass.monitoring.service.monitoring import Monitoring
from tests.fixtures.gateway import (
    ROW,
    Gateway,
    ask,
    deployment,
    endpoint,
    oip,
    onnx_of,
    snapshot,
    trained,
    wait_for,
    write_package,
)
from tests.monitoring.samples import make_record

CHURN = {"workspace": "demo", "endpoint": "churn"}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
KEEP_COLLECTING = """
import sys, os
from pathlib import Path
from aimass.infra.compute import WarmChild, child_environment
from aimass.infra.database import Database
from aimass.infra.live import LiveHub
from aimass.kernel.layout import DataDir
from aimass.monitoring.service.ground import Ground
from aimass.monitoring.service.monitoring import Monitoring
from aimass.monitoring.settings import MonitoringSettings
layout = DataDir(Path(sys.argv[1]))
child = WarmChild(layout.logs / "data.log", environment=child_environment(os.environ))
ground = Ground(database=Database(sys.argv[2]), layout=layout, child=child, live=LiveHub(), settings=MonitoringSettings())
service = Monitoring(ground)
print("ready", flush=True)
while True:
    service.collect()
"""


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("packages")
    return {
        name: write_package(root / name, "model.onnx", onnx_of(trained(seed)))
        for name, seed in (("one", 0), ("two", 4))
    }


def test_what_the_gateway_writes_is_understood(service: Monitoring, packages: dict[str, Path], tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, series_flush_s=0.1)
    shadow = deployment(packages["two"], "shadow", version=2)
    gateway.publish(snapshot(1, endpoint("churn", deployment(packages["one"]), shadow=shadow)))
    gateway.start()
    ids = [ask(gateway, "POST", "/v2/models/churn/infer", oip([{**ROW, "tenure": n}])).json()["id"] for n in range(5)]
    two, parent = oip([ROW, {**ROW, "internet": "Satellite"}], id="mine"), f"00-{TRACE}-00f067aa0ba902b7-01"
    ask(gateway, "POST", "/v2/models/churn/infer", two, traceparent=parent)
    assert ask(gateway, "POST", "/v2/models/churn/infer", {"inputs": []}).status == 400
    wait_for(lambda: len(gateway.records()) >= 12)
    gateway.stop()
    service.collect()
    found = service.get_recording(SYSTEM, GetRecording(**CHURN))
    assert (found.requests, found.rows, found.damaged) == (6, 7, 0)
    (first,) = service.list_records(SYSTEM, ListRecords(**CHURN, request_id=ids[3], deployment="champion")).items
    traced = service.list_records(SYSTEM, ListRecords(**CHURN, trace=TRACE, deployment="champion")).items
    assert ({record.id for record in traced}, {record.trace for record in traced}) == ({"mine"}, {TRACE})
    assert first.trace == ""
    assert first.inputs == {"contract": "One year", "internet": "DSL", "tenure": 3.0, "charges": pytest.approx(56.95)}
    assert (first.label in ("No", "Yes"), first.model, first.version, first.consumer) == (True, "churn", "1", "shop")
    metrics = service.get_endpoint_metrics(
        SYSTEM, GetEndpointMetrics(**CHURN, window_s=3600, until=first.t.replace(year=first.t.year + 1))
    )
    assert metrics.total.requests == 0
    now = service.get_endpoint_metrics(SYSTEM, GetEndpointMetrics(**CHURN, window_s=3600, until=first.t))
    assert (now.total.requests, now.total.refused, now.total.errors) == (7, 1, 0)
    assert now.total.p95_ms is not None
    assert {line.deployment for line in now.revisions} >= {"champion", "shadow"}


def test_feedback_on_a_request_of_two_rows_goes_to_each_row(service: Monitoring, write_segment: Any) -> None:
    two = make_record(
        1, rows=2, inputs={"x": [1.0, 2.0]}, outputs={"label": ["No", "Yes"], "probabilities": [[1, 0], [0, 1]]}
    )
    write_segment([two])
    service.collect()
    labels = [Label(request_id=two["id"], label="No"), Label(request_id=two["id"], row=1, label="Maybe")]
    service.send_feedback(SYSTEM, SendFeedback(**CHURN, labels=labels))
    shown = service.list_records(SYSTEM, ListRecords(**CHURN)).items
    assert {record.row: record.feedback for record in shown} == {0: "No", 1: "Maybe"}


def rounds() -> list[Any]:
    return [pytest.param(3), pytest.param(15, marks=pytest.mark.long)]


@pytest.mark.parametrize("times", rounds())
def test_kill_9_at_any_moment_neither_loses_nor_doubles_a_record(
    times: int, ground: Ground, write_segment: Any, tmp_path: Path
) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    url = ground.database.url.render_as_string(hide_password=False)
    numbers = iter(range(100_000))
    for _ in range(times):
        with subprocess.Popen(
            [sys.executable, "-c", KEEP_COLLECTING, str(tmp_path), url], stdout=subprocess.PIPE, start_new_session=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            for worker in range(12):
                batch = [make_record(next(numbers), endpoint=chance.choice(["churn", "fraud"])) for _ in range(40)]
                write_segment(batch, worker=f"w{worker % 3}")
            time.sleep(chance.uniform(0.3, 1.6))
            os.killpg(process.pid, signal.SIGKILL)
    service = Monitoring(ground)
    service.collect()
    assert [path for worker in (tmp_path / "records").iterdir() for path in closed_segments(worker)] == []
    ids = pl.concat(
        [pl.read_delta(str(tmp_path / f"lake/demo/_records-{name}")).select("id") for name in ("churn", "fraud")]
    )
    assert (ids.height, ids["id"].is_unique().all()) == (times * 480, True)
    told = [service.get_recording(SYSTEM, GetRecording(workspace="demo", endpoint=name)) for name in ("churn", "fraud")]
    assert (sum(t.requests for t in told), sum(t.repeated for t in told)) == (times * 480, 0)
