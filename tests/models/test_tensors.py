"""Packages whose inputs are tensors: checked at upload, replayed, and answered by the runtime."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass.client.inference import tensors
from aimass.kernel.errors import Invalid
from aimass.models import Manifest, Package, load_model, parse_manifest, write_package
from aimass.models.children.review import review
from aimass.models.package import Environment
from tests.fixtures.tensors import SHAPES, SIGNATURE, arrays, echo_graph

Make = Callable[[dict[str, Any]], Any]


def signature(**changes: Any) -> Any:
    text = {"format": 1, "runtime": "onnx", "signature": json.loads(json.dumps(SIGNATURE)), "files": {}}
    text["environment"] = {"python": "3.11", "packages": {}}
    for name, part in changes.items():
        next(i for i in text["signature"]["inputs"] if i["name"] == name).update(part)
    return parse_manifest(json.dumps(text).encode()).signature


def package_of(folder: Path, samples: dict[str, Any] | None = None, **changes: Any) -> Package:
    values = arrays(0, rows=2)
    listed = {name: array.tolist() for name, array in values.items()}
    body = samples or {"inputs": listed, "outputs": {name.replace("in_", "out_"): v for name, v in listed.items()}}
    environment = Environment(python="3.11")
    manifest = Manifest(runtime="onnx", signature=signature(**changes), files={}, environment=environment)
    return write_package(folder, manifest, {"model.onnx": echo_graph(), "samples.json": json.dumps(body).encode()})


def test_a_model_of_tensors_passes_the_review(make_job: Make, tmp_path: Path) -> None:
    package = package_of(tmp_path / "p")
    found = review(make_job({"package": str(package.folder), "origin": "upload"}))
    assert found["passed"], found
    assert found["checks"][-1]["evidence"] == f"{len(SHAPES)} outputs replayed: all as expected"


def test_a_sample_that_is_answered_differently_fails_the_review(make_job: Make, tmp_path: Path) -> None:
    package = package_of(tmp_path / "p")
    samples = package.samples()
    samples["outputs"]["out_FP32"][0][0][0][0] += 1
    package = package_of(tmp_path / "p", samples)
    parity = review(make_job({"package": str(package.folder), "origin": "upload"}))["checks"][-1]
    assert (parity["passed"], "out_FP32 differ" in parity["evidence"]) == (False, True)


@pytest.mark.parametrize(
    ("name", "part", "said"),
    [
        ("in_FP32", {"datatype": "FP64"}, "another type"),
        ("in_UINT8", {"datatype": "INT8"}, "another type"),
        ("in_FP32", {"shape": [-1, 8, 8]}, "has shape"),
        ("in_FP32", {"shape": [-1, 9, 8, 1]}, "has shape"),
        ("in_FP64", {"shape": [-1]}, "has shape"),
    ],
)
def test_a_signature_that_the_graph_does_not_keep_fails_the_review(
    make_job: Make, tmp_path: Path, name: str, part: dict[str, Any], said: str
) -> None:
    package = package_of(tmp_path / "p", **{name: part})
    found = review(make_job({"package": str(package.folder), "origin": "upload"}))
    assert said in found["checks"][-1]["evidence"]


def test_the_runtime_answers_tensors(tmp_path: Path) -> None:
    values = arrays(3, rows=4)
    found = load_model(package_of(tmp_path / "p")).predict(values)
    said = {name: array.tolist() for name, array in found.items()}
    assert said == {name.replace("in_", "out_"): array.tolist() for name, array in values.items()}


def test_the_client_sends_an_array_for_each_row() -> None:
    inputs = [
        {"name": "image", "datatype": "UINT8", "shape": [-1, 2, 2]},
        {"name": "w", "datatype": "FP64", "shape": [3]},
    ]
    (image, weights) = tensors(inputs, [{"image": np.ones((2, 2), dtype=np.uint8), "w": [1.0, 2.0, 3.0]}])
    assert (image["shape"], image["data"]) == ([1, 2, 2], [[[1, 1], [1, 1]]])
    assert (weights["shape"], weights["data"]) == ([3], [1.0, 2.0, 3.0])
    with pytest.raises(Invalid, match="one array"):
        tensors(inputs, [{"image": [[1, 1], [1, 1]], "w": [1]}] * 2)
