from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.fixtures.asgi_control import ControlServer
from tests.fixtures.gateway import (
    KEY,
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
)


def test_without_a_snapshot_it_lives_and_is_not_ready(alone: Gateway) -> None:
    alone.start()
    assert ask(alone, "GET", "/v2/health/live", key=None).status == 200
    assert ask(alone, "GET", "/v2/health/ready", key=None).status == 503
    assert ask(alone, "GET", "/readyz", key=None).status == 503
    assert infer(alone).status == 401


def test_a_new_snapshot_swaps_the_model(alone: Gateway, packages: dict[str, Path]) -> None:
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    alone.start()
    before = infer(alone).json()["outputs"][1]["data"]
    alone.publish(snapshot(2, endpoint("churn", deployment(packages["two"], revision="rev-2", version=2))))
    after = infer(alone)
    assert after.headers["x-aimass-model"] == "churn/2"
    assert after.json()["outputs"][1]["data"] != before
    assert alone.status()["loaded"] == {"dep-champion": "rev-2"}


def test_a_swap_under_load_fails_no_request(alone: Gateway, packages: dict[str, Path]) -> None:
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    alone.start()
    statuses: Counter[int] = Counter()
    revisions: Counter[str] = Counter()
    stop = threading.Event()

    def load() -> None:
        with alone.connect() as connection:
            while not stop.is_set():
                connection.sendall(request("POST", "/v2/models/churn/infer", oip()))
                answer, _ = read_answer(connection)
                statuses[answer.status] += 1
                revisions[answer.headers["x-aimass-revision"]] += 1

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for version in range(2, 14):
        package = packages["two" if version % 2 else "one"]
        alone.publish(snapshot(version, endpoint("churn", deployment(package, revision=f"rev-{version}"))))
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    assert len(revisions) > 5


def test_weights_share_the_traffic_and_a_canary_gets_its_part(alone: Gateway, packages: dict[str, Path]) -> None:
    parts = deployment(packages["one"], weight=90), deployment(packages["two"], "canary", weight=10, version=2)
    alone.publish(snapshot(1, endpoint("churn", *parts)))
    alone.start()
    with alone.connect() as connection:
        count: Counter[str] = Counter()
        for _ in range(600):
            connection.sendall(request("POST", "/v2/models/churn/infer", oip()))
            count[read_answer(connection)[0].headers["x-aimass-model"]] += 1
    assert 20 < count["churn/2"] < 120
    assert ask(alone, "GET", "/v2/models/churn").json()["versions"] == ["1", "2"]


