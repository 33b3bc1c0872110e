"""The extensions around inference: repository, load and unload, configuration, statistics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fixtures.gateway import (
    ROW,
    VIEWER,
    Gateway,
    ask,
    deployment,
    endpoint,
    infer,
    key,
    oip,
    snapshot,
    wait_for,
)

OWNER = "aim_" + "o" * 43


@pytest.fixture(scope="module")
def owned(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a key that may load and unload."""
    gateway = Gateway(tmp_path_factory.mktemp("owned"))
    gateway.publish(document(packages, 1))
    gateway.start()
    yield gateway
    gateway.stop()


def document(packages: dict[str, Path], version: int, **more: Any) -> dict[str, Any]:
    import hashlib

    found = snapshot(
        version,
        endpoint("churn", deployment(packages["one"]), **more),
        endpoint("other", deployment(packages["two"], "other", version=3)),
    )
    found["keys"][hashlib.sha256(OWNER.encode()).hexdigest()] = key("owner", edit=["churn"])
    return found


def repository(gateway: Gateway, what: str, body: Any = None, **more: Any) -> Any:
    return ask(gateway, "POST", f"/v2/repository/{what}", {} if body is None else body, **more)


def test_the_index_lists_what_a_key_may_use(owned: Gateway) -> None:
    entry = {"name": "churn", "version": "1", "state": "READY", "reason": ""}
    found = repository(owned, "index").json()
    memory = [one.pop("parameters") for one in found]
    assert found == [entry, {**entry, "name": "other", "version": "3"}]
    assert all(one["loaded"] and one["bytes"] > 0 and not one["pinned"] for one in memory)
    assert repository(owned, "index", {"ready": True}).json()[0]["state"] == "READY"
    assert repository(owned, "index", key=VIEWER).json() == []
    assert repository(owned, "index", b"").status == 200
    assert repository(owned, "index", b"{").status == 400
    assert repository(owned, "index", key=None).status == 401


def test_who_may_not_edit_cannot_load_or_unload(owned: Gateway) -> None:
    for what in ("models/churn/unload", "models/churn/load"):
        answer = repository(owned, what)
        assert (answer.status, answer.json()["code"]) == (403, "no_edit")
    assert repository(owned, "models/other/unload", key=OWNER).status == 403
    assert repository(owned, "models/none/unload", key=OWNER).status == 404
    assert repository(owned, "models/churn/melt", key=OWNER).status == 404
    assert ask(owned, "GET", "/v2/repository/models/churn/load", key=OWNER).status == 405


def test_an_unloaded_model_answers_503_until_it_is_loaded(owned: Gateway) -> None:
    answer = repository(owned, "models/churn/unload", key=OWNER)
    assert (answer.status, answer.json()) == (200, {"name": "churn", "unload": True})
    try:
        refused = infer(owned)
        assert (refused.status, refused.json()["code"]) == (503, "unloaded")
        assert "load" in refused.json()["hint"]
        assert ask(owned, "GET", "/v2/models/churn/ready").status == 503
        assert ask(owned, "GET", "/v2/models/churn/versions/1").status == 503
        entry = repository(owned, "index").json()[0]
        assert (entry["state"], entry["reason"]) == ("UNAVAILABLE", "unloaded by 'owner'")
        assert repository(owned, "index", {"ready": True}).json()[0]["name"] == "other"
        assert infer(owned, name="other").status == 200
        wait_for(lambda: "unloaded" in owned.status()["errors"].get("dep-champion", ""))
        assert owned.status()["loaded"] == {"dep-other": "rev-other-1"}
        assert repository(owned, "models/churn/unload", key=OWNER).status == 200
    finally:
        answer = repository(owned, "models/churn/load", key=OWNER)
    assert (answer.status, answer.json()) == (200, {"name": "churn", "load": True})
    assert infer(owned).status == 200
    assert repository(owned, "models/churn/load", key=OWNER).status == 200


def test_it_stays_unloaded_over_a_restart_and_the_next_revision_is_loaded(
    alone: Gateway, packages: dict[str, Path]
) -> None:
    alone.publish(document(packages, 1))
    alone.start()
    assert repository(alone, "models/churn/unload", key=OWNER).status == 200
    alone.stop()
    alone.start()
    assert infer(alone).json()["code"] == "unloaded"
    newer = document(packages, 2)
    newer["endpoints"]["demo/churn"]["deployments"][0]["revision"] = "rev-champion-2"
    alone.publish(newer)
    assert infer(alone).headers["x-aimass-revision"] == "rev-champion-2"


