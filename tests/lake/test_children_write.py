from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import polars as pl
import pytest

from aimass.kernel.errors import Invalid, NotFound
from aimass.lake.children.append import append, materialise
from aimass.lake.children.erase import erase
from aimass.lake.children.maintain import diff, maintain
from aimass.lake.children.merge import merge
from aimass.lake.children.preview import export, preview
from aimass.lake.children.tables import Commit, Committed, commit, scan


def test_the_same_transaction_adds_its_rows_once(table):
    order = {"path": table.path, "rows": [{"a": 1}], "app_id": "worker-1", "batch": 4}
    assert append(order) == {"version": 0, "rows": 1, "already": False}
    append({**order, "batch": 5, "rows": [{"a": 2}]})
    assert append(order)["already"]
    assert sorted(table.rows()) == [(1,), (2,)]


def test_three_processes_race_over_the_same_batches_and_each_lands_once(table):
    orders = [{"path": table.path, "rows": [{"a": n}], "app_id": f"s{n}", "batch": 1} for n in range(6)] * 3
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        told = list(pool.map(append, orders))
    assert sorted(table.rows()) == [(n,) for n in range(6)]
    assert sum(not item["already"] for item in told) == 6


def test_missing_columns_become_null_and_new_ones_are_added(table):
    table.append([{"a": 1, "b": "x"}])
    table.append([{"a": 2}])
    table.append([{"a": 3, "c": 0.5}])
    assert sorted(table.rows()) == [(1, "x", None), (2, None, None), (3, None, 0.5)]


def test_rows_are_cast_to_the_schema_or_refused_by_column(table):
    schema = [{"name": "a", "type": "integer"}, {"name": "t", "type": "date"}]
    table.append([{"a": 1, "t": "2026-05-01"}], schema=schema)
    with pytest.raises(Invalid) as told:
        table.append([{"a": "one", "t": None}], schema=schema)
    assert told.value.field == "a"
    with pytest.raises(Invalid, match="'z' is not in the schema"):
        table.append([{"z": 1}], schema=schema)


def test_parquet_and_ndjson_files_are_appended(table, tmp_path):
    frame = pl.DataFrame({"a": [1, 2]})
    frame.write_parquet(tmp_path / "x.parquet")
    frame.write_ndjson(tmp_path / "x.ndjson")
    table.append(None, parquet=str(tmp_path / "x.parquet"))
    table.append(None, ndjson=str(tmp_path / "x.ndjson"))
    assert sorted(table.rows()) == [(1,), (1,), (2,), (2,)]


def test_a_new_version_is_made_from_two_others(table, tmp_path):
    table.append([{"a": 1, "y": "no"}])
    other = {"path": str(tmp_path / "fb"), "rows": [{"a": 2, "y": "yes"}], "app_id": "x", "batch": 1}
    append(other)
    order = {
        "path": table.path,
        "sql": "SELECT a, y FROM train UNION ALL SELECT a, y FROM feedback",
        "tables": {"train": {"path": table.path, "version": 0}, "feedback": {"path": other["path"]}},
        "app_id": "retrain",
        "batch": 1,
    }
    assert materialise(order) == {"version": 1, "rows": 2, "already": False}
    assert materialise(order)["already"]
    assert (sorted(table.rows()), table.rows(0)) == ([(1, "no"), (2, "yes")], [(1, "no")])


def test_a_merge_updates_by_key_and_inserts_the_rest_once(table):
    table.append([{"k": 1, "v": "old"}, {"k": 2, "v": "stays"}])
    order = {
        "path": table.path,
        "rows": [{"k": 1, "v": "new"}, {"k": 3, "v": "more"}],
        "keys": ["k"],
        "app_id": "m",
        "batch": 1,
    }
    assert merge(order) == {"version": 1, "inserted": 1, "updated": 1, "already": False}
    assert merge(order)["already"]
    assert sorted(table.rows()) == [(1, "new"), (2, "stays"), (3, "more")]


