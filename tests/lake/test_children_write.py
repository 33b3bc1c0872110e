from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import polars as pl
import pytest
from deltalake.exceptions import TableNotFoundError
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass.kernel.erasing import Person, pattern
from aimass.kernel.errors import Invalid, NotFound
from aimass.lake.children.append import append
from aimass.lake.children.engines import engine
from aimass.lake.children.erase import erase, mentions
from aimass.lake.children.maintain import diff, maintain
from aimass.lake.children.merge import merge
from aimass.lake.children.preview import export, preview
from aimass.lake.children.quoting import sql_literal
from aimass.lake.children.selecting import materialise
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
    assert merge(order) == {"version": 1, "inserted": 1, "updated": 1, "deleted": 0, "already": False}
    assert merge(order)["already"]
    assert sorted(table.rows()) == [(1, "new"), (2, "stays"), (3, "more")]


def test_a_merge_keeps_what_the_rows_do_not_tell_and_adds_every_row_without_a_key(table):
    table.append([{"k": "a", "v": "old", "w": 1}])
    rows = [{"k": "a", "v": "new"}, {"k": None, "v": "x"}, {"k": None, "v": "x"}]
    told = merge({"path": table.path, "rows": rows, "keys": ["k"], "app_id": "m", "batch": 1})
    assert (told["updated"], told["inserted"]) == (1, 2)
    assert sorted(table.rows(), key=str) == [("a", "new", 1), (None, "x", None), (None, "x", None)]


def test_a_merge_that_deletes_alone_adds_no_row(table):
    table.append([{"k": "a", "v": 1}, {"k": "b", "v": 2}])
    told = merge({"path": table.path, "rows": [], "delete": [{"k": "a"}], "keys": ["k"], "app_id": "m", "batch": 1})
    assert (told["deleted"], told["inserted"], table.rows()) == (1, 0, [("b", 2)])


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
    with pytest.raises((FileNotFoundError, TableNotFoundError)):
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
    order = {
        "path": table.path,
        "columns": ["mail"],
        "values": ["ann@example.org"],
        "kept": [0, 1],
        "app_id": "erasure-1",
    }
    assert erase(order) == {"deleted": 2, "version": 2, "lost": [0, 1], "found": []}
    assert table.rows() == [("bob@example.org", 2)]
    assert erase(order) == {"deleted": 0, "version": 2, "lost": [0, 1], "found": []}, "a repeated one tells the same"
    assert holding(table.path, b"ann@example.org") == []


def holding(path, value):
    """The files below a folder in which the bytes stand, or a cell of a Parquet file is the value."""
    found = []
    for file in Path(path).rglob("*"):
        if file.is_file():
            text = file.read_bytes()
            cells = pl.read_parquet(file).write_ndjson().encode() if file.suffix == ".parquet" else b""
            found += [file.name] if value in text or value in cells else []
    return found


def test_a_table_that_does_not_hold_the_subject_is_left_as_it_is(table):
    table.append([{"mail": "bob@example.org"}])
    table.append([{"mail": "cy@example.org"}], mode="overwrite")
    before = {file: file.stat().st_mtime_ns for file in Path(table.path).rglob("*") if file.is_file()}
    told = erase(
        {"path": table.path, "columns": ["mail"], "values": ["ann@example.org"], "kept": [0, 1], "app_id": "e"}
    )
    assert told == {"deleted": 0, "version": None, "lost": [], "found": []}
    assert {file: file.stat().st_mtime_ns for file in Path(table.path).rglob("*") if file.is_file()} == before
    assert table.rows(0) == [("bob@example.org",)]


def test_only_the_versions_that_hold_the_subject_go(table):
    for name in ("bob", "ann", "cy"):
        table.append([{"mail": f"{name}@example.org"}], mode="overwrite")
    told = erase(
        {"path": table.path, "columns": ["mail"], "values": ["ann@example.org"], "kept": [0, 1, 2], "app_id": "e"}
    )
    assert (told["deleted"], told["version"], told["lost"], told["found"]) == (0, None, [1], [])
    assert (table.rows(0), table.rows(2)) == ([("bob@example.org",)], [("cy@example.org",)])
    assert holding(table.path, b"ann@example.org") == []


def test_smallest_and_largest_values_leave_the_log_and_its_checkpoints_and_versions_stay_readable(table):
    for n in range(3):
        table.append([{"name": f"A-100{n}", "n": n}])
    table.append([{"name": "A-1007", "n": 7}])
    maintain({"path": table.path, "retain_hours": 999, "compact": False})
    maintain({"path": table.path, "retain_hours": 999})
    assert holding(table.path, b"A-1007") != []
    order = {"path": table.path, "columns": ["name"], "values": ["A-1007"], "kept": [0, 1, 2, 3], "app_id": "e"}
    told = erase(order)
    assert (told["deleted"], told["lost"], told["found"]) == (1, [3], [])
    assert holding(table.path, b"A-1007") == []
    assert sorted(table.rows(2)) == [("A-1000", 0), ("A-1001", 1), ("A-1002", 2)]
    table.append([{"name": "A-1009", "n": 9}])
    assert len(table.rows()) == 4


def test_texts_are_searched_for_whole_words_and_short_values_only_as_cells(table):
    table.append([{"raw": "7,ann@example.org,x"}, {"raw": "joann@example.org"}, {"raw": "17"}])
    order = {"path": table.path, "texts": ["raw"], "values": ["ann@example.org", "17"], "app_id": "e"}
    assert erase(order)["deleted"] == 1
    assert erase({**order, "columns": ["raw"], "app_id": "f"})["deleted"] == 1
    assert table.rows() == [("joann@example.org",)]


def test_what_other_columns_mention_is_counted(table):
    table.append([{"id": "A-1", "note": "asked by A-1007"}, {"id": "A-1007", "note": None}])
    assert mentions({"path": table.path, "values": ["A-1007"], "but": ["id"]}) == {"columns": {"note": 1}}


WORDS = st.lists(st.text("abé张伟-_@. 7", min_size=1, max_size=6), min_size=1, max_size=3)


@settings(deadline=None)  # an engine is opened for each
@given(words=WORDS, text=st.text("abé张伟-_@. 7", max_size=12))
def test_every_engine_finds_the_same_words(words, text):
    person = Person(erasure="e", values=tuple(words))
    if not person.words:
        return
    found = pattern(person.words, look_around=False)
    by_polars = pl.select(pl.lit(text).str.contains(found)).item()
    with engine() as con:
        by_duckdb = con.execute(f"SELECT regexp_matches({sql_literal(text)}, {sql_literal(found)})").fetchall()[0][0]
    assert by_polars == by_duckdb == person.is_in(text)


def test_a_preview_hides_masked_columns_and_pages(table):
    table.append([{"mail": f"u{n}@example.org", "n": n} for n in range(5)])
    told = preview({"path": table.path, "offset": 1, "limit": 2, "masked": ["mail"]})
    assert told["rows"] == [["•••", 1], ["•••", 2]]
    with pytest.raises(Invalid, match="column 'z'"):
        preview({"path": table.path, "columns": ["z"]})


@pytest.mark.parametrize("kind", ["csv", "parquet", "ndjson", "avro", "xlsx"])
def test_an_export_holds_every_row(table, tmp_path, kind):
    table.append([{"a": n, "b": "é,😀"} for n in range(3)])
    told = export({"path": table.path, "format": kind, "target": str(tmp_path / "out")})
    read = getattr(pl, "read_excel" if kind == "xlsx" else f"read_{kind}")
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
