from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aimass.access import Access, CreateWorkspace
from aimass.access.capability import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.infra.compute import JobContext
from aimass.infra.compute.directory import JobDirectory
from aimass.kernel.principal import SYSTEM, Principal
from aimass.models import CAPABILITY as MODELS
from aimass.models import Column, Models, Output, Package, Rows, Signature, build_package
from aimass.models.children.package import Candidate
from tests.fixtures.rooms import Rooms, person


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[[dict[str, Any]], JobContext]:
    made: list[Path] = []

    def make(payload: dict[str, Any]) -> JobContext:
        made.append(tmp_path / "jobs" / f"{len(made):02d}")
        directory = JobDirectory(made[-1])
        directory.freeze({"id": made[-1].name, "run": "tests", "params": payload, "slots": 1})
        return JobContext(directory, directory.take())

    return make


@pytest.fixture(scope="session")
def trained() -> tuple[Candidate, Rows]:
    """A small fitted pipeline, and the answers that it gave."""
    import skops.io
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(0)
    plans, charge = rng.choice(["basic", "plus"], 200), rng.normal(50, 10, 200).astype(np.float32)
    truth = np.array(["No", "Yes"], dtype=object)[
        ((plans == "basic") + charge / 50 + rng.normal(0, 0.3, 200) > 1.5).astype(int)
    ]
    frame = pl.DataFrame({"c0": plans.tolist(), "c1": charge})
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    columns = ColumnTransformer([("strings", encoder, ["c0"]), ("numbers", "passthrough", ["c1"])])
    pipeline = Pipeline([("columns", columns), ("classifier", LogisticRegression())]).fit(frame, truth)
    signature = Signature(
        inputs=(
            Column(name="c0", type="string", categories=("basic", "plus")),
            Column(name="c1", type="float"),
        ),
        outputs=(
            Output(name="label", type="string", shape=(-1,)),
            Output(name="probabilities", type="float", shape=(-1, 2), classes=("No", "Yes")),
        ),
    )
    inputs = [("c0", StringTensorType([None, 1])), ("c1", FloatTensorType([None, 1]))]

    def to_onnx() -> bytes:
        options = {id(pipeline): {"zipmap": False}}
        model: Any = convert_sklearn(pipeline, name="test", initial_types=inputs, options=options, target_opset=18)
        model.graph.output[0].name = "label"
        for node in model.graph.node:
            node.output[:] = ["label" if name == "output_label" else name for name in node.output]
        return model.SerializeToString()

    rows = Rows(columns={"c0": plans.tolist(), "c1": charge.tolist()}, expected=pipeline.predict_proba(frame))
    return Candidate(signature=signature, to_python=lambda: skops.io.dumps(pipeline), to_onnx=to_onnx), rows


@pytest.fixture
def package(trained: tuple[Candidate, Rows], tmp_path: Path) -> Package:
    built, parity = build_package(tmp_path / "package", *trained)
    assert parity.passed, parity.sentence()
    return built


ANN = person("Ann", "models.read", "models.edit", "models.manage", "models.approve")
BOB = person("Bob", "models.read", "models.approve")
EVE = person("Eve", "models.read")


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    found = Rooms(tmp_path / "data", [ACCESS, CLUSTER, MODELS]).start()
    for slug, review in (("demo", "person"), ("auto", "auto")):
        found.get(Access).create_workspace(SYSTEM, CreateWorkspace(name=slug, slug=slug, review=review))
    yield found
    found.close()


@pytest.fixture
def models(rooms: Rooms) -> Models:
    return rooms.get(Models)


@pytest.fixture
def digest(models: Models, package: Package) -> str:
    return models.keep_package(package.folder).digest


@pytest.fixture
def ann() -> Principal:
    return ANN


@pytest.fixture
def bob() -> Principal:
    return BOB


@pytest.fixture
def eve() -> Principal:
    return EVE