def test_a_package_that_does_not_match_its_manifest_keeps_the_old_one_serving(
    alone: Gateway, packages: dict[str, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(packages["two"], broken)
    with (broken / "model.onnx").open("ab") as file:
        file.write(b"x")
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    alone.start()
    alone.publish(snapshot(2, endpoint("churn", deployment(broken, revision="rev-2"))))
    assert infer(alone).headers["x-aimass-revision"] == "rev-champion-1"
    status = alone.status()
    assert "does not match" in status["errors"]["dep-champion"]
    assert status["loaded"] == {"dep-champion": "rev-champion-1"}


@pytest.mark.parametrize("kind", ["no folder", "no model", "no graph", "escapes", "external"])
def test_a_package_that_cannot_be_loaded_is_named_and_the_others_serve(
    alone: Gateway, packages: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    from hashlib import sha256

    broken = tmp_path / "broken"
    if kind != "no folder":
        shutil.copytree(packages["one"], broken)
        manifest = json.loads((broken / "manifest.json").read_text())
        if kind == "no model":
            (broken / "model.onnx").unlink()
        elif kind == "escapes":
            manifest["files"]["../one/model.onnx"] = manifest["files"]["model.onnx"]
        else:
            data = b"this is no graph" if kind == "no graph" else _external((broken / "model.onnx").read_bytes())
            (broken / "model.onnx").write_bytes(data)
            manifest["files"]["model.onnx"]["sha256"] = sha256(data).hexdigest()
        (broken / "manifest.json").write_text(json.dumps(manifest))
    good = endpoint("other", deployment(packages["one"], "other"))
    alone.publish(snapshot(1, endpoint("churn", deployment(broken, revision="rev-bad")), good))
    alone.start()
    assert list(alone.status()["errors"]) == ["dep-champion"]
    answer = infer(alone)
    assert (answer.status, answer.json()["code"]) == (503, "not_ready")
    assert infer(alone, name="other").status == 200


def _external(data: bytes) -> bytes:
    """The same graph with one tensor in a file outside its folder."""
    import onnx

    graph = onnx.load_from_string(data)
    tensor = graph.graph.initializer[0] if graph.graph.initializer else graph.graph.initializer.add()
    tensor.name = tensor.name or "outside"
    tensor.data_type = onnx.TensorProto.FLOAT
    del tensor.dims[:]
    tensor.dims.append(4)
    for field in ("raw_data", "float_data", "int64_data", "int32_data", "string_data"):
        tensor.ClearField(field)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../../../../../etc/passwd")
    return graph.SerializeToString()


def test_a_failing_canary_leaves_its_share_to_the_champion(
    alone: Gateway, packages: dict[str, Path], tmp_path: Path
) -> None:
    parts = deployment(packages["one"], weight=50), deployment(tmp_path / "none", "canary", weight=50)
    alone.publish(snapshot(1, endpoint("churn", *parts)))
    alone.start()
    assert {infer(alone).headers["x-aimass-revision"] for _ in range(20)} == {"rev-champion-1"}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 9}', '{"version": 9, "keys": {}, "endpoints": {"a/b": {}}}']
)
def test_a_snapshot_that_cannot_be_read_leaves_the_last_good_one(
    alone: Gateway, packages: dict[str, Path], text: str
) -> None:
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    alone.start()
    (alone.data / "gateway" / "snapshot.json").write_text(text)
    wait_for(lambda: alone.status().get("error"))
    assert infer(alone).status == 200
    alone.publish(snapshot(2, endpoint("churn", deployment(packages["one"]))))
    assert alone.status()["error"] is None


def test_a_key_that_is_gone_from_the_snapshot_is_refused_at_once(alone: Gateway, packages: dict[str, Path]) -> None:
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    alone.start()
    with alone.connect() as connection:
        for expected in (200, 401):
            connection.sendall(request("POST", "/v2/models/churn/infer", oip(), key=KEY))
            assert read_answer(connection)[0].status == expected
            alone.publish(snapshot(2, endpoint("churn", deployment(packages["one"])), keys={}))


def test_a_shadow_is_run_and_recorded_but_not_answered(alone: Gateway, packages: dict[str, Path]) -> None:
    shadow = deployment(packages["two"], "shadow", version=2)
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]), shadow=shadow)))
    alone.start()
    for id_, rows in (("one", 1), ("two", 2)):
        assert infer(alone, oip([oip_row() for _ in range(rows)], id=id_)).headers["x-aimass-model"] == "churn/1"
        wait_for(lambda id_=id_: sum(r["id"] == id_ for r in alone.records()) == 2)
        real, beside = sorted((r for r in alone.records() if r["id"] == id_), key=lambda r: r.get("shadow", False))
        assert (real["version"], beside["version"], beside["shadow"]) == (1, 2, True)
        assert beside["outputs"]["probabilities"] != real["outputs"]["probabilities"]


def oip_row() -> dict[str, object]:
    return {"contract": "One year", "internet": "DSL", "tenure": 12, "charges": 56.95}


def test_sampling_and_payload_are_switches_of_the_endpoint(alone: Gateway, packages: dict[str, Path]) -> None:
    one, two = deployment(packages["one"]), deployment(packages["one"], "b", revision="rev-b")
    quiet = endpoint("quiet", one, record={"sample": 0.0, "payload": True})
    bare = endpoint("bare", two, record={"sample": 1.0, "payload": False})
    alone.publish(snapshot(1, quiet, bare))
    alone.start()
    for rows in (1, 2):
        infer(alone, oip([oip_row()] * rows, id=f"q{rows}"), name="quiet")
        infer(alone, oip([oip_row()] * rows, id=f"b{rows}"), name="bare")
    records = {r["id"]: r for r in alone.records()}
    assert set(records) == {"b1", "b2"}
    assert all((r["inputs"], r["outputs"], r["rows"] > 0) == (None, None, True) for r in records.values())


