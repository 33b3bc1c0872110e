"""Several labels through the whole main job, typed by somebody at a shell: from a file of lists to answers, feedback and quality."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.fixtures.platform import running_platform
from tests.fixtures.tutorial import Shell

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def tickets(count: int) -> pl.DataFrame:
    """Make tickets whose words and hours tell their topics; some have none."""
    rng = np.random.default_rng(4)
    told = {
        "damage": "the box was broken and torn",
        "delivery": "my parcel came far too late",
        "refund": "send my money back",
    }
    has = rng.random((count, 3)) < 0.35
    more = [f"order {n} of last week please have a look" for n in range(count)]
    texts = [
        " ".join([*(words for words, one in zip(told.values(), row, strict=True) if one), rest])
        for row, rest in zip(has, more, strict=True)
    ]
    topics = [[name for name, one in zip(told, row, strict=True) if one] for row in has]
    return pl.DataFrame(
        {
            "id": [f"t{n:04d}" for n in range(count)],
            "text": texts,
            "hour": rng.integers(0, 24, count),
            "topics": pl.Series(topics, dtype=pl.List(pl.String)),
        }
    )


def test_tickets_go_from_a_file_to_an_endpoint_that_chooses_their_topics() -> None:
    parameters = {"dataset": "tickets", "target": "topics", "key_column": "id", "model": "topics", "endpoint": "topics"}
    parameters |= {"task": "multilabel", "folds": 3}
    with tempfile.TemporaryDirectory(prefix="am") as name, running_platform(Path(name) / "d") as platform:
        shell, found = Shell(platform, Path(name)), tickets(500)
        found.write_parquet(Path(name) / "tickets.parquet")
        shell.run("aimass login --name admin --workspace demo")
        shell.run("aimass workspaces create demo --review auto")
        shell.run("aimass data collect tickets.parquet --name tickets --key id")
        more = {**parameters, "recipes": ["text_linear", "logistic_regression"]}
        shell.run(f"aimass pipelines create topics --template release --parameters '{json.dumps(more)}'")
        shell.run("aimass pipelines run topics")
        assert "champion" in shell.run("aimass models show topics")
        row = json.dumps({"text": "My parcel came far too late and the box was broken", "hour": 9})
        said = json.loads(shell.run(f"aimass predict topics --row '{row}' --request-id first --json"))[0]
        assert said["outputs"]["labels"] == ["damage", "delivery", ""]
        assert len(said["outputs"]["probabilities"]) == 3
        shell.run("aimass predict topics --dataset tickets --to answers")
        asked = "aimass data query 'SELECT labels FROM answers ORDER BY id LIMIT 5' --json"
        rows = [row[0] for row in json.loads(shell.run(asked))["rows"]]
        right = sum(sorted(one) == sorted(true) for one, true in zip(rows, found["topics"].to_list(), strict=False))
        assert right >= 4
        truth = json.dumps([{"request_id": "first", "label": ["delivery", "damage"]}])
        shell.run(f"aimass feedback send topics --labels '{truth}'")
        shell.run("aimass drift compute topics")
        quality = shell.run("aimass quality show topics")
        assert "accuracy" in quality
        assert "f1" in quality
        _again(shell, {**parameters, "recipes": ["text_linear"]})


def _again(shell: Shell, parameters: dict[str, Any]) -> None:
    """What was fed back is a row of the next version, written as the others are."""
    more = json.dumps({**parameters, "least_labels": 1, "canary_requests": 0})
    shell.run(f"aimass pipelines create again --template retrain --parameters '{more}'")
    done = json.loads(shell.run("aimass pipelines run again --json"))
    steps = {step["name"]: step["output"] for step in done["steps"]}
    assert (steps["gather"]["fed_back"], steps["gather"]["dataset_version"]) == (1, 2)
    assert sum(steps["split"]["counts"].values()) == 501
