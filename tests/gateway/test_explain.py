"""What each input contributed: checked against Shapley values by their definition, over every subset of inputs."""

from __future__ import annotations

import math
import socket
import struct
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from aimass.gateway.plane.attributions import orders, shares_of, steps_of
from aimass.gateway.plane.package import read_package
from aimass.gateway.plane.runtimes.onnx import OnnxRuntime
from aimass.training.recipes.policies import Exploration, deciding
from tests.fixtures.gateway import (
    CATEGORIES,
    KEY,
    ROW,
    VIEWER,
    Gateway,
    ModelWorker,
    deployment,
    endpoint,
    infer,
    oip,
    onnx_of,
    read_answer,
    request,
    snapshot,
    trained,
    wait_for,
    write_package,
)
from tests.fixtures.kept import kept, reached, wish

NAMES = list(ROW)
SAMPLES = {
    "contract": [CATEGORIES["contract"][n % 3] for n in range(5)],
    "internet": [*CATEGORIES["internet"], None, "DSL"],
    "tenure": [1, 70, 12, 40, 3],
    "charges": [20.0, 99.5, None, 70.25, 55.0],
}


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explained") / "package"
    return write_package(folder, "model.onnx", onnx_of(trained(0)), samples={"inputs": SAMPLES, "outputs": {}})


@pytest.fixture(scope="module")
def served(
    explained: Path, packages: dict[str, Path], short: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("explaining"))
    place = short / "explained" / "s"
    worker = ModelWorker(explained, place)
    gateway.publish(
        snapshot(
            1,
            endpoint("churn", deployment(explained)),
            endpoint("apart", deployment(explained, "apart", socket=str(place))),
            endpoint("bare", deployment(packages["one"], "bare")),
        )
    )
    gateway.start()
    wait_for(lambda: infer(gateway, name="apart").status == 200)
    yield gateway
    gateway.stop()
    worker.stop()


def explain(gateway: Gateway, body: Any, name: str = "churn", key: str | None = KEY) -> Any:
    with gateway.connect() as connection:
        connection.sendall(request("POST", f"/v2/models/{name}/explain", body, key=key))
        return read_answer(connection)[0]


def read(document: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in document["outputs"]}


def exact(package: Path, row: dict[str, Any]) -> Any:
    """Shapley values by their definition, over the same background rows."""
    runtime = OnnxRuntime(read_package(package))
    count = len(SAMPLES["tenure"])
    worth: dict[frozenset[str], float] = {}
    for size in range(len(NAMES) + 1):
        for some in combinations(NAMES, size):
            columns = {name: [row[name]] * count if name in some else SAMPLES[name] for name in NAMES}
            worth[frozenset(some)] = float(runtime.run(columns)["probabilities"][:, 1].mean())
    values: list[float] = []
    for name in NAMES:
        others, total = [n for n in NAMES if n != name], 0.0
        for size in range(len(NAMES)):
            weight = math.factorial(size) * math.factorial(len(NAMES) - size - 1) / math.factorial(len(NAMES))
            total += weight * sum(
                worth[frozenset(some) | {name}] - worth[frozenset(some)] for some in combinations(others, size)
            )
        values.append(total)
    return np.array(values)


def test_shares_are_the_shapley_values_of_the_definition(served: Gateway, explained: Path) -> None:
    rows = [ROW, {**ROW, "contract": "Month-to-month", "tenure": 1, "charges": 110.0}]
    answer = explain(served, oip(rows, parameters={"orders": 1000}, id="why"))
    assert answer.status == 200, answer.body
    document = answer.json()
    told, found = document["parameters"], read(document)
    assert (document["id"], told["inputs"], told["classes"], told["orders"]) == ("why", NAMES, ["Yes", "Yes"], 1000)
    for number, row in enumerate(rows):
        difference = np.abs(found["shares"][number] - exact(explained, row))
        assert (difference <= 5 * found["errors"][number] + 1e-6).all()
        assert difference.max() < 0.01
    answers = infer(served, oip(rows)).json()["outputs"][1]["data"]
    assert found["value"] == pytest.approx(np.array(answers).reshape(2, 2)[:, 1], abs=1e-6)


def test_shares_add_up_to_the_difference_from_the_base(served: Gateway) -> None:
    for name in ("churn", "apart"):
        found = read(explain(served, oip([ROW, {**ROW, "internet": None}]), name).json())
        assert found["shares"].sum(axis=1) == pytest.approx(found["value"] - found["base"], abs=1e-6)


