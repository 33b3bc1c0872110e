"""Many models in one worker: loaded when they are asked for, gone when others need the memory, and that memory returned."""

from __future__ import annotations

import os
import statistics
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass.gateway.plane.memory import used_bytes
from aimass.infra.rows import new_session, ready_tensors
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
    write_package,
)
from tests.fixtures.tensors import spec

SIDE = 1024
WEIGHTS = 4 * SIDE * SIDE


def matrix_package(folder: Path, seed: int = 0, side: int = SIDE) -> Path:
    """A package with ``4 * side * side`` bytes of weights; in memory a machine may keep a copy that is packed for it."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(seed).normal(size=(side, side)).astype(np.float32)
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", side]) for n in ("x", "y")]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "matrix", ports[:1], ports[1:], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    signature = {"inputs": [spec("x", "FP32", [-1, side])], "outputs": [spec("y", "FP32", [-1, side])]}
    return write_package(folder, "model.onnx", model.SerializeToString(), signature=signature)


@pytest.fixture(scope="module")
def matrices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("matrices")
    return [matrix_package(root / str(number), number) for number in range(10)]


@pytest.fixture(scope="module")
def takes(matrices: list[Path]) -> int:
    """How many bytes one of them takes on this machine."""
    ready_tensors(["", "a"], (1,))
    before = used_bytes()
    session = new_session((matrices[0] / "model.onnx").read_bytes())
    size = used_bytes() - before
    assert session.get_inputs()
    return size


def named(number: int) -> str:
    return f"m{number}"


def one(number: int, package: Path, **more: Any) -> dict[str, Any]:
    name = named(number)
    return endpoint(name, deployment(package, name, **{"proven": True, **more}))


def ask_matrix(gateway: Gateway, number: int) -> Any:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, SIDE], "data": [1.0] * SIDE}
    return ask(gateway, "POST", f"/v2/models/{named(number)}/infer", {"inputs": [tensor]})


def index(gateway: Gateway) -> dict[str, dict[str, Any]]:
    found = ask(gateway, "POST", "/v2/repository/index", {}).json()
    return {entry["name"]: {**entry.get("parameters", {}), "state": entry["state"]} for entry in found}


def in_memory(gateway: Gateway) -> set[str]:
    return {name for name, entry in index(gateway).items() if entry["loaded"]}


def metric(gateway: Gateway, name: str) -> float:
    lines = ask(gateway, "GET", "/metrics").body.decode().splitlines()
    return next((float(line.split()[1]) for line in lines if line.startswith(f"aimass_{name} ")), 0.0)


def pss(gateway: Gateway) -> int:
    smaps = Path(f"/proc/{gateway.status()['pid']}/smaps_rollup").read_text()
    (found,) = [int(line.split()[1]) for line in smaps.splitlines() if line.startswith("Pss:")]
    return found * 1024


@pytest.fixture
def small(tmp_path: Path, takes: int) -> Iterator[Gateway]:
    """A gateway whose models may take the memory of about four matrices."""
    gateway = Gateway(tmp_path / "data", max_model_bytes=int(4.5 * takes))
    yield gateway
    if gateway.process is not None:
        gateway.stop()


def test_a_model_that_has_answered_before_is_loaded_on_the_first_call(
    small: Gateway, matrices: list[Path], takes: int
) -> None:
    small.publish(snapshot(1, *(one(n, matrices[n]) for n in range(3))))
    small.start()
    assert in_memory(small) == set()
    assert {entry["state"] for entry in index(small).values()} == {"READY"}
    assert ask(small, "GET", f"/v2/models/{named(1)}/ready").status == 200
    assert ask_matrix(small, 1).status == 200
    found = index(small)[named(1)]
    assert found["loaded"]
    assert WEIGHTS <= found["bytes"] < 1.2 * takes
    (stats,) = ask(small, "GET", f"/v2/models/{named(1)}/stats").json()["model_stats"]
    assert stats["memory_usage"] == [{"type": "CPU", "id": 0, "byte_size": found["bytes"]}]
    assert metric(small, "gateway_model_bytes") == found["bytes"]
    wait_for(lambda: small.status()["memory"] == {f"dep-{named(n)}": found["bytes"] * (n == 1) for n in range(3)})


def test_a_model_that_has_never_answered_is_loaded_at_once(small: Gateway, matrices: list[Path]) -> None:
    small.publish(snapshot(1, one(0, matrices[0], proven=False), one(1, matrices[1])))
    small.start()
    assert in_memory(small) == {named(0)}


def test_what_was_used_least_recently_makes_room_and_its_memory_is_returned(
    small: Gateway, matrices: list[Path], takes: int
) -> None:
    small.publish(snapshot(1, *(one(n, package) for n, package in enumerate(matrices))))
    small.start()
    assert ask_matrix(small, 0).status == 200
    first = pss(small)
    for _ in range(2):
        for number in range(len(matrices)):
            assert ask_matrix(small, number).status == 200
    assert in_memory(small) == {named(n) for n in range(6, 10)}
    assert ask_matrix(small, 6).status == 200
    assert ask_matrix(small, 0).status == 200
    assert in_memory(small) == {named(n) for n in (0, 6, 8, 9)}
    assert metric(small, "gateway_models_in_memory") == 4
    assert metric(small, "gateway_model_loads_total") == metric(small, "gateway_model_evictions_total") + 4
    wait_for(lambda: pss(small) < first + 4.5 * takes)


def test_unloading_returns_nine_tenths_of_the_memory(alone: Gateway, matrices: list[Path]) -> None:
    alone.publish(snapshot(1, *(one(n, package) for n, package in enumerate(matrices)), endpoint("none")))
    alone.start()
    assert ask_matrix(alone, 0).status == 200
    alone.publish(snapshot(2))
    wait_for(lambda: metric(alone, "gateway_models_in_memory") == 0)
    empty = pss(alone)
    alone.publish(snapshot(3, *(one(n, package) for n, package in enumerate(matrices))))
    for number in range(len(matrices)):
        assert ask_matrix(alone, number).status == 200
    full = pss(alone)
    assert full - empty > 8 * WEIGHTS
    alone.publish(snapshot(4))
    wait_for(lambda: pss(alone) < empty + (full - empty) / 10)


def test_a_pinned_model_is_in_memory_and_stays_there(small: Gateway, matrices: list[Path]) -> None:
    everything = [one(n, package) for n, package in enumerate(matrices)]
    pinned = [one(0, matrices[0], pinned=True), *everything[1:]]
    small.publish(snapshot(1, *pinned))
    small.start()
    wait_for(lambda: in_memory(small) == {named(0)})
    for number in range(1, len(matrices)):
        assert ask_matrix(small, number).status == 200
    assert named(0) in in_memory(small)
    small.publish(snapshot(2, *everything))
    assert not index(small)[named(0)]["pinned"]
    for number in range(1, 6):
        assert ask_matrix(small, number).status == 200
    assert named(0) not in in_memory(small)


def test_what_does_not_fit_is_refused_and_says_so(small: Gateway, matrices: list[Path], tmp_path: Path) -> None:
    large = matrix_package(tmp_path / "large", side=4 * SIDE)
    small.publish(snapshot(1, one(0, large, proven=False), *(one(n, matrices[n], pinned=True) for n in range(1, 5))))
    small.start()
    wait_for(lambda: len(in_memory(small)) == 4)
    assert "all models of a gateway worker may take" in small.status()["errors"][f"dep-{named(0)}"]
    small.publish(snapshot(2, one(0, matrices[0]), *(one(n, matrices[n], pinned=True) for n in range(1, 5))))
    refused = ask_matrix(small, 0)
    assert (refused.status, refused.headers["retry-after"], refused.json()["code"]) == (503, "1", "not_ready")
    assert "taken by pinned ones" in refused.json()["error"]
    wait_for(lambda: "pinned" in small.status()["errors"].get(f"dep-{named(0)}", ""))


def test_first_calls_that_come_together_wait_for_one_load(alone: Gateway, matrices: list[Path]) -> None:
    alone.publish(snapshot(1, one(0, matrices[0])))
    alone.start()
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(ask_matrix(alone, 0).status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 8
    assert metric(alone, "gateway_model_loads_total") == 1


def test_who_cannot_wait_for_the_load_is_told_to_come_again(tmp_path: Path, packages: dict[str, Path]) -> None:
    gateway = Gateway(tmp_path / "data", max_load_wait_s=0.0)
    gateway.publish(snapshot(1, endpoint("churn", deployment(packages["one"], proven=True))))
    gateway.start()
    try:
        refused = infer(gateway)
        assert (refused.status, refused.json()["code"], refused.headers["retry-after"]) == (503, "loading", "1")
        wait_for(lambda: infer(gateway).status == 200)
    finally:
        gateway.stop()


def test_a_package_that_was_changed_is_not_loaded_later_either(alone: Gateway, tmp_path: Path) -> None:
    package = matrix_package(tmp_path / "p")
    alone.publish(snapshot(1, one(0, package)))
    alone.start()
    (package / "model.onnx").write_bytes(b"changed")
    refused = ask_matrix(alone, 0)
    assert (refused.status, refused.json()["code"]) == (503, "not_ready")
    assert "does not match the manifest" in refused.json()["error"]
    wait_for(lambda: "does not match" in alone.status()["errors"].get(f"dep-{named(0)}", ""))
    assert index(alone)[named(0)]["state"] == "UNAVAILABLE"


def test_no_request_fails_while_models_are_swapped_and_evicted(
    tmp_path: Path, packages: dict[str, Path], matrices: list[Path], takes: int
) -> None:
    """Clients ask without a pause while revisions change and the budget holds about half of what they ask for."""
    gateway = Gateway(tmp_path / "data", max_model_bytes=int(3.5 * takes))

    def document(version: int) -> dict[str, Any]:
        swapped = deployment(packages["one" if version % 2 else "two"], revision=f"rev-{version}", proven=False)
        return snapshot(version, endpoint("churn", swapped), *(one(n, matrices[n]) for n in range(6)))

    gateway.publish(document(1))
    gateway.start()
    over, found = threading.Event(), list[int]()

    def ask_small() -> None:
        while not over.is_set():
            found.append(infer(gateway, oip()).status)

    def ask_large(first: int) -> None:
        number = first
        while not over.is_set():
            found.append(ask_matrix(gateway, number % 6).status)
            number += 1

    threads = [threading.Thread(target=ask_small) for _ in range(2)]
    threads += [threading.Thread(target=ask_large, args=(first,)) for first in (0, 3)]
    for thread in threads:
        thread.start()
    try:
        for version in range(2, 22):
            gateway.publish(document(version))
        wait_for(lambda: metric(gateway, "gateway_model_evictions_total") > 20)
    finally:
        over.set()
        for thread in threads:
            thread.join()
        gateway.stop()
    assert set(found) == {200}
    assert len(found) > 50


@pytest.mark.long
def test_a_request_costs_the_same_with_two_hundred_models(tmp_path: Path, packages: dict[str, Path]) -> None:
    """CPU per request of the worker's process, measured in turns on the same two gateways."""
    document = [endpoint(f"n{n}", deployment(packages["one"], f"n{n}", proven=True)) for n in range(200)]
    few, many = Gateway(tmp_path / "few"), Gateway(tmp_path / "many")
    few.publish(snapshot(1, document[0]))
    many.publish(snapshot(1, *document))
    gateways = [few.start(), many.start()]
    try:
        for number in range(200):
            assert infer(many, name=f"n{number}").status == 200
        assert metric(many, "gateway_models_in_memory") == 200
        rounds = [[spent(gateway) for gateway in gateways] for _ in range(7)]
    finally:
        for gateway in gateways:
            gateway.stop()
    ratio = statistics.median(with_many / with_few for with_few, with_many in rounds[1:])
    assert ratio < 1.25, rounds


def spent(gateway: Gateway, requests: int = 4000) -> float:
    """CPU seconds of a worker for so many requests on one connection."""
    pid = gateway.status()["pid"]
    data = request("POST", "/v2/models/n0/infer", oip())
    before = cpu_s(pid)
    with gateway.connect() as connection:
        rest = b""
        for _ in range(requests):
            connection.sendall(data)
            answer, rest = read_answer(connection, rest)
            assert answer.status == 200
    return cpu_s(pid) - before


def cpu_s(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")
