"""Outside clients, unmodified and each in an environment of its own, against a real gateway and a model worker."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimass._version import __version__
from aimass.gateway.plane.rpc.codec import PROTO
from aimass.serving.domain.snippets import Example, ExampleColumn, snippet_of
from tests.clients.environments import python_of, run_client
from tests.fixtures.gateway import (
    KEY,
    ROW,
    Gateway,
    ask,
    deployment,
    endpoint,
    infer,
    key,
    oip,
    onnx_of,
    snapshot,
    trained,
    wait_for,
    write_package,
)
from tests.fixtures.kept import kept, socket_of, wish
from tests.fixtures.tensors import SHAPES, echo_graph, echo_package, spec
from tests.gateway.test_streams import SIGNATURE as TELLS

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
OWNER = "aim_" + "o" * 43
ROWS = [ROW, {**ROW, "contract": "Month-to-month", "tenure": 3}]
THREE = {name: SHAPES[name] for name in ("FP32", "UINT8", "BYTES")}
MODELS = ["churn", "echo", "matrix", "teller", "three"]


@pytest.fixture(scope="module")
def short() -> Iterator[Path]:
    """A short directory: the path of a Unix socket has at most 107 letters."""
    with tempfile.TemporaryDirectory(prefix="gw") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, short: Path) -> Iterator[dict[str, Any]]:
    """What a client program has to know: addresses, keys and shapes."""
    root = tmp_path_factory.mktemp("clients")
    gateway = Gateway(root / "data", grpc_port=0)
    teller = write_package(root / "teller", "model.txt", b"teller", runtime="python", signature=TELLS)
    with kept(short / "c") as workers:
        workers.want(wish(teller, "tests.fixtures.teller"))
        workers.up()
        place = str(socket_of(workers.layout, "rev-champion-1", 0))
        gateway.publish(document(root, deployment(teller, runtime="python", socket=place)))
        gateway.start()
        wait_for(lambda: ask(gateway, "GET", "/v2/models/teller/ready").status == 200)
        yield {
            "gateway": gateway,
            "address": f"127.0.0.1:{gateway.port}",
            "url": f"http://127.0.0.1:{gateway.port}",
            "rpc": f"127.0.0.1:{gateway.status()['grpc_port']}",
            "key": KEY,
            "owner": OWNER,
            "shapes": SHAPES,
        }
        gateway.stop()


def document(root: Path, teller: dict[str, Any]) -> dict[str, Any]:
    churn = write_package(root / "churn", "model.onnx", onnx_of(trained(0)))
    found = snapshot(
        1,
        endpoint("churn", deployment(churn, "churn")),
        endpoint("echo", deployment(echo_package(root / "echo"), "echo")),
        endpoint("three", deployment(some(root / "three", THREE), "three")),
        endpoint("matrix", deployment(matrix(root / "matrix"), "matrix")),
        endpoint("teller", teller, timeout_s=30),
    )
    found["keys"][hashlib.sha256(OWNER.encode()).hexdigest()] = key("owner", edit=["*"])
    return found


def some(folder: Path, shapes: dict[str, list[int]]) -> Path:
    """A package that gives back inputs of these datatypes."""
    ports = {s: [spec(f"{s}_{name}", name, shape) for name, shape in shapes.items()] for s in ("in", "out")}
    signature = {"inputs": ports["in"], "outputs": ports["out"]}
    return write_package(folder, "model.onnx", echo_graph(shapes), signature=signature)


def matrix(folder: Path) -> Path:
    """A package with one matrix, as most models of MLServer have it."""
    from onnx import TensorProto, helper

    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in ("matrix", "same")]
    graph = helper.make_graph([helper.make_node("Identity", ["matrix"], ["same"])], "m", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    signature = {"inputs": [spec("matrix", "FP32", [-1, 3])], "outputs": [spec("same", "FP32", [-1, 3])]}
    return write_package(folder, "model.onnx", model.SerializeToString(), signature=signature)


def given(told: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**{name: value for name, value in told.items() if name != "gateway"}, **more}


def test_tritonclient_over_http(told: dict[str, Any]) -> None:
    found = run_client("triton", "triton_http", given(told))
    assert found["refused"][0] == "400"
    assert "is missing" in found["refused"][1]
    assert found["ready"] == [False, True]
    assert found["server"] == "aimass"
    assert found["metadata"] == {"name": "in_BOOL", "datatype": "BOOL", "shape": [-1]}
    assert found["config"] == {"name": "in_UINT8", "data_type": "TYPE_UINT8", "dims": [-1, 4, 4, 3]}
    assert found["stats"] > 10
    assert found["index"] == MODELS


def test_tritonclient_over_grpc(told: dict[str, Any]) -> None:
    found = run_client("triton", "triton_grpc", given(told))
    assert found["ids"] == ["0", "1", "2"]
    assert found["texts"] == ["the", " sun", " is", " up"]
    assert found["refused"][0] == "StatusCode.INVALID_ARGUMENT"
    assert found["ready"] == [False, True]
    assert (found["metadata"], found["config"], found["stats"]) == ("onnxruntime_onnx", "TYPE_UINT8", "echo")
    assert found["index"] == MODELS
    known = [name for name in found["messages"] if name in PROTO.names]
    assert len(known) > 25
    for name in known:
        ours = {(field.name, field.number, field.type) for field in getattr(PROTO, name).DESCRIPTOR.fields}
        assert ours <= {tuple(field) for field in found["messages"][name]}, name


def test_the_clients_of_kserve(told: dict[str, Any]) -> None:
    found = run_client("kserve", "kserve_clients", given(told))
    assert found["rest"][:2] == [[True] * 3, ["k-1"] * 2]
    assert "is missing" in found["rest"][2]
    assert found["grpc"] == [[True] * 3, ["k-1"] * 2, "NOT_FOUND"]


def test_the_types_and_codecs_of_mlserver(told: dict[str, Any]) -> None:
    found = run_client("mlserver", "mlserver_types", given(told))
    assert found == {"ids": ["m-1"] * 3, "matrix": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]}


def test_the_clients_of_mlflow(told: dict[str, Any], tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login key password {KEY}\n")
    netrc.chmod(0o600)
    columns = {name: [row[name] for row in ROWS] for name in ROW}
    environment = {"NETRC": str(netrc), "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    found = run_client("mlflow", "mlflow_client", given(told, rows=ROWS, columns=columns, environment=environment))
    label, probabilities = infer(told["gateway"], oip(ROWS)).json()["outputs"]
    assert found["version"] == __version__
    assert [found[way] for way in ("frame", "array", "records", "columns")] == [label["data"]] * 4
    shares = [share for row in found["shares"] for share in row]
    assert shares == pytest.approx(probabilities["data"], abs=1e-6)
    assert "BAD_REQUEST" in found["refused"]
    assert "tenure" in found["refused"]


def test_the_program_that_the_console_shows_for_grpc_runs_as_it_stands(told: dict[str, Any]) -> None:
    columns = [
        ExampleColumn(name="contract", type="string", value="One year", datatype="BYTES", shape=[1, 1]),
        ExampleColumn(name="internet", type="string", value="DSL", datatype="BYTES", shape=[1, 1]),
        ExampleColumn(name="tenure", type="integer", value=12, datatype="INT64", shape=[1, 1]),
        ExampleColumn(name="charges", type="float", value=56.95, datatype="FP32", shape=[1, 1]),
    ]
    shown = snippet_of(
        Example(url=told["url"], workspace="demo", endpoint="churn", columns=columns, rpc=told["rpc"])
    ).grpc.replace("{key}", KEY)
    done = subprocess.run(
        [str(python_of("triton")), "-c", shown], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'name: "probabilities"' in done.stdout


GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "moving.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("number", "name"), [(0, "mlflow"), (1, "triton"), (2, "triton")])
def test_the_programs_of_the_guide_run_as_they_stand(
    told: dict[str, Any], tmp_path: Path, number: int, name: str
) -> None:
    kinds = {"contract": "string", "internet": "string", "tenure": "integer", "charges": "float"}
    signature = {"inputs": [{"name": column, "type": kind} for column, kind in kinds.items()]}
    (tmp_path / "signature.json").write_text(json.dumps(signature))
    (tmp_path / "row.json").write_text(json.dumps(ROW))
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "MLFLOW_DISABLE_TELEMETRY": "true",
        "AIMASS_URL": told["url"], "AIMASS_KEY": KEY, "AIMASS_GRPC": told["rpc"],
    }  # fmt: skip
    done = subprocess.run(
        [str(python_of(name)), "-c", PROGRAMS[number]],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert infer(told["gateway"]).json()["outputs"][0]["data"][0] in done.stdout


def test_every_program_of_the_guide_is_run() -> None:
    assert len(PROGRAMS) == 3
