from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import run
from typing import Any

import numpy as np
import pytest

from aimass.models import Package, Rows, build_package, load_model, read_package, verify_package, write_package
from aimass.models.children.package import Candidate, compare, replay_samples
from aimass.models.errors import BrokenPackage
from aimass.models.package import check_path, parse_manifest


def edited(package: Package, change: Any) -> bytes:
    body = json.loads(package.manifest.text())
    change(body)
    return json.dumps(body).encode()


def test_a_package_is_onnx_when_the_export_answers_alike(package: Package) -> None:
    assert package.manifest.runtime == "onnx"
    assert package.manifest.why_python is None
    assert set(package.manifest.files) == {"model.onnx", "samples.json"}
    assert replay_samples(package, load_model(package))["passed"]


def test_the_samples_are_twenty_rows_with_the_answers_of_the_trained_model(package: Package) -> None:
    samples = package.samples()
    assert len(samples["outputs"]["label"]) == len(samples["inputs"]["c0"]) == 20
    given = load_model(package).predict(samples["inputs"])
    assert np.allclose(given["probabilities"], samples["outputs"]["probabilities"], atol=1e-4)
    assert list(given["label"]) == samples["outputs"]["label"]


def test_an_export_that_fails_gives_a_python_package_that_says_why(
    trained: tuple[Candidate, Rows], tmp_path: Path
) -> None:
    def fails() -> bytes:
        raise RuntimeError("operator Alchemy has no converter")

    built, parity = build_package(tmp_path / "p", replace(trained[0], to_onnx=fails), trained[1])
    assert built.manifest.runtime == "python"
    assert built.manifest.why_python == "the conversion to ONNX failed: RuntimeError: operator Alchemy has no converter"
    assert parity.passed


def test_an_export_that_answers_differently_gives_a_python_package_that_says_why(
    trained: tuple[Candidate, Rows], tmp_path: Path
) -> None:
    import onnx

    def shifted() -> bytes:
        model = onnx.load_from_string(trained[0].to_onnx())
        node = next(n for n in model.graph.node if n.op_type == "LinearClassifier")
        next(a for a in node.attribute if a.name == "intercepts").floats[:] = [-1.0, 1.0]
        return model.SerializeToString()

    built, _ = build_package(tmp_path / "p", replace(trained[0], to_onnx=shifted), trained[1])
    assert built.manifest.runtime == "python"
    assert "answers differently" in built.manifest.why_python


def test_a_tie_may_fall_either_way_but_nothing_else(trained: tuple[Candidate, Rows]) -> None:
    signature = trained[0].signature
    tie = compare(signature, [[0.50001, 0.49999]], {"label": ["Yes"], "probabilities": [[0.49999, 0.50001]]})
    flip = compare(signature, [[0.6, 0.4]], {"label": ["Yes"], "probabilities": [[0.6, 0.4]]})
    hole = compare(signature, [[0.6, 0.4]], {"label": ["No"], "probabilities": [[float("nan"), 0.4]]})
    assert (tie.passed, flip.passed, hole.passed) == (True, False, False)


def test_the_same_model_gives_the_same_digest(trained: tuple[Candidate, Rows], tmp_path: Path) -> None:
    first, second = (build_package(tmp_path / name, *trained)[0] for name in ("a", "b"))
    assert first.digest == second.digest


def test_a_package_is_read_as_it_was_written(package: Package) -> None:
    assert read_package(package.folder) == verify_package(package.folder) == package


def test_a_changed_file_is_refused_with_both_hashes(package: Package) -> None:
    with (package.folder / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BrokenPackage, match="does not match its manifest") as caught:
        verify_package(package.folder)
    assert caught.value.allowed == package.manifest.files["model.onnx"].sha256


def test_a_missing_an_extra_and_a_linked_file_are_refused(package: Package) -> None:
    (package.folder / "extra.py").write_text("x")
    with pytest.raises(BrokenPackage, match="not in the manifest"):
        verify_package(package.folder)
    (package.folder / "extra.py").unlink()
    target = package.folder / "model.onnx"
    moved = target.rename(package.folder.parent / "outside.onnx")
    with pytest.raises(BrokenPackage, match="missing"):
        verify_package(package.folder)
    target.symlink_to(moved)
    with pytest.raises(BrokenPackage, match="is a link"):
        verify_package(package.folder)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../b", "a\\b", "", ".hidden", "a//b", "x\0", "./a"])
def test_a_path_that_could_leave_the_folder_is_refused(name: str, package: Package) -> None:
    with pytest.raises(BrokenPackage):
        check_path(name)
    with pytest.raises(BrokenPackage):
        parse_manifest(edited(package, lambda body: body["files"].update({name: {"sha256": "0", "size": 0}})))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda b: b.update(format=2), "format"),
        (lambda b: b.update(runtime=""), "runtime"),
        (lambda b: b.pop("signature"), "signature"),
        (lambda b: b["signature"].update(inputs={}), "signature.inputs"),
        (lambda b: b["signature"]["inputs"][0].update(type="complex"), "type"),
        (lambda b: b["signature"]["inputs"][0].update(unseen="guess"), "unseen"),
        (lambda b: b["files"]["model.onnx"].update(size=-1), "files.model.onnx.size"),
        (lambda b: b["signature"]["inputs"][1].update(shape=[-1, 0]), "signature.inputs.shape"),
        (lambda b: b["signature"]["inputs"][1].update(shape=[1] * 9), "signature.inputs.shape"),
        (lambda b: b["signature"]["inputs"][1].update(shape=[True]), "signature.inputs.shape"),
        (lambda b: b["signature"]["inputs"][1].update(shape=[-1], datatype="INT8"), "signature.inputs.datatype"),
        (lambda b: b["signature"]["inputs"][1].update(datatype="FP16"), "signature.inputs.datatype"),
        (lambda b: b["signature"]["inputs"][0].update(shape=[-1], categories=["a"]), "signature.inputs.shape"),
        (lambda b: b["signature"]["inputs"][1].update(shape=[-1], nullable=True), "signature.inputs.shape"),
        (lambda b: b["signature"]["outputs"][1].update(shape="wide"), "signature.outputs.shape"),
        (lambda b: b["signature"]["outputs"][1].update(datatype="BF16"), "signature.outputs.datatype"),
    ],
)
def test_a_manifest_that_breaks_a_rule_is_refused_with_its_field(package: Package, change: Any, field: str) -> None:
    with pytest.raises(BrokenPackage) as caught:
        parse_manifest(edited(package, change))
    assert caught.value.field == field


def test_text_that_is_no_json_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenPackage, match="not JSON"):
        parse_manifest(b"{")
    with pytest.raises(BrokenPackage, match=r"no manifest\.json"):
        read_package(tmp_path)


def test_writing_again_replaces_the_package_whole(package: Package) -> None:
    written = write_package(package.folder, package.manifest, {"other.bin": b"1"})
    assert verify_package(package.folder) == written
    assert [path.name for path in sorted(package.folder.parent.iterdir()) if path.name.startswith(".")] == []


def test_reading_a_package_loads_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; from aimass.models import read_package;"
        "print([m for m in ('numpy','onnx','pydantic','sqlalchemy','polars') if m in sys.modules])"
    )
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
