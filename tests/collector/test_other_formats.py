from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from aimass.kernel.errors import Invalid


def test_ndjson_is_proposed_and_collected(bench):
    path = bench.write(
        '{"a":1,"b":"x","t":"2026-05-01T10:00:00Z"}\n{"a":2,"b":null,"t":"2026-05-02T10:00:00Z"}\n', "d.ndjson"
    )
    plan = bench.propose(path)
    assert [(c["name"], c["type"], c["nullable"]) for c in plan["columns"]] == [
        ("a", "integer", False),
        ("b", "string", True),
        ("t", "timestamp", False),
    ]
    bench.collect(path, plan)
    assert bench.rows()[0] == (1, "x", datetime(2026, 5, 1, 10, tzinfo=UTC))


def test_bad_lines_of_ndjson_go_to_quarantine(bench, pinned):
    path = bench.write('{"a":1}\n{"a":"x"}\n{broken\n[1]\n{"a":2.5}\n{"z":1}\n{}\n\n{"a":7}\n', "d.ndjson")
    told = bench.collect(path, pinned("a integer!", format="ndjson"))
    assert bench.rows() == [(1,), (7,)]
    assert told["quarantined"] == 6
    assert [line for _, line, _, _ in bench.rejected()] == [2, 3, 4, 5, 6, 7]


def test_parquet_is_proposed_and_collected(bench):
    frame = pl.DataFrame({"a": [1, 2], "d": [date(2026, 5, 1), None], "l": [[1, 2], None], "f": [0.5, float("nan")]})
    frame.write_parquet(bench.root / "d.parquet")
    plan = bench.propose(bench.root / "d.parquet")
    assert [c["type"] for c in plan["columns"]] == ["integer", "date", "numbers", "float"]
    bench.collect(bench.root / "d.parquet", plan)
    assert bench.rows()[0] == (1, date(2026, 5, 1), [1.0, 2.0], 0.5)


def test_cells_of_parquet_that_do_not_fit_go_to_quarantine(bench, pinned):
    pl.DataFrame({"a": ["1", "x", None], "b": [1.0, 2.0, 2.5]}).write_parquet(bench.root / "d.parquet")
    bench.collect(bench.root / "d.parquet", pinned("a integer!", "b integer", format="parquet"))
    assert bench.rows() == [(1, 1)]
    assert [(line, column) for _, line, column, _ in bench.rejected()] == [(2, "a"), (3, "a")]


def test_what_only_looks_like_parquet_is_refused(bench):
    with pytest.raises(Invalid, match="no readable Parquet"):
        bench.propose(bench.write(b"PAR1garbage", "d.parquet"))


def test_a_packed_file_is_named(bench):
    with pytest.raises(Invalid, match="packed"):
        bench.propose(bench.write(b"PK\x03\x04 whatever", "d.csv"))


@pytest.mark.parametrize("dtype", [pl.List(pl.UInt8), pl.List(pl.Float32), pl.Array(pl.UInt8, 2)])
def test_lists_of_numbers_stay_lists(bench, dtype):
    pl.DataFrame({"pixels": pl.Series([[0, 255], None, [1, 2]], dtype=dtype)}).write_parquet(bench.root / "d.parquet")
    plan = bench.propose(bench.root / "d.parquet")
    assert [c["type"] for c in plan["columns"]] == ["numbers"]
    told = bench.collect(bench.root / "d.parquet", plan)
    assert bench.rows() == [([0.0, 255.0],), (None,), ([1.0, 2.0],)]
    assert told["quarantined"] == 0


def test_lists_of_numbers_are_read_from_texts_and_records_and_what_is_none_goes_to_quarantine(bench, pinned):
    plan = pinned("a integer!", "v numbers", format="csv")
    bench.collect(bench.write('a,v\n1,"[1, 2.5]"\n2,"[1, null]"\n3,\n4,"[x, 1]"\n5,7\n6,"[inf]"\n'), plan)
    assert bench.rows() == [(1, [1.0, 2.5]), (2, [1.0, None]), (3, None)]
    assert [(line, column) for _, line, column, _ in bench.rejected()] == [(5, "v"), (6, "v"), (7, "v")]
    assert bench.rejected()[0][3] == "'[x, 1]' is no list of numbers"


def test_lists_of_numbers_are_proposed_for_records(bench):
    path = bench.write('{"v":[1,2]}\n{"v":[0.5,null]}\n{"v":null}\n', "d.ndjson")
    assert [c["type"] for c in bench.propose(path)["columns"]] == ["numbers"]
    bench.collect(path)
    assert bench.rows() == [([1.0, 2.0],), ([0.5, None],), (None,)]
    other = bench.write('{"v":[1,"x"]}\n{"v":[true]}\n{"v":"[3]"}\n', "e.ndjson")
    told = bench.collect(other, bench.propose(path), batch=2)
    assert told["quarantined"] == 3


def test_lists_of_texts_become_lists_of_numbers_only_where_all_are(bench, pinned):
    pl.DataFrame({"v": [["1", "2"], ["x"], ["3", None]]}).write_parquet(bench.root / "d.parquet")
    bench.collect(bench.root / "d.parquet", pinned("v numbers", format="parquet"))
    assert sorted(bench.rows()) == [([1.0, 2.0],), ([3.0, None],)]
    assert [line for _, line, _, _ in bench.rejected()] == [2]
