from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from aimass.models import Package, write_package
from aimass.models.children.review import review

Make = Callable[[dict[str, Any]], Any]


def reviewed(make_job: Make, package: Package, **changes: Any) -> dict[str, dict[str, Any]]:
    found = review(make_job({"package": str(package.folder), "origin": "upload", **changes}))
    assert found["passed"] == all(check["passed"] for check in found["checks"])
    return {check["name"]: check for check in found["checks"]}


def with_graph(package: Package, change: Callable[[onnx.ModelProto], None], **more: bytes) -> Package:
    model = onnx.load(package.folder / "model.onnx", load_external_data=False)
    change(model)
    samples = (package.folder / "samples.json").read_bytes()
    files = {"model.onnx": model.SerializeToString(), "samples.json": samples, **more}
    return write_package(package.folder, package.manifest, files)


def external(path: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value=path)
        model.graph.initializer.append(tensor)

    return change


def test_a_good_upload_passes_every_check(make_job: Make, package: Package) -> None:
    found = reviewed(make_job, package)
    assert {name: check["passed"] for name, check in found.items()} == {
        "manifest": True,
        "format": True,
        "smoke": True,
        "parity": True,
    }


def test_a_file_that_does_not_match_its_manifest_stops_the_review(make_job: Make, package: Package) -> None:
    (package.folder / "model.onnx").write_bytes(b"something else")
    found = reviewed(make_job, package)
    assert set(found) == {"manifest"}
    assert "does not match" in found["manifest"]["evidence"]


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a/../../b"])
def test_external_data_that_leaves_the_folder_is_refused(make_job: Make, package: Package, path: str) -> None:
    found = reviewed(make_job, with_graph(package, external(path)))
    assert not found["format"]["passed"]
    assert path in found["format"]["evidence"]
    assert "smoke" not in found


def test_external_data_hidden_in_a_subgraph_is_found(make_job: Make, package: Package) -> None:
    tensor = TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../secret")
    inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=tensor)], "inner", [], [])
    outer = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    found = reviewed(make_job, with_graph(package, lambda model: model.graph.node.append(outer)))
    assert "'../secret'" in found["format"]["evidence"]


def test_external_data_that_the_manifest_does_not_list_is_refused(make_job: Make, package: Package) -> None:
    found = reviewed(make_job, with_graph(package, external("weights.data")))
    assert "not in the manifest" in found["format"]["evidence"]


def test_operators_of_a_strangers_library_are_refused(make_job: Make, package: Package) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node[0].domain = "evil.ops"

    assert "'evil.ops'" in reviewed(make_job, with_graph(package, change))["format"]["evidence"]


def test_a_graph_whose_inputs_are_not_those_of_the_signature_is_refused(make_job: Make, package: Package) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.input[0].name = "another"

    assert "not in both" in reviewed(make_job, with_graph(package, change))["format"]["evidence"]


def test_a_file_of_another_kind_is_refused(make_job: Make, package: Package) -> None:
    found = reviewed(make_job, with_graph(package, lambda _model: None, **{"run.py": b"import os"}))
    assert "'run.py' is not allowed" in found["format"]["evidence"]


def test_a_file_that_is_no_graph_is_refused(make_job: Make, package: Package) -> None:
    samples = (package.folder / "samples.json").read_bytes()
    broken = write_package(package.folder, package.manifest, {"model.onnx": b"\xff" * 100, "samples.json": samples})
    assert "is no ONNX file" in reviewed(make_job, broken)["format"]["evidence"]


def test_an_uploaded_pipeline_of_known_types_is_tried_like_our_own(
    make_job: Make, trained: Any, tmp_path: Path
) -> None:
    from dataclasses import replace

    from aimass.models import build_package

    own, _ = build_package(tmp_path / "own", replace(trained[0], to_onnx=None, why_not_onnx="a reason"), trained[1])
    assert reviewed(make_job, own, origin="run")["parity"]["passed"]
    assert reviewed(make_job, own)["format"]["evidence"] == "model.skops: only known types"


def test_a_skops_file_with_a_type_that_runs_code_is_refused(make_job: Make, trained: Any, tmp_path: Path) -> None:
    import subprocess

    import skops.io

    from aimass.models.package import Environment, Manifest

    manifest = Manifest(runtime="python", signature=trained[0].signature, files={}, environment=Environment(python="3"))
    evil = skops.io.dumps({"x": subprocess.Popen})
    built = write_package(tmp_path / "evil", manifest, {"model.skops": evil, "samples.json": b"{}"})
    assert "Popen" in reviewed(make_job, built, origin="run")["format"]["evidence"]


def test_samples_that_the_model_does_not_answer_so_fail_the_parity(make_job: Make, package: Package) -> None:
    samples = package.samples()
    samples["outputs"]["probabilities"] = [[0.5, 0.5]] * 20
    model = (package.folder / "model.onnx").read_bytes()
    files = {"model.onnx": model, "samples.json": json.dumps(samples).encode()}
    found = reviewed(make_job, write_package(package.folder, package.manifest, files))
    assert found["smoke"]["passed"]
    assert not found["parity"]["passed"]


def test_a_model_that_takes_too_long_fails(make_job: Make, package: Package) -> None:
    found = reviewed(make_job, package, seconds=0.01)
    assert found["smoke"]["evidence"] == "no answer within 0.01 s"


def test_a_model_that_cannot_be_loaded_fails_with_the_reason(make_job: Make, package: Package) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node[0].op_type = "NoSuchOperator"

    found = reviewed(make_job, with_graph(package, change))
    assert not found["smoke"]["passed"]
    assert "NoSuchOperator" in found["smoke"]["evidence"]


def test_the_digest_is_the_hash_of_the_manifest(package: Package) -> None:
    assert package.digest == sha256((package.folder / "manifest.json").read_bytes()).hexdigest()
