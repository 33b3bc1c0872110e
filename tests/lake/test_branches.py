"""Branches: begun without copying a file, written to like any dataset, and merged back whole or row by row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimass.kernel.erasing import Person
from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.lake import ListDatasets, OneDataset, PreviewRows, QueryRows
from aimass.lake.children.maintain import maintain
from aimass.lake.commands import DeleteDataset, OneWorkspace
from aimass.lake.history import CompareRows, CreateBranch, MergeBranch, MergeRows, OneBranch
from aimass.lake.jobs import erase
from aimass.lake.sharing import CreateShare, ShareDataset
from tests.fixtures.data import ANN, EVE, Data, Filled

FIRST = "id,mail,age\n1,ann@example.org,30\n2,bob@example.org,40\n3,cy@example.org,50\n"
WHERE: dict[str, Any] = {"workspace": "demo", "dataset": "customers"}
FIX: dict[str, Any] = {"workspace": "demo", "dataset": "customers@fix"}
SHARED: dict[str, Any] = {"dataset": "customers", "personal": True}
NEW_SHARE = CreateShare(workspace="demo", share="partners")
ONE = OneBranch(**WHERE, branch="fix")
PATH = "/api/v1/workspaces/demo/datasets/customers/branches"


def collected(data: Data) -> None:
    data.collect(FIRST, source={"keys": ["id"]})


@pytest.fixture
def branched(filled: Filled, tmp_path: Path) -> Iterator[Data]:
    with filled.rooms(tmp_path / "data", collected) as found:
        # not copied: its files are links to those of the dataset
        found.lake.create_branch(ANN, CreateBranch(**WHERE, branch="fix", description="ages"))
        yield found


def ages(data: Data, where: dict[str, Any], number: int | None = None) -> dict[int, int]:
    return {row[0]: row[2] for row in data.lake.preview_rows(ANN, PreviewRows(**where, number=number)).rows}


def write(data: Data, where: dict[str, Any], delete: tuple[int, ...] = (), **changes: int) -> None:
    rows = [{"id": int(key[1:]), "mail": None, "age": age} for key, age in changes.items()]
    data.lake.merge_rows(ANN, MergeRows(**where, rows=rows, delete=[{"id": key} for key in delete]))


def parquet(path: Path) -> dict[int, Path]:
    return {file.stat().st_ino: file for file in path.rglob("*.parquet") if "_delta_log" not in file.parts}


def test_a_branch_begins_with_the_same_files_and_no_copy(branched):
    lake = branched.lake
    files = [parquet(lake.table_path("demo", slug)) for slug in ("customers", "customers@fix")]
    assert files[0].keys() == files[1].keys()
    found = lake.list_branches(EVE, OneDataset(**WHERE))
    assert [(b.dataset, b.from_version, b.ahead, b.behind, b.rows) for b in found] == [("customers@fix", 1, 0, 0, 3)]
    branch = lake.get_dataset(EVE, OneDataset(**FIX))
    assert (branch.parent, branch.layer, branch.keys, branch.personal) == ("customers", "bronze", ["id"], ["mail"])


def test_a_branch_is_named_wherever_a_dataset_is_and_not_listed_among_them(branched):
    write(branched, FIX, i1=99)
    sql = 'SELECT b.age - c.age FROM customers c JOIN "customers@fix" b USING (id) WHERE id = 1'
    assert branched.lake.query(ANN, QueryRows(workspace="demo", sql=sql)).rows == [[69]]
    assert ages(branched, WHERE)[1] == 30
    listed = branched.lake.list_datasets(ANN, ListDatasets(workspace="demo")).items
    both = branched.lake.list_datasets(ANN, ListDatasets(workspace="demo", branches=True)).items
    assert ([d.slug for d in listed], len(both)) == (["customers"], 2)
    moved = branched.lake.compare_rows(ANN, CompareRows(**FIX, base=1, of="customers"))
    assert [(row.change, row.key) for row in moved.rows] == [("changed", {"id": 1})]


def test_a_dataset_that_did_not_move_becomes_what_the_branch_is_without_a_copy(branched):
    write(branched, FIX, delete=(3,), i1=99, i7=7)
    told = branched.lake.preview_merge(EVE, ONE)
    assert (told.fast_forward, told.added, told.changed, told.removed, told.version) == (True, 1, 1, 1, None)
    done = branched.lake.merge_branch(ANN, MergeBranch(**WHERE, branch="fix"))
    assert (done.fast_forward, done.version) == (True, 2)
    assert ages(branched, WHERE) == {1: 99, 2: 40, 7: 7}
    newest = parquet(branched.lake.table_path("demo", "customers@fix"))
    assert newest.keys() & parquet(branched.lake.table_path("demo", "customers")).keys()
    assert ages(branched, WHERE, 1) == {1: 30, 2: 40, 3: 50}
    assert branched.lake.merge_branch(ANN, MergeBranch(**WHERE, branch="fix")).version is None


def test_a_branch_goes_on_after_its_merge(branched):
    write(branched, FIX, i1=99)
    branched.lake.merge_branch(ANN, MergeBranch(**WHERE, branch="fix"))
    write(branched, FIX, i2=98)
    done = branched.lake.merge_branch(ANN, MergeBranch(**WHERE, branch="fix"))
    assert (done.fast_forward, done.changed, done.version) == (True, 1, 3)
    assert ages(branched, WHERE) == {1: 99, 2: 98, 3: 50}


def test_changes_of_other_rows_on_both_sides_stay(branched):
    write(branched, FIX, delete=(3,), i1=99, i7=7)
    write(branched, WHERE, i2=22, i8=8)
    done = branched.lake.merge_branch(ANN, MergeBranch(**WHERE, branch="fix"))
    assert (done.fast_forward, done.conflicts, done.version) == (False, 0, 3)
    assert ages(branched, WHERE) == {1: 99, 2: 22, 7: 7, 8: 8}


@pytest.mark.parametrize(("prefer", "age"), [("branch", 99), ("dataset", 77)])
def test_a_row_that_both_changed_is_refused_until_somebody_says_whose_counts(branched, prefer, age):
    write(branched, FIX, delete=(3,), i1=99, i2=5)
    write(branched, WHERE, i1=77, i3=33)
    told = branched.lake.preview_merge(ANN, ONE)
    assert told.conflicts == 2
    assert [(c.key, c.base["age"], c.branch and c.branch["age"], c.dataset["age"]) for c in told.samples] == [
        ({"id": 1}, 30, 99, 77), ({"id": 3}, 50, None, 33)
    ]  # fmt: skip
    assert "example.org" not in str(branched.lake.preview_merge(EVE, ONE))
    with pytest.raises(Conflict, match="2 rows were changed"):
        branched.lake.merge_branch(ANN, MergeBranch(**WHERE, branch="fix"))
    assert ages(branched, WHERE) == {1: 77, 2: 40, 3: 33}
    branched.lake.merge_branch(ANN, MergeBranch(**WHERE, branch="fix", prefer=prefer))
    assert ages(branched, WHERE) == {1: age, 2: 5, **({} if prefer == "branch" else {3: 33})}


def test_the_same_change_on_both_sides_is_no_conflict(branched):
    write(branched, FIX, i1=99)
    write(branched, WHERE, i1=99)
    assert branched.lake.preview_merge(ANN, ONE).conflicts == 0


def test_rows_of_a_branch_without_a_key_are_not_merged(branched):
    branched.lake.create_branch(ANN, CreateBranch(**WHERE, branch="bad"))
    path = str(branched.lake.table_path("demo", "customers@bad"))
    branched.collect(
        "id,mail,age\n,x@example.org,1\n", "Bad", source={"dataset": "customers@bad"}, types={"id": "integer"}
    )
    write(branched, WHERE, i1=77)
    assert Path(path).is_dir()
    with pytest.raises(Invalid, match="no key"):
        branched.lake.merge_branch(ANN, MergeBranch(**WHERE, branch="bad"))


def test_upkeep_of_the_dataset_takes_no_file_from_a_branch(branched):
    write(branched, WHERE, i1=77)
    path = str(branched.lake.table_path("demo", "customers"))
    removed = maintain({"path": path, "pinned": [], "retain_hours": 0})["removed"]
    assert removed > 0
    assert ages(branched, FIX) == {1: 30, 2: 40, 3: 50}


def test_a_person_is_erased_from_the_branches_too(branched):
    write(branched, FIX, i2=5)
    done = erase(branched.rooms.registry, Person(erasure="e1", values=("ann@example.org",)))
    assert {one.what: one.count for one in done}["rows of datasets"] == 2
    for slug in ("customers", "customers@fix"):
        for file in branched.lake.table_path("demo", slug).rglob("*"):
            assert not file.is_file() or b"ann@example.org" not in file.read_bytes()


def test_a_dataset_with_branches_is_not_deleted_before_them(branched):
    with pytest.raises(Conflict, match="has branches"):
        branched.lake.delete_dataset(ANN, DeleteDataset(**WHERE))
    branched.lake.delete_branch(ANN, ONE)
    with pytest.raises(NotFound):
        branched.lake.preview_merge(ANN, ONE)
    branched.lake.restore_dataset(ANN, OneDataset(**FIX))
    assert ages(branched, FIX)[1] == 30
    branched.lake.delete_branch(ANN, ONE)
    branched.lake.delete_dataset(ANN, DeleteDataset(**WHERE))


def test_a_deleted_branch_goes_with_its_dataset_and_never_comes_back_without_it(branched):
    lake = branched.lake
    lake.share_dataset(ANN, ShareDataset(workspace="demo", share=lake.create_share(ANN, NEW_SHARE).slug, **SHARED))
    lake.delete_dataset(ANN, DeleteDataset(**FIX))
    lake.delete_dataset(ANN, DeleteDataset(**WHERE))
    with pytest.raises(Conflict, match="deleted too"):
        lake.restore_dataset(ANN, OneDataset(**FIX))
    lake.delete_dataset(ANN, DeleteDataset(**WHERE, purge=True))
    with pytest.raises(NotFound):
        lake.restore_dataset(ANN, OneDataset(**FIX))
    assert not lake.table_path("demo", "customers@fix").exists()
    branched.collect(FIRST, source={"keys": ["id"]})
    assert [share.tables for share in lake.list_shares(ANN, OneWorkspace(workspace="demo"))] == [[]]


@pytest.mark.parametrize("name", ["fix", "Not A Slug", "x" * 60])
def test_a_name_that_is_taken_or_none_is_refused(branched, name):
    with pytest.raises((Conflict, Invalid)) as refusal:
        branched.lake.create_branch(ANN, CreateBranch(**WHERE, branch=name))
    assert refusal.value.field == "branch"


def test_a_branch_has_no_branches(branched):
    with pytest.raises(Conflict, match="a branch itself"):
        branched.lake.create_branch(ANN, CreateBranch(**FIX, branch="more"))


LIST, CREATE = ("GET", PATH, None), ("POST", PATH, {"branch": "more"})
PREVIEW, MERGE, DELETE = (
    ("GET", f"{PATH}/fix/merge", None),
    ("POST", f"{PATH}/fix/merge", {}),
    ("DELETE", f"{PATH}/fix", None),
)


@pytest.mark.parametrize(
    ("case", "statuses"),
    [(LIST, (401, 404, 200, 200)), (PREVIEW, (401, 404, 200, 200)), (CREATE, (401, 404, 403, 201)),
     (MERGE, (401, 404, 403, 200)), (DELETE, (401, 404, 403, 204))],
)  # fmt: skip
def test_who_may_do_what_over_http(branched, case, statuses):
    method, path, body = case
    with branched.http() as http:
        for who, status in zip(("nobody", "stranger", "eve", "ann"), statuses, strict=True):
            assert http.request(method, path, json=body, headers={"x-who": who}).status_code == status, who
