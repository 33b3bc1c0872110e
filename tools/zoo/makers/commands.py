"""Which of six words a synthesiser says."""

from __future__ import annotations

import io
import random
import subprocess
import wave
from pathlib import Path
from shutil import which

import numpy as np
import polars as pl
from scipy.signal import resample_poly

from tools.zoo.making import Making

WORDS = ("go", "stop", "left", "right", "yes", "no")
_ACCENTS = ("en-gb", "en-us", "en-gb-scotland", "en-gb-x-rp")
_TIMBRES = ("m1", "m2", "m3", "m4", "m5", "m6", "f1", "f2", "f3", "f4", "f5")
_TAKES, _RATE, _SAMPLES = 3, 8000, 4800
_QUIET = 0.01
_DIGITS = 2  # decimals of a sample: the package holds some of the clips


def _rows(data: Path | None) -> pl.DataFrame:
    del data
    if which("espeak-ng") is None:
        raise SystemExit("commands wants the program espeak-ng, 1.51 or later")
    draw, noise = random.Random(0), np.random.default_rng(0)  # noqa: S311 a draw of examples
    found = [
        {"voice": f"{accent}+{timbre}", "word": word, "clip": _clip(word, f"{accent}+{timbre}", draw, noise)}
        for accent in _ACCENTS
        for timbre in _TIMBRES
        for word in WORDS
        for _ in range(_TAKES)
    ]
    return pl.DataFrame(found, schema_overrides={"clip": pl.List(pl.Float32)})


def _clip(word: str, voice: str, draw: random.Random, noise: np.random.Generator) -> list[float]:
    """Return one word somewhere in 0.6 s of a quiet room."""
    way = ["-s", str(draw.randint(140, 190)), "-p", str(draw.randint(30, 70)), "-v", voice]
    sound = subprocess.run(["espeak-ng", *way, "--stdout", word], check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(sound)) as file:
        rate, count = file.getframerate(), file.getnframes()
        samples = np.frombuffer(file.readframes(count), dtype=np.int16) / 32768
    said = resample_poly(samples, _RATE, rate)
    loud = np.flatnonzero(np.abs(said) > _QUIET)
    said = said[loud[0] : loud[-1] + 1][:_SAMPLES] if len(loud) else said[:_SAMPLES]
    clip = noise.normal(0, 0.004, _SAMPLES)
    start = draw.randint(0, _SAMPLES - len(said))
    clip[start : start + len(said)] += said * draw.uniform(0.5, 1.0)
    return np.round(clip, _DIGITS).tolist()


MAKING = Making(
    rows=_rows,
    task="classification",
    recipe="sound_kernels",
    params={"sample_rate": _RATE, "high_hz": 3800.0, "kernels": 160},
    target="word",
    more={"group": "voice"},
    about={
        "title": "Six spoken words",
        "summary": "Hears go, stop, left, right, yes or no in 0.6 seconds of sound, 4,800 samples at 8 kHz.",
        "family": "speech",
        "licence": "Apache-2.0",
        "data": {
            "title": "792 clips of words that a speech synthesiser said in 44 voices",
            "source": "Made with eSpeak NG by tools/zoo/makers/commands.py of this project",
            "licence": "Apache-2.0",
        },
        "card": {
            "intended_use": "To try out sounds as inputs: a list of samples between -1 and 1, one word somewhere in it.",
            "limits": "- Synthetic voices are easier than people; nobody real was heard. The figures are for voices that it did "
            "not hear.\n- It always names one of the six words, also for silence and noise.",
        },
    },
)