def test_a_merge_keeps_what_the_rows_do_not_tell_and_adds_every_row_without_a_key(table):
    table.append([{"k": "a", "v": "old", "w": 1}])
    rows = [{"k": "a", "v": "new"}, {"k": None, "v": "x"}, {"k": None, "v": "x"}]
    told = merge({"path": table.path, "rows": rows, "keys": ["k"], "app_id": "m", "batch": 1})
    assert (told["updated"], told["inserted"]) == (1, 2)
    assert sorted(table.rows(), key=str) == [("a", "new", 1), (None, "x", None), (None, "x", None)]


def test_a_merge_without_the_key_column_is_refused(table):
    table.append([{"k": "a", "v": "old"}])
    with pytest.raises(Invalid, match="no column 'k'"):
        merge({"path": table.path, "rows": [{"v": "new"}], "keys": ["k"], "app_id": "m", "batch": 1})


def test_a_vacuum_leaves_pinned_versions_readable(table):
    for n in range(4):
        table.append([{"a": n}], mode="overwrite")
    maintain({"path": table.path, "pinned": [1], "retain_hours": 0})
    assert table.rows(1) == [(1,)]
    assert table.rows() == [(3,)]
    with pytest.raises(FileNotFoundError):
        table.rows(0)


def test_a_dry_run_removes_nothing(table):
    for n in range(3):
        table.append([{"a": n}], mode="overwrite")
    assert maintain({"path": table.path, "retain_hours": 0, "dry_run": True})["removed"] == 2
    assert table.rows(0) == [(0,)]


def test_two_versions_are_compared(table):
    table.append([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])
    table.append([{"a": 2, "b": "y", "c": 1.0}, {"a": 5, "b": "z", "c": 1.0}], mode="overwrite")
    told = diff({"path": table.path, "base": 0, "head": 1})
    assert (told["rows_added"], told["rows_removed"]) == (1, 1)
    assert told["columns"]["added"] == [{"name": "c", "type": "float"}]
    assert told["changed"][0] == {"column": "a", "mean": {"before": 1.5, "after": 3.5}}


def test_an_erased_subject_is_gone_from_files_versions_and_log(table):
    table.append([{"mail": "ann@example.org", "n": 1}, {"mail": "bob@example.org", "n": 2}], private=["mail"])
    table.append([{"mail": "ann@example.org", "n": 3}])
    told = erase({"path": table.path, "column": "mail", "value": "ann@example.org", "app_id": "erasure-1"})
    assert (told["deleted"], told["found"]) == (2, [])
    assert table.rows() == [("bob@example.org", 2)]
    again = erase({"path": table.path, "column": "mail", "value": "ann@example.org", "app_id": "erasure-1"})
    assert again["deleted"] == 0


def test_a_preview_hides_masked_columns_and_pages(table):
    table.append([{"mail": f"u{n}@example.org", "n": n} for n in range(5)])
    told = preview({"path": table.path, "offset": 1, "limit": 2, "masked": ["mail"]})
    assert told["rows"] == [["•••", 1], ["•••", 2]]
    with pytest.raises(Invalid, match="column 'z'"):
        preview({"path": table.path, "columns": ["z"]})


@pytest.mark.parametrize("kind", ["csv", "parquet", "ndjson"])
def test_an_export_holds_every_row(table, tmp_path, kind):
    table.append([{"a": n, "b": "é,😀"} for n in range(3)])
    told = export({"path": table.path, "format": kind, "target": str(tmp_path / "out")})
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet, "ndjson": pl.read_ndjson}[kind]
    assert read(told["target"]).rows() == table.rows()


def test_a_version_that_never_was_is_named(table):
    table.append([{"a": 1}])
    with pytest.raises(NotFound, match="at Delta version 7"):
        preview({"path": table.path, "version": 7})


def test_a_batch_of_another_run_is_not_taken_for_this_one(tmp_path):
    """A restored database counts from an earlier number than tables that went on while they were copied."""
    path = tmp_path / "t"

    def commit_by(run: str, value: int) -> Committed:
        order = Commit(app_id="source", batch=1, metadata={"aimass.run": run})
        return commit(path, pl.DataFrame({"a": [value]}), order)

    assert (commit_by("then", 1).already, commit_by("now", 2).already) == (False, False)
    assert (commit_by("then", 1), commit_by("now", 2)) == (Committed(version=0, already=True), Committed(version=1, already=True))  # fmt: skip
    assert sorted(scan(path).collect()["a"].to_list()) == [1, 2]
