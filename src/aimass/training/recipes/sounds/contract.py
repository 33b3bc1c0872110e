# ruff: noqa: D102 the names of the tests are sentences
"""The conformance suite of recipes that hear: clips of sound in one column of lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from aimass.models import Column, Signature
from aimass.training.recipes import load_recipe
from aimass.training.recipes.contract import RecipeContract, signature
from aimass.training.recipes.protocol import Table

RATE, SAMPLES = 4000, 1200
CLIP = "clip (声音)"
_SWEEPS = ((500, 1100), (1100, 500), (700, 700), (300, 1500))


def clips(codes: Any, seed: int, *, loud: float = 1.0) -> Any:
    """Make clips in which a short sound rises, falls, stays or leaps, anywhere, in noise; how it moves is its class."""
    chance, found = np.random.default_rng(seed + 400), []
    for code in codes.tolist():
        length = int(chance.integers(500, 800))
        first, last = _SWEEPS[code]
        pitch = np.linspace(first, last, length) * chance.uniform(0.9, 1.1)
        said = np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.hanning(length) * chance.uniform(0.3, 1)
        clip = chance.normal(0, 0.05, SAMPLES)
        start = int(chance.integers(0, SAMPLES - length + 1))
        clip[start : start + length] += said
        found.append(clip * loud)
    return np.array(found, dtype=np.float32)


def column(values: Any) -> pl.DataFrame:
    """Return clips as a table."""
    return pl.DataFrame({CLIP: pl.Series(values, dtype=pl.Array(pl.Float32, values.shape[1]))})


class SoundContract(RecipeContract):
    """What a recipe for classes of clips keeps."""

    __test__ = False
    least_auc: ClassVar[float] = 0.9
    heard: ClassVar = {"sample_rate": RATE, "bands": 16, "high_hz": 2000.0}

    def rows(self, count: int, classes: int, seed: int) -> Table:
        """Make clips."""
        truth = np.random.default_rng(seed).integers(0, classes, count)
        return Table(features=column(clips(truth, seed)), truth=truth.astype(np.int64))

    def signature(self, classes: int) -> Signature:
        """Describe them."""
        one = Column(name=CLIP, type="float", shape=(-1, SAMPLES))
        return Signature(inputs=(one,), outputs=signature(classes).outputs)

    def test_nulls_and_categories_never_seen_are_answered_alike(self, tmp_path: Path) -> None:
        """Clips have no nulls; silence, a click, the loudest and the quietest are the odd ones."""
        bench = self.bench()
        click = np.zeros(SAMPLES)
        click[SAMPLES // 2] = 1.0
        noise = np.random.default_rng(5).normal(size=SAMPLES)
        odd = np.stack([np.zeros(SAMPLES), np.full(SAMPLES, 1.0), click, noise, 1e-7 * noise, 100 * noise])
        bench.tables = {
            **bench.tables,
            "validation": Table(features=column(odd.astype(np.float32)), truth=bench.data("train").truth[:6]),
        }
        _, parity = self.packaged(bench, tmp_path / "package")
        assert parity.passed, parity.sentence()

    def test_bands_in_which_nothing_is_heard_are_answered_alike(self, tmp_path: Path) -> None:
        """Clips that were taken at a lower rate have nothing but rounding in their upper bands."""
        bench = self.bench()
        bench.tables = {
            part: Table(features=column(_dull(table.features[CLIP].to_numpy())), truth=table.truth)
            for part, table in bench.tables.items()
        }
        self.check_package(bench, tmp_path / "package")

    def test_whole_numbers_are_heard_like_fractions(self) -> None:
        recipe, said = load_recipe(self.recipe), []
        for unit in (1.0, 32768.0):
            bench = self.bench()
            bench.tables = {
                part: Table(features=column(table.features[CLIP].to_numpy() * np.float32(unit)), truth=table.truth)
                for part, table in bench.tables.items()
            }
            said.append(recipe.predict(bench, recipe.fit(bench), bench.data("validation").features))
        assert np.allclose(*said, atol=0.02)


def _dull(values: Any) -> Any:
    """Return clips without what lies above 1,200 hertz."""
    lines = np.fft.rfft(values, axis=1)
    lines[:, int(1200 * SAMPLES / RATE) :] = 0
    return np.fft.irfft(lines, SAMPLES, axis=1).astype(np.float32)
