"""A study over the parameters of a convolutional net: its trials are runs, and the best is judged by its exported file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aimass.models import Models
from aimass.training import CreateStudy, ListTrials, OneRun, OneStudy, Training
from aimass.training.jobs import follow, search
from tests.fixtures.deep import needs_torch
from tests.fixtures.digits import digits
from tests.fixtures.rooms import Rooms
from tests.training.place import ANN, EVE, WISH, Lakeside, split_made

pytestmark = [needs_torch, pytest.mark.long, pytest.mark.timeout(400)]


def test_a_study_tunes_a_net_of_images(rooms: Rooms, training: Training, lakeside: Lakeside) -> None:
    lakeside.write("digits", digits(400))
    split = split_made(rooms, replace(WISH, dataset="digits", target="digit", key_column="id"))
    wish = CreateStudy(
        workspace="demo", recipe="torch_cnn", split=split.id, params={"epochs": 3, "units": 16}, features=["pixels"],
        trials=3, parallel=1, folds=2, seed=1, pruner="median",
    )  # fmt: skip
    study = training.create_study(ANN, wish)

    def over() -> bool:
        follow(rooms.registry)
        search(rooms.registry)
        return training.study("demo", study.slug).state != "RUNNING"

    rooms.until(over, 300)
    trials = training.list_trials(EVE, ListTrials(workspace="demo", study=study.slug)).items
    done = [one for one in trials if one.state == "COMPLETE"]
    assert done
    assert all(one.error is None for one in trials)
    assert all(set(one.params) == {"blocks", "filters", "dropout", "learning_rate", "weight_decay"} for one in trials)
    (best,) = training.list_best_trials(EVE, OneStudy(workspace="demo", study=study.slug))
    assert best.values is not None
    assert best.values[0] == max(one.values[0] for one in done if one.values)
    assert best.values[0] > 0.9
    run = training.get_run(EVE, OneRun(workspace="demo", run=str(best.run)))
    assert run.package is not None
    assert "0 labels differ" in run.package.parity
    assert rooms.get(Models).package_manifest(run.package.digest).runtime == "onnx"