def test_a_worker_of_its_own_explains_like_the_gateway_itself(served: Gateway) -> None:
    here, apart = (read(explain(served, oip(), name).json()) for name in ("churn", "apart"))
    for name, values in here.items():
        assert apart[name] == pytest.approx(values, abs=1e-6)


def test_the_shares_of_both_classes_cancel(served: Gateway) -> None:
    yes, no = (read(explain(served, oip(parameters={"class": one})).json()) for one in ("Yes", "No"))
    assert yes["shares"] == pytest.approx(-no["shares"], abs=1e-6)
    assert yes["value"] + no["value"] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (oip(parameters={"class": "Maybe"}), "parameters.class"),
        (oip(parameters={"output": "label"}), "parameters.output"),
        (oip(parameters={"orders": 3}), "parameters.orders"),
        (oip(parameters={"orders": 0}), "parameters.orders"),
        (oip(parameters={"orders": 10**9}), "parameters.orders"),
        (oip(parameters={"orders": True}), "parameters.orders"),
        (oip(parameters={"orders": "many"}), "parameters.orders"),
        (oip([ROW] * 101), None),
        (oip([{**ROW, "tenure": "long"}]), "tenure"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_the_way_out(served: Gateway, body: Any, field: str | None) -> None:
    answer = explain(served, body)
    assert answer.status == 400
    assert answer.json().get("field") == field


def test_a_package_without_samples_says_so(served: Gateway) -> None:
    answer = explain(served, oip(), "bare")
    assert (answer.status, answer.json()["code"]) == (400, "cannot_explain")
    assert "samples" in answer.json()["error"]


NUMBER = {"type": "float", "nullable": False, "categories": None, "unseen": "serve"}
DECISION: dict[str, Any] = {
    "inputs": [{"name": "age", **NUMBER}, {"name": "spent", **NUMBER}],
    "outputs": [
        {"name": "action", "type": "string", "shape": [-1]},
        {"name": "propensity", "type": "float", "shape": [-1]},
        {"name": "probabilities", "type": "float", "shape": [-1, 2], "classes": ["call", "mail"]},
        {"name": "rewards", "type": "float", "shape": [-1, 2]},
        {"name": "vector", "type": "float", "shape": [-1, 3]},
    ],
}


def decider() -> bytes:
    """A policy whose actions bring twice the age, or what was spent; it tries a tenth by chance."""
    names = [one["name"] for one in DECISION["inputs"]]
    nodes = [
        helper.make_node("Concat", names, ["both"], axis=1),
        helper.make_node("Mul", ["both", "worth"], ["value"]),
    ]
    columns = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in names]
    weights = [helper.make_tensor("worth", TensorProto.FLOAT, [2], [2.0, 1.0])]
    model = helper.make_model(helper.make_graph(nodes, "policy", columns, [], weights), ir_version=9)
    model.opset_import[0].version = 18
    deciding(model, "value", ["call", "mail"], Exploration(epsilon=0.1, temperature=None))
    model.graph.node.append(helper.make_node("Concat", ["both", "policy/column"], ["three"], axis=1))
    model.graph.output.append(helper.make_tensor_value_info("three", TensorProto.FLOAT, [None, 3]))
    for old, new in zip(model.graph.output, DECISION["outputs"], strict=True):
        model.graph.node.append(helper.make_node("Identity", [old.name], [new["name"]]))
        old.name = new["name"]
    return model.SerializeToString()


def test_a_policy_is_explained_by_what_its_actions_would_bring(alone: Gateway, tmp_path: Path) -> None:
    samples = {"inputs": {"age": [20.0, 40.0], "spent": [0.0, 10.0]}, "outputs": {}}
    package = write_package(tmp_path / "p", "model.onnx", decider(), signature=DECISION, samples=samples)
    alone.publish(snapshot(1, endpoint("offers", deployment(package))))
    alone.start()
    inputs = [
        {"name": name, "shape": [2, 1], "datatype": "FP32", "data": data}
        for name, data in {"age": [30.0, 50.0], "spent": [90.0, 7.0]}.items()
    ]
    wait_for(lambda: explain(alone, {"inputs": inputs}, "offers").status != 503)
    document = explain(alone, {"inputs": inputs}, "offers").json()
    told, found = document["parameters"], read(document)
    assert (told["output"], told["classes"]) == ("rewards", ["mail", "call"])
    assert found["shares"] == pytest.approx(np.array([[0, 85], [40, 0]]))
    assert (found["base"].tolist(), found["value"].tolist()) == ([5, 60], [90, 100])
    chances = explain(alone, {"inputs": inputs, "parameters": {"output": "probabilities"}}, "offers").json()
    assert read(chances)["value"] == pytest.approx([0.95, 0.05])
    for draw in ("propensity", "vector"):
        refused = explain(alone, {"inputs": inputs, "parameters": {"output": draw}}, "offers")
        assert (refused.status, refused.json()["allowed"]) == (400, ["rewards", "probabilities"])


