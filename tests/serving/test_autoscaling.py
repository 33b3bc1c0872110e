"""Deployments with more or fewer workers by their load, through control, the gateway and real workers."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from aimass.kernel.errors import Invalid
from aimass.serving import OneEndpoint
from aimass.serving.domain.commands import ListScalings
from aimass.serving.domain.scaling import Replicas, Scaling
from tests.fixtures.gateway import ask
from tests.fixtures.stage import ANN, Stage

CHURN = {"workspace": "demo", "endpoint": "churn"}


def status(stage: Stage) -> Any:
    return stage.serving.get_status(ANN, OneEndpoint(**CHURN))


def scalings(stage: Stage) -> list[Scaling]:
    return stage.serving.list_scalings(ANN, ListScalings(**CHURN)).items


def running(stage: Stage) -> list[int]:
    return [one.replica for one in status(stage).replicas if one.is_up]


def test_nothing_runs_while_nobody_asks_and_the_next_request_starts_a_worker(stage: Stage) -> None:
    stage.turn()
    stage.start_gateway()
    asleep = Replicas(min=0, max=2, idle_s=1)
    stage.deploy(1, model="scikit", execution="threads", placement="isolated", replicas=asleep)
    stage.until(lambda: stage.deployment().state == "READY", within=60)
    stage.until(lambda: not status(stage).replicas, within=60)
    assert stage.deployment().state == "READY"
    (scale,) = status(stage).scale
    assert (scale.wanted, scale.up, scale.min, scale.max) == (0, 0, 0, 2)
    assert (scalings(stage)[0].after, "nobody has asked" in scalings(stage)[0].reason) == (0, True)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(stage.infer().status)) for _ in range(3)]
    for thread in threads:
        thread.start()
    stage.until(lambda: len(found) == len(threads), within=60)
    for thread in threads:
        thread.join()
    assert found == [200, 200, 200]
    assert any((one.before, one.after) == (0, 1) and "a request waits" in one.reason for one in scalings(stage))
    text = ask(stage.gateway, "GET", "/metrics", key=None).body.decode()
    whose = '{deployment="champion",endpoint="churn",workspace="demo"}'
    assert f"aimass_gateway_cold_start_seconds_count{whose} 1" in text.splitlines()


def test_another_number_of_workers_is_followed_without_a_new_revision(stage: Stage) -> None:
    stage.turn()
    stage.start_gateway()
    stage.deploy(1, model="scikit", execution="threads", placement="isolated")
    stage.until(lambda: stage.deployment().state == "READY", within=60)
    before = stage.deployment().target
    stage.deploy(1, model="scikit", placement="isolated", execution="threads", replicas=Replicas(min=2, max=3))
    assert stage.deployment().target == before
    stage.until(lambda: running(stage) == [0, 1], within=60)
    assert stage.deployment().state == "READY"
    assert scalings(stage)[0].reason == "at least 2 wanted"
    stage.deploy(1, model="scikit", placement="isolated", execution="threads", replicas=Replicas())
    stage.until(lambda: running(stage) == [0], within=60)
    assert stage.answers().status == 200


def test_what_is_no_range_is_refused(stage: Stage) -> None:
    for wrong in (Replicas(min=3, max=2), Replicas(min=-1), Replicas(max=0, min=0), Replicas(max=65)):
        with pytest.raises(Invalid) as refused:
            stage.deploy(1, replicas=wrong)
        assert refused.value.field == "replicas"
    with pytest.raises(Invalid, match="no workers of its own"):
        stage.deploy(1, placement="inline", replicas=Replicas(max=2))
    with pytest.raises(Invalid, match="no workers of its own"):
        stage.deploy(1, replicas=Replicas(min=0, max=6))  # an ONNX model, which runs inside the gateway by itself
    stage.deploy(1, model="scikit", replicas=Replicas(min=0, max=6))
    assert stage.deployment().options.replicas.max == 6
