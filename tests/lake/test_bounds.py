"""Bounds in the log never hide a row, and never tell what is private."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass.lake import Commit, commit_parts, part_of, scan

CELLS: dict[str, tuple[pl.DataType, st.SearchStrategy[Any]]] = {
    "n": (pl.Int64(), st.integers(-(2**63), 2**63 - 1)),
    "f": (pl.Float64(), st.floats() | st.sampled_from([0.0, -0.0])),
    "t": (pl.String(), st.text(st.characters(codec="utf-8"), max_size=4) | st.just("é" * 65)),
    "b": (pl.Boolean(), st.booleans()),
    "d": (pl.Date(), st.dates()),
    "m": (pl.Datetime("us", "UTC"), st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))),  # noqa: DTZ001 zone given
}
ROWS = st.lists(st.tuples(*(st.none() | cell for _, cell in CELLS.values())), min_size=1, max_size=5)


@settings(max_examples=40, deadline=None)
@given(ROWS, ROWS)
def test_each_value_is_found_again_behind_the_bounds_of_its_file(first: list[Any], second: list[Any]):
    schema = {name: kind for name, (kind, _) in CELLS.items()}
    frames = [pl.DataFrame(rows, schema, orient="row") for rows in (first, second)]
    with TemporaryDirectory() as folder:
        parts = [part_of(frame, Path(folder, f"{n}.parquet"), bounded=True) for n, frame in enumerate(frames)]
        table = Path(folder, "t")
        for batch, part in enumerate(parts, start=1):
            commit_parts(
                table, [part], Commit(app_id="a", batch=batch, private=frozenset("t")), columns=frames[0].schema
            )
        told = pl.DataFrame(DeltaTable(str(table)).get_add_actions(flatten=True))
        assert sorted(told["num_records"]) == sorted(map(len, frames))
        assert not [name for name in told.columns if name.endswith(".t")]
        whole = pl.concat(frames)
        for name, kind in schema.items():
            for value in whole[name].drop_nulls().unique():
                wanted = pl.col(name).is_nan() if value != value else pl.col(name) == pl.lit(value, kind)  # noqa: PLR0124 NaN
                assert scan(table).filter(wanted).collect().height == whole.filter(wanted).height, (name, value)


def test_bounds_are_the_values_themselves(tmp_path: Path):
    at = datetime(2026, 5, 1, 12, 0, 0, 123456, UTC)
    frame = pl.DataFrame(
        {"n": [3, None, -1], "m": [at, at, None], "d": [date(2, 1, 1)] * 3, "f": [1.0, float("inf"), None]}
    )
    part = part_of(frame.with_columns(pl.col("m").cast(pl.Datetime("us", "UTC"))), tmp_path / "p.parquet", bounded=True)
    commit_parts(tmp_path / "t", [part], Commit(app_id="a", batch=1), columns=pl.read_parquet(part.file).schema)
    told = pl.DataFrame(DeltaTable(str(tmp_path / "t")).get_add_actions(flatten=True)).row(0, named=True)
    assert (told["min.n"], told["max.n"], told["null_count.n"]) == (-1, 3, 1)
    assert (told["min.m"], told["max.m"], told["max.d"]) == (at, at, date(2, 1, 1))
    assert told.get("max.f") is None