@pytest.mark.parametrize(("key", "status"), [(None, 401), ("aim_" + "x" * 43, 401), (VIEWER, 403), (KEY, 200)])
def test_who_may_call_an_endpoint_may_ask_why(served: Gateway, key: str | None, status: int) -> None:
    assert explain(served, oip(), key=key).status == status


def test_an_explanation_is_no_traffic_of_the_model(served: Gateway) -> None:
    assert explain(served, oip(id="not-recorded")).status == 200
    infer(served, oip(id="recorded"))
    served.wait_for_record("recorded")
    assert not any(record["id"] == "not-recorded" for record in served.records())
    with served.connect() as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        text = read_answer(connection)[0].body.decode()
    (line,) = [
        one
        for one in text.splitlines()
        if one.startswith("aimass_gateway_explanations") and 'endpoint="churn"' in one and 'code="200"' in one
    ]
    assert float(line.rsplit(" ", 1)[1]) >= 1


@pytest.fixture
def slow(alone: Gateway, short: Path, tmp_path: Path) -> Iterator[Gateway]:
    """A model that takes 0.2 s for every part of an explanation; at ``hasty`` all may take half a second."""
    package = write_package(
        tmp_path / "p", "model.txt", b"moody", runtime="python", samples={"inputs": SAMPLES, "outputs": {}}
    )
    with kept(short / "slow") as workers:
        workers.want(wish(package))
        workers.up()
        hasty = {**reached(workers, package, timeout_s=0.5), "id": "ep-hasty", "name": "hasty"}
        alone.publish(snapshot(1, reached(workers, package), hasty))
        yield alone.start()


SLOW_ROWS = [{**ROW, "charges": -0.2}] * 50


def answered(gateway: Gateway, code: int) -> bool:
    with gateway.connect() as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        lines = read_answer(connection)[0].body.decode().splitlines()
    return any(one.startswith("aimass_gateway_explanations") and f'code="{code}"' in one for one in lines)


def test_all_parts_together_keep_to_the_time_of_the_endpoint(slow: Gateway) -> None:
    answer = explain(slow, oip(SLOW_ROWS), "hasty")
    assert (answer.status, answer.json()["code"]) == (504, "model_timeout")
    assert infer(slow, oip(), name="hasty").status == 200


def test_an_explanation_ends_when_the_client_is_gone(slow: Gateway) -> None:
    with slow.connect() as connection:
        connection.sendall(request("POST", "/v2/models/churn/explain", oip(SLOW_ROWS)))
        wait_for(lambda: any(one["asked"] for one in slow.status()["load"].values()))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_for(lambda: answered(slow, 499))


@given(inputs=st.integers(1, 6), pairs=st.integers(1, 5), rows=st.integers(1, 3), data=st.data())
def test_an_additive_model_gets_its_own_terms(inputs: int, pairs: int, rows: int, data: st.DataObject) -> None:
    numbers = st.lists(st.integers(-50, 50), min_size=rows, max_size=rows)
    names = [f"c{n}" for n in range(inputs)]
    given_rows = {name: data.draw(numbers) for name in names}
    background = {name: [data.draw(st.integers(-50, 50))] for name in names}
    paths = orders(inputs, pairs)
    steps = steps_of(given_rows, background, paths)
    outputs = sum(np.array(steps[name]) * (n + 1) for n, name in enumerate(names))
    found = shares_of(outputs, rows, paths)
    for n, name in enumerate(names):
        expected = (np.array(given_rows[name]) - background[name][0]) * (n + 1)
        assert found.shares[:, n] == pytest.approx(expected)
    if pairs > 1:
        assert found.errors == pytest.approx(0)
