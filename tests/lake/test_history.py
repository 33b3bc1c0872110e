"""What happened to rows: differences by key, back to an earlier version, rows merged by key, and versions by tag and moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.lake import AboutVersion, CreateDataset, ListDatasets, OneDataset, PreviewRows, QueryRows
from aimass.lake.commands import ChangeDataset, ChangeVersion, MakeVersion
from aimass.lake.history import CompareRows, MergeRows, RevertVersion
from tests.fixtures.data import ANN, EVE, Data, Filled

FIRST = "id,mail,age\n1,ann@example.org,30\n2,bob@example.org,40\n3,cy@example.org,50\n"
WHERE: dict[str, Any] = {"workspace": "demo", "dataset": "customers"}
PATH = "/api/v1/workspaces/demo/datasets/customers"


def merged(data: Data) -> None:
    data.collect(FIRST, source={"keys": ["id"]})
    data.lake.merge_rows(
        ANN,
        MergeRows(
            **WHERE, rows=[{"id": 2, "mail": "bob@example.org", "age": 41}, {"id": 4, "age": 9}], delete=[{"id": 3}]
        ),
    )


@pytest.fixture
def customers(filled: Filled, tmp_path: Path) -> Iterator[Data]:
    with filled.rooms(tmp_path / "data", merged) as found:
        yield found


def rows_of(data: Data, **more: Any) -> list[list[Any]]:
    return sorted(data.lake.preview_rows(ANN, PreviewRows(**WHERE, **more)).rows)


def test_rows_are_written_inserted_and_deleted_by_key_as_one_version(customers):
    assert rows_of(customers) == [[1, "ann@example.org", 30], [2, "bob@example.org", 41], [4, None, 9]]
    assert rows_of(customers, number=1)[2] == [3, "cy@example.org", 50]
    newest = customers.lake.get_version(ANN, AboutVersion(**WHERE))
    assert (newest.number, newest.rows, newest.origin, newest.created_by) == (2, 3, "rows", ANN.id)


def test_the_same_merge_again_changes_nothing(customers):
    wish = MergeRows(**WHERE, rows=[{"id": 9, "age": 1}], key="order-7")
    first, again = (customers.lake.merge_rows(ANN, wish) for _ in range(2))
    assert (first.number, first.inserted, first.already) == (3, 1, False)
    assert (again.number, again.inserted, again.already) == (3, 0, True)


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "rows"),
        ({"rows": [{"id": 1, "height": 3}]}, "rows"),
        ({"rows": [{"age": 3}]}, "keys"),
        ({"delete": [{"age": 3}]}, "delete"),
        ({"delete": [{"id": None}]}, "delete"),
        ({"rows": [{"id": 1, "age": 3}], "delete": [{"id": 1}]}, "delete"),
        ({"rows": [{"id": n} for n in range(10_001)]}, "rows"),
    ],
)
def test_a_merge_that_cannot_be_meant_is_refused(customers, wish, field):
    with pytest.raises(Invalid) as refusal:
        customers.lake.merge_rows(ANN, MergeRows(**WHERE, **wish))
    assert refusal.value.field == field
    assert customers.lake.get_dataset(ANN, OneDataset(**WHERE)).latest == 2


def test_a_dataset_without_keys_takes_no_merge(customers):
    customers.lake.change_dataset(ANN, ChangeDataset(**WHERE, keys=[]))
    with pytest.raises(Conflict, match="no key columns"):
        customers.lake.merge_rows(ANN, MergeRows(**WHERE, rows=[{"id": 1}]))


def test_differences_are_told_by_key_and_cell_and_paged(customers):
    found = customers.lake.compare_rows(ANN, CompareRows(**WHERE, base=1, head=2))
    assert (found.added, found.removed, found.changed, found.keys) == (1, 1, 1, ["id"])
    assert [(row.change, row.key["id"], row.cells) for row in found.rows] == [
        ("changed", 2, ["age"]), ("removed", 3, []), ("added", 4, [])
    ]  # fmt: skip
    assert (found.rows[0].before, found.rows[0].after) == ([2, "bob@example.org", 40], [2, "bob@example.org", 41])
    page = customers.lake.compare_rows(ANN, CompareRows(**WHERE, base=1, head=2, offset=1, limit=1))
    assert [row.key["id"] for row in page.rows] == [3]


def test_differences_without_keys_are_whole_rows_that_came_and_went(customers):
    found = customers.lake.compare_rows(ANN, CompareRows(**WHERE, base=1, head=2, keys=[]))
    assert (found.added, found.removed, found.changed) == (2, 2, 0)


def test_a_reader_sees_what_differs_but_no_personal_data(customers):
    found = customers.lake.compare_rows(EVE, CompareRows(**WHERE, base=1, head=2))
    assert found.rows[0].after == [2, "•••", 41]
    assert "example.org" not in str(found)


def test_a_key_that_is_no_column_is_refused(customers):
    with pytest.raises(Invalid) as refusal:
        customers.lake.compare_rows(ANN, CompareRows(**WHERE, base=1, head=2, keys=["name"]))
    assert (refusal.value.field, refusal.value.value) == ("keys", "name")


def test_an_earlier_version_is_the_newest_again_and_nothing_is_lost(customers):
    made = customers.lake.revert_version(ANN, RevertVersion(**WHERE, number=1))
    assert (made.number, made.rows, made.origin) == (3, 3, "revert:1")
    assert rows_of(customers) == rows_of(customers, number=1)
    assert len(rows_of(customers, number=2)) == 3
    with pytest.raises(Conflict, match="newest one already"):
        customers.lake.revert_version(ANN, RevertVersion(**WHERE, number=3))


def test_a_load_after_a_revert_goes_on_from_there(customers):
    customers.lake.revert_version(ANN, RevertVersion(**WHERE, number=1))
    customers.collect("id,mail,age\n7,gil@example.org,70\n")
    assert [row[0] for row in rows_of(customers)] == [1, 2, 3, 7]


def test_versions_are_found_by_tag_and_by_moment(customers):
    lake = customers.lake
    lake.change_version(ANN, ChangeVersion(**WHERE, number=1, tag="golden"))
    first, second = (lake.get_version(ANN, AboutVersion(**WHERE, number=n)) for n in (1, 2))
    assert rows_of(customers, at="golden") == rows_of(customers, number=1)
    assert lake.get_version(ANN, AboutVersion(**WHERE, at=first.created_at.isoformat())).number == 1
    assert lake.get_version(ANN, AboutVersion(**WHERE, at=second.created_at.isoformat())).number == 2
    query = QueryRows(
        workspace="demo", sql="SELECT count(*) FROM customers WHERE id = 3", versions={"customers": "golden"}
    )
    assert lake.query(ANN, query).rows == [[1]]
    for at, said in (("2001-01-01", "no version yet"), ("silver", "has the tag")):
        with pytest.raises(NotFound, match=said):
            lake.get_version(ANN, AboutVersion(**WHERE, at=at))
    with pytest.raises(Invalid):
        lake.get_version(ANN, AboutVersion(**WHERE, number=1, at="golden"))


def test_a_statement_writes_over_rows_with_the_same_keys(customers):
    sql = "SELECT id, mail, age + 100 AS age FROM customers WHERE id = 1 UNION ALL SELECT 8, NULL, 8"
    customers.done(customers.lake.make_version(ANN, MakeVersion(**WHERE, sql=sql, mode="merge")))
    assert [row[::2] for row in rows_of(customers)] == [[1, 130], [2, 41], [4, 9], [8, 8]]


def test_a_layer_is_chosen_or_follows_from_the_first_version(customers):
    lake = customers.lake
    lake.create_dataset(ANN, CreateDataset(workspace="demo", name="Report", layer="gold"))
    lake.create_dataset(ANN, CreateDataset(workspace="demo", name="Mended"))
    customers.done(
        lake.make_version(ANN, MakeVersion(workspace="demo", dataset="mended", sql="SELECT * FROM customers"))
    )
    layers = {one.slug: one.layer for one in lake.list_datasets(ANN, ListDatasets(workspace="demo")).items}
    assert layers == {"customers": "bronze", "mended": "silver", "report": "gold"}
    found = lake.list_datasets(ANN, ListDatasets(workspace="demo", layer="silver")).items
    assert [one.slug for one in found] == ["mended"]
    lake.change_dataset(ANN, ChangeDataset(**WHERE, layer="landing"))
    assert lake.get_dataset(ANN, OneDataset(**WHERE)).layer == "landing"
    with pytest.raises(Invalid) as refusal:
        lake.create_dataset(ANN, CreateDataset(workspace="demo", name="X", layer="tin"))  # pyright: ignore[reportArgumentType]
    assert refusal.value.field == "layer"


READ = ("GET", f"{PATH}/difference/rows?base=1&head=2", None)
WRITE = ("POST", f"{PATH}/merge", {"rows": [{"id": 1, "age": 5}]})
REVERT = ("POST", f"{PATH}/versions/1/revert", None)


@pytest.mark.parametrize(
    ("who", "case", "status"),
    [
        ("nobody", READ, 401), ("stranger", READ, 404), ("eve", READ, 200), ("ann", READ, 200),
        ("nobody", WRITE, 401), ("stranger", WRITE, 404), ("eve", WRITE, 403), ("ann", WRITE, 200),
        ("nobody", REVERT, 401), ("stranger", REVERT, 404), ("eve", REVERT, 403), ("ann", REVERT, 201),
    ],
)  # fmt: skip
def test_who_may_do_what_over_http(customers, who, case, status):
    method, path, body = case
    with customers.http() as http:
        assert http.request(method, path, json=body, headers={"x-who": who}).status_code == status
