from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aimass.lake.children.append import append
from tests.fixtures.data import Data, Filled, data_rooms
from tests.fixtures.features import fill


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
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return Filled(tmp_path_factory.mktemp("filled"))


@pytest.fixture
def shop(filled: Filled, tmp_path: Path) -> Iterator[Data]:
    """Give each test a platform that has collected visits and churn."""
    with filled.rooms(tmp_path / "data", fill) as found:
        yield found
