"""Sounds through the whole main job, typed by somebody at a shell: from a folder of WAV files to the word that an endpoint hears."""

from __future__ import annotations

import io
import json
import tempfile
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass.training.recipes.sounds.contract import RATE, clips
from tests.fixtures.platform import running_platform
from tests.fixtures.tutorial import Shell

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
WORDS = ("up", "down")


def pack(path: Path, codes: Any, sounds: Any) -> None:
    """Write clips as WAV files of 16 bits, each in the folder of its word."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, (code, sound) in enumerate(zip(codes.tolist(), sounds, strict=True)):
            file = io.BytesIO()
            with wave.open(file, "wb") as opened:
                opened.setnchannels(1)
                opened.setsampwidth(2)
                opened.setframerate(RATE)
                opened.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
            archive.writestr(f"{WORDS[code]}/{number}.wav", file.getvalue())


def test_words_go_from_a_folder_of_files_to_an_endpoint_that_hears_them() -> None:
    codes = np.arange(300) % 2
    parameters = {"dataset": "words", "target": "label", "key_column": "path", "model": "words", "endpoint": "words"}
    with tempfile.TemporaryDirectory(prefix="am") as name, running_platform(Path(name) / "d") as platform:
        shell = Shell(platform, Path(name))
        pack(Path(name) / "words.zip", codes, clips(codes, 7) * 0.5)
        shell.run("aimass login --name admin --workspace demo")
        shell.run("aimass workspaces create demo --review auto")
        shell.run("aimass data collect words.zip --name words --key path --read sample_rate=16000 --read clip_ms=280")
        columns = json.loads(shell.run("aimass data version words --json"))["columns"]
        assert [one["name"] for one in columns] == ["path", "label", "_rate", "_seconds", "samples"]
        shell.run(f"aimass pipelines create words --template release --parameters '{json.dumps(parameters)}'")
        shell.run("aimass pipelines run words")
        ran = json.loads(shell.run("aimass train runs --json"))["items"]
        assert [one["recipe"] for one in ran] == ["sound_kernels"]  # nobody named one
        assert "champion" in shell.run("aimass models show words")
        said = "SELECT path, label, len(samples) AS samples, samples AS heard FROM words ORDER BY path LIMIT 1"
        (_, label, count, heard), *_ = json.loads(shell.run(f"aimass data query '{said}' --json"))["rows"]
        assert count == 4480  # no image of any square
        row = json.dumps({"samples": heard if isinstance(heard, list) else json.loads(heard)})
        (Path(name) / "row.jsonl").write_text(row + "\n")
        assert label in shell.run("aimass predict words --file row.jsonl")
        shell.run("aimass predict words --dataset words --to answers")
        asked = "aimass data query 'SELECT count(*) AS right FROM answers WHERE label = prediction' --json"
        assert json.loads(shell.run(asked))["rows"][0][0] > 0.95 * len(codes)
