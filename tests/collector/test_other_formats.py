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
    assert [c["type"] for c in plan["columns"]] == ["integer", "date", "string", "float"]
    bench.collect(bench.root / "d.parquet", plan)
    assert bench.rows()[0] == (1, date(2026, 5, 1), "[1,2]", 0.5)


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
