"""What is trained again, typed by somebody at a shell: groups and series, on newer rows; and a recipe from a file."""

from __future__ import annotations

import json
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.fixtures.engines import needs_bubblewrap
from tests.fixtures.platform import running_platform
from tests.fixtures.tutorial import Shell

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
NAMES = {"dataset": "visits", "model": "groups", "endpoint": "groups", "task": "clustering", "recipes": ["kmeans"]}
MINE = {"dataset": "visits", "target": "left", "model": "mine", "endpoint": "mine"}

LOAD = {"dataset": "load", "model": "load", "endpoint": "load", "task": "forecasting", "recipes": ["seasonal_naive"]}


def loads(first: int, count: int) -> pl.DataFrame:
    """Return hours of a series that repeats each day."""
    hours = np.arange(first, first + count)
    moments = [datetime(2026, 1, 1) + timedelta(hours=int(hour)) for hour in hours]  # noqa: DTZ001 wall clock
    noise = np.random.default_rng(first).normal(scale=0.3, size=count)
    return pl.DataFrame({"at": moments, "load": (10 + 5 * np.sin(hours / 24 * 2 * np.pi) + noise).round(3)})


def visits(first: int, count: int) -> pl.DataFrame:
    """Return rows that lie around three places."""
    rng = np.random.default_rng(first)
    places = rng.integers(0, 3, count)
    spread = rng.normal(scale=0.2, size=(2, count))
    return pl.DataFrame(
        {
            "id": [f"v{n}" for n in range(first, first + count)],
            "pages": (places * 3.0 + spread[0]).round(3),
            "minutes": ((places == 1) * 4.0 + spread[1]).round(3),
            "left": [("yes", "no")[int(place == 0)] for place in places],
        }
    )


@needs_bubblewrap
def test_groups_are_made_anew_of_newer_rows_and_a_file_is_named_by_its_run() -> None:
    with tempfile.TemporaryDirectory(prefix="am") as name, running_platform(Path(name) / "d") as platform:
        shell, folder = Shell(platform, Path(name)), Path(name)
        visits(0, 400).write_csv(folder / "visits.csv")
        shell.run("aimass login --name admin --workspace demo")
        shell.run("aimass workspaces create demo --review auto")
        shell.run("aimass data collect visits.csv --name visits --key id")
        _groups_again(shell, folder)
        _series_again(shell, folder)
        _a_file_in_a_pipeline_and_a_study(shell, folder)


def _groups_again(shell: Shell, folder: Path) -> None:
    _pipeline(shell, "groups", "release", NAMES)
    shell.run("aimass pipelines run groups")
    _pipeline(shell, "again", "retrain", {**NAMES, "canary_requests": 0})
    with pytest.raises(AssertionError, match="there is no newer version"):
        shell.run("aimass pipelines run again")
    visits(400, 100).write_csv(folder / "visits.csv")
    shell.run("aimass data collect visits.csv --name visits --key id")
    told = json.loads(shell.run("aimass pipelines run again --json"))
    steps = {step["name"]: step["output"] for step in told["steps"]}
    assert steps["gather"]["dataset_version"] == 2
    assert steps["split"]["counts"]["train"] > 200 + 90
    assert json.loads(shell.run("aimass models show groups --json"))["latest"] == 2


def _series_again(shell: Shell, folder: Path) -> None:
    for first, count in ((0, 400), (400, 100)):
        loads(first, count).write_csv(folder / "load.csv")
        shell.run("aimass data collect load.csv --name load")
        if not first:
            more = {"target": "load", "time_column": "at", "horizon": 6}
            _pipeline(shell, "load", "release", {**LOAD, **more, "key_column": None})
            shell.run("aimass pipelines run load")
    _pipeline(shell, "load-again", "retrain", {**LOAD, "key_column": None, "canary_requests": 0})
    with pytest.raises(AssertionError, match="the champion learned from 'load', not from 'at'"):
        shell.run("""aimass pipelines run load-again --parameters '{"target": "at"}'""")
    told = json.loads(shell.run("aimass pipelines run load-again --json"))
    steps = {step["name"]: step["output"] for step in told["steps"]}
    split = json.loads(shell.run(f"aimass train show-split {steps['split']['split']} --json"))
    assert (split["horizon"], split["time_column"], split["dataset_version"]) == (6, "at", 2)
    assert split["base"] is None, "its newest moments judge"
    assert steps["review"]["checks"]["training.metric_gate"] is True


def _a_file_in_a_pipeline_and_a_study(shell: Shell, folder: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/guides/own-recipe.md").read_text()
    (folder / "mine.py").write_text(page.partition("```python\n")[2].partition("```")[0])
    words = "--dataset visits --target left --key-column id --folds 2 --param trees=5 --json"
    run = json.loads(shell.run(f"aimass train mine.py {words}"))
    named = f"mine.py@{run['id']}"
    _pipeline(shell, "mine", "release", {**MINE, "recipes": [named], "params": {named: {"trees": 6}}})
    done = json.loads(shell.run("aimass pipelines run mine --json"))
    assert list(done["steps"][2]["output"]["runs"]) == [named]
    trained = json.loads(shell.run(f"aimass train show {done['steps'][2]['output']['runs'][named]} --json"))
    assert trained["params"]["trees"] == 6
    assert json.loads(shell.run("aimass models show mine --json"))["latest"] == 1
    words = f"--split {run['split']} --sampler grid --folds 2 --json --space"
    space = json.dumps({"trees": {"type": "int", "low": 5, "high": 6}})
    study = json.loads(shell.run(f"aimass train tune --recipe mine.py {words} '{space}'"))
    assert (study["state"], study["counts"]) == ("FINISHED", {"COMPLETE": 2})
    with pytest.raises(AssertionError, match="there is no file"):
        shell.run("aimass train tune --recipe gone.py --split x")


def _pipeline(shell: Shell, name: str, template: str, parameters: dict[str, Any]) -> None:
    given = json.dumps({"key_column": "id", "folds": 2, **parameters})
    shell.run(f"aimass pipelines create {name} --template {template} --parameters '{given}'")
