"""A graph is deployed and answers like any other version, in one isolated worker."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aimass.cluster import Jobs
from aimass.models import Models, load_model, read_package
from aimass.models.domain import ComposeModel
from tests.fixtures import gateway as plane
from tests.fixtures.packages import oip, packages
from tests.fixtures.stage import ANN, Stage

GRAPH: dict[str, Any] = {
    "steps": {
        "plain": {"model": "churn@1"},
        "code": {"model": "scikit@1"},
        "both": {"mean": ["plain", "code"]},
        "route": {"switch": "input.c1", "cases": [{"below": 10, "then": "plain"}], "otherwise": "both"},
    },
}


def test_a_graph_is_deployed_and_answers_over_http(stage: Stage) -> None:
    models = stage.rooms.get(Models)
    job = models.compose(ANN, ComposeModel(workspace="demo", model="whole", graph=GRAPH))

    def state() -> str:
        found = stage.rooms.get(Jobs).job("demo", job.id)
        assert found.state not in ("FAILED", "CANCELLED"), found.error
        return found.state

    stage.rooms.until(lambda: state() == "SUCCEEDED", timeout_s=120)
    stage.rooms.until(lambda: models.version("demo", "whole", 1).review == "APPROVED", timeout_s=120)
    stage.turn()
    stage.start_gateway()
    stage.deploy(1, model="whole", execution="auto")
    stage.until(lambda: stage.deployment().state == "READY", within=120)
    answer = stage.infer({"c1": 48.5})
    assert answer.status == 200, answer.body
    found = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    row = {"c0": ["basic"], "c1": [48.5]}
    one, code = (load_model(read_package(packages()[name])).predict(row)["probabilities"] for name in ("one", "python"))
    assert found["probabilities"] == pytest.approx(((np.asarray(one) + np.asarray(code)) / 2).ravel(), abs=1e-5)
    small = load_model(read_package(packages()["one"])).predict({"c0": ["basic"], "c1": [5.0]})["probabilities"]
    told = {output["name"]: output["data"] for output in stage.infer({"c1": 5.0}).json()["outputs"]}
    assert told["probabilities"] == pytest.approx(np.asarray(small).ravel(), abs=1e-5)
    about = plane.ask(stage.gateway, "GET", "/v2/models/churn", key=stage.key).json()
    assert about["platform"] == "aimass_graph"
    wrong = plane.ask(
        stage.gateway, "POST", "/v2/models/churn/infer", {**oip(), "inputs": oip()["inputs"][:1]}, key=stage.key
    )
    assert wrong.status == 400
    explained = plane.ask(stage.gateway, "POST", "/v2/models/churn/explain", oip(), key=stage.key)
    assert explained.status == 200, explained.body
