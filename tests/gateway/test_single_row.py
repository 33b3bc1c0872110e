from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass.gateway.plane.package import read_package
from aimass.gateway.plane.runtimes.lift import lift_one_hot
from aimass.gateway.plane.runtimes.onnx import OnnxRuntime
from aimass.gateway.plane.runtimes.single import SingleRow
from tests.fixtures.gateway import CATEGORIES, DATATYPES, ROW, SIGNATURE, oip, write_package


@pytest.fixture(scope="module")
def runtime(packages: dict[str, Path]) -> OnnxRuntime:
    return OnnxRuntime(read_package(packages["one"]))


@pytest.fixture(scope="module")
def bound(packages: dict[str, Path], runtime: OnnxRuntime) -> SingleRow:
    """The same path with a ready tensor for each category, nothing lifted."""
    return SingleRow(runtime.session, read_package(packages["one"]), {})


ROWS = st.fixed_dictionaries(
    {
        "contract": st.sampled_from(CATEGORIES["contract"]),
        "internet": st.none() | st.sampled_from(CATEGORIES["internet"]),
        "tenure": st.integers(0, 100),
        "charges": st.none() | st.floats(-1e6, 1e6, width=32),
    }
)


@given(row=ROWS)
@settings(deadline=None)
def test_the_cheap_path_answers_like_the_general_one(
    runtime: OnnxRuntime, bound: SingleRow, row: dict[str, Any]
) -> None:
    expected = runtime.run({name: [value] for name, value in row.items()})
    for single in (runtime.single, bound):
        assert single is not None
        kept = single.take(oip([row])["inputs"])
        assert kept == {name: [value] for name, value in row.items()}
        assert single.run() == expected["label"][0]
        assert np.array_equal(single.row, expected["probabilities"])


def test_encoders_are_lifted_out_of_the_graph(packages: dict[str, Path]) -> None:
    lifted = lift_one_hot((packages["one"] / "model.onnx").read_bytes(), set(DATATYPES))
    assert lifted is not None
    assert {name: words for name, (_, words) in lifted.encoders.items()} == CATEGORIES
    assert lift_one_hot((packages["one"] / "model.onnx").read_bytes(), set()) is None


@pytest.mark.parametrize(
    "change",
    [
        {"contract": "Weekly"}, {"contract": None}, {"contract": ["One year"]}, {"contract": 1}, {"contract": True},
        {"tenure": 1.5}, {"tenure": True}, {"tenure": None}, {"charges": "1"}, {"charges": 1e39}, {"charges": [1.0]},
    ],
)  # fmt: skip
def test_what_is_unusual_is_left_to_the_general_path(runtime: OnnxRuntime, change: dict[str, Any]) -> None:
    assert runtime.single is not None
    assert runtime.single.take(oip([{**ROW, **change}])["inputs"]) is None
    assert runtime.single.take(oip()["inputs"]) is not None


def test_open_texts_have_no_cheap_path_but_are_served(packages: dict[str, Path], tmp_path: Path) -> None:
    signature = json.loads(json.dumps(SIGNATURE))
    signature["inputs"][0]["categories"] = None
    data = (packages["one"] / "model.onnx").read_bytes()
    package = read_package(write_package(tmp_path / "open", "model.onnx", data, signature=signature))
    runtime = OnnxRuntime(package)
    assert runtime.single is None
    assert runtime.run({name: [value] for name, value in ROW.items()})["label"][0] in ("Yes", "No")


def test_a_category_that_the_encoder_does_not_know_is_all_zeros(packages: dict[str, Path], tmp_path: Path) -> None:
    signature = json.loads(json.dumps(SIGNATURE))
    signature["inputs"][1]["categories"].append("Satellite")
    data = (packages["one"] / "model.onnx").read_bytes()
    runtime = OnnxRuntime(read_package(write_package(tmp_path / "more", "model.onnx", data, signature=signature)))
    row = {**ROW, "internet": "Satellite"}
    assert runtime.single is not None
    assert runtime.single.take(oip([row])["inputs"]) is not None
    runtime.single.run()
    assert np.array_equal(runtime.single.row, runtime.run({n: [v] for n, v in row.items()})["probabilities"])
