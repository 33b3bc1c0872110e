# ruff: noqa: D102 the names of the tests are sentences
"""The conformance suite of recipes that forecast series."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pytest

from aimass.models import Column, Output, Signature
from aimass.training.measures.forecasts import OUTPUTS, Windows, parts_of
from aimass.training.recipes import load_recipe
from aimass.training.recipes.contract import TaskContract
from aimass.training.recipes.protocol import Table


class ForecastContract(TaskContract):
    """What a recipe that forecasts series keeps."""

    task: ClassVar[str] = "forecasting"
    classes: ClassVar[int] = 0
    steps: ClassVar[int] = 6
    known: ClassVar[int] = 48
    least_skill: ClassVar[float] = 0.1

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make windows of two series of hours, one a hundred times the other, with days that follow each other."""
        del classes
        rng, steps, known = np.random.default_rng(seed), self.steps, self.known
        half, begin = count // 2, known + 24
        hours = np.arange(begin + half + steps)
        wave = 20 + 8 * np.sin(2 * np.pi * hours / 24)
        lines = np.array([1.0, 100.0])[:, None] * (wave + rng.normal(0, 1.0, (2, len(hours))))
        ends = np.repeat(begin - 1 + np.arange(half), 2)
        numbers = np.tile([0, 1], half)
        take = lambda offsets: lines[numbers[:, None], ends[:, None] + offsets]  # noqa: E731 three times the same look
        history = take(np.arange(1 - known, 1)).astype(np.float32)
        frame = pl.DataFrame(
            {
                "history": pl.Series(history, dtype=pl.Array(pl.Float32, known)),
                "hour": ends % 24,
                "weekday": ends // 24 % 7 + 1,
                "month": ends // 720 % 12 + 1,
            }
        )
        truth = Windows(
            ahead=take(np.arange(1, steps + 1)),
            naive=take(np.arange(1, steps + 1) - 24),
            scale=np.array([1.0, 100.0])[numbers],
            when=ends,
            series=numbers,
            names=("small", "large"),
            season=24,
            moments=lambda places: places * 3600.0,
        )
        return Table(features=frame, truth=truth)

    def signature(self, classes: int) -> Signature:
        """Describe the rows."""
        del classes
        calendar = (Column(name=name, type="integer") for name in ("hour", "weekday", "month"))
        outputs = tuple(Output(name=name, type="float", shape=(-1, self.steps)) for name in OUTPUTS)
        return Signature(
            inputs=(Column(name="history", type="float", shape=(-1, self.known)), *calendar), outputs=outputs
        )

    def test_nulls_and_categories_never_seen_are_answered_alike(self, tmp_path: Path) -> None:
        """A history has no nulls; one that does not move, one below 0, and an hour that there is not are the odd ones."""
        bench = self.bench()
        odd = np.stack([np.zeros(self.known), np.full(self.known, 7.0), np.linspace(-9, 9, self.known)])
        frame = pl.DataFrame(
            {
                "history": pl.Series(odd.astype(np.float32), dtype=pl.Array(pl.Float32, self.known)),
                "hour": [0, 99, -5],
                "weekday": [1, 0, 9],
                "month": [12, 13, 1],
            }
        )
        bench.tables = {
            **bench.tables,
            "validation": Table(features=frame, truth=bench.data("train").truth[np.arange(3)]),
        }
        _, parity = self.packaged(bench, tmp_path / "package")
        assert parity.passed, parity.sentence()

    def test_it_is_better_than_the_last_season_and_its_intervals_hold(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        table, model = bench.data("validation"), recipe.fit(bench)
        said = recipe.predict(bench, model, table.features)
        scores = recipe.evaluate(bench, model, table)
        forecast, low, high = parts_of(said)
        assert said.shape == (300, 3 * self.steps)
        assert (low <= forecast).all()
        assert (forecast <= high).all()
        assert scores["skill"] >= self.least_skill
        assert scores["coverage"] == pytest.approx(bench.params.inside, abs=0.1)

    def test_a_series_of_another_size_is_answered_in_its_size(self) -> None:
        bench, recipe = self.bench(), load_recipe(self.recipe)
        table, model = bench.data("validation"), recipe.fit(bench)
        history = table.features["history"].to_numpy()
        larger = table.features.with_columns(pl.Series("history", history * 64, dtype=pl.Array(pl.Float32, self.known)))
        first, second = (recipe.predict(bench, model, features) for features in (table.features, larger))
        assert np.allclose(second, first * 64, rtol=1e-4, atol=1e-2)

    def test_series_below_zero_are_packaged_too(self, tmp_path: Path) -> None:
        bench = self.bench()
        below = {part: self._below(table) for part, table in bench.tables.items()}
        bench.tables = below
        self.check_package(bench, tmp_path / "package")

    def _below(self, table: Table) -> Table:
        history = table.features["history"].to_numpy() - 1500
        frame = table.features.with_columns(pl.Series("history", history, dtype=pl.Array(pl.Float32, self.known)))
        truth = table.truth
        return Table(features=frame, truth=replace(truth, ahead=truth.ahead - 1500, naive=truth.naive - 1500))
