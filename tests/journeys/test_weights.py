"""Pretrained weights, typed by somebody at a shell: from a folder to the library, to a run that starts from them, to answers."""

from __future__ import annotations

import json
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aimass.training.recipes.text_linear.contract import reviews
from tests.fixtures import weights
from tests.fixtures.platform import running_platform
from tests.fixtures.tutorial import Shell

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def laid_out(folder: Path) -> None:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(weights.config()))
    (folder / "tokenizer.json").write_text(json.dumps(weights.tokenizer()))
    (folder / "model.safetensors").write_bytes(weights.tensor_file(weights.bert()))
    (folder / "pytorch_model.bin").write_bytes(b"it is not sent")


def until_approved(shell: Shell, model: str) -> None:
    deadline = time.monotonic() + 60
    while json.loads(shell.run(f"aimass models version 1 --model {model} --json"))["review"] != "APPROVED":
        assert time.monotonic() < deadline
        time.sleep(0.3)


def test_a_folder_of_weights_becomes_a_model_and_the_start_of_others() -> None:
    with tempfile.TemporaryDirectory(prefix="am") as name, running_platform(Path(name) / "d") as platform:
        shell = Shell(platform, Path(name))
        laid_out(Path(name) / "tiny-bert")
        shell.run("aimass login --name admin --workspace demo")
        shell.run("aimass workspaces create demo --review auto")
        told = json.loads(shell.run("aimass models import-weights tiny-bert --model words --json"))
        assert told["result"]["layers"] == weights.LAYERS
        until_approved(shell, "words")
        if find_spec("torch") is None:
            pytest.skip("TORCH IS NOT INSTALLED, SO NO NET STARTED FROM THE WEIGHTS: pip install 'aimass[deep]'")
        truth = np.arange(600) % 2
        moods = [("good", "bad")[one] for one in truth]  # as the words of the texts say
        frame = pl.DataFrame({"id": range(600), "review": reviews(truth, 1), "mood": moods})
        frame.write_parquet(Path(name) / "moods.parquet")
        shell.run("aimass data collect moods.parquet --name moods --key id")
        parameters = {"dataset": "moods", "target": "mood", "key_column": "id", "model": "moods", "endpoint": "moods"}
        parameters = json.dumps({**parameters, "recipes": ["torch_transformer"]})
        shell.run(f"aimass pipelines create moods --template release --parameters '{parameters}'")
        shell.run("aimass pipelines run moods")
        row = json.dumps({"review": "good, great, LOVE"})
        assert "good" in shell.run(f"aimass predict moods --row '{row}'")
        split = json.loads(shell.run("aimass train splits --json"))["items"][0]["id"]
        params = json.dumps({"base": "words@1", "tuning": "lora", "epochs": 3})
        run = shell.run(
            f"aimass train start --recipe torch_transformer --split {split} --folds 2 --params '{params}' --json"
        )
        assert json.loads(run)["params"]["base"] == "words@1"
