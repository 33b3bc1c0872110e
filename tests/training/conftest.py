from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aimass.infra.compute import JobContext
from aimass.infra.compute.directory import JobDirectory

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
