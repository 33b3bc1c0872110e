"""A graph is deployed and answers like any other version, in one isolated worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import numpy as np
import polars as pl
import pytest

from aimass.cluster import Jobs
from aimass.gateway.plane.rpc.codec import PROTO
from aimass.kernel.principal import Principal
from aimass.models import Models, load_model, read_package
from aimass.models.domain import ComposeModel
from tests.fixtures import gateway as plane
from tests.fixtures.packages import oip, packages
from tests.fixtures.rooms import Rooms
from tests.fixtures.scoring import ANN as SCORER
from tests.fixtures.scoring import batch_rooms, rows
from tests.fixtures.stage import ANN, Stage

GRAPH: dict[str, Any] = {
    "steps": {
        "plain": {"model": "churn@1"},
        "code": {"model": "scikit@1"},
        "both": {"mean": ["plain", "code"]},
        "route": {"switch": "input.c1", "cases": [{"below": 10, "then": "plain"}], "otherwise": "both"},
    },
}


def composed(rooms: Rooms, who: Principal) -> None:
    """Compose the graph, and wait until it is approved."""
    models, jobs = rooms.get(Models), rooms.get(Jobs)
    job = models.compose(who, ComposeModel(workspace="demo", model="whole", graph=GRAPH))

    def state() -> str:
        found = jobs.job("demo", job.id)
        assert found.state not in ("FAILED", "CANCELLED"), found.error
        return found.state

    rooms.until(lambda: state() == "SUCCEEDED", timeout_s=120)
    rooms.until(lambda: models.version("demo", "whole", 1).review == "APPROVED", timeout_s=120)


def said_over_grpc(stage: Stage, values: dict[str, Any]) -> list[float]:
    request = PROTO.ModelInferRequest(model_name="churn")
    request.inputs.add(name="c0", datatype="BYTES", shape=[1, 1]).contents.bytes_contents.append(values["c0"].encode())
    request.inputs.add(name="c1", datatype="FP32", shape=[1, 1]).contents.fp32_contents.append(values["c1"])
    with grpc.insecure_channel(f"127.0.0.1:{stage.gateway.status()['grpc_port']}") as channel:
        answer = channel.unary_unary(f"/{PROTO.service}/ModelInfer")(
            request.SerializeToString(),
            metadata=[("authorization", f"Bearer {stage.key}")],
            timeout=30,
            wait_for_ready=True,
        )
    response = PROTO.ModelInferResponse.FromString(answer)
    (found,) = [one for one in response.outputs if one.name == "probabilities"]
    return list(found.contents.fp32_contents)


def test_a_graph_is_deployed_and_answers_over_http(stage: Stage) -> None:
    composed(stage.rooms, ANN)
    stage.turn()
    stage.gateway.settings["grpc_port"] = 0
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
    assert said_over_grpc(stage, {"c0": "basic", "c1": 5.0}) == pytest.approx(np.asarray(small).ravel(), abs=1e-5)
    about = plane.ask(stage.gateway, "GET", "/v2/models/churn", key=stage.key).json()
    assert about["platform"] == "aimass_graph"
    wrong = plane.ask(
        stage.gateway, "POST", "/v2/models/churn/infer", {**oip(), "inputs": oip()["inputs"][:1]}, key=stage.key
    )
    assert wrong.status == 400
    explained = plane.ask(stage.gateway, "POST", "/v2/models/churn/explain", oip(), key=stage.key)
    assert explained.status == 200, explained.body


def test_a_graph_scores_a_dataset_as_it_answers_rows(tmp_path: Path) -> None:
    with batch_rooms(tmp_path) as batch:
        table = rows(300).with_columns(c1=(pl.col("id") % 40).cast(pl.Float64))
        batch.dataset("customers", table)
        composed(batch.rooms, SCORER)
        done = batch.score(model="whole", model_version=1, keep=["id"])
        assert (done.state, done.rows, done.model) == ("SUCCEEDED", 300, "whole"), done.error
        folder = batch.rooms.get(Models).materialise(batch.rooms.get(Models).version("demo", "whole", 1))
        said = load_model(read_package(folder)).predict({name: table[name].to_list() for name in ("c0", "c1")})
        found = batch.table().sort("id")
        assert found["prediction"].to_list() == list(said["label"])
        np.testing.assert_allclose(found["probability_Yes"].to_numpy(), said["probabilities"][:, 1], atol=1e-6)
