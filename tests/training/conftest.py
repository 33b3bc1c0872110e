from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aimass.access import Access, CreateWorkspace
from aimass.access.capability import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.cluster import Jobs
from aimass.infra.blobs import Blobs
from aimass.infra.compute import JobContext, WarmChild
from aimass.infra.compute.directory import JobDirectory
from aimass.infra.database import Database
from aimass.infra.live import LiveHub
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import SYSTEM
from aimass.models import CAPABILITY as MODELS
from aimass.models import Models
from aimass.training import CAPABILITY, Training
from aimass.training.service.ground import Ground
from tests.fixtures.rooms import ON_POSTGRES, Rooms
from tests.training.place import Lakeside

CHURN = Path(__file__).parents[2] / "src/aimass/bootstrap/data/telco-churn.csv"
FRACTIONS = {"train": 0.6, "validation": 0.1, "test": 0.15, "future": 0.15}
MakeJob = Callable[..., Any]


@pytest.fixture(scope="session")
def churn() -> pl.DataFrame:
    """The churn file, typed, without the 11 rows whose TotalCharges is blank."""
    frame = pl.read_csv(CHURN, schema_overrides={"TotalCharges": pl.String})
    frame = frame.filter(pl.col("TotalCharges").str.strip_chars() != "")
    return frame.with_columns(pl.col("TotalCharges").cast(pl.Float64))


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    made: list[Path] = []

    def make(payload: dict[str, Any], *, folder: Path | None = None) -> JobContext:
        path = folder or tmp_path / "jobs" / f"{len(made):02d}"
        made.append(path)
        directory = JobDirectory(path)
        directory.freeze({"id": path.name, "run": "tests", "params": payload, "slots": 1})
        return JobContext(directory, directory.take())

    return make


@pytest.fixture(scope="session")
def dataset(churn: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("lake") / "telco-churn"
    churn.write_delta(str(path))
    return {"path": str(path), "version": 0}


@pytest.fixture(scope="module")
def lakeside(tmp_path_factory: pytest.TempPathFactory, churn: pl.DataFrame) -> Lakeside:
    found = Lakeside(tmp_path_factory.mktemp("lake"))
    found.write("telco-churn", churn.head(1500))
    return found


@pytest.fixture(scope="module")
def rooms(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, lakeside: Lakeside
) -> Iterator[Rooms]:
    here = replace(CAPABILITY, requires=("cluster", "models"), build=None)
    url = request.getfixturevalue("postgres").create() if ON_POSTGRES else None
    found = Rooms(tmp_path_factory.mktemp("data"), [ACCESS, CLUSTER, MODELS, here], url).start()
    kinds = (Database, Blobs, Jobs, Models, LiveHub, WarmChild)
    names = ("database", "blobs", "jobs", "models", "live", "warm")
    ports = {name: found.get(kind) for name, kind in zip(names, kinds, strict=True)}
    faces = {name: getattr(lakeside, name) for name in ("locate", "need_whole", "columns")}
    data = found.get(DataDir).root
    found.registry.put(Training, Training(Ground(data=data, **faces, **ports)))
    for slug, review in (("demo", "person"), ("auto", "auto")):
        found.get(Access).create_workspace(SYSTEM, CreateWorkspace(name=slug, slug=slug, review=review))
    yield found
    found.close()


@pytest.fixture(scope="module")
def training(rooms: Rooms) -> Training:
    return rooms.get(Training)
