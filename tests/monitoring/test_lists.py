"""Monitoring of models that take lists, such as images: lists are not compared, all else is."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from aimass.monitoring.children.reference import build_reference
from tests.fixtures.digits import digits


def test_lists_are_left_out_of_a_reference_which_says_so(tmp_path: Path) -> None:
    digits(50).with_columns(pl.Series("age", range(50))).write_delta(str(tmp_path / "lake"))
    found = build_reference(
        {"path": str(tmp_path / "lake"), "out": str(tmp_path / "reference.parquet"), "target": "digit"}
    )
    assert [one["name"] for one in found["features"]] == ["id", "age"]
    assert found["note"].endswith("; inputs are not compared where they are lists: pixels")
    assert pl.read_parquet(tmp_path / "reference.parquet").columns == ["input_id", "input_age", "truth"]