def test_the_endpoint_may_decide_about_unseen_categories(alone: Gateway, packages: dict[str, Path]) -> None:
    open_ = endpoint("open", deployment(packages["one"], "a", unseen="serve"))
    strict = endpoint("strict", deployment(packages["one"], "a", unseen="refuse"))
    alone.publish(snapshot(1, open_, strict))
    alone.start()
    assert infer(alone, oip([{**oip_row(), "contract": "Weekly"}]), name="open").status == 200
    assert infer(alone, oip([{**oip_row(), "internet": "Satellite"}]), name="strict").status == 400


# -- the process


def test_the_gateway_process_stays_thin(packages: dict[str, Path]) -> None:
    heavy = (
        "sqlalchemy",
        "pydantic",
        "dbos",
        "fastapi",
        "starlette",
        "uvicorn",
        "polars",
        "sklearn",
        "onnx",
        "prometheus_client",
    )
    code = f"import aimass.gateway.plane.__main__, sys; print([m for m in {heavy!r} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_sigterm_finishes_what_is_under_way_and_ends_well(alone: Gateway, packages: dict[str, Path]) -> None:
    alone.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    alone.start()
    data = request("POST", "/v2/models/churn/infer", oip(id="last"))
    with alone.connect() as busy, alone.connect() as idle:
        busy.sendall(data[:-20])
        idle.sendall(request("GET", "/healthz"))
        read_answer(idle)
        assert alone.process is not None
        alone.process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b""
        busy.sendall(data[-20:])
        answer, _ = read_answer(busy)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert busy.recv(1) == b""
    assert alone.process.wait(10) == 0
    alone.process = None
    assert [r["id"] for r in alone.records()] == ["last"]
    assert not list((alone.data / "records" / "0").glob("*.open"))


def test_sigterm_does_not_wait_for_websockets(alone: Gateway, control: ControlServer) -> None:
    alone.publish(snapshot(1, control_socket=str(control.path)))
    alone.start()
    with connect(f"ws://127.0.0.1:{alone.port}/ws") as websocket:
        websocket.send("hello")
        assert websocket.recv() == "echo hello"
        assert alone.stop() == 0


def test_a_port_that_is_taken_is_named(alone: Gateway, tmp_path: Path) -> None:
    alone.start()
    command = [
        sys.executable,
        "-m",
        "aimass.gateway.plane",
        "--data-dir",
        str(tmp_path / "two"),
        "--port",
        str(alone.port),
    ]
    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert second.returncode == 1
    assert f"port {alone.port}" in second.stderr


def test_several_workers_share_one_port(packages: dict[str, Path], tmp_path: Path) -> None:
    first = Gateway(tmp_path / "data", workers=2)
    first.publish(snapshot(1, endpoint("churn", deployment(packages["one"]))))
    first.start()
    arguments = ["--data-dir", str(first.data), "--port", str(first.port), "--worker", "1", "--workers", "2"]
    second = subprocess.Popen([sys.executable, "-m", "aimass.gateway.plane", *arguments], stderr=subprocess.DEVNULL)
    wait_for((first.data / "gateway" / "status-1.json").exists)
    wait_for(lambda: json.loads((first.data / "gateway" / "status-1.json").read_text())["port"])
    for _ in range(40):
        assert infer(first).status == 200
    wait_for(lambda: all(list((first.data / "records" / str(n)).glob("*.*")) for n in (0, 1)))
    second.terminate()
    assert second.wait(10) == 0
    assert first.stop() == 0


def test_the_gateway_dies_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-m', 'aimass.gateway.plane',"
        "'--data-dir', sys.argv[1], '--port', '0']); time.sleep(60)"
    )
    gateway = Gateway(tmp_path)
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.DEVNULL) as parent:
        wait_for(lambda: gateway.status()["port"])
        parent.kill()
    pid = gateway.status()["pid"]
    wait_for(lambda: "State:\tZ" in _state(pid) or not _state(pid))


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
