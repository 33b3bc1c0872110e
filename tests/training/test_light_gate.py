"""The light gate: a snapshot of a learner against the champion, on the newest rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aimass.models import Rows
from aimass.training.children.exported import packaged
from aimass.training.children.learn import _columns, _signature, _write_window
from aimass.training.children.metric_gate import metric_gate
from aimass.training.children.online import Online
from aimass.training.online import check_model

COLUMNS = [
    {"name": "size", "type": "float", "categories": None},
    {"name": "kind", "type": "string", "categories": ["a", "b"]},
]


def taught(rows: int, *, turned: bool) -> Online:
    """Return a learner that learned rows of a world, or of the opposite one."""
    spec = {"model": "logistic_regression", "params": check_model("logistic_regression", {"learning_rate": 0.1})}
    learner = Online(
        {**spec, "detector": "adwin", "replay": 0, "window": 200, "seed": 0, "memory_mb": 8}, COLUMNS, ("no", "yes")
    )
    rng = np.random.default_rng(3)
    for number in range(rows):
        size, kind = float(rng.normal()), str(rng.choice(["a", "b"]))
        learner.take({"size": size, "kind": kind}, "yes" if (size > 0) != turned else "no", number)
    return learner


def judged(make_job: Any, folder: Path, new: Online, champion: Online | None, *, guessing: bool = False) -> Any:
    folders = {}
    for name, learner in (("package", new), ("champion", champion)):
        if learner is None:
            folders[name] = None
            continue
        columns = _columns(learner, learner.window())
        given = [learner.answer({n: v[i] for n, v in columns.items()}, ["no", "yes"]) for i in range(200)]
        rows = Rows(columns=columns, expected=np.array(given))
        package, parity = packaged(folder / name, learner, _signature(learner, ["no", "yes"]), rows)
        assert parity.passed
        folders[name] = str(package.folder)
    window = new.window()
    truth = np.array([["no", "yes"].index(one[0]) for one in window])
    said = np.array([[one[1]["no"], one[1]["yes"]] for one in window])
    rows = {"columns": _columns(new, window), "keys": [one[6] for one in window]}
    _write_window(folder / "window.parquet", rows, ["no", "yes"], truth, 1 - said if guessing else said)
    payload = {"window": str(folder / "window.parquet"), "task": "classification", "seed": 0, **folders}
    return metric_gate(make_job(payload))


def test_who_learned_the_new_world_replaces_who_knows_the_old_one(make_job: Any, tmp_path: Path) -> None:
    found = judged(make_job, tmp_path, taught(600, turned=True), taught(600, turned=False))
    assert found["passed"]
    assert found["evidence"].startswith("newest rows, ROC AUC 0.9")
    assert found["detail"]["champion"] < 0.2


def test_who_is_worse_than_guessing_is_refused(make_job: Any, tmp_path: Path) -> None:
    found = judged(make_job, tmp_path, taught(600, turned=False), None, guessing=True)
    assert not found["passed"]
    assert "is below the minimum 0.5" in found["evidence"]


def test_the_first_snapshot_passes_where_there_is_no_champion(make_job: Any, tmp_path: Path) -> None:
    found = judged(make_job, tmp_path, taught(600, turned=False), None)
    assert found["passed"]
    assert "there is no champion yet" in found["evidence"]
