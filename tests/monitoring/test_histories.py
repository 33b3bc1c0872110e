"""Drift of histories: what a forecast is asked with is watched as figures of each list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aimass.models import figures_of
from aimass.monitoring.children.drift import drift
from aimass.monitoring.children.histories import spread, with_figures
from aimass.monitoring.children.reference import build_reference
from aimass.monitoring.children.rows import frame_of


def histories(rows: int, seed: int, rise: float = 0.0, lift: float = 0.0) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    waves = 50 + 10 * np.sin(np.arange(24) / 4 + rng.uniform(0, 6, (rows, 1))) + rng.normal(0, 2, (rows, 24))
    return (waves + lift + rise * np.arange(24)).tolist()


def record(number: int, history: Any) -> dict[str, Any]:
    told = {"id": f"r{number}", "t": 1_800_000_000 + number, "status": 200, "rows": 1, "latency_us": 300}
    kept = json.dumps(history) if number % 2 and history is not None else history  # as a tensor is kept, and as a list
    inputs = {"history": [kept], "hour": [number % 24]}
    return {**told, "deployment": "main", "revision": "1", "inputs": inputs, "outputs": {"forecast": [[1.0, 2.0]]}}


def watched(folder: Path, asked: list[Any]) -> dict[str, Any]:
    known = pl.DataFrame({"history": histories(600, 1), "hour": [float(n % 24) for n in range(600)]})
    spread(known).write_parquet(folder / "asked.parquet")
    wish = {"path": str(folder / "asked.parquet"), "features": ["history", "hour"], "out": str(folder / "reference")}
    told = build_reference(wish)
    assert [one["name"] for one in told["features"]][:2] == ["history.level", "history.spread"]
    table = folder / f"records-{len(list(folder.iterdir()))}"
    frame_of([record(number, one) for number, one in enumerate(asked)], {}).write_delta(str(table))
    ask = {"records": str(table), "reference": told["path"], "rows": 1000, "deployment": "main", "revision": "1"}
    return drift(ask)


def test_figures_are_those_of_numpy() -> None:
    given = histories(20, 3, rise=0.7)
    found = figures_of(pl.Series("h", given))
    for row, values in zip(found.iter_rows(named=True), given, strict=True):
        line = np.polyval(np.polyfit(np.arange(24), values, 1), [0, 23])
        assert row["h.trend"] == pytest.approx(line[1] - line[0])
        assert (row["h.level"], row["h.spread"]) == pytest.approx((np.mean(values), np.std(values)))
        assert (row["h.last"], row["h.jump"]) == pytest.approx((values[-1], np.abs(np.diff(values)).mean()))
    odd = figures_of(pl.Series("h", [None, [], [None, None], [4.0], [1.0, None, 5.0]]))
    assert odd["h.level"].to_list() == [None, None, None, 4.0, 3.0]
    assert odd["h.missing"].to_list() == pytest.approx([None, None, 1.0, 0.0, 1 / 3])
    assert odd["h.trend"].to_list() == [None, None, None, 0.0, 4.0]


def test_histories_as_in_training_are_still_and_others_are_told_by_the_figure_that_moved(tmp_path: Path) -> None:
    still = watched(tmp_path, histories(400, 2))
    assert max(one["psi"] for one in still["features"]) < 0.1
    assert still["misfits"] == 0
    moved = watched(tmp_path, histories(400, 2, lift=15.0))
    by = {one["name"]: one["psi"] for one in moved["features"]}
    assert {name for name, psi in by.items() if psi > 0.2} == {"history.level", "history.last"}
    rising = watched(tmp_path, histories(400, 2, rise=2.0, lift=-23.0))
    by = {one["name"]: one["psi"] for one in rising["features"]}
    assert by["history.trend"] > 1
    assert by["history.level"] < 0.1
    level = next(one for one in moved["features"] if one["name"] == "history.level")
    assert (level["test"], level["p_value"] < 0.001, level["unseen"] > 0) == ("ks", True, True)


def test_long_histories_are_named_as_not_watched(tmp_path: Path) -> None:
    found = watched(tmp_path, ["FP32[336]"] * 60)
    assert (found["unwatched"], [one["name"] for one in found["features"]]) == (["history"], ["hour"])
    assert watched(tmp_path, histories(60, 2))["unwatched"] == []


def test_what_is_no_list_of_numbers_is_missing_and_told(tmp_path: Path) -> None:
    found = watched(tmp_path, [*histories(100, 2), ["a", 1], {"x": 1}, None, [10**400]])
    assert found["misfits"] == 1  # what came as a list; the others were kept as a text
    level = next(one for one in found["features"] if one["name"] == "history.level")
    assert level["missing"]["live"] == pytest.approx(4 / 104)
    kept = with_figures(pl.DataFrame({"misfit": ['{"input_h": [1, true], "input_n": "x"}', None]}), ["input_h"])
    assert json.loads(kept["misfit"][0]) == {"input_h": [1, True], "input_n": "x"}
    assert kept["input_h.level"].to_list() == [None, None]
