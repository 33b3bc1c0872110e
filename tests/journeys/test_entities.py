"""Entities through the whole main job, typed by somebody at a shell: from marked texts to answers, feedback and a new version."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import polars as pl
import pytest

from aimass.training.recipes.contract_of_marks import marked
from tests.fixtures.platform import running_platform
from tests.fixtures.tutorial import Shell

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
NAMES = {"dataset": "messages", "target": "marks", "key_column": "id", "model": "messages", "endpoint": "messages"}


def test_entities_go_from_a_file_to_an_endpoint_and_back_as_feedback() -> None:
    texts, marks = marked(400, 9)
    frame = pl.DataFrame({"id": [f"m{n:03d}" for n in range(400)], "message": texts, "marks": marks})
    with tempfile.TemporaryDirectory(prefix="am") as name, running_platform(Path(name) / "d") as platform:
        shell = Shell(platform, Path(name))
        frame.write_csv(Path(name) / "messages.csv")
        shell.run("aimass login --name admin --workspace demo")
        shell.run("aimass workspaces create demo --review auto")
        shell.run("aimass data collect messages.csv --name messages --key id")
        release = json.dumps({**NAMES, "task": "tagging"})
        shell.run(f"aimass pipelines create messages --template release --parameters '{release}'")
        shell.run("aimass pipelines run messages")
        assert "champion" in shell.run("aimass models show messages")
        told = []
        for row, text in enumerate(texts[:12]):
            (Path(name) / "row.json").write_text(json.dumps({"message": text}))
            said = json.loads(shell.run(f"aimass predict messages --file row.json --request-id r{row} --json"))
            told.append({"request_id": f"r{row}", "label": marks[row], "key": f"n{row}"})
            answer = json.loads(said[0]["outputs"]["entities"])
            assert all(one["text"] == text[one["start"] : one["end"]] for one in answer)
        (Path(name) / "told.json").write_text(json.dumps(told))
        assert "12" in shell.run("aimass feedback send messages --labels @told.json")
        shell.run("aimass predict messages --dataset messages --to answers")
        asked = "aimass data query 'SELECT count(*) FROM answers WHERE len(marks) > 2 AND len(entities) > 2' --json"
        assert json.loads(shell.run(asked))["rows"][0][0] > 300
        assert "message" in shell.run("aimass drift compute messages && aimass drift show messages")
        live = json.loads(shell.run("aimass quality show messages --json"))
        assert (live["rows"], live["metrics"]["f1"]["value"] > 0.9) == (12, True)
        again = json.dumps({**NAMES, "least_labels": 10, "canary_requests": 0})
        shell.run(f"aimass pipelines create again --template retrain --parameters '{again}'")
        assert "12 fed-back rows" in shell.run("aimass pipelines run again")
        assert json.loads(shell.run("aimass models show messages --json"))["latest"] == 2
