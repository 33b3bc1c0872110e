"""Sounds: the pictures that recipes hear by against a formula of their own, and what the recipe of kernels keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from scipy.signal import ShortTimeFFT, get_window
from scipy.stats import poisson

from aimass.kernel.errors import Invalid
from aimass.training import recipes as recipes_module
from aimass.training.children.fit import fit
from aimass.training.children.split import split
from aimass.training.domain.autos import Constraints
from aimass.training.measures.alarms import alarms
from aimass.training.recipes import find_recipe
from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.protocol import parameters_of
from aimass.training.recipes.sound_kernels.patterns import draw, numbers_of
from aimass.training.recipes.sounds.contract import SoundContract, clips
from aimass.training.recipes.sounds.mel import FLOOR, ear_of, unit_of
from aimass.training.recipes.torch_sound.augment import augment_of, hidden, shifted
from aimass.training.selecting import Facts, recommend
from aimass.training.tasks import TASKS
from tests.fixtures.deep import needs_torch


class TestSoundKernels(SoundContract):
    __test__ = True
    recipe = "sound_kernels"
    quick: ClassVar = {**SoundContract.heard, "kernels": 36}


def test_what_a_threshold_catches_and_false_alarms_are_counted_by_hand() -> None:
    said = np.array([0.95, 0.8, 0.6, 0.2, 0.7, 0.55, 0.1, 0.1, 0.1, 0.1])
    truth = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    other, word = alarms(truth, np.stack([1 - said, said], axis=1), ("other", "hey"), 60.0)
    assert (word["class"], word["hours"]) == ("hey", pytest.approx(0.1))
    at_half, quiet = word["at"]
    assert (at_half["threshold"], at_half["caught"], at_half["false"]) == (0.5, 0.75, 2)
    assert at_half["per_hour"] == pytest.approx(20)
    assert (quiet["threshold"], quiet["caught"], quiet["false"]) == (0.8, 0.5, 0)
    assert other["at"][1]["caught"] == pytest.approx(4 / 6)
    for one in (at_half, quiet):  # so few events or fewer come by chance in one of twenty cases
        assert poisson.cdf(one["false"], one["at_most"] * word["hours"]) == pytest.approx(0.05)
    assert len(alarms(truth, np.stack([1 - said, truth * 0.0], axis=1), ("other", "hey"), 60.0)[1]["at"]) == 1
    assert alarms(np.zeros(3, int), np.ones((3, 2)) / 2, ("other", "hey"), 1.0) == []


def test_a_run_tells_of_alarms_and_keeps_its_clips_equally_long(make_job: Any, tmp_path: Path) -> None:
    truth = np.arange(160) % 2
    heard = pl.DataFrame({"id": [f"c{n:03d}" for n in range(160)], "word": np.where(truth == 1, "up", "down").tolist()})
    heard = heard.with_columns(pl.Series("clip", clips(truth, 3)[:, :1000].tolist()))
    heard.write_delta(str(tmp_path / "words"))
    data = {"dataset": {"path": str(tmp_path / "words"), "version": 0}, "target": "word", "key": "id", "seed": 1}
    made = make_job({**data, "fractions": {"train": 0.6, "validation": 0.2, "test": 0.2}})
    found = split(made)
    parts = {"file": str(made.out / found["file"]), "sha256": found["sha256"]}
    heard_by = {**SoundContract.heard, "kernels": 12}
    job = make_job({**data, "split": parts, "folds": 2, "recipe": "sound_kernels", "params": heard_by})
    told = fit(job)
    report = json.loads((job.out / "report.json").read_text())
    assert told["package"]["runtime"] == "onnx"
    assert [one["class"] for one in report["alarms"]] == ["down", "up"]
    assert report["alarms"][0]["hours"] == pytest.approx(sum(truth == 1) * 0.2 * 0.25 / 3600, rel=0.2)
    with pytest.raises(Invalid, match="1 columns of lists and 1 others to learn from"):
        both = heard.with_columns(pl.Series("room", np.arange(160) % 3))
        both.write_delta(str(tmp_path / "words"), mode="overwrite", delta_write_options={"schema_mode": "overwrite"})
        fit(
            make_job(
                {
                    **data,
                    "dataset": {"path": str(tmp_path / "words"), "version": 1},
                    "split": parts,
                    "folds": 2,
                    "recipe": "sound_kernels",
                    "params": heard_by,
                }
            )
        )


def params(**given: float) -> object:
    manifest = find_recipe("sound_kernels")
    return parameters_of(manifest.check(given), manifest.parameters)


def by_formula(clip: np.ndarray, rate: int, bands: int, low: float, high: float) -> np.ndarray:
    """Say the picture of a clip once more: power spectra of scipy, and the triangles of the HTK book line by line."""
    frame, hop = rate // 40, rate // 100
    points = 1 << (frame - 1).bit_length()
    window: Any = get_window("hann", frame)
    spectra = []
    for start in range(0, len(clip) - frame + 1, hop):
        part = ShortTimeFFT(window, frame, rate, fft_mode="onesided", mfft=points)
        lines = part.stft(clip[start : start + frame], p0=0, p1=1, k_offset=frame // 2)
        spectra.append(np.abs(lines[:, 0]) ** 2 / (window**2).sum())
    places = 2595 * np.log10(1 + np.array([low, high]) / 700)
    corners = [
        700 * (10 ** ((places[0] + (places[1] - places[0]) * k / (bands + 1)) / 2595) - 1) for k in range(bands + 2)
    ]
    rows = []
    for band in range(bands):
        left, centre, right = corners[band : band + 3]
        heard = np.zeros(len(spectra))
        for place in range(points // 2 + 1):
            hertz = place * rate / points
            if left < hertz < centre:
                share = (hertz - left) / (centre - left)
            elif centre <= hertz < right:
                share = (right - hertz) / (right - centre)
            else:
                continue
            heard += share * np.array([one[place] for one in spectra])
        rows.append(heard)
    return np.log(np.array(rows) + FLOOR)


@needs_torch
class TestTorchSound(SoundContract):
    __test__ = True
    recipe = "torch_sound"
    quick: ClassVar = {
        **SoundContract.heard,
        "filters": 8,
        "blocks": 1,
        "epochs": 6,
        "learning_rate": 0.02,
        "hop_ms": 20.0,
    }


@pytest.mark.parametrize(("rate", "bands", "low", "high"), [(16_000, 40, 20.0, 7600.0), (8_000, 12, 300.0, 3000.0)])
def test_a_picture_is_what_the_formula_says(rate: int, bands: int, low: float, high: float) -> None:
    ear = ear_of(rate // 4, params(sample_rate=rate, bands=bands, low_hz=low, high_hz=high))
    clip = np.sin(2 * np.pi * 700 * np.arange(rate // 4) / rate) + np.random.default_rng(0).normal(0, 0.1, rate // 4)
    said = ear.pictures(clip[None])[0]
    assert said.shape == (bands, 1 + (rate // 4 - rate // 40) // (rate // 100))
    assert np.allclose(said, by_formula(clip, rate, bands, low, high), atol=1e-4)
    loudest = int(said.mean(axis=1).argmax())
    assert ear.weights[loudest, round(700 * ear.points / rate)] > 0.4


def test_noise_of_one_unit_has_the_power_one_and_silence_the_floor() -> None:
    noise = np.random.default_rng(1).normal(0, 300.0, (40, 4000))
    ear = ear_of(4000, params(sample_rate=4000, bands=8, high_hz=2000))
    found = np.exp(replace(ear, unit=unit_of(noise)).pictures(noise)).mean(axis=(0, 2)) / ear.weights.sum(axis=1)
    assert np.allclose(found, 1, atol=0.05)
    assert np.allclose(ear.pictures(np.zeros((1, 4000))), np.log(FLOOR))
    assert unit_of(np.zeros((2, 3))) == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"sample_rate": 48_000}, "1200 samples are 0.025 s at 48000 a second: too short for 8 frames"),
        ({"sample_rate": 4000, "low_hz": 3000}, "no sound lies between 3000 and 2000 hertz"),
        ({"sample_rate": 4000, "bands": 200}, "bands are narrower than a frequency of a frame of 25 ms"),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_parameter(given: dict[str, float], told: str) -> None:
    with pytest.raises(Invalid, match=told) as refused:
        ear_of(1200, params(**given))
    assert refused.value.hint


def test_patterns_are_found_wherever_they_are() -> None:
    patterns = draw(24, 10, 60, seed=3)
    assert sum(len(one.weights) for one in patterns) == 24
    kernel, chance = patterns[0], np.random.default_rng(2)
    pictures = chance.normal(0, 0.01, (2, 10, 60)).astype(np.float32)
    for place, start in enumerate((5, 30)):
        pictures[place, :, start : start + kernel.weights.shape[2] * kernel.dilation : kernel.dilation] += (
            kernel.weights[0]
        )
    found = numbers_of(pictures, patterns)
    assert found.shape == (2, 2 * 10 + 2 * 24)
    assert np.allclose(found[:, 20], 1, atol=0.1)  # a kernel has the length 1


def test_kernels_too_long_for_a_clip_are_not_drawn() -> None:
    assert {(one.weights.shape[2], one.dilation) for one in draw(10, 8, 12, seed=0)} == {(7, 1), (11, 1)}
    assert {(one.weights.shape[2], one.dilation) for one in draw(10, 8, 8, seed=0)} == {(7, 1)}


@needs_torch
def test_clips_move_get_noise_and_are_hidden_in_part() -> None:
    clips_ = torch.arange(1, 101).float()[None].repeat(20, 1)
    torch.manual_seed(0)
    moved = shifted(clips_, 10)
    starts = (moved == 50).nonzero()[:, 1] - 49
    assert starts.min() < 0 < starts.max()
    assert all(bool((row.diff()[(row[1:] > 0) & (row[:-1] > 0)] == 1).all()) for row in moved)
    masked = hidden(torch.ones(50, 12, 30), 4, 9)
    bands, moments = 12 - masked[:, :, :].amax(2).sum(1), 30 - masked.amax(1).sum(1)
    assert (bands.max(), moments.max()) == (4, 9)
    assert bands.min() == 0
    assert augment_of(SimpleNamespace(shift_ms=0, noise=0, sample_rate=8000), 1.0) is None
    noisy = augment_of(SimpleNamespace(shift_ms=0, noise=0.5, sample_rate=8000), 2.0)
    assert noisy is not None
    assert float((noisy(clips_) - clips_).std()) == pytest.approx(0.6, abs=0.15)


def test_the_selector_puts_what_hears_first_where_the_one_column_is_as_long_as_clips(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recipes_module, "is_installed", lambda _: True)
    manifests = [find_recipe(name) for name in ("sound_kernels", "torch_sound", "torch_cnn", "xgboost")]
    facts = Facts(rows=3000, columns=1, lists={"samples": 16_000})
    found = recommend(manifests, TASKS["classification"], facts, Constraints(), [])
    assert [one.recipe for one in found] == ["torch_sound", "sound_kernels", "xgboost", "torch_cnn"]
    assert "the lists in 'samples' are as long as clips of sound: 16,000 samples" in found[0].reasons
    assert "one by one, not the pitches" in found[2].reasons[1]
    table = recommend(manifests, TASKS["classification"], Facts(rows=3000, columns=5), Constraints(), [])
    left = {one.recipe: one.left_out for one in table}
    assert left["sound_kernels"] == "it learns from one column of clips of sound: lists of 2,000 samples or more"
    assert left["xgboost"] is None
