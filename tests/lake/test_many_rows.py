"""What is told of columns of very many rows is what is told of few: engine and frames agree."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass.lake.children import many_rows
from aimass.lake.children.profile import profile
from aimass.lake.children.quality import quality

NOW = "2026-05-01T00:00:00+00:00"
MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001 one kind has no zone
CELLS: dict[str, tuple[Any, Any]] = {
    "integer": (pl.Int64, st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)),
    "small": (pl.Int16, st.integers(-5, 5)),
    "float": (pl.Float64, st.floats() | st.sampled_from([0.0, -0.0, 0.5, math.nan, math.inf])),
    "text": (
        pl.String,
        st.text(max_size=6) | st.sampled_from(["a", "b", "", " ", "\u3000", "\x0b", "\x85", "ünï", "👩‍👩‍👧"]),
    ),
    "flag": (pl.Boolean, st.booleans()),
    "day": (pl.Date, st.dates(date(1700, 1, 1), date(2200, 1, 1))),
    "moment": (pl.Datetime("us", "UTC"), MOMENTS.map(lambda at: at.replace(tzinfo=UTC))),
    "naive": (pl.Datetime("us"), MOMENTS),
    "money": (pl.Decimal(12, 2), st.integers(-(10**8), 10**8).map(lambda n: Decimal(n) / 100)),
    "bytes": (pl.Binary, st.binary(max_size=3)),
}


@st.composite
def column(draw: st.DrawFn) -> pl.Series:
    kind = draw(st.sampled_from(sorted(CELLS)))
    dtype, cell = CELLS[kind]
    few = draw(st.lists(cell, min_size=1, max_size=4))
    cells = draw(st.lists(st.none() | st.sampled_from(few) | cell, min_size=1, max_size=40))
    return pl.Series(kind, cells, dtype=dtype)


def near(one: Any, other: Any) -> bool:
    """Tell whether two answers are the same, but for the last digits of means."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(near(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(near, one, other))
    if isinstance(one, float) and isinstance(other, int | float):
        return one == other or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other


def both(path: str, tell: Any, args: dict[str, Any]) -> tuple[Any, Any]:
    with pytest.MonkeyPatch.context() as patch:
        whole = tell({**args, "path": path})
        patch.setattr(many_rows, "MANY_ROWS", 0)
        patch.setattr(many_rows, "PART_VALUES", 7)
        return whole, tell({**args, "path": path})


@settings(max_examples=60, deadline=None)
@given(column(), st.booleans())
def test_a_column_is_described_alike(cells: pl.Series, masked: bool) -> None:
    with TemporaryDirectory() as folder:
        cells.to_frame().write_delta(folder)
        whole, found = both(folder, profile, {"masked": [cells.name] if masked else []})
    one, other = whole["columns"][0], found["columns"][0]
    is_huge = cells.dtype == pl.Float64 and any(abs(value) > 1e100 for value in cells.drop_nulls().to_list())
    if is_huge and "std" in one:
        one |= {"std": None, "mean": None}  # whose sums leave the numbers first, differs
        other |= {"std": None, "mean": None}
    assert near(one, other), (one, other)


def test_quantiles_are_found_in_bins_of_bins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(many_rows, "ENOUGH", 3)
    monkeypatch.setattr(many_rows, "CUTS", 4)
    values = [1e-300, 5e-324, 0.0, 1.0, 1.0, 1.0, math.nextafter(1.0, 2.0), 7.5, 1e9, 1e300] * 7 + [2.0] * 100
    pl.DataFrame({"n": values}).write_delta(str(tmp_path))
    whole, found = both(str(tmp_path), profile, {})
    assert near(whole, found)


RULES = [
    {"id": "a", "kind": "unique", "column": "s", "severity": "error", "params": {}},
    {"id": "b", "kind": "unique", "column": None, "severity": "error", "params": {"columns": ["s", "at"]}},
    {"id": "c", "kind": "regex", "column": "s", "severity": "warning", "params": {"pattern": "text [0-9]+"}},
    {"id": "d", "kind": "range", "column": "n", "severity": "warning", "params": {"min": 3, "max": None}},
    {"id": "e", "kind": "not_null", "column": "s", "severity": "error", "params": {}},
    {"id": "f", "kind": "freshness", "column": "at", "severity": "error", "params": {"max_age_s": 60}},
    {"id": "g", "kind": "unique", "column": "n", "severity": "error", "params": {}},
]


def test_rules_find_the_same_rows(tmp_path: Path) -> None:
    texts = [f"text {n}" for n in range(9)] + [" ", "", None, "ünïcödé"]
    at = [datetime(2026, 4, 1, tzinfo=UTC) + timedelta(hours=n % 7) for n in range(60)]
    frame = pl.DataFrame({"n": range(60), "s": [texts[n % len(texts)] for n in range(60)], "at": at})
    frame.head(30).write_delta(str(tmp_path))
    frame.tail(30).write_delta(str(tmp_path), mode="append")
    whole, found = both(str(tmp_path), quality, {"rules": RULES, "keys": ["n"], "now": NOW})
    assert found == whole
    failed = {told["id"]: told["failed"] for told in whole["rules"]}
    assert failed["a"] > failed["g"] == 0


def test_a_column_that_no_file_has_is_described_alike(tmp_path: Path) -> None:
    pl.DataFrame({"n": [1, 2]}).write_delta(str(tmp_path))
    pl.DataFrame({"n": [3], "new": [None]}, schema={"n": pl.Int64, "new": pl.String}).write_delta(
        str(tmp_path), mode="append", delta_write_options={"schema_mode": "merge"}
    )
    whole, found = both(str(tmp_path), profile, {})
    assert near(whole, found)
