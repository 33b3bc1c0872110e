"""What ``/metrics`` says of deployments: their workers, each by its number, and their models in memory."""

from __future__ import annotations

import json
import os
import signal

from prometheus_client.parser import text_string_to_metric_families

from aimass.serving import OneEndpoint
from aimass.serving.domain.scaling import Replicas
from aimass.serving.domain.things import ReplicaStatus
from tests.fixtures.gateway import ask
from tests.fixtures.stage import ANN, Stage

Series = dict[tuple[str, str], float]


def shown(stage: Stage, by: str = "replica") -> Series:
    """Return what is said of the deployment, by name and one more label."""
    text = ask(stage.gateway, "GET", "/metrics", key=None).body.decode()
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            whose = {name: one.labels.get(name) for name in ("workspace", "endpoint", "deployment")}
            if whose == {"workspace": "demo", "endpoint": "churn", "deployment": "champion"}:
                found[one.name.removeprefix("aimass_"), one.labels.get(by, "")] = one.value
    return found


def replicas(stage: Stage) -> list[ReplicaStatus]:
    return stage.serving.get_status(ANN, OneEndpoint(workspace="demo", endpoint="churn")).replicas


def test_each_worker_of_a_deployment_is_shown_with_its_memory_device_and_restarts(stage: Stage) -> None:
    stage.turn()
    stage.start_gateway()
    many = Replicas(min=2, max=3)
    stage.deploy(1, model="scikit", execution="threads", placement="isolated", replicas=many)
    stage.until(lambda: shown(stage).get(("serving_replicas_ready", "")) == 2, within=60)
    stage.until(lambda: shown(stage)["gateway_model_workers", ""] == 2)
    stage.until(lambda: all(shown(stage)["serving_replica_memory_bytes", one] > 1 << 20 for one in "01"))
    seen = shown(stage)
    assert seen["serving_replicas_wanted", ""] == 2
    assert seen["gateway_model_workers_waiting", ""] == 0
    assert [seen["gateway_model_workers_in_flight", one] for one in "01"] == [0, 0]
    assert [seen["serving_replica_restarts_total", one] for one in "01"] == [0, 0]
    assert seen["gateway_cold_start_seconds_count", ""] == 0
    first, second = sorted(replicas(stage), key=lambda one: one.replica)
    assert first.since is not None
    assert shown(stage, "isolation")["serving_replica_info", first.isolation or ""] == 1
    assert second.pid is not None
    os.kill(second.pid, signal.SIGKILL)
    stage.until(lambda: shown(stage)["serving_replica_restarts_total", "1"] == 1, within=60)
    stage.until(lambda: shown(stage)["serving_replicas_ready", ""] == 2, within=60)
    assert shown(stage)["serving_replica_restarts_total", "0"] == 0
    assert next(one.since for one in replicas(stage) if one.replica == 1) > first.since


def test_a_model_in_the_gateway_is_shown_with_its_memory_and_device(live: Stage) -> None:
    assert live.answers().status == 200
    assert shown(live, "device")["gateway_model_memory_bytes", "cpu"] > 0
    assert not any(name.startswith("serving_replica") for name, _ in shown(live))


def test_what_a_dead_keeper_said_is_not_shown(stage: Stage) -> None:
    stage.turn()
    stage.start_gateway()
    stage.deploy(1, model="scikit", execution="threads", placement="isolated")
    stage.until(lambda: shown(stage).get(("serving_replicas_ready", "")) == 1, within=60)
    report = stage.gateway.data / "run" / "workers.json"
    said = json.loads(report.read_bytes())
    report.write_text(json.dumps({**said, "pid": 2**22 + 1}))  # more than any process can have
    seen = shown(stage)
    assert (seen["serving_replicas_wanted", ""], seen["serving_replicas_ready", ""]) == (1, 0)
    assert ("serving_replica_memory_bytes", "0") not in seen
