"""Where the room is tested: people, a lake of folders, and waiting for ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable

from aimass.kernel.principal import Principal
from aimass.training import CreateSplit, OneRun, OneSplit, Run, Split, Training
from tests.fixtures.rooms import Rooms, person

EDITOR = ("training.read", "training.use", "training.edit", "training.manage", "models.read", "models.edit")
ANN = person("Ann", *EDITOR)
AMY = person("Amy", *EDITOR, workspace="auto")
EVE = person("Eve", "training.read")
WISH = CreateSplit(workspace="demo", dataset="telco-churn", target="Churn", key_column="customerID", seed=7)


def split_made(rooms: Rooms, wish: CreateSplit = WISH, who: Any = ANN) -> Split:
    training = rooms.get(Training)
    split = training.create_split(who, wish)
    name = OneSplit(workspace=wish.workspace, split=split.id)
    return rooms.until(lambda: (found := training.get_split(who, name)).state != "PENDING" and found)


def ended(rooms: Rooms, run: Run, who: Any = ANN) -> Run:
    training = rooms.get(Training)
    name = OneRun(workspace=run.workspace, run=run.id)
    return rooms.until(lambda: (found := training.get_run(who, name)).ended_at and found)


@dataclass(frozen=True)
class Location:
    """Where the lake keeps a version."""

    number: int
    version_id: str
    path: str
    delta_version: int


@dataclass
class Lakeside:
    """A folder with Delta tables, version n of a dataset being version n - 1 of its table."""

    folder: Path

    def write(self, dataset: str, frame: pl.DataFrame) -> None:
        frame.write_delta(str(self.folder / dataset), mode="append")

    def locate(self, who: Principal, workspace: str, dataset: str, number: int | None) -> Location:
        del who
        path = str(self.folder / dataset)
        newest = DeltaTable(path).version() + 1
        number = number or newest
        return Location(number, f"{workspace}/{dataset}/{number}", path, number - 1)

    def need_whole(self, who: Principal, workspace: str, dataset: str, what: str) -> None:
        """Find no policy: this lake knows none."""

    def columns(self, who: Principal, workspace: str, dataset: str, number: int) -> list[str]:
        """Return the columns of a table."""
        return [field.name for field in DeltaTable(str(self.folder / dataset)).schema().fields]
