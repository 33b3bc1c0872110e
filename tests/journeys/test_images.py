"""Images through the whole main job, typed by somebody at a shell: from a file of lists to answers, scores and drift."""

from __future__ import annotations

import json
import tempfile
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

from tests.fixtures.digits import digits
from tests.fixtures.platform import running_platform
from tests.fixtures.tutorial import Shell

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
RECIPES = ["logistic_regression", *(["torch_cnn"] if find_spec("torch") else [])]


def test_digits_go_from_a_file_to_an_endpoint_and_are_scored_and_watched() -> None:
    parameters = {"dataset": "digits", "target": "digit", "key_column": "id", "model": "digits", "endpoint": "digits"}
    with tempfile.TemporaryDirectory(prefix="am") as name, running_platform(Path(name) / "d") as platform:
        shell, images = Shell(platform, Path(name)), digits(600)
        images.with_columns(pl.col("pixels").cast(pl.List(pl.UInt8))).write_parquet(Path(name) / "digits.parquet")
        shell.run("aimass login --name admin --workspace demo")
        shell.run("aimass workspaces create demo --review auto")
        shell.run("aimass data collect digits.parquet --name digits --key id")
        columns = json.loads(shell.run("aimass data version digits --json"))["columns"]
        assert {one["name"]: one["type"] for one in columns} == {"id": "string", "pixels": "json", "digit": "string"}
        assert "pixels" in shell.run("aimass data quality digits")
        shell.run(f"aimass pipelines create digits --template release --parameters '{json.dumps({**parameters, 'recipes': RECIPES})}'")  # fmt: skip
        shell.run("aimass pipelines run digits")
        assert "champion" in shell.run("aimass models show digits")
        row = json.dumps({"pixels": images["pixels"][5].to_list()})
        assert images["digit"][5] in shell.run(f"aimass predict digits --row '{row}'")
        shell.run("aimass predict digits --dataset digits --to answers")
        asked = "aimass data query 'SELECT count(*) AS right FROM answers WHERE \"digit\" = prediction' --json"
        assert json.loads(shell.run(asked))["rows"][0][0] > 0.95 * images.height
        drift = shell.run("aimass drift compute digits && aimass drift show digits")
        assert "pixels" not in drift