def test_a_model_that_cannot_be_loaded_says_why(alone: Gateway, packages: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(packages["one"], broken)
    moving = document({**packages, "one": broken}, 1)
    alone.publish(moving)
    alone.start()
    assert repository(alone, "models/churn/unload", key=OWNER).status == 200
    (broken / "model.onnx").write_bytes(b"changed")
    answer = repository(alone, "models/churn/load", key=OWNER)
    assert (answer.status, answer.json()["code"]) == (503, "load_failed")
    assert "does not match the manifest" in answer.json()["error"]


def test_two_workers_follow_one_another(packages: dict[str, Path], tmp_path: Path) -> None:
    first, second = Gateway(tmp_path), Gateway(tmp_path, worker=1)
    first.publish(document(packages, 1))
    first.start()
    second.start()
    try:
        assert repository(first, "models/churn/unload", key=OWNER).status == 200
        wait_for(lambda: infer(second).status == 503)
        assert repository(second, "models/churn/load", key=OWNER).status == 200
        wait_for(lambda: infer(first).status == 200)
    finally:
        first.stop()
        second.stop()


def test_the_memory_of_an_unloaded_model_is_given_back(alone: Gateway, tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    from tests.fixtures.gateway import write_package
    from tests.fixtures.tensors import spec

    weights = np.random.default_rng(0).normal(size=(2048, 4096)).astype(np.float32)
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", s]) for n, s in (("x", 2048), ("y", 4096))]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "big", ports[:1], ports[1:], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    signature = {"inputs": [spec("x", "FP32", [-1, 2048])], "outputs": [spec("y", "FP32", [-1, 4096])]}
    package = write_package(tmp_path / "big", "model.onnx", model.SerializeToString(), signature=signature)
    alone.publish(document({"one": package, "two": package}, 1))
    alone.start()
    held = resident(alone)
    assert repository(alone, "models/churn/unload", key=OWNER).status == 200
    wait_for(lambda: resident(alone) < held - 20 * 2**20)


def resident(gateway: Gateway) -> int:
    return int(Path(f"/proc/{gateway.status()['pid']}/statm").read_text().split()[1]) * 4096


# -- what is told


def test_the_configuration_names_types_and_dims(owned: Gateway) -> None:
    config = ask(owned, "GET", "/v2/models/churn/config").json()
    assert (config["name"], config["platform"], config["backend"]) == ("churn", "onnxruntime_onnx", "onnxruntime")
    assert config["input"][0] == {"name": "contract", "data_type": "TYPE_STRING", "dims": [-1, 1]}
    assert config["output"][1] == {"name": "probabilities", "data_type": "TYPE_FP32", "dims": [-1, 2]}
    assert config["max_batch_size"] == 0
    assert ask(owned, "GET", "/v2/models/churn/versions/1/config").json() == config
    assert ask(owned, "GET", "/v2/models/churn/versions/9/config").status == 404


def stats(gateway: Gateway, path: str = "models/churn/stats") -> dict[str, Any]:
    (found,) = ask(gateway, "GET", f"/v2/{path}").json()["model_stats"]
    return found


def test_statistics_count_requests_rows_and_nanoseconds(alone: Gateway, packages: dict[str, Path]) -> None:
    alone.publish(document(packages, 1))
    alone.start()
    assert stats(alone)["inference_count"] == 0
    for _ in range(3):
        assert infer(alone).status == 200
    assert infer(alone, oip([ROW] * 5)).status == 200
    assert infer(alone, {"inputs": []}).status == 400
    found = stats(alone)
    assert (found["name"], found["version"], found["inference_count"], found["execution_count"]) == ("churn", "1", 8, 4)
    counts = {name: spent["count"] for name, spent in found["inference_stats"].items()}
    assert counts == {
        "success": 4, "fail": 0, "queue": 4, "compute_input": 4, "compute_infer": 4, "compute_output": 4,
        "cache_hit": 0, "cache_miss": 0,
    }  # fmt: skip
    spent = {name: part["ns"] for name, part in found["inference_stats"].items()}
    parts = spent["compute_input"] + spent["compute_infer"] + spent["compute_output"]
    assert 0 < parts <= spent["success"] + 3
    assert [(b["batch_size"], b["compute_infer"]["count"]) for b in found["batch_stats"]] == [(1, 3), (8, 1)]
    assert found["last_inference"] > 1_600_000_000_000


def test_statistics_of_all_models_and_of_one_version(owned: Gateway) -> None:
    names = [one["name"] for one in ask(owned, "GET", "/v2/models/stats").json()["model_stats"]]
    assert names == ["churn", "other"]
    assert ask(owned, "GET", "/v2/models/stats", key=VIEWER).json() == {"model_stats": []}
    assert ask(owned, "GET", "/v2/models/stats", key=None).status == 401
    assert stats(owned, "models/other/versions/3/stats")["version"] == "3"
    assert set(ask(owned, "GET", "/v2").json()["extensions"]) >= {"statistics", "model_configuration"}


def test_an_endpoint_may_be_called_stats(alone: Gateway, packages: dict[str, Path]) -> None:
    alone.publish(snapshot(1, endpoint("stats", deployment(packages["one"]))))
    alone.start()
    assert ask(alone, "GET", "/v2/models/stats").json()["name"] == "stats"
    assert stats(alone, "models/stats/stats")["name"] == "stats"
