"""A platform whose tables lie in an object store (a simulator), through the services that its faces call."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from aimass.cluster import Jobs, ListJobs
from aimass.collector import ListQuarantine, MendedRow, ReplayQuarantine
from aimass.infra.compute import Compute, ProcessCompute
from aimass.infra.database import Database
from aimass.infra.tables import ObjectTables, tables_of
from aimass.kernel.erasing import Person
from aimass.kernel.errors import Unavailable
from aimass.lake.commands import (
    DeleteDataset,
    ListDatasets,
    MaintainDataset,
    OneDataset,
    OneWorkspace,
    PreviewRows,
    QueryRows,
)
from aimass.lake.history import CreateBranch, MergeBranch, MergeRows
from aimass.lake.jobs import erase
from aimass.lake.keeping import collect, going
from aimass.lake.policies import SetPolicy
from tests.fixtures.data import ANN, UMA, Data, data_rooms
from tests.fixtures.object_store import SECRET, ObjectStoreServer

TEXT = "id,mail,age\n1,ann@example.org,30\n2,bob@example.org,40\n3,cy@example.org,x\n"
W: dict[str, Any] = {"workspace": "demo"}
_COUNT = count()


@pytest.fixture(scope="module")
def shared(object_store: ObjectStoreServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Data]:
    with data_rooms(tmp_path_factory.mktemp("stored") / "data", object_store) as found:
        yield found


@dataclass
class Stored(Data):
    """The platform, with a dataset of its own for each test."""

    slug: str

    @property
    def d(self) -> dict[str, Any]:
        return {**W, "dataset": self.slug}

    @property
    def table(self) -> Path:
        return self.lake.table_path("demo", self.slug)


@pytest.fixture
def data(shared: Data) -> Stored:
    number = len(shared.lake.list_datasets(ANN, ListDatasets(**W, deleted=True)).items) + next(_COUNT)
    shared.collect(
        TEXT, f"Customers {number}", types={"age": "integer"}, source={"max_reject_rate": 0.5, "keys": ["id"]}
    )
    return Stored(shared.rooms, f"customers-{number}")


def place(data: Stored) -> ObjectTables:
    tables = tables_of(data.table)
    assert isinstance(tables, ObjectTables)
    return tables


def names(data: Stored) -> set[str]:
    return {"/".join(file.name.split("/")[1:3]) for file in place(data).bucket.list("tables")}


def ages(data: Stored, who: Any = ANN) -> list[Any]:
    told = data.lake.query(who, QueryRows(**W, sql=f'SELECT id, age FROM "{data.slug}"'))  # noqa: S608 our own name
    return [row[1] for row in sorted(told.rows)]


def test_rows_are_collected_queried_and_put_aside_in_the_store(data: Stored) -> None:
    assert names(data) >= {f"demo/{data.slug}", "demo/_quarantine"}
    shutil.rmtree(data.table)  # the copies are nobody's truth
    assert ages(data) == [30, 40]
    told = data.lake.preview_rows(ANN, PreviewRows(**data.d))
    assert told.rows[0] == [1, "ann@example.org", 30]
    assert data.lake.lost_versions()[1] == []
    found = data.lake.get_storage(ANN, OneWorkspace(**W)).datasets
    (storage,) = [one for one in found if one.dataset == data.slug]
    table = data.table
    assert storage.total_bytes == sum(file.size for file in place(data).files(table)) > 0
    assert storage.quarantine_bytes > 0


@pytest.mark.long
def test_quarantine_is_replayed(data: Stored) -> None:
    (bad,) = data.collector.list_quarantine(ANN, ListQuarantine(**data.d)).rows
    row = MendedRow(id=bad.id, raw="3,cy@example.org,50")
    data.done(data.collector.replay_quarantine(ANN, ReplayQuarantine(**data.d, rows=[row])))
    assert ages(data) == [30, 40, 50]
    assert data.collector.list_quarantine(ANN, ListQuarantine(**data.d)).rows == []


@pytest.mark.long
def test_policies_cut_what_is_read_and_copies_of_it_go_when_they_are_old(
    data: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.lake.set_policy(ANN, SetPolicy(**data.d, policy="young", filter="age < 35", applies_to=["user:uma"]))
    assert (ages(data), ages(data, who=UMA)) == ([30, 40], [30])
    where = data.lake.locate(UMA, "demo", data.slug)
    assert (where.rows, "_copies" in where.path) == (1, True)
    data.lake.bring({"dataset": {"path": where.path, "version": where.delta_version}})
    assert list(Path(where.path).glob("*.parquet"))
    (copy,) = [one for one in going(data.rooms.registry) if one.kind == "copy"]
    assert copy.size_bytes > 0
    clock = data.rooms.get(Database).clock
    later = clock.now() + timedelta(days=8)
    monkeypatch.setattr(clock, "now", lambda: later)
    collect(data.rooms.registry)
    assert "demo/_copies" not in names(data)


@pytest.mark.long
def test_a_branch_is_merged_and_upkeep_removes_what_nobody_keeps(data: Stored) -> None:
    data.lake.create_branch(ANN, CreateBranch(**data.d, branch="fix", description="ages"))
    row = {"id": 1, "mail": None, "age": 99}
    data.lake.merge_rows(ANN, MergeRows(**{**data.d, "dataset": f"{data.slug}@fix"}, rows=[row]))
    data.lake.merge_branch(ANN, MergeBranch(**data.d, branch="fix"))
    assert ages(data) == [99, 40]
    told = data.lake.maintain_dataset(ANN, MaintainDataset(**data.d, retain_hours=0))
    table = data.table
    assert told.size_bytes == sum(file.size for file in place(data).files(table))
    assert data.lake.preview_rows(ANN, PreviewRows(**data.d, number=1)).rows[0][2] == 30
    data.lake.delete_dataset(ANN, DeleteDataset(**{**data.d, "dataset": f"{data.slug}@fix"}))


@pytest.mark.long
def test_an_erased_person_is_in_no_object_and_in_no_copy(data: Stored) -> None:
    ages(data)
    done = erase(data.rooms.registry, Person(erasure="e1", values=("ann@example.org",)))
    assert {one.what: one.count for one in done}["rows of datasets"] >= 1
    objects = {file.name: place(data).bucket.get(file.name)[0] for file in place(data).bucket.list("tables")}
    copies = {str(file): file.read_bytes() for file in place(data).root.rglob("*") if file.is_file()}
    assert [name for name, text in {**objects, **copies}.items() if b"ann@example.org" in text] == []
    assert ages(data) == [40]


def test_a_purged_dataset_leaves_nothing(data: Stored) -> None:
    data.lake.delete_dataset(ANN, DeleteDataset(**data.d, purge=True))
    assert [file.name for file in place(data).bucket.list() if data.slug in file.name] == []
    assert not data.table.exists()


@pytest.mark.long
def test_a_table_that_no_dataset_names_goes_after_a_day(data: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    left = data.lake.table_path("demo", "nobody")
    place(data).rewrite(left, "_delta_log/00000000000000000000.json", b"{}")
    clock = data.rooms.get(Database).clock
    later = clock.now() + timedelta(days=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    gone = [one.name for one in collect(data.rooms.registry) if one.kind == "table"]
    assert gone == ["nobody"]
    assert "demo/nobody" not in names(data)


@pytest.mark.long
def test_a_store_that_does_not_answer_is_told_and_nothing_is_lost(
    data: Stored, object_store: ObjectStoreServer
) -> None:
    with object_store.fault(status=403), pytest.raises(Unavailable):
        ages(data)
    assert ages(data) == [30, 40]


@pytest.mark.long
def test_no_job_and_no_log_holds_the_key(data: Stored) -> None:
    compute = data.rooms.get(Compute)
    assert isinstance(compute, ProcessCompute)
    assert data.rooms.get(Jobs).list_jobs(ANN, ListJobs(**W)).items
    root = data.table.parents[2]
    assert [file for file in root.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()] == []
    assert data.lake.get_dataset(ANN, OneDataset(**data.d)).rows == 2


@pytest.mark.long
def test_a_workspace_that_is_gone_leaves_nothing(data: Stored) -> None:
    ages(data)
    tables = place(data)
    data.lake.leave("demo")
    assert [file.name for file in tables.bucket.list() if "/demo/" in file.name] == []
    assert not data.table.exists()
