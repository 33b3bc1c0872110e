from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aimass.lake.children.append import append
from tests.fixtures.data import Data, data_rooms
from tests.fixtures.features import fill
from tests.fixtures.rooms import ON_POSTGRES


class Table:
    """A Delta table to try things on."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.batch = 0

    def append(self, rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        self.batch += 1
        return append({"path": self.path, "rows": rows, "app_id": "test", "batch": self.batch, **more})

    def rows(self, version: int | None = None) -> list[tuple[Any, ...]]:
        return pl.read_delta(self.path, version=version).rows()

    def log(self) -> str:
        return "".join(file.read_text() for file in Path(self.path, "_delta_log").glob("*.json"))


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "lake" / "t")


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Data]:
    with data_rooms(tmp_path / "data") as found:
        yield found


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Give the data directory of a platform that has collected visits and churn; None where its database is elsewhere."""
    if ON_POSTGRES:
        return None
    folder = tmp_path_factory.mktemp("visits") / "data"
    with data_rooms(folder) as found:
        fill(found)
    return folder


@pytest.fixture
def shop(visits: Path | None, tmp_path: Path) -> Iterator[Data]:
    """Give each test a copy of that platform: nothing that is kept names where it lies."""
    if visits:
        shutil.copytree(visits, tmp_path / "data")
    with data_rooms(tmp_path / "data") as found:
        if not visits:
            fill(found)
        yield found
